/** What the page shows stands in its address, so that every view can be sent to a colleague. */

/** A view's name, what follows it in the path, and its parameters. */
export interface Place {
  readonly view: string;
  readonly subject: string;
  readonly parameters: URLSearchParams;
}

/** Reads `#/view/subject?name=value`. */
export function parsePlace(hash: string): Place {
  const text = hash.replace(/^#\/?/, "");
  const mark = text.indexOf("?");
  const path = mark < 0 ? text : text.slice(0, mark);
  const slash = path.indexOf("/");
  return {
    view: slash < 0 ? path : path.slice(0, slash),
    subject: slash < 0 ? "" : decodeURIComponent(path.slice(slash + 1)),
    parameters: new URLSearchParams(mark < 0 ? "" : text.slice(mark + 1)),
  };
}

/** The address of a view; parameters that are empty are left out. */
export function address(view: string, parameters: Record<string, string | undefined> = {}, subject = ""): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value) query.set(name, value);
  }
  const tail = query.toString();
  return `#/${view}${subject ? `/${encodeURIComponent(subject)}` : ""}${tail ? `?${tail}` : ""}`;
}

/** A time range as it stands in the address: `from` is "now-1h" or a time in ms, `to` is "now" or a time in ms. */
export interface TimeRange {
  readonly from: string;
  readonly to: string;
}

export const DEFAULT_RANGE: TimeRange = { from: "now-1h", to: "now" };

const UNITS: Record<string, number> = { s: 1e3, m: 60e3, h: 3600e3, d: 86400e3 };

/** Milliseconds since the epoch of one end of a range; the fallback if it cannot be read. */
export function resolveTime(text: string, nowMs: number, fallbackMs: number): number {
  if (text === "now") return nowMs;
  const back = /^now-(\d+)([smhd])$/.exec(text);
  if (back) return nowMs - Number(back[1]) * (UNITS[back[2] ?? ""] ?? 0);
  if (/^\d{10,16}$/.test(text)) return Number(text);
  const parsed = Date.parse(text);
  return Number.isNaN(parsed) ? fallbackMs : parsed;
}

/** Both ends in seconds, as the API takes them; never empty. */
export function resolveRange(range: TimeRange, nowMs = Date.now()): { start: number; end: number } {
  const end = Math.ceil(resolveTime(range.to, nowMs, nowMs) / 1000);
  const start = Math.floor(resolveTime(range.from, nowMs, nowMs - 3600e3) / 1000);
  return { start: Math.min(start, end - 1), end };
}

/** The range that stands in an address. */
export function rangeOf(parameters: URLSearchParams): TimeRange {
  return { from: parameters.get("from") ?? DEFAULT_RANGE.from, to: parameters.get("to") ?? DEFAULT_RANGE.to };
}

/** The parameters of a range, none for the default one. */
export function rangeParameters(range: TimeRange): Record<string, string | undefined> {
  return {
    from: range.from === DEFAULT_RANGE.from ? undefined : range.from,
    to: range.to === DEFAULT_RANGE.to ? undefined : range.to,
  };
}

/** Seconds as a field for local times takes them. */
export function local(at: number): string {
  const date = new Date(at * 1000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60e3).toISOString().slice(0, 19);
}
