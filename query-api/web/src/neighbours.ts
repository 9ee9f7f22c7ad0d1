import * as api from "./api.ts";
import { label } from "./api.ts";
import { quoted } from "./completion.ts";
import { type Child, el, place, replace, svg } from "./dom.ts";
import * as format from "./format.ts";
import { stepFor } from "./latency.ts";
import { address, rangeParameters } from "./location.ts";
import { amount, answerOf, heading, nothing, seconds, timeRange, type View, type ViewContext } from "./view.ts";

const VICTIM = "resource.headspan.tenant";
const CULPRIT = "span.headspan.culprit";
const STOLEN = `{ kind = server && span.headspan.stolen_ns > 0 } | sum_over_time(span.headspan.stolen_ns) by (${VICTIM}, ${CULPRIT})`;
const BARS = 80;

/** Who took processor time from whom. */
export const neighboursView: View = { name: "neighbours", title: "Neighbours", key: "n", show };

interface Pair {
  readonly victim: string;
  readonly culprit: string;
  readonly stolenNs: number;
  /** Nanoseconds by the end of each interval, ms; only the matrix tells. */
  readonly series?: readonly (readonly [number, number])[];
}

interface Found {
  readonly pairs: readonly Pair[];
  /** Nanoseconds by tenant, of all pairs. */
  readonly lost: ReadonlyMap<string, number>;
  readonly taken: ReadonlyMap<string, number>;
  readonly apart: api.Neighbours["apart"];
  readonly of: string;
}

/** The agents' matrix, of all threads; where there is none, what the spans say, which is of invocations only. */
async function find(range: api.Range, step: number, signal: AbortSignal): Promise<Found> {
  const matrix = await api.neighbours(range, step, signal);
  if (matrix.pairs.length > 0 || matrix.apart.length > 0) {
    return {
      pairs: matrix.pairs.map((pair) => ({
        victim: pair.victim,
        culprit: pair.culprit,
        stolenNs: pair.waitMs * 1e6,
        series: pair.series.map((one) => [Date.parse(one.time) + matrix.stepMs, one.waitMs * 1e6] as const),
      })),
      lost: new Map(matrix.victims.map((one) => [one.tenant, one.lostMs * 1e6])),
      taken: new Map(matrix.culprits.map((one) => [one.tenant, one.takenMs * 1e6])),
      apart: matrix.apart,
      of: "processor time that threads waited for, by whose threads had it",
    };
  }
  const { series } = await api.instant(STOLEN, range, signal);
  const pairs = series
    .map((one) => ({ victim: label(one.labels, VICTIM), culprit: label(one.labels, CULPRIT), stolenNs: one.value }))
    .filter((pair) => pair.stolenNs > 0 && pair.culprit !== "" && pair.culprit !== "nil");
  return {
    pairs,
    lost: totals(pairs, (pair) => pair.victim),
    taken: totals(pairs, (pair) => pair.culprit),
    apart: [],
    of: "processor time that invocations lost, by who took most of it",
  };
}

function totals(pairs: readonly Pair[], who: (pair: Pair) => string): Map<string, number> {
  const sums = new Map<string, number>();
  for (const pair of pairs) sums.set(who(pair), (sums.get(who(pair)) ?? 0) + pair.stolenNs);
  return sums;
}

async function show(context: ViewContext): Promise<void> {
  const body = el("section", { "aria-label": "Matrix" });
  const below = el("section", { "aria-label": "Over time" });
  const apart = el("section", { "aria-label": "Nobody else's doing" });
  const subject = el("span", { class: "faint" });
  replace(context.main, heading("Neighbours", subject), body, below, apart);
  const range = seconds(context);
  const step = stepFor(range, BARS);
  const found = await answerOf(context, body, (signal) => find(range, step, signal));
  if (!found) return;
  const { pairs } = found;
  subject.textContent = found.of;
  replace(apart, found.apart.length > 0 && apartTable(found.apart));
  const worst = pairs.reduce<Pair | undefined>((a, b) => (a && a.stolenNs >= b.stolenNs ? a : b), undefined);
  if (!worst) {
    replace(
      body,
      found.apart.length > 0
        ? nothing("Nobody took anything from anybody else.")
        : nothing(
            "Nobody took anything from anybody.",
            "Time accounts come from the agent's probes; ",
            el("code", null, "./headspan doctor"),
            " says whether they are on.",
          ),
    );
    return;
  }
  const { parameters } = context.place;
  const chosen =
    pairs.find((pair) => pair.victim === parameters.get("victim") && pair.culprit === parameters.get("culprit")) ??
    worst;
  replace(body, matrix(context, found, chosen));
  await overTime(context, below, chosen, range);
}

/** Own load and idle processors: what a tenant waited for without a culprit. */
function apartTable(apart: api.Neighbours["apart"]): Child {
  return [
    el("h2", null, "Nobody else's doing"),
    el(
      "table",
      { class: "list narrow" },
      el(
        "thead",
        null,
        el(
          "tr",
          null,
          el("th", { scope: "col" }, "Tenant"),
          el("th", { scope: "col", class: "number" }, "behind own load"),
          el("th", { scope: "col", class: "number" }, "for an idle processor"),
        ),
      ),
      el(
        "tbody",
        null,
        apart.map((one) =>
          el(
            "tr",
            null,
            el("td", null, one.tenant || "(no tenant)"),
            el("td", { class: "number" }, format.duration(one.ownMs * 1e6)),
            el("td", { class: "number" }, format.duration(one.idleMs * 1e6)),
          ),
        ),
      ),
    ),
  ];
}

function matrix(context: ViewContext, { pairs, lost, taken }: Found, chosen: Pair): HTMLElement {
  const order = (of: ReadonlyMap<string, number>, shown: readonly string[]): string[] =>
    [...new Set(shown)].sort((a, b) => (of.get(b) ?? 0) - (of.get(a) ?? 0));
  const victims = order(
    lost,
    pairs.map((pair) => pair.victim),
  );
  const culprits = order(
    taken,
    pairs.map((pair) => pair.culprit),
  );
  const most = Math.max(...pairs.map((pair) => pair.stolenNs));
  return el(
    "div",
    { class: "scroll" },
    el(
      "table",
      { class: "matrix" },
      el("caption", { class: "unseen" }, "Rows lost the time, columns took it."),
      el(
        "thead",
        null,
        el(
          "tr",
          null,
          el("th", { class: "corner faint" }, "lost ↓  taken by →"),
          culprits.map((name) => el("th", { scope: "col" }, name)),
          el("th", { scope: "col", class: "faint" }, "all"),
        ),
      ),
      el(
        "tbody",
        null,
        victims.map((victim) =>
          el(
            "tr",
            null,
            el("th", { scope: "row" }, victim || "(no tenant)"),
            culprits.map((culprit) => {
              const pair = pairs.find((one) => one.victim === victim && one.culprit === culprit);
              return pair ? cell(context, pair, most, pair === chosen) : el("td", { class: "none faint" }, "·");
            }),
            el("td", { class: "sum" }, format.duration(lost.get(victim) ?? 0)),
          ),
        ),
      ),
      el(
        "tfoot",
        null,
        el(
          "tr",
          null,
          el("th", { scope: "row", class: "faint" }, "all"),
          culprits.map((culprit) => el("td", { class: "sum" }, format.duration(taken.get(culprit) ?? 0))),
          el("td"),
        ),
      ),
    ),
  );
}

function cell(context: ViewContext, pair: Pair, most: number, chosen: boolean): HTMLElement {
  // The colour tells orders of magnitude apart: a hundredth of the most is still seen.
  const strength = Math.max(0, Math.min(5, Math.floor(6 + Math.log10(pair.stolenNs / most) * 2.5)));
  return el(
    "td",
    { class: `heat-${strength}${chosen ? " chosen" : ""}` },
    el(
      "a",
      {
        href: address("neighbours", {
          ...rangeParameters(timeRange(context)),
          victim: pair.victim,
          culprit: pair.culprit,
        }),
        "aria-current": chosen ? "true" : undefined,
        title: `${pair.culprit} took ${format.duration(pair.stolenNs)} from ${pair.victim}`,
      },
      format.duration(pair.stolenNs),
    ),
  );
}

async function overTime(context: ViewContext, into: HTMLElement, pair: Pair, range: api.Range): Promise<void> {
  const filter = `{ ${VICTIM} = ${quoted(pair.victim)} && ${CULPRIT} = ${quoted(pair.culprit)} && span.headspan.stolen_ns > 0 }`;
  const step = stepFor(range, BARS);
  const answer = await answerOf(context, into, (signal) =>
    api.series(`${filter} | sum_over_time(span.headspan.stolen_ns) by (resource.service.name)`, range, step, 0, signal),
  );
  if (!answer) return;
  const functions = answer.series
    .map((one) => ({
      name: label(one.labels, "resource.service.name"),
      stolenNs: one.samples.reduce((sum, sample) => sum + sample.value, 0),
    }))
    .sort((a, b) => b.stolenNs - a.stolenNs);
  const sums = new Map<number, number>();
  for (const one of answer.series) {
    for (const sample of one.samples) {
      const at = Number(sample.timestampMs);
      sums.set(at, (sums.get(at) ?? 0) + sample.value);
    }
  }
  const q = filter.replace("> 0 }", "> 1000000 }");
  replace(
    into,
    el(
      "div",
      { class: "bar-above" },
      el("h2", null, pair.culprit, " took ", format.duration(pair.stolenNs), " from ", pair.victim),
      el("span", { class: "grow" }),
      el(
        "a",
        { href: address("search", { ...rangeParameters(timeRange(context)), q }) },
        "Traces that lost most of it",
      ),
    ),
    bars(pair.series ?? [...sums], range, step),
    functions.length > 0 && [
      el("h2", null, "Most robbed"),
      el(
        "table",
        { class: "list" },
        el(
          "tbody",
          null,
          functions.slice(0, 20).map((one) => robbedRow(context, one, functions[0]?.stolenNs ?? 1)),
        ),
      ),
    ],
  );
}

function robbedRow(context: ViewContext, one: { name: string; stolenNs: number }, most: number): HTMLElement {
  const bar = place(el("span", { class: "bar account stolen" }), {
    width: `${Math.max(0.5, (one.stolenNs / most) * 100)}%`,
  });
  return el(
    "tr",
    null,
    el("td", null, one.name),
    el("td", { class: "duration" }, el("span", { class: "track" }, bar), amount(one.stolenNs)),
    el(
      "td",
      { class: "links" },
      el("a", { href: address("explain", { ...rangeParameters(timeRange(context)), service: one.name }) }, "explain"),
    ),
  );
}

/** Stolen time per interval. */
function bars(samples: readonly (readonly [number, number])[], range: api.Range, step: number): SVGSVGElement {
  const width = 1000;
  const height = 120;
  const highest = Math.max(...samples.map(([, value]) => value), 1);
  const slot = (step / (range.end - range.start)) * width;
  const labels: SVGElement[] = [];
  for (let i = 0; i <= 4; i++) {
    const ms = range.start * 1000 + ((range.end - range.start) * 1000 * i) / 4;
    labels.push(
      svg(
        "text",
        { x: (width * i) / 4, y: height + 16, "text-anchor": i === 0 ? "start" : i === 4 ? "end" : "middle" },
        format.clock(ms, false),
      ),
    );
  }
  return svg(
    "svg",
    {
      class: "bars",
      viewBox: `0 0 ${width} ${height + 20}`,
      role: "img",
      "aria-label": `Stolen time per ${format.duration(step * 1e9)}, at most ${format.duration(highest)}`,
    },
    svg("text", { x: 0, y: 12 }, `${format.duration(highest)} per ${format.duration(step * 1e9)}`),
    samples.map(([ms, value]) => {
      const tall = (value / highest) * (height - 18);
      const x = ((ms / 1000 - step - range.start) / (range.end - range.start)) * width;
      return svg(
        "rect",
        { class: "account stolen", x, y: height - tall, width: Math.max(1, slot - 1), height: tall },
        svg("title", null, `${format.clock(ms - step * 1000, true)}: ${format.duration(value)}`),
      );
    }),
    svg("line", { x1: 0, x2: width, y1: height, y2: height }),
    labels,
  );
}
