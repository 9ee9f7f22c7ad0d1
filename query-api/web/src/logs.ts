import * as api from "./api.ts";
import { type Child, el, replace } from "./dom.ts";
import * as format from "./format.ts";
import type { Span, Trace } from "./tree.ts";
import { hue, problem, type ViewContext, walkRows } from "./view.ts";

const WARNING = 13;
const ERROR = 17;

/** What a reader may leave out, by the least severity that is left. */
const SEVERITIES: readonly (readonly [number, string])[] = [
  [0, "all severities"],
  [9, "info and above"],
  [WARNING, "warnings and errors"],
  [ERROR, "errors"],
];

/** Log records of a span, asked for when they are opened. */
export function logsOf(context: ViewContext, traceId: string, traceStartNs: bigint, span: Span): Child {
  const body = el("div", { class: "logs" });
  let asked = false;
  const ask = async (): Promise<void> => {
    if (asked) return;
    asked = true;
    replace(body, el("p", { class: "faint" }, "Asking the store …"));
    try {
      const { logs, partial } = await api.logs(traceId, { spanId: span.id }, context.signal);
      replace(
        body,
        logs.length === 0 && el("p", { class: "faint" }, "No log record bears this span's id."),
        logs.map((record) =>
          el(
            "p",
            { class: "logline" },
            el("span", { class: "faint" }, `${after(record, traceStartNs)} `),
            severityTag(record),
            " ",
            message(record),
          ),
        ),
        partial && el("p", { class: "faint" }, "There are more."),
      );
    } catch (error) {
      if (!context.signal.aborted) replace(body, problem(error));
    }
  };
  return el(
    "details",
    { class: "loglist", ontoggle: () => void ask() },
    el("summary", null, "Logs of this span"),
    body,
  );
}

/**
 * Log records of a whole trace in order of time; one that belongs to a span that is shown leads to it.
 *
 * @param choose shows the span with such an id
 * @param counted learns how many records there are
 */
export function logsOfTrace(
  context: ViewContext,
  traceId: string,
  trace: Trace,
  choose: (spanId: string) => void,
  counted: (records: string) => void,
): HTMLElement {
  const body = el("div");
  const spans = new Map(trace.rows.map(({ span }) => [span.id, span]));
  const severity = el(
    "select",
    {
      "aria-label": "Severity",
      onchange: () => void show(),
    },
    SEVERITIES.map(([least, text]) => el("option", { value: least }, text)),
  );
  const show = async (): Promise<void> => {
    const minSeverity = Number(severity.value);
    try {
      const { logs, partial } = await api.logs(traceId, { minSeverity }, context.signal);
      if (minSeverity === 0 && logs.length > 0) {
        counted(`${format.count(logs.length)}${partial ? "+" : ""} log ${logs.length === 1 ? "record" : "records"}`);
      }
      // Another choice may have been made meanwhile.
      if (minSeverity !== Number(severity.value)) return;
      replace(
        body,
        logs.length === 0
          ? el("p", { class: "faint" }, `No log record bears this trace's id${minSeverity > 0 ? " and severity" : ""}.`)
          : logTable(logs, trace.startNs, spans, choose),
        partial && el("p", { class: "faint" }, `There are more than these ${format.count(logs.length)}.`),
      );
    } catch (error) {
      if (!context.signal.aborted) replace(body, problem(error));
    }
  };
  void show();
  return el(
    "section",
    { "aria-label": "Logs of the trace" },
    el("div", { class: "bar-above" }, el("h2", null, "Logs"), el("span", { class: "grow" }), severity),
    body,
  );
}

function logTable(
  logs: readonly api.LogRecord[],
  traceStartNs: bigint,
  spans: ReadonlyMap<string, Span>,
  choose: (spanId: string) => void,
): HTMLElement {
  const rows = logs.map((record) => {
    const span = spans.get(record.spanId);
    return el(
      "tr",
      { class: span ? "" : "unlinked" },
      el("td", { class: "number faint nowrap" }, after(record, traceStartNs)),
      el("td", null, severityTag(record)),
      el("td", { class: "nowrap" }, el("span", { class: `service ${hue(record.service)}` }, record.service || "?")),
      el("td", { class: "logline" }, message(record)),
      el(
        "td",
        { class: "nowrap" },
        span
          ? el(
              "button",
              {
                class: "link",
                title: "show the span",
                onclick: () => {
                  choose(span.id);
                },
              },
              span.name,
            )
          : el("span", { class: "faint" }, "no span"),
      ),
    );
  });
  const table = el(
    "table",
    { class: "list loglines" },
    el(
      "thead",
      null,
      el(
        "tr",
        null,
        el("th", { scope: "col", class: "number" }, "After"),
        el("th", { scope: "col" }, "Severity"),
        el("th", { scope: "col" }, "Function"),
        el("th", { scope: "col" }, "Message"),
        el("th", { scope: "col" }, "Span"),
      ),
    ),
    el("tbody", null, rows),
  );
  walkRows(table, rows, (index) => {
    const id = logs[index]?.spanId ?? "";
    if (spans.has(id)) choose(id);
  });
  return table;
}

/** When, from the start of the trace. */
function after(record: api.LogRecord, traceStartNs: bigint): string {
  const ns = Number(BigInt(record.timeUnixNano) - traceStartNs);
  return ns < 0 ? `−${format.duration(-ns)}` : `+${format.duration(ns)}`;
}

function severityTag(record: api.LogRecord): Child {
  const text = record.severityText || (record.severity > 0 ? String(record.severity) : "");
  const weight = record.severity >= ERROR ? "tag bad" : record.severity >= WARNING ? "tag warning" : "tag";
  return text && el("span", { class: weight }, text);
}

/** What was logged, with the record's attributes behind it. */
function message(record: api.LogRecord): Child {
  const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
  const attributes = Object.entries(record.attributes).map(([key, value]) => `${key}=${text(value)}`);
  return [text(record.body), attributes.length > 0 && el("span", { class: "faint" }, ` ${attributes.join(" ")}`)];
}
