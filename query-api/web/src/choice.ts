import { type FunctionRow, type Range } from "./api.ts";
import { type Child, el } from "./dom.ts";
import * as format from "./format.ts";
import { address, local, rangeParameters } from "./location.ts";
import { seconds, timeRange, type ViewContext } from "./view.ts";

/** How far back the same length of time lies that one may be compared with; it stays so when the range moves. */
const BACK: readonly { length: string; seconds: number; name: string }[] = [
  { length: "1h", seconds: 3600, name: "an hour before" },
  { length: "1d", seconds: 86_400, name: "a day before" },
  { length: "7d", seconds: 604_800, name: "a week before" },
];

const CUSTOM = "custom";

/** What the API takes for a baseline as it stands in an address: `version:2`, `back:1d`, or `from/to`. */
export function baselineParameter(baseline: string, range: Range): string | undefined {
  const back = BACK.find((one) => baseline === `back:${one.length}`);
  if (!back) return baseline === "" || baseline.startsWith("back:") ? undefined : baseline;
  return `${range.start - back.seconds}/${range.end - back.seconds}`;
}

/** Chooses a function, and what it is compared with. */
export function functionChoice(context: ViewContext, view: string, functions: readonly FunctionRow[]): HTMLElement {
  const { parameters } = context.place;
  const service = parameters.get("service") ?? "";
  const tenant = parameters.get("tenant") ?? "";
  const baseline = parameters.get("baseline") ?? "";
  const key = (one: { service: string; tenant: string }): string => `${one.tenant}/${one.service}`;
  const options = new Map(functions.map((one) => [key(one), one]));
  const chosen = functions.find((one) => one.service === service && (tenant === "" || one.tenant === tenant));
  const select = el(
    "select",
    { "aria-label": "Function" },
    !chosen && el("option", { value: "", selected: true }, service || "Choose a function"),
    [...options].map(([value, one]) =>
      el(
        "option",
        { value, selected: chosen !== undefined && key(chosen) === value },
        one.tenant ? `${one.service} (${one.tenant})` : one.service,
      ),
    ),
  );
  const versions = [...new Set(functions.filter((one) => one.service === service).map((one) => one.version))];
  const known = [
    { value: "", name: "the time just before" },
    ...BACK.map((one) => ({ value: `back:${one.length}`, name: one.name })),
    ...versions
      .filter((version) => version !== "")
      .map((version) => ({ value: `version:${version}`, name: `version ${version}` })),
  ];
  const isCustom = !known.some((one) => one.value === baseline);
  const against = el(
    "select",
    { "aria-label": "Compare with" },
    known.map((one) => el("option", { value: one.value, selected: one.value === baseline }, one.name)),
    isCustom && el("option", { value: baseline, selected: true }, baselineName(baseline)),
    el("option", { value: CUSTOM }, "from … to …"),
  );
  const times = otherTimes(seconds(context), (value) => {
    go(value);
  });
  const go = (chosenBaseline: string): void => {
    const one = options.get(select.value);
    if (!one) return;
    context.go(
      address(view, {
        ...rangeParameters(timeRange(context)),
        service: one.service,
        tenant: one.tenant,
        baseline: one.service === service || !chosenBaseline.startsWith("version:") ? chosenBaseline : undefined,
      }),
    );
  };
  select.addEventListener("change", () => {
    go(baseline);
  });
  against.addEventListener("change", () => {
    if (against.value === CUSTOM) {
      times.hidden = false;
      times.querySelector("input")?.focus();
    } else go(against.value);
  });
  return el(
    "div",
    { class: "choices" },
    el("label", null, "Function ", select),
    el("label", null, "compared with ", against),
    times,
  );
}

/** A baseline that is not among the usual ones in words. */
function baselineName(baseline: string): string {
  const times = /^(\d+)\/(\d+)$/.exec(baseline);
  return times
    ? `${format.time(Number(times[1]) * 1e9)} – ${format.time(Number(times[2]) * 1e9)}`
    : baseline.replace(/^version:/, "version ");
}

/** Fields for another range, at first the one just before. */
function otherTimes(range: Range, choose: (baseline: string) => void): HTMLElement {
  const field = (label: string, at: number): HTMLInputElement =>
    el("input", { type: "datetime-local", step: 1, "aria-label": label, value: local(at), required: true });
  const from = field("Baseline from", 2 * range.start - range.end);
  const to = field("Baseline to", range.start);
  const parts: Child[] = [from, el("span", { class: "faint", "aria-hidden": "true" }, "–"), to];
  return el(
    "form",
    {
      class: "custom",
      hidden: true,
      onsubmit: (event: Event) => {
        event.preventDefault();
        const ends = [from, to].map((one) => Math.floor(new Date(one.value).getTime() / 1000));
        if (ends.every((one) => !Number.isNaN(one))) choose(ends.join("/"));
      },
    },
    parts,
    el("button", { type: "submit" }, "Compare"),
  );
}
