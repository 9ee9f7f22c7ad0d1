import * as api from "./api.ts";
import { label } from "./api.ts";
import { el, place, replace } from "./dom.ts";
import { queryEditor } from "./editor.ts";
import * as format from "./format.ts";
import { address, rangeParameters } from "./location.ts";
import { traceTable } from "./traces.ts";
import { answerOf, nothing, seconds, timeRange, type View, type ViewContext } from "./view.ts";

const DEFAULT_QUERY = "{ kind = server }";
const COLUMNS = 120;
const EXEMPLARS = 100;
const PLOT_HEIGHT = 320;
const LEFT = 64;
const BOTTOM = 24;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];

/** Latency over time, as a heat map: a column per interval, a row per power of two. */
export const latencyView: View = { name: "latency", title: "Latency", key: "l", show };

export interface HeatMap {
  /** Ends of the columns' intervals, ms. */
  readonly endsMs: readonly number[];
  readonly stepMs: number;
  /** Upper bounds of the rows, seconds, from the lowest; each begins at half of it. */
  readonly bounds: readonly number[];
  /** Counts by row, then by column. */
  readonly counts: readonly (readonly number[])[];
  readonly exemplars: readonly { traceId: string; atMs: number; seconds: number }[];
}

/** The step, in seconds, that gives at most so many columns. */
export function stepFor(range: api.Range, columns: number): number {
  const wanted = (range.end - range.start) / columns;
  return STEPS.find((step) => step >= wanted) ?? Math.ceil(wanted / 86400) * 86400;
}

/** Reads series of `histogram_over_time`; rows without any count at either end are left out, holes between are not. */
export function readHeatMap(series: readonly api.Series[], range: api.Range, step: number): HeatMap {
  const stepMs = step * 1000;
  const first = Math.floor((range.start * 1000) / stepMs) * stepMs + stepMs;
  const endsMs: number[] = [];
  for (let end = first; end < range.end * 1000 + stepMs; end += stepMs) endsMs.push(end);
  const byExponent = new Map<number, number[]>();
  const exemplars: { traceId: string; atMs: number; seconds: number }[] = [];
  for (const one of series) {
    const bound = Number(label(one.labels, "__bucket"));
    if (!(bound > 0)) continue;
    const row = endsMs.map(() => 0);
    for (const sample of one.samples) {
      const column = Math.round((Number(sample.timestampMs) - first) / stepMs);
      if (column >= 0 && column < row.length) row[column] = sample.value;
    }
    byExponent.set(Math.round(Math.log2(bound * 1e9)), row);
    for (const exemplar of one.exemplars ?? []) {
      const traceId = label(exemplar.labels, "trace:id");
      if (traceId) exemplars.push({ traceId, atMs: Number(exemplar.timestampMs), seconds: exemplar.value });
    }
  }
  const used = [...byExponent].filter(([, row]) => row.some((value) => value > 0)).map(([exponent]) => exponent);
  const bounds: number[] = [];
  const counts: number[][] = [];
  if (used.length > 0) {
    for (let exponent = Math.min(...used); exponent <= Math.max(...used); exponent++) {
      bounds.push(2 ** exponent / 1e9);
      counts.push(byExponent.get(exponent) ?? endsMs.map(() => 0));
    }
  }
  return { endsMs, stepMs, bounds, counts, exemplars };
}

/** The filter of a query, for a narrower question: what stands before its pipeline, without comments. */
export function narrowed(query: string, fromSeconds: number, toSeconds: number): string {
  const ns = (value: number): string => String(Math.round(value * 1e9));
  return `${query} | { duration > ${ns(fromSeconds)}ns && duration <= ${ns(toSeconds)}ns }`;
}

async function show(context: ViewContext): Promise<void> {
  const query = context.place.parameters.get("q") ?? DEFAULT_QUERY;
  const ask = (q: string): void => {
    context.go(address("latency", { ...rangeParameters(timeRange(context)), q: q === DEFAULT_QUERY ? undefined : q }));
  };
  const editor = queryEditor(query, false, () => seconds(context), ask, context.signal);
  const body = el("section", { "aria-label": "Latency over time" });
  const below = el("section", { class: "results", "aria-label": "Traces of the chosen cell" });
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
      el("button", { type: "submit", class: "primary" }, "Show"),
    ),
    body,
    below,
  );
  const range = seconds(context);
  const step = stepFor(range, COLUMNS);
  const answer = await answerOf(context, body, (signal) =>
    api.series(`${query} | histogram_over_time(duration)`, range, step, EXEMPLARS, signal),
  );
  if (!answer) return;
  const map = readHeatMap(answer.series, range, step);
  if (map.bounds.length === 0) {
    replace(body, nothing("No span matches.", "Try a longer time range, or a wider query."));
    return;
  }
  drawMap(context, body, map, (row, column) => {
    void showCell(context, below, query, map, row, column);
  });
}

async function showCell(
  context: ViewContext,
  into: HTMLElement,
  query: string,
  map: HeatMap,
  row: number,
  column: number,
): Promise<void> {
  const upper = map.bounds[row] ?? 0;
  const endMs = map.endsMs[column] ?? 0;
  const q = narrowed(query, upper / 2, upper);
  const range = { start: (endMs - map.stepMs) / 1000, end: endMs / 1000 };
  const answer = await answerOf(context, into, (signal) => api.search(q, range, 20, signal));
  if (!answer) return;
  const title = `${format.duration((upper / 2) * 1e9)} to ${format.duration(upper * 1e9)}, ${format.clock(endMs - map.stepMs, true)} to ${format.clock(endMs, true)}`;
  replace(
    into,
    el(
      "div",
      { class: "bar-above" },
      el("h2", null, title),
      el("span", { class: "grow" }),
      el("a", { href: address("search", { q, from: String(endMs - map.stepMs), to: String(endMs) }) }, "Search these"),
    ),
    answer.traces.length === 0 ? nothing("No trace of it is stored any more.") : traceTable(context, answer.traces),
  );
  into.scrollIntoView({ block: "nearest", behavior: "smooth" });
  context.announce(`${answer.traces.length} traces, ${title}`);
}

function drawMap(
  context: ViewContext,
  body: HTMLElement,
  map: HeatMap,
  open: (row: number, column: number) => void,
): void {
  const canvas = el("canvas", {
    class: "heatmap",
    tabindex: "0",
    role: "application",
    "aria-roledescription": "heat map",
    "aria-label": "Latency over time. Arrow keys choose a cell, Enter lists its traces.",
  });
  const readout = el("div", { class: "readout", role: "status" });
  const highest = Math.max(...map.counts.map((row) => Math.max(...row)));
  const frame = el("div", { class: "plot" }, canvas);
  replace(
    body,
    frame,
    el(
      "div",
      { class: "bar-above" },
      readout,
      el("span", { class: "grow" }),
      el(
        "span",
        { class: "scale faint", "aria-hidden": "true" },
        "1",
        el("span", { class: "ramp" }),
        format.count(highest),
        " spans",
      ),
      el("span", { class: "scale faint" }, el("span", { class: "diamond" }), "exemplar"),
    ),
  );
  const columns = map.endsMs.length;
  const rows = map.bounds.length;
  let chosen = { row: rows - 1, column: columns - 1, shown: false };

  const size = (): { width: number; cellWidth: number; cellHeight: number } => {
    const width = frame.clientWidth;
    return { width, cellWidth: (width - LEFT) / columns, cellHeight: (PLOT_HEIGHT - BOTTOM) / rows };
  };

  const draw = (): void => {
    const { width, cellWidth, cellHeight } = size();
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(PLOT_HEIGHT * ratio);
    place(canvas, { width: `${width}px`, height: `${PLOT_HEIGHT}px` });
    const pen = canvas.getContext("2d");
    if (!pen) return;
    pen.scale(ratio, ratio);
    const style = getComputedStyle(canvas);
    // What a variable comes to in this theme, which only a real property tells.
    const color = (name: string): string => {
      place(canvas, { color: `var(${name})` });
      return getComputedStyle(canvas).color;
    };
    const ramp = [
      color("--heat-0"),
      color("--heat-1"),
      color("--heat-2"),
      color("--heat-3"),
      color("--heat-4"),
      color("--heat-5"),
    ];
    pen.font = `11px ${style.fontFamily}`;
    pen.fillStyle = color("--faint");
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    const everyRow = Math.ceil(rows / (PLOT_HEIGHT / 26));
    for (let row = 0; row < rows; row += everyRow) {
      const y = PLOT_HEIGHT - BOTTOM - (row + 1) * cellHeight;
      pen.fillText(format.duration((map.bounds[row] ?? 0) * 1e9), LEFT - 8, Math.max(8, y));
    }
    pen.textAlign = "center";
    pen.textBaseline = "alphabetic";
    const everyColumn = Math.ceil(80 / cellWidth);
    for (let column = everyColumn - 1; column < columns; column += everyColumn) {
      const x = LEFT + (column + 1) * cellWidth;
      if (x < width - 20) pen.fillText(format.clock(map.endsMs[column] ?? 0, map.stepMs < 60e3), x, PLOT_HEIGHT - 7);
    }
    pen.fillStyle = color("--plot");
    pen.fillRect(LEFT, 0, width - LEFT, PLOT_HEIGHT - BOTTOM);
    const gap = cellWidth > 4 ? 1 : 0;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const value = map.counts[row]?.[column] ?? 0;
        if (value <= 0) continue;
        const share = highest <= 1 ? 1 : Math.log(value) / Math.log(highest);
        pen.fillStyle = ramp[Math.min(ramp.length - 1, Math.floor(share * ramp.length))] ?? "";
        pen.fillRect(
          LEFT + column * cellWidth,
          PLOT_HEIGHT - BOTTOM - (row + 1) * cellHeight,
          cellWidth - gap,
          cellHeight - gap,
        );
      }
    }
    pen.strokeStyle = color("--plot");
    pen.fillStyle = color("--text");
    for (const exemplar of map.exemplars) {
      const { x, y } = at(exemplar);
      pen.beginPath();
      pen.moveTo(x, y - 4);
      pen.lineTo(x + 4, y);
      pen.lineTo(x, y + 4);
      pen.lineTo(x - 4, y);
      pen.closePath();
      pen.fill();
      pen.stroke();
    }
    if (chosen.shown) {
      pen.strokeStyle = color("--accent");
      pen.lineWidth = 2;
      pen.strokeRect(
        LEFT + chosen.column * cellWidth - 1,
        PLOT_HEIGHT - BOTTOM - (chosen.row + 1) * cellHeight - 1,
        cellWidth + 1,
        cellHeight + 1,
      );
    }
  };

  const at = (exemplar: { atMs: number; seconds: number }): { x: number; y: number } => {
    const { width, cellHeight } = size();
    const from = (map.endsMs[0] ?? 0) - map.stepMs;
    const x = LEFT + ((exemplar.atMs - from) / (columns * map.stepMs)) * (width - LEFT);
    const lowest = (map.bounds[0] ?? 1) / 2;
    return { x, y: PLOT_HEIGHT - BOTTOM - Math.log2(exemplar.seconds / lowest) * cellHeight };
  };

  const tell = (): void => {
    const upper = map.bounds[chosen.row] ?? 0;
    const endMs = map.endsMs[chosen.column] ?? 0;
    const value = map.counts[chosen.row]?.[chosen.column] ?? 0;
    replace(
      readout,
      el("strong", null, `${format.count(value)} ${value === 1 ? "span" : "spans"}`),
      ` of ${format.duration((upper / 2) * 1e9)} to ${format.duration(upper * 1e9)}, ${format.clock(endMs - map.stepMs, true)} to ${format.clock(endMs, true)}`,
    );
  };

  const cellOf = (event: MouseEvent): { row: number; column: number } | undefined => {
    const { cellWidth, cellHeight } = size();
    const box = canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - LEFT) / cellWidth);
    const row = rows - 1 - Math.floor((event.clientY - box.top) / cellHeight);
    return column >= 0 && column < columns && row >= 0 && row < rows ? { row, column } : undefined;
  };

  const exemplarNear = (event: MouseEvent): string | undefined => {
    const box = canvas.getBoundingClientRect();
    return map.exemplars.find((exemplar) => {
      const { x, y } = at(exemplar);
      return Math.hypot(event.clientX - box.left - x, event.clientY - box.top - y) < 6;
    })?.traceId;
  };

  canvas.addEventListener("mousemove", (event) => {
    const cell = cellOf(event);
    canvas.classList.toggle("pointed", exemplarNear(event) !== undefined);
    if (cell) {
      chosen = { ...cell, shown: true };
      tell();
      draw();
    }
  });
  canvas.addEventListener("click", (event) => {
    const traceId = exemplarNear(event);
    const cell = cellOf(event);
    if (traceId) context.go(address("trace", rangeParameters(timeRange(context)), traceId));
    else if (cell && (map.counts[cell.row]?.[cell.column] ?? 0) > 0) open(cell.row, cell.column);
  });
  canvas.addEventListener("keydown", (event) => {
    const moves: Record<string, [number, number]> = {
      ArrowUp: [1, 0],
      ArrowDown: [-1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
    };
    const move = moves[event.key];
    if (move) {
      chosen = {
        row: Math.max(0, Math.min(rows - 1, chosen.row + (chosen.shown ? move[0] : 0))),
        column: Math.max(0, Math.min(columns - 1, chosen.column + (chosen.shown ? move[1] : 0))),
        shown: true,
      };
      tell();
      draw();
    } else if (event.key === "Enter" && chosen.shown) {
      open(chosen.row, chosen.column);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
  const resized = new ResizeObserver(draw);
  resized.observe(frame);
  document.addEventListener("themechange", draw, { signal: context.signal });
  context.signal.addEventListener("abort", () => {
    resized.disconnect();
  });
  readout.textContent = "Point at a cell to read it, choose it to list its traces.";
  draw();
}
