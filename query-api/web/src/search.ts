import * as api from "./api.ts";
import { isMetrics } from "./completion.ts";
import { el, replace } from "./dom.ts";
import { queryEditor } from "./editor.ts";
import * as format from "./format.ts";
import { address, rangeParameters } from "./location.ts";
import { showSeries } from "./series.ts";
import { traceTable } from "./traces.ts";
import { answerOf, nothing, seconds, timeRange, type View, type ViewContext } from "./view.ts";

const LIMITS = [20, 100, 500];

const EXAMPLES: readonly { query: string; meaning: string }[] = [
  { query: "{ status = error }", meaning: "what failed" },
  { query: "{ kind = server && duration > 100ms }", meaning: "slow invocations" },
  { query: "{ span.headspan.stolen_ns > 10000000 }", meaning: "lost more than 10 ms to a neighbour" },
  { query: "{ span.faas.coldstart = true }", meaning: "cold starts" },
  { query: "{ kind = server } >> { status = error }", meaning: "failures below an invocation" },
  { query: "{ status = error } | rate() by (resource.service.name)", meaning: "failures per second, by function" },
];

/** Search with TraceQL: traces, or the series of a metrics query. */
export const searchView: View = { name: "search", title: "Search", key: "s", show };

async function show(context: ViewContext): Promise<void> {
  const { parameters } = context.place;
  const query = parameters.get("q") ?? "";
  const limit = LIMITS.find((one) => String(one) === parameters.get("limit")) ?? 20;
  const to = (q: string, most: number): string =>
    address("search", { ...rangeParameters(timeRange(context)), q, limit: most === 20 ? undefined : String(most) });
  const ask = (q: string): void => {
    context.go(isTraceId(q) ? address("trace", rangeParameters(timeRange(context)), q) : to(q, limit));
  };
  const editor = queryEditor(query, true, () => seconds(context), ask, context.signal);
  const results = el("section", { class: "results", "aria-label": "Traces" });
  replace(
    context.main,
    el(
      "form",
      {
        class: "searchbar",
        role: "search",
        onsubmit: (event: Event) => {
          event.preventDefault();
          ask(editor.input.value.trim());
        },
      },
      editor.element,
      el("button", { type: "submit", class: "primary" }, "Search"),
    ),
    el(
      "div",
      { class: "examples", "aria-label": "Examples" },
      EXAMPLES.map(({ query: example, meaning }) =>
        el("a", { class: "chip", href: to(example, limit), title: example }, meaning),
      ),
    ),
    results,
  );
  if (isMetrics(query)) {
    results.setAttribute("aria-label", "Series");
    await showSeries(context, results, query);
    return;
  }
  const answer = await answerOf(context, results, (signal) =>
    api.search(query || "{}", seconds(context), limit, signal),
  );
  if (!answer) return;
  const { traces } = answer;
  if (traces.length === 0) {
    replace(
      results,
      nothing("No trace matches.", "Try a longer time range (", el("kbd", null, "["), "), or a wider query."),
    );
    context.announce("No trace matches.");
    return;
  }
  const full = traces.length >= limit;
  const found = `${format.count(traces.length)} ${traces.length === 1 ? "trace" : "traces"}${full ? ", the newest" : ""}`;
  const next = LIMITS.find((one) => one > limit);
  replace(
    results,
    el(
      "div",
      { class: "bar-above" },
      el("span", { class: "faint" }, found),
      full && next !== undefined && el("a", { href: to(query, next) }, `show up to ${next}`),
      el("span", { class: "grow" }),
      el("a", { href: address("latency", { ...rangeParameters(timeRange(context)), q: query }) }, "Latency over time"),
    ),
    traceTable(context, traces),
  );
  context.announce(found);
}

/** Whether a query is a trace's id, pasted. */
export function isTraceId(text: string): boolean {
  return /^[0-9a-f]{16,32}$/i.test(text);
}
