import { compareView } from "./compare.ts";
import { el, replace, svg } from "./dom.ts";
import { explainView } from "./explain.ts";
import { functionsView } from "./functions.ts";
import { helpDialog } from "./help.ts";
import { latencyView } from "./latency.ts";
import { address, parsePlace, rangeOf, rangeParameters, resolveRange, type TimeRange } from "./location.ts";
import { mapView } from "./map.ts";
import { neighboursView } from "./neighbours.ts";
import { rangePicker } from "./range.ts";
import { samplingView } from "./sampling.ts";
import { searchView } from "./search.ts";
import { nextTheme, startTheme, themeName } from "./theme.ts";
import { tokenDialog } from "./token.ts";
import { traceView } from "./trace.ts";
import { problem, type View } from "./view.ts";

const TABS: readonly View[] = [
  functionsView,
  searchView,
  latencyView,
  mapView,
  neighboursView,
  explainView,
  compareView,
  samplingView,
];
const VIEWS: readonly View[] = [...TABS, traceView];
const CHORD_MS = 1500;

startTheme();

const main = el("main", { id: "main", tabindex: "-1" });
const status = el("div", { class: "unseen", role: "status", "aria-live": "polite" });
const tabs = el("nav", { "aria-label": "Views" });
const ranges = el("div", { class: "range" });
const theme = el("button", { class: "icon", onclick: switchTheme }, themeSign());
const help = helpDialog(TABS);
const tokens = tokenDialog(draw);
let current = new AbortController();

replace(
  document.body,
  el(
    "a",
    {
      class: "skip",
      href: "#main",
      onclick: (event: Event) => {
        event.preventDefault();
        main.focus();
      },
    },
    "Skip to the content",
  ),
  el(
    "header",
    null,
    el(
      "a",
      { class: "brand", href: "#/functions" },
      el("img", { src: "icon.svg", alt: "", width: 22, height: 22 }),
      el("span", null, "Headspan"),
    ),
    tabs,
    el("span", { class: "grow" }),
    ranges,
    theme,
    el(
      "button",
      {
        class: "icon",
        title: "Token",
        "aria-label": "Token",
        onclick: () => {
          tokens.showModal();
        },
      },
      svg(
        "svg",
        { viewBox: "0 0 16 16", width: 14, height: 14, "aria-hidden": "true" },
        svg("path", {
          d: "M10.5 1a4.5 4.5 0 0 0-4.3 5.8L1 12v3h3v-2h2v-2h1.6l1.1-1.1A4.5 4.5 0 1 0 10.5 1zm1 4.7a1.2 1.2 0 1 1 0-2.4 1.2 1.2 0 0 1 0 2.4z",
          fill: "currentColor",
        }),
      ),
    ),
    el(
      "button",
      {
        class: "icon",
        title: "Keys (?)",
        "aria-label": "Help",
        onclick: () => {
          help.showModal();
        },
      },
      "?",
    ),
  ),
  main,
  status,
  help,
  tokens,
);
describeTheme();

function themeSign(): string {
  return { auto: "◐", light: "☀", dark: "☾" }[themeName()];
}

function describeTheme(): void {
  replace(theme, themeSign());
  const label = `Colours: ${themeName() === "auto" ? "as the system" : themeName()}`;
  theme.title = `${label} (t)`;
  theme.setAttribute("aria-label", label);
}

function switchTheme(): void {
  nextTheme();
  describeTheme();
}

function go(to: string): void {
  if (to === location.hash) draw();
  else location.hash = to;
}

function withRange(range: TimeRange): string {
  const place = parsePlace(location.hash);
  const parameters = Object.fromEntries(place.parameters);
  return address(
    place.view || "functions",
    { ...parameters, from: undefined, to: undefined, ...rangeParameters(range) },
    place.subject,
  );
}

/** Moves the range by half its length. */
function shift(direction: 1 | -1): void {
  const range = resolveRange(rangeOf(parsePlace(location.hash).parameters));
  const step = Math.max(1, Math.round((range.end - range.start) / 2)) * direction;
  go(withRange({ from: String((range.start + step) * 1000), to: String((range.end + step) * 1000) }));
}

function draw(): void {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  const place = parsePlace(location.hash);
  const range = rangeOf(place.parameters);
  const view = VIEWS.find((one) => one.name === place.view) ?? functionsView;
  document.title = view === functionsView ? "Headspan" : `${view.title} · Headspan`;
  replace(
    tabs,
    TABS.map((one) =>
      el(
        "a",
        { href: address(one.name, rangeParameters(range)), "aria-current": one === view ? "page" : undefined },
        one.title,
      ),
    ),
  );
  replace(
    ranges,
    rangePicker(
      range,
      (chosen) => {
        go(withRange(chosen));
      },
      draw,
    ),
  );
  main.className = `view-${view.name}`;
  window.scrollTo(0, 0);
  view
    .show({
      place,
      main,
      signal,
      go,
      note: (to) => {
        history.replaceState(null, "", to);
      },
      announce: (text) => {
        status.textContent = text;
      },
    })
    .catch((error: unknown) => {
      if (!signal.aborted) replace(main, problem(error));
    });
}

let chordAt = 0;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target as HTMLElement;
  const typing = target.matches("input, textarea, select");
  if (event.key === "Escape" && typing) {
    target.blur();
    return;
  }
  if (typing || help.open || tokens.open) return;
  const inChord = event.timeStamp - chordAt < CHORD_MS;
  chordAt = 0;
  const view = inChord ? TABS.find((one) => one.key === event.key) : undefined;
  if (view) {
    go(address(view.name, rangeParameters(rangeOf(parsePlace(location.hash).parameters))));
  } else if (event.key === "g") {
    chordAt = event.timeStamp;
  } else if (event.key === "/") {
    const input = main.querySelector<HTMLInputElement>("input.query");
    if (input) input.select();
    else go(address("search", rangeParameters(rangeOf(parsePlace(location.hash).parameters))));
  } else if (event.key === "?") {
    help.showModal();
  } else if (event.key === "t") {
    switchTheme();
  } else if (event.key === "r") {
    draw();
  } else if (event.key === "[") {
    shift(-1);
  } else if (event.key === "]") {
    shift(1);
  } else if (event.key === "j" || event.key === "k") {
    main.querySelector<HTMLElement>('tr[tabindex="0"], .waterfall')?.focus();
  } else {
    return;
  }
  event.preventDefault();
});

window.addEventListener("hashchange", draw);
draw();
