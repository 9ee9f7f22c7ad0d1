import * as api from "./api.ts";
import { label, valueText } from "./api.ts";
import { el, replace, svg } from "./dom.ts";
import * as format from "./format.ts";
import { stepFor } from "./latency.ts";
import { address, rangeParameters } from "./location.ts";
import { answerOf, nothing, seconds, timeRange, type ViewContext } from "./view.ts";

const COLUMNS = 60;
const EXEMPLARS = 100;
const MOST_SHOWN = 200;

/** The series of a metrics query, a row each: those with the greatest values first. */
export async function showSeries(context: ViewContext, into: HTMLElement, query: string): Promise<void> {
  const range = seconds(context);
  const step = stepFor(range, COLUMNS);
  const answer = await answerOf(context, into, (signal) => api.series(query, range, step, EXEMPLARS, signal));
  if (!answer) return;
  const all = answer.series
    .map((one) => ({ one, values: one.samples.map((sample) => sample.value) }))
    .filter(({ values }) => values.length > 0)
    .sort((a, b) => Math.max(...b.values) - Math.max(...a.values));
  if (all.length === 0) {
    replace(into, nothing("No series.", "Try a longer time range, or a wider query."));
    context.announce("No series.");
    return;
  }
  const found = `${format.count(all.length)} series, a value per ${format.duration(step * 1e9)}`;
  replace(
    into,
    el(
      "div",
      { class: "bar-above" },
      el("span", { class: "faint" }, found, all.length > MOST_SHOWN && `; the largest ${MOST_SHOWN} are shown`),
    ),
    answer.status === "PARTIAL" && el("div", { class: "notice", role: "status" }, answer.message),
    el(
      "table",
      { class: "list series" },
      el(
        "thead",
        null,
        el(
          "tr",
          null,
          el("th", { scope: "col" }, "Series"),
          el("th", { scope: "col" }, "Over time"),
          ["Last", "Mean", "Most"].map((name) => el("th", { scope: "col", class: "number" }, name)),
          el("th", { scope: "col" }, "Exemplar"),
        ),
      ),
      el(
        "tbody",
        null,
        all.slice(0, MOST_SHOWN).map(({ one, values }) => {
          const traceId = label(one.exemplars?.[0]?.labels ?? [], "trace:id");
          return el(
            "tr",
            null,
            el("td", { class: "mono" }, seriesName(one.labels)),
            el(
              "td",
              null,
              sparkline(one, range, step, (highest) => `over time, at most ${format.number(highest)}`),
            ),
            [values.at(-1) ?? 0, values.reduce((a, b) => a + b, 0) / values.length, Math.max(...values)].map((value) =>
              el("td", { class: "number" }, format.number(value)),
            ),
            el(
              "td",
              null,
              traceId && el("a", { href: address("trace", rangeParameters(timeRange(context)), traceId) }, "trace"),
            ),
          );
        }),
      ),
    ),
  );
  context.announce(found);
}

/** What a series is grouped by; its function if by nothing. */
export function seriesName(labels: readonly api.KeyValue[]): string {
  const grouped = labels.filter(({ key }) => key !== "__name__");
  return (
    grouped.length > 0 ? grouped.map(({ key, value }) => `${key} = ${valueText(value)}`) : [label(labels, "__name__")]
  ).join(", ");
}

/**
 * A series as small bars.
 *
 * @param said what it says of its highest value to those who cannot see it
 */
export function sparkline(
  series: api.Series,
  range: api.Range,
  step: number,
  said: (highest: number) => string,
): SVGSVGElement {
  const width = 120;
  const height = 22;
  const highest = Math.max(...series.samples.map((sample) => sample.value), 1e-9);
  const x = (ms: number): number => ((ms / 1000 - range.start) / (range.end - range.start)) * width;
  const bars = series.samples
    .filter((sample) => sample.value > 0)
    .map((sample) => {
      const tall = Math.max(1, (sample.value / highest) * (height - 2));
      return svg("rect", {
        x: x(Number(sample.timestampMs)) - (step / (range.end - range.start)) * width,
        y: height - tall,
        width: Math.max(1, (step / (range.end - range.start)) * width - 0.6),
        height: tall,
      });
    });
  return svg(
    "svg",
    {
      class: "sparkline",
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": said(highest),
    },
    bars,
  );
}
