/** What the page asks the query API for, typed. Every request ends when its view is left. */

import { token } from "./token.ts";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export interface AttributeValue {
  stringValue?: string;
  intValue?: string;
  doubleValue?: number | string;
  boolValue?: boolean;
  bytesValue?: string;
  arrayValue?: { values?: AttributeValue[] };
  kvlistValue?: { values?: KeyValue[] };
}

export interface KeyValue {
  key: string;
  value?: AttributeValue;
}

export interface FoundSpan {
  spanID: string;
  name?: string;
  startTimeUnixNano: string;
  durationNanos: string;
  attributes?: KeyValue[];
}

export interface SpanSet {
  spans: FoundSpan[];
  matched: number;
  attributes?: KeyValue[];
}

export interface FoundTrace {
  traceID: string;
  rootServiceName: string;
  rootTraceName: string;
  startTimeUnixNano: string;
  durationMs: number;
  spanSets?: SpanSet[];
  serviceStats?: Record<string, { spanCount: number; errorCount?: number }>;
}

export interface Series {
  labels: KeyValue[];
  samples: { timestampMs: string; value: number }[];
  exemplars?: { labels: KeyValue[]; value: number; timestampMs: string }[];
}

export interface InstantSeries {
  labels: KeyValue[];
  value: number;
}

export interface SentSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name?: string;
  kind?: string;
  startTimeUnixNano?: string;
  endTimeUnixNano?: string;
  attributes?: KeyValue[];
  events?: { timeUnixNano?: string; name?: string; attributes?: KeyValue[] }[];
  links?: { traceId: string; spanId: string; attributes?: KeyValue[] }[];
  status?: { code?: string; message?: string };
}

export interface ResourceSpans {
  resource?: { attributes?: KeyValue[] };
  scopeSpans?: { scope?: { name?: string; version?: string }; spans?: SentSpan[] }[];
}

export interface TraceAnswer {
  trace?: { resourceSpans?: ResourceSpans[] };
  status?: string;
  message?: string;
}

export interface FunctionRow {
  tenant: string;
  service: string;
  version: string;
  runtime: string;
  count: number;
  errors: number;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
}

export interface Range {
  start: number;
  end: number;
}

type Parameter = string | number | undefined;

async function get<T>(path: string, parameters: Record<string, Parameter>, signal: AbortSignal): Promise<T> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== "") query.set(name, String(value));
  }
  const tail = query.toString();
  let response: Response;
  try {
    response = await fetch(tail ? `${path}?${tail}` : path, { signal, headers: headers() });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ApiError(0, "The query API does not answer. Is `headspan query` still running?");
  }
  if (!response.ok) {
    throw new ApiError(response.status, (await response.text()).trim() || `status ${response.status}`);
  }
  return (await response.json()) as T;
}

/** Says that the page asks, which asks its reader for a token itself if one is wanted. */
function headers(): Record<string, string> {
  const always = { Accept: "application/json", "X-Requested-With": "headspan-page" };
  return token() ? { ...always, Authorization: `Bearer ${token()}` } : always;
}

export async function search(
  q: string,
  range: Range,
  limit: number,
  signal: AbortSignal,
): Promise<{ traces: FoundTrace[] }> {
  return get("api/search", { q, start: range.start, end: range.end, limit, spss: 3 }, signal);
}

export async function trace(id: string, signal: AbortSignal): Promise<TraceAnswer> {
  return get(`api/v2/traces/${encodeURIComponent(id)}`, {}, signal);
}

export async function series(
  q: string,
  range: Range,
  stepSeconds: number,
  exemplars: number,
  signal: AbortSignal,
): Promise<{ series: Series[]; status: string; message: string }> {
  const parameters = { q, start: range.start, end: range.end, step: stepSeconds, exemplars };
  return get("api/metrics/query_range", parameters, signal);
}

export async function instant(
  q: string,
  range: Range,
  signal: AbortSignal,
): Promise<{ series: InstantSeries[]; status: string; message: string }> {
  return get("api/metrics/query", { q, start: range.start, end: range.end }, signal);
}

export async function tagNames(
  q: string,
  range: Range,
  signal: AbortSignal,
): Promise<{ scopes: { name: string; tags: string[] }[] }> {
  return get("api/v2/search/tags", { q, start: range.start, end: range.end, limit: 1000 }, signal);
}

export async function tagValues(
  tag: string,
  q: string,
  range: Range,
  signal: AbortSignal,
): Promise<{ tagValues: { type: string; value: string }[] }> {
  const path = `api/v2/search/tag/${encodeURIComponent(tag)}/values`;
  return get(path, { q, start: range.start, end: range.end, limit: 500 }, signal);
}

export async function functions(range: Range, signal: AbortSignal): Promise<{ functions: FunctionRow[] }> {
  return get("api/headspan/v1/functions", { start: range.start, end: range.end }, signal);
}

/** Calls of one function, database or address by another function. */
export interface Edge {
  caller: string;
  callee: string;
  calleeKind: string;
  calls: number;
  errors: number;
  p99Ms: number;
}

export async function serviceGraph(range: Range, signal: AbortSignal): Promise<{ edges: Edge[] }> {
  return get("api/headspan/v1/service-graph", { from: range.start, to: range.end }, signal);
}

/** A part of a trace's duration, and the span whose end the others waited for meanwhile. */
export interface PathSegment {
  spanId: string;
  fromUnixNano: string;
  toUnixNano: string;
}

export async function criticalPath(id: string, signal: AbortSignal): Promise<{ segments: PathSegment[] }> {
  return get(`api/headspan/v1/traces/${encodeURIComponent(id)}/critical-path`, {}, signal);
}

/** How long threads of one tenant waited for those of another. */
export interface NeighbourPair {
  victim: string;
  culprit: string;
  waitMs: number;
  series: { time: string; waitMs: number }[];
}

/** The largest pairs, and what all pairs come to. */
export interface Neighbours {
  stepMs: number;
  pairs: NeighbourPair[];
  victims: { tenant: string; lostMs: number }[];
  culprits: { tenant: string; takenMs: number }[];
  /** Waits that are nobody else's doing. */
  apart: { tenant: string; ownMs: number; idleMs: number }[];
}

export async function neighbours(range: Range, stepSeconds: number, signal: AbortSignal): Promise<Neighbours> {
  const parameters = { from: range.start, to: range.end, step: stepSeconds };
  return get("api/headspan/v1/neighbours", parameters, signal);
}

/** Why a trace was kept or not; the share is null if nobody knows it. */
export interface Decision {
  decided: string;
  kept: boolean;
  again: boolean;
  policies: string[];
  probability: number | null;
}

export async function decisions(id: string, signal: AbortSignal): Promise<{ decisions: Decision[] }> {
  return get(`api/headspan/v1/traces/${encodeURIComponent(id)}/decisions`, {}, signal);
}

/** What was kept of what was decided, by policy and by tenant. */
export interface Sampling {
  decided: number;
  kept: number;
  policies: { policy: string; traces: number; spans: number; standFor: number }[];
  tenants: { tenant: string; keptSpans: number; sampledOutSpans: number; overrunSpans: number }[];
}

export async function sampling(range: Range, signal: AbortSignal): Promise<Sampling> {
  return get("api/headspan/v1/sampling", { from: range.start, to: range.end }, signal);
}

export interface LogRecord {
  timeUnixNano: string;
  /** Zeros if it belongs to no span. */
  spanId: string;
  severity: number;
  severityText: string;
  body: unknown;
  service: string;
  attributes: Record<string, unknown>;
}

/** Log records of a trace; of one of its spans, and from a severity on, if wanted. */
export async function logs(
  traceId: string,
  wanted: { spanId?: string; minSeverity?: number },
  signal: AbortSignal,
): Promise<{ logs: LogRecord[]; partial: boolean }> {
  return get(`api/headspan/v1/traces/${encodeURIComponent(traceId)}/logs`, wanted, signal);
}

/** The times of one side that explain compares, and its invocations. */
export interface ExplainedSide {
  from: string;
  to: string;
  invocations: number;
  errors: number;
  coldStarts: number;
  meanMs: number;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
  versions: { version: string; invocations: number }[];
}

/** What time went to; of a call, what it went to at whom it called, as far as that is known. */
export interface ExplainedKind {
  kind: string;
  culprit?: string;
  service?: string;
  operation?: string;
  error?: string;
  within?: ExplainedKind;
}

/** One cause, and what of the added latency is its doing. */
export interface ExplainedCause extends ExplainedKind {
  text: string;
  nowMs: number;
  baselineMs: number;
  addedMs: number;
  lowMs: number;
  highMs: number;
  share?: number;
  significant: boolean;
  exemplars: string[];
}

export interface ExplainedStatistic {
  sufficient: boolean;
  invocations: number;
  baselineInvocations: number;
  needed: number;
  nowMs?: number;
  baselineMs?: number;
  addedMs?: number;
  lowMs?: number;
  highMs?: number;
  slower?: boolean;
  components?: ExplainedCause[];
  residual?: ExplainedCause;
}

export interface Explanation {
  service: string;
  tenant: string;
  sentence: string;
  verdict: { state: string; statistic?: string; kind?: string; culprit?: string; text?: string };
  range: ExplainedSide;
  baseline: ExplainedSide & { kind: string; version?: string };
  p99: ExplainedStatistic;
  mean: ExplainedStatistic;
  counterfactuals: {
    culprit: string;
    statistic: string;
    bound: string;
    nowMs: number;
    withoutMs: number;
    lowMs: number;
    highMs: number;
  }[];
  notes: string[];
}

export async function explain(
  service: string,
  tenant: string | undefined,
  baseline: string | undefined,
  range: Range,
  signal: AbortSignal,
): Promise<Explanation> {
  const parameters = { service, tenant, baseline, from: range.start, to: range.end };
  return get("api/headspan/v1/explain", parameters, signal);
}

/** One side of an operation; times are means per invocation, but for the percentiles. */
export interface ComparedSide {
  invocations: number;
  errors: number;
  errorRate: number;
  coldStarts: number;
  meanMs: number;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
  cpuMs: number;
  queueMs: number;
  stolenMs: number;
  throttledMs: number;
  blockedMs: number;
}

/** A side without invocations is absent. */
export interface ComparedOperation {
  operation?: string;
  now?: ComparedSide;
  baseline?: ComparedSide;
}

export interface Comparison {
  service: string;
  tenant: string;
  range: { from: string; to: string };
  baseline: { kind: string; version?: string; from: string; to: string };
  total: ComparedOperation;
  operations: ComparedOperation[];
}

export async function compare(
  service: string,
  tenant: string | undefined,
  baseline: string | undefined,
  range: Range,
  signal: AbortSignal,
): Promise<Comparison> {
  const parameters = { service, tenant, baseline, from: range.start, to: range.end };
  return get("api/headspan/v1/compare", parameters, signal);
}

/** An attribute's value as text. */
export function valueText(value: AttributeValue | undefined): string {
  if (!value) return "";
  if (value.stringValue !== undefined) return value.stringValue;
  if (value.intValue !== undefined) return value.intValue;
  if (value.doubleValue !== undefined) return String(value.doubleValue);
  if (value.boolValue !== undefined) return String(value.boolValue);
  if (value.bytesValue !== undefined) return value.bytesValue;
  if (value.arrayValue) return `[${(value.arrayValue.values ?? []).map(valueText).join(", ")}]`;
  if (value.kvlistValue) {
    return `{${(value.kvlistValue.values ?? []).map((pair) => `${pair.key}: ${valueText(pair.value)}`).join(", ")}}`;
  }
  return "";
}

/** The text of a label or attribute; "" if there is none of that name. */
export function label(labels: readonly KeyValue[] | undefined, key: string): string {
  return valueText(labels?.find((candidate) => candidate.key === key)?.value);
}
