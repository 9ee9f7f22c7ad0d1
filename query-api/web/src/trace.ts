import * as api from "./api.ts";
import { type KeyValue, valueText } from "./api.ts";
import { ACCOUNT_LABELS, ACCOUNT_MEANINGS, type Accounts, ACCOUNTS, accountsOf } from "./accounts.ts";
import { quoted, quotedName } from "./completion.ts";
import { type Child, el, place, replace } from "./dom.ts";
import * as format from "./format.ts";
import { address, rangeParameters } from "./location.ts";
import { logsOf, logsOfTrace } from "./logs.ts";
import { readTrace, type Row, type Span, type Trace } from "./tree.ts";
import { answerOf, hue, nothing, timeRange, type View, type ViewContext } from "./view.ts";

const ROW_HEIGHT = 26;
const ROWS_AROUND = 12;
const TICKS = 5;
const AROUND_MS = 5 * 60_000;

/** From this share of a span on, what was stolen of it is said in its row. */
const NOTED_SHARE = 0.05;

/** Between a bar and its label, and between the parts of a label, in pixels; the rest as style.css has it. */
const LABEL_GAP = 6;
const STOLEN_GAP = 8;
const INSIDE_PADDING = 18;

/** One trace as a waterfall, with the time accounts drawn in each bar. */
export const traceView: View = { name: "trace", title: "Trace", key: "", show };

async function show(context: ViewContext): Promise<void> {
  const id = context.place.subject;
  const body = el("section", { class: "trace", "aria-label": "Trace" });
  replace(context.main, body);
  const answer = await answerOf(context, body, (signal) => api.trace(id, signal));
  if (!answer) return;
  const trace = readTrace(answer);
  if (trace.rows.length === 0) {
    replace(
      body,
      nothing("No such trace.", "It was not sampled, its time is over, or it has not arrived: ", el("code", null, id)),
    );
    return;
  }
  new Waterfall(context, body, id, trace).draw();
}

/** A decision as one would say it. */
function decisionText(made: api.Decision): string {
  const by = made.policies.length > 0 ? ` by ${made.policies.join(", ")}` : "";
  if (!made.kept) return "not to be kept";
  if (made.probability === null) return `kept${by}`;
  if (made.probability >= 1) return `kept${by}, as all like it`;
  const one = 1 / made.probability;
  return `kept${by}, one of ${one < 10 ? one.toFixed(1).replace(/\.0$/, "") : format.count(Math.round(one))}`;
}

class Waterfall {
  private readonly collapsed = new Set<Row>();
  private visible: Row[] = [];
  private selected: Row | undefined;
  private drawn: { first: number; last: number } | undefined;
  private readonly canvas = el("div", { class: "rows" });
  private readonly scroller = el("div", {
    class: "waterfall",
    role: "treegrid",
    tabindex: "0",
    "aria-label": "Spans",
    "aria-describedby": "waterfall-keys",
    "aria-colcount": "2",
  });
  private readonly details = el("aside", { class: "details", "aria-label": "Span" });
  private readonly decided = el("span", { class: "decided", title: "what the sampler decided" });
  private readonly logged = el("span");
  private readonly errors: readonly Row[];
  /** Parts of the trace that each span on the critical path is waited for, from the trace's start. */
  private path = new Map<string, { fromNs: number; toNs: number }[]>();
  /** Of the column with the bars, in pixels. */
  private timeWidth = 0;
  private font = "sans-serif";
  private readonly times = el("div", { class: "time" });
  private readonly pen = pen();

  constructor(
    private readonly context: ViewContext,
    private readonly body: HTMLElement,
    private readonly id: string,
    private readonly trace: Trace,
  ) {
    this.errors = trace.rows.filter((row) => row.span.failed);
  }

  draw(): void {
    const wanted = this.context.place.parameters.get("span");
    this.scroller.append(this.canvas);
    const logs = logsOfTrace(
      this.context,
      this.id,
      this.trace,
      (spanId) => {
        this.choose(spanId);
      },
      (records) => {
        const onclick = (): void => {
          logs.scrollIntoView({ block: "nearest" });
        };
        replace(this.logged, el("button", { class: "link", onclick }, records));
      },
    );
    replace(
      this.body,
      this.heading(),
      this.trace.partial && el("div", { class: "notice", role: "status" }, this.trace.partial),
      legend(),
      el("div", { class: "split" }, el("div", { class: "left" }, this.ticks(), this.scroller), this.details),
      logs,
      el(
        "p",
        { id: "waterfall-keys", class: "unseen" },
        "Arrow keys move, left and right close and open, e goes to the next failure.",
      ),
    );
    this.font = getComputedStyle(this.scroller).fontFamily;
    this.timeWidth = this.times.clientWidth;
    this.layOut();
    this.scroller.addEventListener(
      "scroll",
      () =>
        requestAnimationFrame(() => {
          this.paint();
        }),
      { passive: true },
    );
    this.scroller.addEventListener("keydown", (event) => {
      this.key(event);
    });
    this.scroller.addEventListener("click", (event) => {
      this.click(event);
    });
    const resized = new ResizeObserver(() => {
      const { clientWidth } = this.times;
      if (clientWidth !== this.timeWidth) {
        // Labels stand where there is room for them.
        this.timeWidth = clientWidth;
        this.drawn = undefined;
      }
      this.paint();
    });
    resized.observe(this.scroller);
    this.context.signal.addEventListener("abort", () => {
      resized.disconnect();
    });
    const first = this.trace.rows.find((row) => row.span.id === wanted) ?? this.trace.rows[0];
    if (first) this.select(first, wanted !== null);
    this.scroller.focus({ preventScroll: true });
    void this.findPath();
    void this.findDecision();
    this.context.announce(`Trace with ${this.trace.rows.length} spans`);
  }

  /** The minutes around the trace, up to now: what explain compares with as much time before. */
  private around(): Record<string, string> {
    const startMs = Number(this.trace.startNs / 1_000_000n);
    return { from: String(startMs - AROUND_MS), to: String(Math.min(Date.now(), startMs + AROUND_MS)) };
  }

  private heading(): HTMLElement {
    const root = this.trace.rows[0]?.span;
    const facts: Child[] = [
      el("span", null, format.exactTime(this.trace.startNs).slice(0, 23)),
      el("span", null, format.duration(this.trace.durationNs)),
      el("span", null, `${format.count(this.trace.rows.length)} ${this.trace.rows.length === 1 ? "span" : "spans"}`),
      el("span", null, `${this.trace.services.length} ${this.trace.services.length === 1 ? "function" : "functions"}`),
      this.trace.failures > 0 &&
        el(
          "button",
          {
            class: "link bad-text",
            onclick: () => {
              this.nextError(1);
            },
          },
          `${format.count(this.trace.failures)} failed`,
        ),
      this.logged,
      el("code", { class: "faint", title: "trace id" }, this.id),
      this.decided,
    ];
    return el(
      "div",
      { class: "heading" },
      el(
        "div",
        null,
        el("h1", null, root && el("span", { class: `service ${hue(root.service)}` }, root.service), root?.name ?? ""),
        el("div", { class: "facts" }, facts),
      ),
      el("span", { class: "grow" }),
      root &&
        el(
          "a",
          {
            class: "button",
            href: address("explain", { ...this.around(), service: root.service, tenant: root.tenant }),
          },
          "Explain",
        ),
    );
  }

  private ticks(): HTMLElement {
    const marks: HTMLElement[] = [];
    for (let i = 0; i < TICKS; i++) {
      marks.push(
        place(el("span", null, i === 0 ? "0" : format.duration((this.trace.durationNs * i) / (TICKS - 1))), {
          left: `${(i / (TICKS - 1)) * 100}%`,
        }),
      );
    }
    replace(this.times, marks);
    return el(
      "div",
      { class: "ticks", "aria-hidden": "true" },
      el("div", { class: "name faint" }, "Function and operation"),
      this.times,
    );
  }

  private layOut(): void {
    const visible: Row[] = [];
    const { rows } = this.trace;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i];
      if (!row) break;
      visible.push(row);
      if (this.collapsed.has(row)) i += row.below;
    }
    this.visible = visible;
    this.scroller.setAttribute("aria-rowcount", String(visible.length));
    place(this.canvas, { height: `${visible.length * ROW_HEIGHT}px` });
    this.drawn = undefined;
    this.paint();
  }

  /** Puts the rows that can be seen, and a few around them, in the page; no others. */
  private paint(): void {
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / ROW_HEIGHT) - ROWS_AROUND);
    const last = Math.min(
      this.visible.length,
      Math.ceil((this.scroller.scrollTop + this.scroller.clientHeight) / ROW_HEIGHT) + ROWS_AROUND,
    );
    if (this.drawn?.first === first && this.drawn.last === last) return;
    this.drawn = { first, last };
    replace(
      this.canvas,
      this.visible.slice(first, last).map((row, i) => this.rowElement(row, first + i)),
    );
    this.markSelected();
  }

  private rowElement(row: Row, index: number): HTMLElement {
    const { span } = row;
    const accounts = accountsOf(span);
    const open = row.below > 0 ? String(!this.collapsed.has(row)) : undefined;
    const indent = place(el("span", { class: "indent" }), { width: `min(${row.depth * 14}px, 45%)` });
    const name = el(
      "div",
      { class: "name", role: "gridcell", title: `${span.service} ${span.name}` },
      indent,
      el("span", { class: "twist", "aria-hidden": "true" }, open === undefined ? "" : open === "true" ? "▾" : "▸"),
      el("span", { class: `service ${hue(span.service)}` }, span.service || "?"),
      el(
        "span",
        { class: span.failed ? "operation bad-text" : "operation" },
        row.orphan && el("span", { class: "faint", title: "its parent has not arrived" }, "⤷ "),
        span.name,
      ),
    );
    const element = el(
      "div",
      {
        class: `row ${span.kind}`,
        role: "row",
        id: `row-${index}`,
        "aria-rowindex": index + 1,
        "aria-level": row.depth + 1,
        "aria-expanded": open,
        "data-index": index,
      },
      name,
      el(
        "div",
        { class: "time", role: "gridcell" },
        this.bar(span, accounts),
        this.pathMarks(span),
        this.barText(span, accounts),
      ),
    );
    return place(element, { transform: `translateY(${index * ROW_HEIGHT}px)` });
  }

  /** Marks what the trace's duration consists of. Without an answer there are no marks, and nothing else is missing. */
  private async findPath(): Promise<void> {
    let segments: readonly api.PathSegment[];
    try {
      ({ segments } = await api.criticalPath(this.id, this.context.signal));
    } catch {
      return;
    }
    for (const segment of segments) {
      const part = {
        fromNs: Number(BigInt(segment.fromUnixNano) - this.trace.startNs),
        toNs: Number(BigInt(segment.toUnixNano) - this.trace.startNs),
      };
      const parts = this.path.get(segment.spanId);
      if (parts) parts.push(part);
      else this.path.set(segment.spanId, [part]);
    }
    this.drawn = undefined;
    this.paint();
  }

  /** Says why the trace was kept, if that was decided. Without an answer nothing else is missing. */
  private async findDecision(): Promise<void> {
    let made: readonly api.Decision[];
    try {
      ({ decisions: made } = await api.decisions(this.id, this.context.signal));
    } catch {
      return;
    }
    const last = made.find((one) => !one.again) ?? made[0];
    if (last) replace(this.decided, decisionText(last));
  }

  private pathMarks(span: Span): HTMLElement[] {
    return (this.path.get(span.id) ?? []).map(({ fromNs, toNs }) =>
      place(el("span", { class: "critical" }), {
        left: `${this.share(fromNs)}%`,
        width: `max(1px, ${this.share(toNs - fromNs)}%)`,
      }),
    );
  }

  private share(ns: number): number {
    return (ns / Math.max(1, this.trace.durationNs)) * 100;
  }

  private bar(span: Span, accounts: Accounts | undefined): HTMLElement {
    const segments = (accounts?.segments ?? []).map(({ account, ns }) =>
      place(el("span", { class: `account ${account}` }), { width: `${(ns / Math.max(1, span.durationNs)) * 100}%` }),
    );
    const classes = ["bar", accounts ? "accounted" : "plain", span.failed ? "failed" : ""].join(" ");
    return place(el("span", { class: classes }, segments), {
      left: `${this.share(span.startNs)}%`,
      width: `max(2px, ${this.share(span.durationNs)}%)`,
    });
  }

  private barText(span: Span, accounts: Accounts | undefined): HTMLElement {
    const duration = format.duration(span.durationNs);
    const by = accounts?.culprit ? ` by ${accounts.culprit}` : "";
    const stolen =
      accounts && accounts.values.stolen > span.durationNs * NOTED_SHARE
        ? `${format.duration(accounts.values.stolen)} stolen${by}`
        : "";
    const startShare = this.share(span.startNs);
    const endShare = this.share(span.startNs + span.durationNs);
    const start = (startShare / 100) * this.timeWidth;
    const end = (endShare / 100) * this.timeWidth;
    const short = this.textWidth(duration, false);
    const long = stolen ? short + STOLEN_GAP + this.textWidth(stolen, true) : short;
    const whole = labelSide(start, end, this.timeWidth, long);
    const text = el("span", { class: "bartext" }, duration);
    if (whole) text.append(stolen && el("span", { class: "stolen-text" }, stolen));
    switch (whole ?? labelSide(start, end, this.timeWidth, short) ?? "after") {
      case "after":
        return place(text, { left: `calc(${endShare}% + ${LABEL_GAP}px)` });
      case "before":
        return place(text, { right: `calc(${100 - startShare}% + ${LABEL_GAP}px)` });
      case "inside":
        text.classList.add("inside");
        return place(text, { right: `calc(${100 - endShare}% + 4px)` });
    }
  }

  /** In pixels, as the text of labels is drawn. */
  private textWidth(text: string, bold: boolean): number {
    this.pen.font = `${bold ? "600 " : ""}12px ${this.font}`;
    return this.pen.measureText(text).width;
  }

  private click(event: MouseEvent): void {
    const element = (event.target as Element).closest<HTMLElement>(".row");
    const row = this.visible[Number(element?.dataset["index"] ?? NaN)];
    if (!row) return;
    if ((event.target as Element).closest(".twist") && row.below > 0) this.toggle(row);
    this.select(row, false);
  }

  private toggle(row: Row): void {
    if (this.collapsed.has(row)) this.collapsed.delete(row);
    else this.collapsed.add(row);
    this.layOut();
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.selected ? this.visible.indexOf(this.selected) : -1;
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / ROW_HEIGHT) - 1);
    const move = (index: number): void => {
      const row = this.visible[Math.max(0, Math.min(this.visible.length - 1, index))];
      if (row) this.select(row, true);
    };
    switch (event.key) {
      case "ArrowDown":
      case "j":
        move(at + 1);
        break;
      case "ArrowUp":
      case "k":
        move(at - 1);
        break;
      case "PageDown":
        move(at + page);
        break;
      case "PageUp":
        move(at - page);
        break;
      case "Home":
        move(0);
        break;
      case "End":
        move(this.visible.length - 1);
        break;
      case "ArrowRight":
        if (this.selected && this.collapsed.has(this.selected)) this.toggle(this.selected);
        else move(at + 1);
        break;
      case "ArrowLeft":
        if (this.selected && this.selected.below > 0 && !this.collapsed.has(this.selected)) this.toggle(this.selected);
        else move(this.parentIndex(at));
        break;
      case "e":
        this.nextError(1);
        break;
      case "E":
        this.nextError(-1);
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  private parentIndex(at: number): number {
    const depth = this.visible[at]?.depth ?? 0;
    let index = at - 1;
    while (index > 0 && (this.visible[index]?.depth ?? 0) >= depth) index -= 1;
    return index;
  }

  private nextError(step: 1 | -1): void {
    if (this.errors.length === 0) return;
    const order = new Map(this.trace.rows.map((row, i) => [row, i]));
    const at = this.selected ? (order.get(this.selected) ?? -1) : -1;
    const after = (row: Row): boolean => ((order.get(row) ?? 0) - at) * step > 0;
    const ordered = step > 0 ? this.errors : [...this.errors].reverse();
    const next = ordered.find(after) ?? ordered[0];
    if (next) this.reveal(next);
  }

  /** Shows the span with such an id, wherever the page has been scrolled to. */
  private choose(spanId: string): void {
    const row = this.trace.rows.find(({ span }) => span.id === spanId);
    if (!row) return;
    this.reveal(row);
    this.scroller.scrollIntoView({ block: "nearest" });
  }

  private reveal(row: Row): void {
    if (!this.visible.includes(row)) {
      this.collapsed.clear();
      this.layOut();
    }
    this.select(row, true);
    this.scroller.focus({ preventScroll: true });
  }

  private select(row: Row, scroll: boolean): void {
    this.selected = row;
    const index = this.visible.indexOf(row);
    if (scroll && index >= 0) {
      const top = index * ROW_HEIGHT;
      const { scrollTop, clientHeight } = this.scroller;
      if (top < scrollTop) this.scroller.scrollTop = top - ROW_HEIGHT;
      else if (top + ROW_HEIGHT > scrollTop + clientHeight)
        this.scroller.scrollTop = top - clientHeight + 2 * ROW_HEIGHT;
    }
    this.paint();
    this.markSelected();
    this.scroller.setAttribute("aria-activedescendant", `row-${index}`);
    this.context.note(address("trace", { ...rangeParameters(timeRange(this.context)), span: row.span.id }, this.id));
    replace(this.details, spanDetails(this.context, this.id, this.trace, row.span));
  }

  private markSelected(): void {
    for (const element of this.canvas.children) {
      const row = this.visible[Number((element as HTMLElement).dataset["index"])];
      element.setAttribute("aria-selected", String(row === this.selected));
    }
  }
}

function pen(): CanvasRenderingContext2D {
  const context = el("canvas").getContext("2d");
  if (!context) throw new Error("this browser draws no text");
  return context;
}

/** Where a label of such a width is seen whole: beside its bar, or else on the bar's end. All in pixels from the left. */
export function labelSide(
  start: number,
  end: number,
  room: number,
  width: number,
): "after" | "before" | "inside" | undefined {
  if (end + LABEL_GAP + width <= room) return "after";
  if (width + LABEL_GAP <= start) return "before";
  return width + INSIDE_PADDING <= end ? "inside" : undefined;
}

function legend(): HTMLElement {
  return el(
    "ul",
    { class: "legend", "aria-label": "Colours of the bars" },
    ACCOUNTS.map((account) =>
      el(
        "li",
        { title: ACCOUNT_MEANINGS[account] },
        el("span", { class: `swatch account ${account}` }),
        ACCOUNT_LABELS[account],
      ),
    ),
    el(
      "li",
      { title: "time of the span that is in none of the accounts, or a span that no agent measured" },
      el("span", { class: "swatch plain" }),
      "Not accounted",
    ),
    el(
      "li",
      { title: "at each moment, the span whose end the others waited for: what the trace's duration consists of" },
      el("span", { class: "swatch critical" }),
      "Critical path",
    ),
    el("li", { class: "faint wide-only" }, "parts of a bar show how much, not when"),
  );
}

function spanDetails(context: ViewContext, traceId: string, trace: Trace, span: Span): Child[] {
  const accounts = accountsOf(span);
  return [
    el("h2", null, span.name),
    el(
      "div",
      { class: "facts" },
      el("span", { class: `service ${hue(span.service)}` }, span.service),
      span.tenant && el("span", { class: "tag" }, span.tenant),
      span.kind && el("span", { class: "tag" }, span.kind),
      span.failed && el("span", { class: "tag bad" }, "failed"),
    ),
    span.statusMessage && el("p", { class: "bad-text" }, span.statusMessage),
    el(
      "dl",
      { class: "pairs" },
      pair("Duration", format.duration(span.durationNs)),
      pair("Started", `${format.duration(span.startNs)} after the trace's start`),
      pair("Span", el("code", null, span.id)),
    ),
    accounts && accountTable(accounts, span.durationNs),
    attributeTable(context, "Attributes", "span", span.attributes),
    attributeTable(context, "Resource", "resource", span.resource),
    span.events.length > 0 && [
      el("h3", null, "Events"),
      span.events.map((event) => [
        el(
          "p",
          null,
          el("strong", null, event.name),
          " ",
          el("span", { class: "faint" }, `after ${format.duration(event.atNs)}`),
        ),
        attributeTable(context, "", "event", event.attributes),
      ]),
    ],
    span.links.length > 0 && [
      el("h3", null, "Links"),
      el(
        "ul",
        { class: "plain-list" },
        span.links.map((link) =>
          el(
            "li",
            null,
            el("a", { href: address("trace", { span: link.spanId }, link.traceId) }, el("code", null, link.traceId)),
          ),
        ),
      ),
    ],
    span.scope && el("p", { class: "faint" }, `Instrumentation: ${span.scope}`),
    logsOf(context, traceId, trace.startNs, span),
  ];
}

function pair(name: string, value: Child): Child {
  return [el("dt", null, name), el("dd", null, value)];
}

function accountTable(accounts: Accounts, durationNs: number): HTMLElement {
  const rows = ACCOUNTS.filter((account) => accounts.values[account] > 0).map((account) => {
    const ns = accounts.values[account];
    const by = account === "stolen" && accounts.culprit ? [" by ", el("strong", null, accounts.culprit)] : [];
    return el(
      "tr",
      { title: ACCOUNT_MEANINGS[account] },
      el("td", null, el("span", { class: `swatch account ${account}` }), ACCOUNT_LABELS[account], by),
      el("td", { class: "number nowrap" }, format.duration(ns)),
      el("td", { class: "number faint nowrap" }, format.percent(ns / Math.max(1, durationNs))),
    );
  });
  return el(
    "table",
    { class: "accounts" },
    el(
      "caption",
      null,
      "Where the time went",
      accounts.scope && el("span", { class: "faint" }, ` measured by ${accounts.scope}`),
    ),
    el(
      "tbody",
      null,
      rows,
      accounts.restNs > durationNs * 0.001 &&
        el(
          "tr",
          null,
          el("td", null, el("span", { class: "swatch plain" }), "Not accounted"),
          el("td", { class: "number nowrap" }, format.duration(accounts.restNs)),
          el("td", { class: "number faint nowrap" }, format.percent(accounts.restNs / Math.max(1, durationNs))),
        ),
    ),
  );
}

const SHOWN_AS_ACCOUNTS = new Set(ACCOUNTS.map((account) => `headspan.${account}_ns`));

function attributeTable(context: ViewContext, title: string, scope: string, all: readonly KeyValue[]): Child {
  const attributes = all
    .filter((attribute) => !SHOWN_AS_ACCOUNTS.has(attribute.key))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  if (attributes.length === 0) return undefined;
  return [
    title && el("h3", null, title),
    el(
      "table",
      { class: "attributes" },
      el(
        "tbody",
        null,
        attributes.map((attribute) =>
          el(
            "tr",
            null,
            el("th", { scope: "row" }, attribute.key),
            el("td", null, valueLink(context, scope, attribute)),
          ),
        ),
      ),
    ),
  ];
}

/** A value that leads to all spans that have it. */
function valueLink(context: ViewContext, scope: string, attribute: KeyValue): Child {
  const { key, value } = attribute;
  const text = valueText(value);
  const shown = key.endsWith("_ns") && value?.intValue !== undefined ? format.duration(Number(text)) : text;
  if (value?.arrayValue || value?.kvlistValue || value?.bytesValue !== undefined) return shown;
  const literal = value?.stringValue === undefined ? text : quoted(text);
  const query = `{ ${scope}.${quotedName(key)} = ${literal} }`;
  const href = address("search", { ...rangeParameters(timeRange(context)), q: query });
  return el("a", { href, class: "value", title: `search ${query}` }, shown === "" ? "(empty)" : shown);
}
