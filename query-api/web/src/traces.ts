import type { FoundTrace } from "./api.ts";
import { label, valueText } from "./api.ts";
import { el, place } from "./dom.ts";
import * as format from "./format.ts";
import { address, rangeParameters } from "./location.ts";
import { amount, hue, timeRange, type ViewContext, walkRows } from "./view.ts";

/** A list of traces; each leads to its waterfall. */
export function traceTable(context: ViewContext, traces: readonly FoundTrace[]): HTMLElement {
  const longest = Math.max(...traces.map((trace) => trace.durationMs), 1);
  const href = (trace: FoundTrace): string =>
    address("trace", { ...rangeParameters(timeRange(context)), span: matchedSpan(trace) }, trace.traceID);
  const rows = traces.map((trace) => traceRow(trace, href(trace), longest));
  const table = el(
    "table",
    { class: "list traces" },
    el(
      "thead",
      null,
      el(
        "tr",
        null,
        el("th", { scope: "col" }, "Started"),
        el("th", { scope: "col" }, "Trace"),
        el("th", { scope: "col", class: "wide-only" }, "Matched"),
        el("th", { scope: "col", class: "number wide-only" }, "Spans"),
        el("th", { scope: "col", class: "duration" }, "Duration"),
      ),
    ),
    el("tbody", null, rows),
  );
  walkRows(table, rows, (index) => {
    const chosen = traces[index];
    if (chosen) context.go(href(chosen));
  });
  return table;
}

/** The span to open first: the one that matched, unless all did. */
function matchedSpan(trace: FoundTrace): string | undefined {
  const sets = trace.spanSets ?? [];
  const matched = sets.reduce((sum, set) => sum + set.matched, 0);
  return matched < spanCount(trace) ? sets[0]?.spans[0]?.spanID : undefined;
}

function spanCount(trace: FoundTrace): number {
  return Object.values(trace.serviceStats ?? {}).reduce((sum, stats) => sum + stats.spanCount, 0);
}

function traceRow(trace: FoundTrace, href: string, longest: number): HTMLTableRowElement {
  const errors = Object.values(trace.serviceStats ?? {}).reduce((sum, stats) => sum + (stats.errorCount ?? 0), 0);
  const bar = place(el("span", { class: errors > 0 ? "bar bad" : "bar" }), {
    width: `${Math.max(1, (trace.durationMs / longest) * 100)}%`,
  });
  const service = trace.rootServiceName || "(root not seen)";
  return el(
    "tr",
    null,
    el("td", { class: "nowrap faint" }, format.time(BigInt(trace.startTimeUnixNano))),
    el(
      "td",
      null,
      el("span", { class: `service ${hue(service)}` }, service),
      el("a", { href, tabindex: "-1" }, trace.rootTraceName || trace.traceID),
      errors > 0 && el("span", { class: "tag bad" }, `${format.count(errors)} failed`),
    ),
    el("td", { class: "wide-only" }, matched(trace)),
    el("td", { class: "number wide-only" }, format.count(spanCount(trace))),
    el("td", { class: "duration" }, el("span", { class: "track" }, bar), amount(trace.durationMs * 1e6)),
  );
}

/** What the query found in the trace: groups, else names of spans and the values it asked for. */
function matched(trace: FoundTrace): HTMLElement {
  const sets = trace.spanSets ?? [];
  const groups = sets.filter((set) => (set.attributes ?? []).length > 0);
  if (groups.length > 0) {
    const texts = groups
      .slice(0, 3)
      .map((set) =>
        (set.attributes ?? []).map((attribute) => `${attribute.key} ${valueText(attribute.value)}`).join(", "),
      );
    return el("span", { class: "faint clip" }, texts.join(" · "));
  }
  const first = sets[0];
  const span = first?.spans[0];
  if (!first || !span) return el("span");
  const told = (span.attributes ?? []).filter((attribute) => attribute.key !== "kind" && attribute.key !== "name");
  const values = told.map((attribute) => {
    const text = valueText(attribute.value);
    return `${attribute.key.replace(/^headspan\./, "")} ${attribute.key.endsWith("_ns") ? format.duration(Number(text)) : text}`;
  });
  const more = first.matched > 1 ? ` +${format.count(first.matched - 1)}` : "";
  const service = label(span.attributes, "service.name");
  return el(
    "span",
    { class: "faint clip" },
    [service, span.name].filter(Boolean).join(" ") + more + (values.length > 0 ? ` · ${values.join(", ")}` : ""),
  );
}
