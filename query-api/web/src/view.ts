import { ApiError } from "./api.ts";
import { type Child, el, replace } from "./dom.ts";
import { type Place, rangeOf, resolveRange, type TimeRange } from "./location.ts";
import type { Range } from "./api.ts";
import * as format from "./format.ts";
import { token, tokenForm } from "./token.ts";

/** What a view gets: where it stands, where it draws, and when to stop. */
export interface ViewContext {
  readonly place: Place;
  readonly main: HTMLElement;
  /** Aborted when the view is left. */
  readonly signal: AbortSignal;
  /** Goes to an address of this page. */
  readonly go: (address: string) => void;
  /** Puts another address in place of this one without drawing anew. */
  readonly note: (address: string) => void;
  /** Says something to those who cannot see the page. */
  readonly announce: (text: string) => void;
}

export interface View {
  readonly name: string;
  readonly title: string;
  /** The key that leads here after `g`. */
  readonly key: string;
  readonly show: (context: ViewContext) => Promise<void>;
}

export function timeRange(context: ViewContext): TimeRange {
  return rangeOf(context.place.parameters);
}

export function seconds(context: ViewContext): Range {
  return resolveRange(timeRange(context));
}

/** Waits for an answer with a sign that it does; an error is shown in its place, and nothing comes back. */
export async function answerOf<T>(
  context: ViewContext,
  into: HTMLElement,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  into.setAttribute("aria-busy", "true");
  replace(
    into,
    el("div", { class: "waiting", role: "status" }, el("span", { class: "spinner" }), "Asking the store …"),
  );
  try {
    const answer = await ask(context.signal);
    replace(into);
    return answer;
  } catch (error) {
    if (context.signal.aborted) return undefined;
    replace(into, problem(error));
    return undefined;
  } finally {
    into.removeAttribute("aria-busy");
  }
}

/** An error as the API worded it; positions in a query keep their places. */
export function problem(error: unknown): HTMLElement {
  if (error instanceof ApiError && error.status === 401) return tokenWanted();
  const text = error instanceof Error ? error.message : String(error);
  const title =
    error instanceof ApiError && error.status === 400
      ? "This cannot be asked"
      : error instanceof ApiError && error.status === 404
        ? "Not found"
        : "No answer";
  return el("div", { class: "notice bad", role: "alert" }, el("strong", null, title), el("pre", null, text));
}

function tokenWanted(): HTMLElement {
  return el(
    "div",
    { class: "notice", role: "alert" },
    el("strong", null, token() ? "The token is not known" : "A token is needed"),
    el(
      "p",
      null,
      token()
        ? "It may have been taken back, or mistyped. Another one:"
        : "A token says what you may see; the platform's operators give them out.",
    ),
    tokenForm(() => {
      window.dispatchEvent(new HashChangeEvent("hashchange"));
    }),
  );
}

/** Says that there is nothing, and what to do about it. */
export function nothing(title: string, ...advice: Child[]): HTMLElement {
  return el("div", { class: "empty" }, el("strong", null, title), el("p", null, ...advice));
}

/** A heading with what belongs beside it. */
export function heading(title: string, ...beside: Child[]): HTMLElement {
  return el("div", { class: "heading" }, el("h1", null, title), ...beside);
}

/** Lets the rows of a table be walked with the arrow keys or j and k, and opened with Enter. */
export function walkRows(table: HTMLElement, rows: readonly HTMLElement[], open: (index: number) => void): void {
  let current = 0;
  const focus = (index: number): void => {
    const next = Math.max(0, Math.min(rows.length - 1, index));
    rows[current]?.setAttribute("tabindex", "-1");
    current = next;
    rows[current]?.setAttribute("tabindex", "0");
    rows[current]?.focus();
  };
  for (const [index, row] of rows.entries()) {
    row.setAttribute("tabindex", index === 0 ? "0" : "-1");
    row.addEventListener("click", (event) => {
      const link = (event.target as Element).closest("a, button");
      if (!link && !event.defaultPrevented && document.getSelection()?.isCollapsed !== false) open(index);
    });
    row.addEventListener("focus", () => {
      if (current !== index) {
        rows[current]?.setAttribute("tabindex", "-1");
        current = index;
        row.setAttribute("tabindex", "0");
      }
    });
  }
  table.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const inRow = rows.includes(event.target as HTMLElement);
    if (event.key === "ArrowDown" || event.key === "j") focus(inRow ? current + 1 : current);
    else if (event.key === "ArrowUp" || event.key === "k") focus(current - 1);
    else if (event.key === "Home" && inRow) focus(0);
    else if (event.key === "End" && inRow) focus(rows.length - 1);
    else if (event.key === "Enter" && inRow) open(current);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

/** A colour for a name, the same wherever the name stands: one of the classes `hue-0` to `hue-7`. */
export function hue(name: string): string {
  let hash = 2166136261;
  for (const character of name) hash = Math.imul(hash ^ character.charCodeAt(0), 16777619) >>> 0;
  return `hue-${hash % 8}`;
}

/** A duration beside a bar, as wide as all others in its column. */
export function amount(ns: number): HTMLElement {
  return el("span", { class: "amount" }, format.duration(ns));
}
