import * as api from "./api.ts";
import { quoted } from "./completion.ts";
import { el, replace, svg } from "./dom.ts";
import * as format from "./format.ts";
import { rate } from "./functions.ts";
import { layers } from "./layers.ts";
import { address, rangeParameters } from "./location.ts";
import { answerOf, heading, nothing, seconds, timeRange, type View, type ViewContext } from "./view.ts";

const NODE_WIDTH = 168;
const NODE_HEIGHT = 54;
const GAP_X = 96;
const GAP_Y = 26;
const MARGIN = 12;

/** From this share of failures on, something is marked. */
const FAILING = 0.01;

/** Who calls whom. */
export const mapView: View = { name: "map", title: "Map", key: "m", show };

async function show(context: ViewContext): Promise<void> {
  const body = el("section", { class: "scroll", "aria-label": "Service map" });
  replace(
    context.main,
    heading("Service map", el("span", { class: "faint" }, "who calls whom; choose a function to explain it")),
    body,
  );
  const range = seconds(context);
  const answer = await answerOf(context, body, async (signal) => {
    const [calls, functions] = await Promise.all([api.serviceGraph(range, signal), api.functions(range, signal)]);
    return { calls: calls.edges, functions: functions.functions };
  });
  if (!answer) return;
  if (answer.calls.length === 0 && answer.functions.length === 0) {
    replace(body, nothing("Nobody called anybody in this time."));
    return;
  }
  replace(body, drawing(context, answer.calls, answer.functions, range.end - range.start));
}

interface Totals {
  count: number;
  errors: number;
  p99Ms: number;
}

function drawing(
  context: ViewContext,
  calls: readonly api.Edge[],
  functions: readonly api.FunctionRow[],
  length: number,
): SVGSVGElement {
  const totals = new Map<string, Totals>();
  for (const one of functions) {
    const before = totals.get(one.service) ?? { count: 0, errors: 0, p99Ms: 0 };
    totals.set(one.service, {
      count: before.count + one.count,
      errors: before.errors + one.errors,
      p99Ms: Math.max(before.p99Ms, one.p99Ms),
    });
  }
  const names = [...new Set([...totals.keys(), ...calls.flatMap((call) => [call.caller, call.callee])])];
  const columns = layers(
    names,
    calls.map((call) => [call.caller, call.callee]),
  );
  const tallest = Math.max(...columns.map((column) => column.length));
  const height = 2 * MARGIN + tallest * (NODE_HEIGHT + GAP_Y) - GAP_Y;
  const width = 2 * MARGIN + columns.length * (NODE_WIDTH + GAP_X) - GAP_X;
  const places = new Map<string, { x: number; y: number }>();
  for (const [i, column] of columns.entries()) {
    const free = height - 2 * MARGIN - (column.length * (NODE_HEIGHT + GAP_Y) - GAP_Y);
    for (const [j, name] of column.entries()) {
      places.set(name, { x: MARGIN + i * (NODE_WIDTH + GAP_X), y: MARGIN + free / 2 + j * (NODE_HEIGHT + GAP_Y) });
    }
  }
  const kinds = new Map(calls.map((call) => [call.callee, call.calleeKind]));
  const most = Math.max(...calls.map((call) => call.calls), 1);
  return svg(
    "svg",
    { class: "map", width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Service map" },
    svg(
      "defs",
      null,
      svg(
        "marker",
        {
          id: "arrow",
          viewBox: "0 0 8 8",
          refX: 7,
          refY: 4,
          markerWidth: 7,
          markerHeight: 7,
          orient: "auto",
          markerUnits: "userSpaceOnUse",
        },
        svg("path", { d: "M0 0 8 4 0 8z", class: "arrow" }),
      ),
    ),
    calls.map((call) => edge(call, calls, places, most, length)),
    [...places].map(([name, at]) => node(context, name, at, totals.get(name), kinds.get(name), length)),
  );
}

function edge(
  call: api.Edge,
  calls: readonly api.Edge[],
  places: ReadonlyMap<string, { x: number; y: number }>,
  most: number,
  length: number,
): SVGElement | undefined {
  const from = places.get(call.caller);
  const to = places.get(call.callee);
  if (!from || !to) return undefined;
  const x1 = from.x + NODE_WIDTH;
  const y1 = from.y + NODE_HEIGHT / 2;
  const y2 = to.y + NODE_HEIGHT / 2;
  const x2 = to.x;
  const bend = Math.max(40, Math.abs(x2 - x1) / 2);
  const path =
    call.caller === call.callee
      ? `M${x1 - 30} ${from.y} c0 -22 40 -22 26 0`
      : `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2 - 1} ${y2}`;
  // At the end where fewer edges meet.
  const callees = calls.filter((other) => other.caller === call.caller).length;
  const callers = calls.filter((other) => other.callee === call.callee).length;
  const label =
    callers > callees
      ? { x: x1 + 8, y: y1 - 8, "text-anchor": "start" }
      : { x: x2 - 12, y: y2 - 8, "text-anchor": "end" };
  const failing = call.errors / Math.max(1, call.calls);
  const facts = [rate(call.calls / length), `p99 ${format.duration(call.p99Ms * 1e6)}`];
  if (failing > 0) facts.push(`${format.percent(failing)} failed`);
  return svg(
    "g",
    { class: failing > FAILING ? "edge failing" : "edge" },
    svg("path", { d: path, "stroke-width": 1 + 3 * (call.calls / most), "marker-end": "url(#arrow)" }),
    svg("title", null, `${call.caller} calls ${call.callee}: ${facts.join(", ")}`),
    call.caller !== call.callee && svg("text", label, rate(call.calls / length)),
  );
}

function node(
  context: ViewContext,
  name: string,
  at: { x: number; y: number },
  totals: Totals | undefined,
  kind: string | undefined,
  length: number,
): SVGElement {
  const range = rangeParameters(timeRange(context));
  const failing = totals ? totals.errors / Math.max(1, totals.count) : 0;
  const href = totals
    ? address("explain", { ...range, service: name })
    : address("search", { ...range, q: `{ resource.service.name = ${quoted(name)} }` });
  const facts = totals
    ? `${rate(totals.count / length)} · p99 ${format.duration(totals.p99Ms * 1e6)}`
    : (kind ?? "not captured");
  return svg(
    "a",
    {
      href,
      class: failing > FAILING ? "node failing" : totals ? "node" : "node outside",
      transform: `translate(${at.x} ${at.y})`,
      "aria-label": `${name}: ${facts}`,
    },
    svg("rect", { width: NODE_WIDTH, height: NODE_HEIGHT, rx: 8 }),
    svg("text", { class: "title", x: 12, y: 22 }, name.length > 20 ? `${name.slice(0, 19)}…` : name || "(no name)"),
    svg("text", { class: "facts", x: 12, y: 41 }, facts),
    failing > FAILING &&
      svg("text", { class: "facts bad", x: NODE_WIDTH - 12, y: 22, "text-anchor": "end" }, format.percent(failing)),
    svg("title", null, name),
  );
}
