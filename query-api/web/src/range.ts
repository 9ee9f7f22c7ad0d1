import { type Child, el } from "./dom.ts";
import * as format from "./format.ts";
import { local, resolveRange, type TimeRange } from "./location.ts";

const CHOICES: readonly { from: string; name: string }[] = [
  { from: "now-5m", name: "Last 5 minutes" },
  { from: "now-15m", name: "Last 15 minutes" },
  { from: "now-1h", name: "Last hour" },
  { from: "now-6h", name: "Last 6 hours" },
  { from: "now-24h", name: "Last 24 hours" },
  { from: "now-7d", name: "Last 7 days" },
];

const CUSTOM = "custom";

/** Chooses the time that all views are about. */
export function rangePicker(range: TimeRange, choose: (range: TimeRange) => void, refresh: () => void): Child[] {
  const known = range.to === "now" && CHOICES.some((choice) => choice.from === range.from);
  const { start, end } = resolveRange(range);
  const from = el("input", { type: "datetime-local", step: 1, "aria-label": "From", value: local(start) });
  const to = el("input", { type: "datetime-local", step: 1, "aria-label": "To", value: local(end) });
  const custom = el(
    "form",
    {
      class: "custom",
      hidden: known,
      onsubmit: (event: Event) => {
        event.preventDefault();
        const ends = [new Date(from.value).getTime(), new Date(to.value).getTime()];
        if (ends.every((one) => !Number.isNaN(one))) choose({ from: String(ends[0]), to: String(ends[1]) });
      },
    },
    from,
    el("span", { class: "faint", "aria-hidden": "true" }, "–"),
    to,
    el("button", { type: "submit" }, "Go"),
  );
  const select = el(
    "select",
    {
      "aria-label": "Time range",
      onchange: () => {
        if (select.value === CUSTOM) custom.hidden = false;
        else choose({ from: select.value, to: "now" });
      },
    },
    CHOICES.map((choice) =>
      el("option", { value: choice.from, selected: known && choice.from === range.from }, choice.name),
    ),
    el(
      "option",
      { value: CUSTOM, selected: !known },
      known ? "From … to …" : `${format.time(start * 1e9)} – ${format.time(end * 1e9)}`,
    ),
  );
  return [
    custom,
    select,
    el("button", { class: "icon", title: "Ask again (r)", "aria-label": "Ask again", onclick: refresh }, "⟳"),
  ];
}
