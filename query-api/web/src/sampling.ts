import * as api from "./api.ts";
import { el, replace } from "./dom.ts";
import * as format from "./format.ts";
import { answerOf, heading, nothing, seconds, type View, type ViewContext } from "./view.ts";

/** What was kept, by policy and by tenant, and for how much it stands. */
export const samplingView: View = { name: "sampling", title: "Sampling", key: "d", show };

async function show(context: ViewContext): Promise<void> {
  const body = el("section", { "aria-label": "Sampling" });
  replace(context.main, heading("Sampling", el("span", { class: "faint" }, "decisions of the time shown")), body);
  const answer = await answerOf(context, body, (signal) => api.sampling(seconds(context), signal));
  if (!answer) return;
  if (answer.decided === 0 && answer.tenants.length === 0) {
    replace(body, nothing("Nothing was decided in this time.", "Without policies every trace is kept."));
    return;
  }
  replace(
    body,
    el(
      "p",
      null,
      `${format.count(answer.kept)} of ${format.count(answer.decided)} traces were kept (${share(answer.kept, answer.decided)}).`,
    ),
    el("h2", null, "By policy"),
    table(
      ["Policy", "Traces", "Spans", "Stand for traces", "One of"],
      answer.policies.map((one) => [
        one.policy || "(not told)",
        format.count(one.traces),
        format.count(one.spans),
        format.count(Math.round(one.standFor)),
        one.traces > 0 && one.standFor > 0 ? (one.standFor / one.traces).toFixed(1) : "–",
      ]),
    ),
    el("h2", null, "Spans by tenant"),
    table(
      ["Tenant", "Kept", "Sampled out", "Given up undecided", "Kept share"],
      answer.tenants.map((one) => [
        one.tenant || "(none)",
        format.count(one.keptSpans),
        format.count(one.sampledOutSpans),
        format.count(one.overrunSpans),
        share(one.keptSpans, one.keptSpans + one.sampledOutSpans + one.overrunSpans),
      ]),
    ),
  );
  context.announce(`${answer.kept} of ${answer.decided} traces were kept`);
}

function share(part: number, whole: number): string {
  return whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : "–";
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): HTMLElement {
  return el(
    "table",
    { class: "list" },
    el(
      "thead",
      null,
      el(
        "tr",
        null,
        heads.map((head, i) => el("th", { scope: "col", class: i > 0 && "number" }, head)),
      ),
    ),
    el(
      "tbody",
      null,
      rows.map((row) =>
        el(
          "tr",
          null,
          row.map((cell, i) => el("td", { class: i > 0 && "number" }, cell)),
        ),
      ),
    ),
  );
}
