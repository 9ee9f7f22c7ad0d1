import * as api from "./api.ts";
import type { ComparedOperation, ComparedSide, Comparison } from "./api.ts";
import { baselineParameter, functionChoice } from "./choice.ts";
import { quoted } from "./completion.ts";
import { type Child, el, place, replace } from "./dom.ts";
import * as format from "./format.ts";
import { address, rangeParameters } from "./location.ts";
import { answerOf, heading, nothing, seconds, timeRange, type View, type ViewContext, walkRows } from "./view.ts";

/** What changed in a function between two times, or two versions: as a whole and by operation. */
export const compareView: View = { name: "compare", title: "Compare", key: "c", show };

/** Below this part of what it was, a change is drawn as none. */
const UNCHANGED = 0.02;

interface Measure {
  readonly name: string;
  readonly read: (side: ComparedSide) => number;
  readonly write: (value: number) => string;
  /** Whether more of it is worse. */
  readonly cost: boolean;
}

const ms = (value: number): string => format.duration(value * 1e6);

const MEASURES: readonly Measure[] = [
  { name: "Invocations", read: (side) => side.invocations, write: format.count, cost: false },
  { name: "Error rate", read: (side) => side.errorRate, write: format.percent, cost: true },
  { name: "Cold starts", read: (side) => side.coldStarts, write: format.count, cost: true },
  { name: "Mean", read: (side) => side.meanMs, write: ms, cost: true },
  { name: "p50", read: (side) => side.p50Ms, write: ms, cost: true },
  { name: "p95", read: (side) => side.p95Ms, write: ms, cost: true },
  { name: "p99", read: (side) => side.p99Ms, write: ms, cost: true },
  { name: "CPU, mean", read: (side) => side.cpuMs, write: ms, cost: true },
  { name: "Queue, mean", read: (side) => side.queueMs, write: ms, cost: true },
  { name: "Stolen, mean", read: (side) => side.stolenMs, write: ms, cost: true },
  { name: "Throttled, mean", read: (side) => side.throttledMs, write: ms, cost: true },
  { name: "Blocked, mean", read: (side) => side.blockedMs, write: ms, cost: true },
];

async function show(context: ViewContext): Promise<void> {
  const { parameters } = context.place;
  const service = parameters.get("service") ?? "";
  const range = seconds(context);
  const body = el("section", { class: "compare", "aria-label": "Comparison" });
  const form = el("div");
  replace(
    context.main,
    heading("Compare", el("span", { class: "faint" }, "two times, or two versions, operation by operation")),
    form,
    body,
  );
  const known = await answerOf(context, form, (signal) => api.functions(range, signal));
  if (!known) return;
  replace(form, functionChoice(context, "compare", known.functions));
  if (service === "") {
    replace(body, nothing("Which function?", "Choose one above, and what to compare it with."));
    return;
  }
  const answer = await answerOf(context, body, (signal) =>
    api.compare(
      service,
      parameters.get("tenant") ?? undefined,
      baselineParameter(parameters.get("baseline") ?? "", range),
      range,
      signal,
    ),
  );
  if (!answer) return;
  if (answer.operations.length === 0) {
    replace(body, nothing("No invocation on either side.", "Choose another time, or another function."));
    return;
  }
  replace(body, total(answer), el("h2", null, "By operation"), operations(context, answer));
  context.announce(sentence(answer));
}

/** What the two columns are. */
function sideNames(answer: Comparison): { before: string; now: string } {
  const times = (side: { from: string; to: string }): string =>
    `${format.time(BigInt(Date.parse(side.from)) * 1_000_000n)} – ${format.time(BigInt(Date.parse(side.to)) * 1_000_000n)}`;
  return answer.baseline.version === undefined
    ? { before: times(answer.baseline), now: times(answer.range) }
    : { before: `version ${answer.baseline.version}`, now: "other versions" };
}

function sentence(answer: Comparison): string {
  const { now, baseline } = answer.total;
  if (!now || !baseline) return `${answer.service} has invocations on one side only`;
  return `p99 of ${answer.service} is ${ms(now.p99Ms)} against ${ms(baseline.p99Ms)}`;
}

function total(answer: Comparison): HTMLElement {
  const names = sideNames(answer);
  const { now, baseline } = answer.total;
  return el(
    "table",
    { class: "list sides-drawn", "aria-label": "Total" },
    el(
      "thead",
      null,
      el(
        "tr",
        null,
        el("th", { scope: "col" }, answer.tenant ? `${answer.service} (${answer.tenant})` : answer.service),
        el(
          "th",
          { scope: "col", class: "number" },
          "Baseline ",
          el("span", { class: "faint wide-only" }, names.before),
        ),
        el("th", { scope: "col", class: "number" }, "Now ", el("span", { class: "faint wide-only" }, names.now)),
        el("th", { scope: "col", class: "number" }, "Change"),
        el("th", { scope: "col", class: "wide-only" }, el("span", { class: "unseen" }, "Drawn")),
      ),
    ),
    el(
      "tbody",
      null,
      MEASURES.filter((measure) => [now, baseline].some((side) => side && measure.read(side) !== 0)).map((measure) =>
        el(
          "tr",
          null,
          el("th", { scope: "row" }, measure.name),
          el("td", { class: "number nowrap" }, value(measure, baseline)),
          el("td", { class: "number nowrap" }, value(measure, now)),
          change(measure, answer.total),
          drawn(measure, answer.total),
        ),
      ),
    ),
  );
}

function value(measure: Measure, side: ComparedSide | undefined): string {
  return side ? measure.write(measure.read(side)) : "–";
}

/** How much more there is than before, as a part of what there was; nothing where that says nothing. */
export function added(before: number | undefined, now: number | undefined): number | undefined {
  if (before === undefined || now === undefined) return undefined;
  if (before === now) return 0;
  return before > 0 ? now / before - 1 : undefined;
}

function addedOf(measure: Measure, one: ComparedOperation): number | undefined {
  return added(one.baseline && measure.read(one.baseline), one.now && measure.read(one.now));
}

function verdict(measure: Measure, share: number): string {
  if (!measure.cost || Math.abs(share) < UNCHANGED) return "same";
  return share > 0 ? "worse" : "better";
}

function change(measure: Measure, one: ComparedOperation): HTMLElement {
  const share = addedOf(measure, one);
  if (share === undefined) return el("td", { class: "number nowrap faint" }, one.now && one.baseline ? "new" : "–");
  const text = share > 9 ? `× ${format.number(Math.round(share + 1))}` : signedPercent(share);
  return el("td", { class: `number nowrap ${verdict(measure, share)}-text` }, text);
}

function signedPercent(share: number): string {
  if (Math.abs(share) < 0.0005) return "±0 %";
  return `${share < 0 ? "−" : "+"}${format.percent(Math.abs(share))}`;
}

/** A bar from the middle: to the right what was added, all of it at twice as much; to the left what went. */
function drawn(measure: Measure, one: ComparedOperation): HTMLElement {
  const share = addedOf(measure, one);
  const bar =
    share !== undefined &&
    place(el("span", { class: `bar ${verdict(measure, share)}` }), {
      width: `${Math.min(1, Math.abs(share)) * 50}%`,
      [share < 0 ? "right" : "left"]: "50%",
    });
  return el("td", { class: "drawn wide-only" }, el("span", { class: "track" }, bar));
}

function operations(context: ViewContext, answer: Comparison): HTMLElement {
  const range = rangeParameters(timeRange(context));
  const search = (operation: string): string =>
    address("search", {
      ...range,
      q: `{ resource.service.name = ${quoted(answer.service)} && name = ${quoted(operation)} }`,
    });
  const shown = answer.operations.map((one) => one.operation ?? "");
  const rows = answer.operations.map((one) => operationRow(one, search(one.operation ?? "")));
  const table = el(
    "table",
    { class: "list operations", "aria-label": "Operations" },
    el(
      "thead",
      null,
      el(
        "tr",
        null,
        el("th", { scope: "col" }, "Operation"),
        el("th", { scope: "col", class: "number wide-only" }, "Invocations"),
        el("th", { scope: "col", class: "number wide-only" }, "Error rate"),
        el("th", { scope: "col", class: "number wide-only" }, "p50"),
        el("th", { scope: "col", class: "number" }, "p99"),
        el("th", { scope: "col", class: "number" }, "Change"),
        el("th", { scope: "col", class: "wide-only" }, el("span", { class: "unseen" }, "Drawn")),
      ),
    ),
    el("tbody", null, rows),
  );
  walkRows(table, rows, (index) => {
    const operation = shown[index];
    if (operation !== undefined) context.go(search(operation));
  });
  return table;
}

function operationRow(one: ComparedOperation, link: string): HTMLTableRowElement {
  const measure = (name: string): Measure => {
    const found = MEASURES.find((each) => each.name === name);
    if (!found) throw new Error(`no such measure: ${name}`);
    return found;
  };
  const both = (name: string): Child => [
    el("span", { class: "faint" }, value(measure(name), one.baseline), " → "),
    value(measure(name), one.now),
  ];
  return el(
    "tr",
    null,
    el("td", null, el("a", { href: link, tabindex: "-1" }, one.operation || "(no name)")),
    el("td", { class: "number nowrap wide-only" }, both("Invocations")),
    el("td", { class: "number nowrap wide-only" }, both("Error rate")),
    el("td", { class: "number nowrap wide-only" }, both("p50")),
    el("td", { class: "number nowrap" }, both("p99")),
    change(measure("p99"), one),
    drawn(measure("p99"), one),
  );
}
