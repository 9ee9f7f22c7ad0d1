import * as api from "./api.ts";
import { type Child, el, replace } from "./dom.ts";
import * as format from "./format.ts";
import type { Span } from "./tree.ts";
import { problem, type ViewContext } from "./view.ts";

const WARNING = 13;
const ERROR = 17;

/** Log records of a span, asked for when they are opened. */
export function logsOf(context: ViewContext, traceId: string, traceStartNs: bigint, span: Span): Child {
  const body = el("div", { class: "logs" });
  let asked = false;
  const ask = async (): Promise<void> => {
    if (asked) return;
    asked = true;
    replace(body, el("p", { class: "faint" }, "Asking the store …"));
    try {
      const { logs, partial } = await api.logs(traceId, span.id, context.signal);
      replace(
        body,
        logs.length === 0 && el("p", { class: "faint" }, "No log record bears this span's id."),
        logs.map((record) => line(record, traceStartNs)),
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

function line(record: api.LogRecord, traceStartNs: bigint): HTMLElement {
  const text = typeof record.body === "string" ? record.body : JSON.stringify(record.body);
  const severity = record.severityText || (record.severity > 0 ? String(record.severity) : "");
  const weight = record.severity >= ERROR ? "tag bad" : record.severity >= WARNING ? "tag warning" : "tag";
  return el(
    "p",
    { class: "logline" },
    el("span", { class: "faint" }, `+${format.duration(Number(BigInt(record.timeUnixNano) - traceStartNs))} `),
    severity && [el("span", { class: weight }, severity), " "],
    text,
  );
}
