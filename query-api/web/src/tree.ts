import {
  type AttributeValue,
  type KeyValue,
  label,
  type ResourceSpans,
  type SentSpan,
  type TraceAnswer,
} from "./api.ts";

/** A trace as a tree, laid out in rows from top to bottom. */

export interface Span {
  readonly id: string;
  readonly parentId: string;
  readonly name: string;
  readonly service: string;
  readonly tenant: string;
  readonly kind: string;
  readonly failed: boolean;
  readonly statusMessage: string;
  /** From the start of the trace. */
  readonly startNs: number;
  readonly durationNs: number;
  readonly attributes: readonly KeyValue[];
  readonly resource: readonly KeyValue[];
  readonly scope: string;
  readonly events: readonly { name: string; atNs: number; attributes: readonly KeyValue[] }[];
  readonly links: readonly { traceId: string; spanId: string; attributes: readonly KeyValue[] }[];
}

export interface Row {
  readonly span: Span;
  readonly depth: number;
  /** Rows below this one that belong to it. */
  readonly below: number;
  /** It has a parent's id, but the parent never came. */
  readonly orphan: boolean;
}

export interface Trace {
  readonly rows: readonly Row[];
  readonly startNs: bigint;
  readonly durationNs: number;
  readonly services: readonly string[];
  readonly failures: number;
  /** Why the answer is not the whole trace; "" if it is. */
  readonly partial: string;
}

/** Base64, as protobuf's JSON has ids, as hex digits. */
export function hexId(base64: string | undefined): string {
  if (!base64) return "";
  let hex = "";
  for (const character of atob(base64)) hex += character.charCodeAt(0).toString(16).padStart(2, "0");
  return /^0*$/.test(hex) ? "" : hex;
}

/** Reads an answer of the API; nothing is left out, whatever is wrong with the tree. */
export function readTrace(answer: TraceAnswer): Trace {
  const resources = answer.trace?.resourceSpans ?? [];
  let startNs: bigint | undefined;
  for (const sent of sentSpans(resources)) {
    const at = BigInt(sent.span.startTimeUnixNano ?? "0");
    if (startNs === undefined || at < startNs) startNs = at;
  }
  const origin = startNs ?? 0n;
  const spans: Span[] = [];
  let durationNs = 0;
  for (const sent of sentSpans(resources)) {
    const span = readSpan(sent.span, sent.resource, sent.scope, origin);
    durationNs = Math.max(durationNs, span.startNs + span.durationNs);
    spans.push(span);
  }
  return {
    rows: layOut(spans),
    startNs: origin,
    durationNs,
    services: [...new Set(spans.map((span) => span.service))].sort(),
    failures: spans.filter((span) => span.failed).length,
    partial: answer.status === "PARTIAL" ? (answer.message ?? "the trace is too large to be shown whole") : "",
  };
}

function* sentSpans(
  resources: readonly ResourceSpans[],
): Generator<{ span: SentSpan; resource: readonly KeyValue[]; scope: string }> {
  for (const resource of resources) {
    const attributes = resource.resource?.attributes ?? [];
    for (const scope of resource.scopeSpans ?? []) {
      const name = [scope.scope?.name, scope.scope?.version].filter(Boolean).join(" ");
      for (const span of scope.spans ?? []) yield { span, resource: attributes, scope: name };
    }
  }
}

function readSpan(sent: SentSpan, resource: readonly KeyValue[], scope: string, origin: bigint): Span {
  const start = BigInt(sent.startTimeUnixNano ?? "0");
  const end = BigInt(sent.endTimeUnixNano ?? "0");
  return {
    id: hexId(sent.spanId),
    parentId: hexId(sent.parentSpanId),
    name: sent.name ?? "",
    service: label(resource, "service.name"),
    tenant: label(resource, "headspan.tenant"),
    kind: (sent.kind ?? "").replace("SPAN_KIND_", "").toLowerCase(),
    failed: sent.status?.code === "STATUS_CODE_ERROR",
    statusMessage: sent.status?.message ?? "",
    startNs: Number(start - origin),
    durationNs: Math.max(0, Number(end - start)),
    attributes: sent.attributes ?? [],
    resource,
    scope,
    events: (sent.events ?? []).map((event) => ({
      name: event.name ?? "",
      atNs: Number(BigInt(event.timeUnixNano ?? "0") - start),
      attributes: event.attributes ?? [],
    })),
    links: (sent.links ?? []).map((link) => ({
      traceId: hexId(link.traceId),
      spanId: hexId(link.spanId),
      attributes: link.attributes ?? [],
    })),
  };
}

/** Parents above their children, children by their start. Spans that no root reaches come at the end, as roots. */
export function layOut(spans: readonly Span[]): Row[] {
  const ids = new Set(spans.map((span) => span.id));
  const children = new Map<string, Span[]>();
  const roots: Span[] = [];
  for (const span of spans) {
    if (span.parentId && span.parentId !== span.id && ids.has(span.parentId)) {
      const siblings = children.get(span.parentId);
      if (siblings) siblings.push(span);
      else children.set(span.parentId, [span]);
    } else {
      roots.push(span);
    }
  }
  const byStart = (a: Span, b: Span): number => a.startNs - b.startNs || b.durationNs - a.durationNs;
  for (const siblings of children.values()) siblings.sort(byStart);
  roots.sort(byStart);

  const rows: { span: Span; depth: number; below: number; orphan: boolean }[] = [];
  const done = new Set<Span>();
  const expanded = new Set<string>();
  const walk = (root: Span): void => {
    const open: { span: Span; depth: number; row: number; next: number; children: readonly Span[] }[] = [];
    const enter = (span: Span, depth: number): void => {
      done.add(span);
      rows.push({ span, depth, below: 0, orphan: depth === 0 && span.parentId !== "" });
      // Of several spans with one id only the first has the children.
      const own = expanded.has(span.id) ? [] : (children.get(span.id) ?? []);
      expanded.add(span.id);
      open.push({ span, depth, row: rows.length - 1, next: 0, children: own });
    };
    enter(root, 0);
    for (let top = open.at(-1); top; top = open.at(-1)) {
      const child = top.children[top.next];
      top.next += 1;
      if (!child) {
        const row = rows[top.row];
        if (row) row.below = rows.length - 1 - top.row;
        open.pop();
      } else if (!done.has(child)) {
        enter(child, top.depth + 1);
      }
    }
  };
  for (const root of roots) walk(root);
  for (const span of [...spans].sort(byStart)) {
    if (!done.has(span)) walk(span);
  }
  return rows;
}

/** A span's attribute as a number; NaN if it has none. */
export function numberOf(attributes: readonly KeyValue[], key: string): number {
  const value: AttributeValue | undefined = attributes.find((candidate) => candidate.key === key)?.value;
  return value?.intValue === undefined && value?.doubleValue === undefined
    ? NaN
    : Number(value.intValue ?? value.doubleValue);
}
