import * as api from "./api.ts";
import type { ExplainedCause, ExplainedKind, ExplainedSide, ExplainedStatistic, Explanation } from "./api.ts";
import { baselineParameter, functionChoice } from "./choice.ts";
import { type Child, el, place, replace } from "./dom.ts";
import * as format from "./format.ts";
import { address, rangeParameters } from "./location.ts";
import { answerOf, heading, nothing, seconds, timeRange, type View, type ViewContext } from "./view.ts";

/** Why a function is slower than it was. */
export const explainView: View = { name: "explain", title: "Explain", key: "e", show };

const ACCOUNT_OF_KIND: Record<string, string> = {
  cpu: "cpu",
  queue: "queue",
  stolen: "stolen",
  throttled: "throttled",
  blocked: "blocked",
};

/** A cause that added less than this part of what the first one did is not worth a row. */
const WORTH_A_ROW = 0.01;

async function show(context: ViewContext): Promise<void> {
  const { parameters } = context.place;
  const service = parameters.get("service") ?? "";
  const tenant = parameters.get("tenant") ?? "";
  const range = seconds(context);
  const baseline = baselineParameter(parameters.get("baseline") ?? "", range);
  const body = el("section", { class: "explain", "aria-label": "Explanation" });
  const form = el("div");
  replace(
    context.main,
    heading("Explain", el("span", { class: "faint" }, "what the added latency consists of")),
    form,
    body,
  );
  const known = await answerOf(context, form, (signal) => api.functions(range, signal));
  if (!known) return;
  replace(form, functionChoice(context, "explain", known.functions));
  if (service === "") {
    replace(
      body,
      nothing("Which function?", "Choose one above; it is compared with the same length of time just before."),
    );
    return;
  }
  const answer = await answerOf(context, body, (signal) =>
    api.explain(service, tenant || undefined, baseline, range, signal),
  );
  if (!answer) return;
  replace(body, explanation(context, answer));
  context.announce(answer.sentence);
}

function explanation(context: ViewContext, answer: Explanation): Child[] {
  const first = answer.verdict.statistic === "mean" ? answer.mean : answer.p99;
  return [
    el(
      "div",
      { class: `verdict ${answer.verdict.state.replace(/ /g, "-")}` },
      el("span", { class: "tag" }, answer.verdict.state),
      el("p", null, answer.sentence),
    ),
    sides(answer.range, answer.baseline),
    el("p", null, el("a", { href: comparison(context, answer) }, "Compare operation by operation")),
    statistic(context, answer.verdict.statistic === "mean" ? "Mean" : "p99", first),
    counterfactuals(answer),
    answer.verdict.statistic !== "mean" && statistic(context, "Mean", answer.mean),
    answer.notes.length > 0 && [
      el("h2", null, "Notes"),
      el(
        "ul",
        null,
        answer.notes.map((note) => el("li", null, note)),
      ),
    ],
  ];
}

function comparison(context: ViewContext, answer: Explanation): string {
  return address("compare", {
    ...rangeParameters(timeRange(context)),
    service: answer.service,
    tenant: answer.tenant,
    baseline: context.place.parameters.get("baseline") ?? undefined,
  });
}

function sides(now: ExplainedSide, before: ExplainedSide): HTMLElement {
  const row = (name: string, read: (side: ExplainedSide) => string): HTMLElement =>
    el(
      "tr",
      null,
      el("th", { scope: "row" }, name),
      el("td", { class: "number" }, read(before)),
      el("td", { class: "number" }, read(now)),
    );
  const times = (side: ExplainedSide): string =>
    `${format.clock(Date.parse(side.from), false)}–${format.clock(Date.parse(side.to), false)}`;
  return el(
    "table",
    { class: "sides" },
    el(
      "thead",
      null,
      el(
        "tr",
        null,
        el("td"),
        el("th", { scope: "col", class: "number" }, "Baseline ", el("span", { class: "faint" }, times(before))),
        el("th", { scope: "col", class: "number" }, "Now ", el("span", { class: "faint" }, times(now))),
      ),
    ),
    el(
      "tbody",
      null,
      row("Invocations", (side) => format.count(side.invocations)),
      row("Errors", (side) => format.count(side.errors)),
      row("Cold starts", (side) => format.count(side.coldStarts)),
      row("p50", (side) => latency(side, side.p50Ms)),
      row("p99", (side) => latency(side, side.p99Ms)),
      row("Version", (side) =>
        side.versions
          .map((one) => one.version)
          .filter(Boolean)
          .join(", "),
      ),
    ),
  );
}

function latency(side: ExplainedSide, ms: number): string {
  return side.invocations === 0 ? "–" : format.duration(ms * 1e6);
}

function statistic(context: ViewContext, name: string, one: ExplainedStatistic): Child[] {
  if (!one.sufficient) {
    return [
      el("h2", null, name),
      el(
        "p",
        { class: "faint" },
        `Not enough evidence: ${format.count(one.invocations)} invocations now and ${format.count(one.baselineInvocations)} in the baseline, ${format.count(one.needed)} of each are needed.`,
      ),
    ];
  }
  const causes = [...(one.components ?? []), ...(one.residual ? [one.residual] : [])];
  const most = Math.max(...causes.map((cause) => Math.abs(cause.addedMs)), 1e-9);
  const [shown, small] = told(causes, most);
  return [
    el(
      "h2",
      null,
      name,
      " ",
      el(
        "span",
        { class: "faint" },
        `${format.duration((one.baselineMs ?? 0) * 1e6)} → ${format.duration((one.nowMs ?? 0) * 1e6)}, ${signed(one.addedMs ?? 0)}`,
      ),
    ),
    el(
      "table",
      { class: "list causes" },
      el(
        "thead",
        null,
        el(
          "tr",
          null,
          el("th", { scope: "col" }, "Cause"),
          el("th", { scope: "col", class: "number" }, "Added"),
          el("th", { scope: "col", class: "wide-only" }, el("span", { class: "unseen" }, "Drawn")),
          el("th", { scope: "col", class: "number" }, "Share"),
          el("th", { scope: "col", class: "number wide-only" }, "95 % interval"),
          el("th", { scope: "col" }, "Traces"),
        ),
      ),
      el(
        "tbody",
        null,
        shown.map((cause) => causeRow(context, cause, most)),
        small.length > 0 && smallRow(small),
      ),
    ),
  ];
}

/** Those that are worth a row, what is unexplained included, and the others, if they are several. */
function told(causes: ExplainedCause[], most: number): [ExplainedCause[], ExplainedCause[]] {
  const small = causes.filter((cause) => cause.kind !== "rest" && Math.abs(cause.addedMs) < most * WORTH_A_ROW);
  return small.length < 2 ? [causes, []] : [causes.filter((cause) => !small.includes(cause)), small];
}

function smallRow(small: ExplainedCause[]): HTMLElement {
  const sum = (read: (cause: ExplainedCause) => number): number =>
    small.reduce((total, cause) => total + read(cause), 0);
  const shares = small.every((cause) => cause.share !== undefined);
  return el(
    "tr",
    { class: "weak" },
    el("td", { title: small.map((cause) => cause.text).join("\n") }, `${small.length} smaller ones`),
    el("td", { class: "number nowrap" }, signed(sum((cause) => cause.addedMs))),
    el("td", { class: "wide-only" }),
    el("td", { class: "number nowrap" }, shares ? format.percent(sum((cause) => cause.share ?? 0)) : ""),
    el("td", { class: "wide-only" }),
    el("td"),
  );
}

/** What the time went to where the calls end. */
function last(cause: ExplainedKind): ExplainedKind {
  let one = cause;
  while (one.within) one = one.within;
  return one;
}

function causeRow(context: ViewContext, cause: ExplainedCause, most: number): HTMLElement {
  const account = ACCOUNT_OF_KIND[last(cause).kind] ?? (cause.kind === "rest" ? "plain" : "call");
  const bar = place(el("span", { class: `bar account ${account}` }), {
    width: `${(Math.abs(cause.addedMs) / most) * 50}%`,
    [cause.addedMs < 0 ? "right" : "left"]: "50%",
  });
  const range = rangeParameters(timeRange(context));
  return el(
    "tr",
    { class: cause.significant ? "" : "weak" },
    el("td", null, el("span", { class: `swatch account ${account}` }), cause.text),
    el("td", { class: "number nowrap" }, signed(cause.addedMs)),
    el("td", { class: "drawn wide-only" }, el("span", { class: "track" }, bar)),
    el("td", { class: "number nowrap" }, cause.share === undefined ? "" : format.percent(cause.share)),
    el("td", { class: "number nowrap faint wide-only" }, `${signed(cause.lowMs)} … ${signed(cause.highMs)}`),
    el(
      "td",
      { class: "links nowrap" },
      cause.exemplars.map((id) => el("a", { href: address("trace", range, id), title: `trace ${id}` }, id.slice(0, 6))),
    ),
  );
}

/** Neighbours without whom it would be faster by a hundredth or more. */
function counterfactuals(answer: Explanation): Child {
  const telling = answer.counterfactuals.filter((one) => one.withoutMs < one.nowMs * 0.99);
  return (
    telling.length > 0 && [
      el("h2", null, "Without the neighbour"),
      telling.map((one) =>
        el(
          "p",
          { class: "counterfactual" },
          `${one.statistic} is ${format.duration(one.nowMs * 1e6)}; without `,
          el("strong", null, one.culprit),
          ` it would be ${one.bound === "lower" ? "" : "about "}`,
          el("strong", null, format.duration(one.withoutMs * 1e6)),
          one.bound === "lower" ? ` or less ` : ` `,
          el(
            "span",
            { class: "faint" },
            `(${format.duration(one.lowMs * 1e6)} … ${format.duration(one.highMs * 1e6)})`,
          ),
        ),
      ),
    ]
  );
}

function signed(ms: number): string {
  return `${ms < 0 ? "−" : "+"}${format.duration(Math.abs(ms) * 1e6)}`;
}
