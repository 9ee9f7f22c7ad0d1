import * as api from "./api.ts";
import { type FunctionRow, label } from "./api.ts";
import { quoted } from "./completion.ts";
import { el, place, replace } from "./dom.ts";
import * as format from "./format.ts";
import { address, rangeParameters } from "./location.ts";
import { sparkline } from "./series.ts";
import {
  amount,
  answerOf,
  heading,
  hue,
  nothing,
  seconds,
  timeRange,
  type View,
  type ViewContext,
  walkRows,
} from "./view.ts";

const POINTS = 48;

/** All functions: how often, how well, how fast. The first thing an engineer looks at. */
export const functionsView: View = { name: "functions", title: "Functions", key: "f", show };

async function show(context: ViewContext): Promise<void> {
  const body = el("section", { "aria-label": "Functions" });
  replace(context.main, heading("Functions", el("span", { class: "faint" }, "every invocation, sampled or not")), body);
  const range = seconds(context);
  const answer = await answerOf(context, body, (signal) => api.functions(range, signal));
  if (!answer) return;
  const { functions } = answer;
  if (functions.length === 0) {
    replace(
      body,
      nothing(
        "No function was invoked in this time.",
        "Nothing at all? ",
        el("code", null, "./headspan doctor"),
        " says whether this machine captures, ",
        el("code", null, "./headspan demo"),
        " sends some traffic.",
      ),
    );
    return;
  }
  const length = range.end - range.start;
  const slowest = Math.max(...functions.map((one) => one.p99Ms));
  const trends = functions.map(() => el("td", { class: "trend wide-only" }));
  const rows = functions.map((one, i) => functionRow(context, one, length, slowest, trends[i]));
  const table = el(
    "table",
    { class: "list functions" },
    el(
      "thead",
      null,
      el(
        "tr",
        null,
        el("th", { scope: "col" }, "Function"),
        el("th", { scope: "col", class: "wide-only" }, "Runtime"),
        el("th", { scope: "col", class: "number" }, "Rate"),
        el("th", { scope: "col", class: "number" }, "Errors"),
        el("th", { scope: "col", class: "number wide-only" }, "p50"),
        el("th", { scope: "col", class: "number wide-only" }, "p95"),
        el("th", { scope: "col", class: "duration" }, "p99"),
        el("th", { scope: "col", class: "trend wide-only" }, "p99 over time"),
        el("th", { scope: "col" }, el("span", { class: "unseen" }, "Views")),
      ),
    ),
    el("tbody", null, rows),
  );
  walkRows(table, rows, (index) => {
    const chosen = functions[index];
    if (chosen) context.go(searchAddress(context, chosen));
  });
  replace(body, table);
  context.announce(`${functions.length} functions`);
  await drawTrends(context, range, functions, trends);
}

function selector(one: FunctionRow): string {
  return `{ resource.service.name = ${quoted(one.service)} && kind = server }`;
}

function searchAddress(context: ViewContext, one: FunctionRow): string {
  return address("search", { ...rangeParameters(timeRange(context)), q: selector(one) });
}

function functionRow(
  context: ViewContext,
  one: FunctionRow,
  length: number,
  slowest: number,
  trend: HTMLTableCellElement | undefined,
): HTMLTableRowElement {
  const range = rangeParameters(timeRange(context));
  const share = one.errors / Math.max(1, one.count);
  const bar = place(el("span", { class: "bar" }), { width: `${Math.max(1, (one.p99Ms / slowest) * 100)}%` });
  return el(
    "tr",
    null,
    el(
      "td",
      null,
      el("span", { class: `service ${hue(one.service)}` }, one.service || "(no name)"),
      one.version && el("span", { class: "faint" }, `v${one.version.replace(/^v/, "")}`),
      one.tenant && el("span", { class: "tag" }, one.tenant),
    ),
    el("td", { class: "faint wide-only" }, one.runtime || "SDK"),
    el("td", { class: "number nowrap" }, rate(one.count / length)),
    el("td", { class: share > 0.01 ? "number bad-text nowrap" : "number nowrap" }, format.percent(share)),
    el("td", { class: "number wide-only nowrap" }, format.duration(one.p50Ms * 1e6)),
    el("td", { class: "number wide-only nowrap" }, format.duration(one.p95Ms * 1e6)),
    el("td", { class: "duration" }, el("span", { class: "track" }, bar), amount(one.p99Ms * 1e6)),
    trend,
    el(
      "td",
      { class: "links nowrap" },
      el("a", { href: searchAddress(context, one), tabindex: "-1" }, "traces"),
      el("a", { href: address("latency", { ...range, q: selector(one) }), tabindex: "-1" }, "latency"),
      el("a", { href: address("explain", { ...range, service: one.service }), tabindex: "-1" }, "explain"),
    ),
  );
}

/** Invocations per second, or per minute or hour where that is less than one. */
export function rate(perSecond: number): string {
  if (perSecond >= 1) return `${format.number(Number(perSecond.toPrecision(3)))} /s`;
  if (perSecond * 60 >= 1) return `${format.number(Number((perSecond * 60).toPrecision(3)))} /min`;
  return `${format.number(Number((perSecond * 3600).toPrecision(3)))} /h`;
}

async function drawTrends(
  context: ViewContext,
  range: api.Range,
  functions: readonly FunctionRow[],
  cells: readonly HTMLTableCellElement[],
): Promise<void> {
  const step = Math.max(1, Math.ceil((range.end - range.start) / POINTS));
  const query = "{ kind = server } | quantile_over_time(duration, .99) by (resource.service.name)";
  let found: api.Series[];
  try {
    found = (await api.series(query, range, step, 0, context.signal)).series;
  } catch (error) {
    if (!context.signal.aborted) for (const cell of cells) cell.title = error instanceof Error ? error.message : "";
    return;
  }
  for (const [i, one] of functions.entries()) {
    const own = found.find((series) => label(series.labels, "resource.service.name") === one.service);
    const cell = cells[i];
    if (own && cell)
      replace(
        cell,
        sparkline(own, range, step, (highest) => `p99 over time, at most ${format.duration(highest * 1e9)}`),
      );
  }
}
