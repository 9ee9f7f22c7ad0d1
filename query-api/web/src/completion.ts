/** What may stand at a place in a half-typed TraceQL query. Knows the language's shape, not its whole grammar. */

export type Wanted =
  | { readonly kind: "field" }
  | { readonly kind: "operator" }
  | { readonly kind: "value"; readonly field: string }
  | { readonly kind: "joiner" }
  | { readonly kind: "combination" }
  | { readonly kind: "stage" }
  /** Behind a metrics function: its groups, a second stage, a comparison, hints. */
  | { readonly kind: "metrics" }
  | { readonly kind: "secondStage" }
  | { readonly kind: "hint" }
  | { readonly kind: "start" }
  | { readonly kind: "nothing" };

export interface Completion {
  readonly wanted: Wanted;
  /** What has been typed of it. */
  readonly prefix: string;
  /** Where the typed part begins. */
  readonly from: number;
  /** The query before the condition that is being typed; narrows names and values. */
  readonly before: string;
}

export interface Suggestion {
  readonly text: string;
  /** What is put into the query; the text if absent. */
  readonly insert?: string;
  readonly detail: string;
}

type TokenKind =
  | "word"
  | "string"
  | "structure"
  | "comparison"
  | "joiner"
  | "open"
  | "close"
  | "brace"
  | "unbrace"
  | "pipe"
  | "comma"
  | "other";

interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

const TOKEN =
  /(?<string>"(?:\\.|[^"\\])*"?|`[^`]*`?)|(?<structure>[!&](?:>>|<<|>|<)|&?~|>>|<<)|(?<comparison>!=|=~|!~|<=|>=|=|<|>)|(?<joiner>&&|\|\|)|(?<pipe>\|)|(?<brace>\{)|(?<unbrace>\})|(?<open>\()|(?<close>\))|(?<comma>,)|(?<word>(?:[^\s{}()=!<>~&|,"`]|(?<=\.)"(?:\\.|[^"\\])*"?)+)|(?<other>\S)/gu;

function tokens(text: string): Token[] {
  const found: Token[] = [];
  for (const match of text.matchAll(TOKEN)) {
    const entry = Object.entries<string | undefined>(match.groups ?? {}).find(([, value]) => value !== undefined);
    found.push({
      kind: (entry?.[0] ?? "other") as TokenKind,
      text: match[0],
      from: match.index,
      to: match.index + match[0].length,
    });
  }
  return found;
}

const METRICS = new Set([
  "rate",
  "count_over_time",
  "min_over_time",
  "max_over_time",
  "avg_over_time",
  "sum_over_time",
  "quantile_over_time",
  "histogram_over_time",
  "compare",
]);

/** Whether a query asks for series and not for traces. */
export function isMetrics(query: string): boolean {
  const all = tokens(query);
  return all.some((token, i) => METRICS.has(token.text) && token.kind === "word" && all[i + 1]?.kind === "open");
}

const STAGES_WITH_FIELDS = new Set([
  "by",
  "select",
  "avg",
  "min",
  "max",
  "sum",
  "min_over_time",
  "max_over_time",
  "avg_over_time",
  "sum_over_time",
  "quantile_over_time",
  "histogram_over_time",
]);

/** What may stand where the cursor is. */
export function completionAt(text: string, cursor: number): Completion {
  const before = text.slice(0, cursor);
  const all = tokens(before);
  const last = all.at(-1);
  const typing = last !== undefined && last.to === cursor && (isOpenEnded(last) || beginsStructure(all));
  const done = typing ? all.slice(0, -1) : all;
  const from = typing ? last.from : cursor;
  const prefix = before.slice(from);
  const wanted = wantedAfter(done);
  const condition = wanted.kind === "value" ? conditionStart(done) : from;
  return {
    wanted: isInsideNumber(wanted, prefix) ? { kind: "nothing" } : wanted,
    prefix,
    from,
    before: text.slice(0, condition),
  };
}

function isInsideNumber(wanted: Wanted, prefix: string): boolean {
  return wanted.kind === "field" && /^[0-9]/.test(prefix);
}

function isOpenEnded(token: Token): boolean {
  if (token.kind === "word") return true;
  return token.kind === "string" && (token.text.length === 1 || !token.text.endsWith(token.text.charAt(0)));
}

/** `!` and `&` between filters are the begin of an operator; in a filter `!` is a whole one. */
function beginsStructure(all: readonly Token[]): boolean {
  const last = all.at(-1);
  const previous = all.at(-2);
  return /^[!&]$/.test(last?.text ?? "") && (previous?.kind === "unbrace" || previous?.kind === "close");
}

function conditionStart(done: readonly Token[]): number {
  return done.at(-2)?.from ?? 0;
}

function wantedAfter(done: readonly Token[]): Wanted {
  let braces = 0;
  let metrics = false;
  let closed = "";
  const calls: string[] = [];
  for (const [index, token] of done.entries()) {
    if (token.kind === "brace") {
      braces += 1;
      // Another pipeline begins, but for the filter that compare() takes.
      if (calls.at(-1) !== "compare") metrics = false;
    }
    if (token.kind === "unbrace") braces = Math.max(0, braces - 1);
    if (token.kind === "open" && braces === 0) {
      const previous = done[index - 1];
      calls.push(previous?.kind === "word" && /^[a-z]/i.test(previous.text) ? previous.text : "");
    }
    if (token.kind === "close" && braces === 0) {
      closed = calls.pop() ?? "";
      metrics ||= METRICS.has(closed);
    }
  }
  const last = done.at(-1);
  if (braces > 0) return wantedInBraces(done);
  if (!last) return { kind: "start" };
  const call = calls.at(-1);
  if (call) {
    const first = last.kind === "open";
    const another = last.kind === "comma";
    if (call === "compare") return { kind: first ? "start" : "nothing" };
    if (call === "with") return { kind: first || another ? "hint" : "nothing" };
    const takesField = STAGES_WITH_FIELDS.has(call) && (first || (another && call !== "quantile_over_time"));
    return { kind: takesField ? "field" : "nothing" };
  }
  switch (last.kind) {
    case "pipe":
      return { kind: metrics ? "secondStage" : "stage" };
    case "joiner":
    case "structure":
    case "open":
      return { kind: "start" };
    case "comparison":
      return { kind: done.some((token) => token.kind === "pipe") ? "nothing" : "start" };
    case "unbrace":
      return { kind: "combination" };
    case "close":
      if (closed === "with") return { kind: "nothing" };
      return { kind: metrics ? "metrics" : "combination" };
    default:
      return { kind: "nothing" };
  }
}

function wantedInBraces(done: readonly Token[]): Wanted {
  const last = done.at(-1);
  const previous = done.at(-2);
  switch (last?.kind) {
    case "brace":
    case "joiner":
    case "open":
    case "comma":
    case "other":
      return { kind: "field" };
    case "comparison":
      return previous?.kind === "word" ? { kind: "value", field: previous.text } : { kind: "field" };
    case "word":
      return previous?.kind === "comparison" ? { kind: "joiner" } : { kind: "operator" };
    case "string":
    case "close":
      return { kind: "joiner" };
    default:
      return { kind: "nothing" };
  }
}

const OPERATORS: readonly Suggestion[] = [
  { text: "=", insert: "= ", detail: "equal" },
  { text: "!=", insert: "!= ", detail: "not equal" },
  { text: "=~", insert: "=~ ", detail: "matches the pattern, whole" },
  { text: "!~", insert: "!~ ", detail: "does not match" },
  { text: ">", insert: "> ", detail: "more than" },
  { text: ">=", insert: ">= ", detail: "at least" },
  { text: "<", insert: "< ", detail: "less than" },
  { text: "<=", insert: "<= ", detail: "at most" },
];

const JOINERS: readonly Suggestion[] = [
  { text: "&&", insert: "&& ", detail: "and, in the same span" },
  { text: "||", insert: "|| ", detail: "or" },
  { text: "}", insert: "} ", detail: "end of the filter" },
];

const COMBINATIONS: readonly Suggestion[] = [
  { text: "|", insert: "| ", detail: "then" },
  { text: ">>", insert: ">> { ", detail: "has a descendant" },
  { text: ">", insert: "> { ", detail: "has a child" },
  { text: "&&", insert: "&& { ", detail: "and, in the same trace" },
  { text: "||", insert: "|| { ", detail: "or, in the same trace" },
  { text: "<<", insert: "<< { ", detail: "has an ancestor" },
  { text: "<", insert: "< { ", detail: "has a parent" },
  { text: "~", insert: "~ { ", detail: "has a sibling" },
  { text: "!>>", insert: "!>> { ", detail: "the right side, where it is no descendant" },
  { text: "!>", insert: "!> { ", detail: "the right side, where it is no child" },
  { text: "!<<", insert: "!<< { ", detail: "the right side, where it is no ancestor" },
  { text: "!<", insert: "!< { ", detail: "the right side, where it is no parent" },
  { text: "!~", insert: "!~ { ", detail: "the right side, where it is no sibling" },
  { text: "&>>", insert: "&>> { ", detail: "has a descendant: both sides" },
  { text: "&>", insert: "&> { ", detail: "has a child: both sides" },
  { text: "&<<", insert: "&<< { ", detail: "has an ancestor: both sides" },
  { text: "&<", insert: "&< { ", detail: "has a parent: both sides" },
  { text: "&~", insert: "&~ { ", detail: "has a sibling: both sides" },
];

const STAGES: readonly Suggestion[] = [
  { text: "count()", insert: "count() > ", detail: "spans of the trace that matched" },
  { text: "avg(…)", insert: "avg(", detail: "mean of a field" },
  { text: "max(…)", insert: "max(", detail: "greatest of a field" },
  { text: "min(…)", insert: "min(", detail: "least of a field" },
  { text: "sum(…)", insert: "sum(", detail: "sum of a field" },
  { text: "by(…)", insert: "by(", detail: "a group per value" },
  { text: "select(…)", insert: "select(", detail: "fields to show with the spans" },
  { text: "coalesce()", insert: "coalesce() ", detail: "one group per trace again" },
];

const METRICS_STAGES: readonly Suggestion[] = [
  { text: "rate()", insert: "rate() ", detail: "spans per second, over time" },
  { text: "count_over_time()", insert: "count_over_time() ", detail: "spans per interval" },
  { text: "quantile_over_time(…)", insert: "quantile_over_time(", detail: "quantiles of a field: duration, .5, .99" },
  { text: "histogram_over_time(…)", insert: "histogram_over_time(", detail: "counts by powers of two of a field" },
  { text: "avg_over_time(…)", insert: "avg_over_time(", detail: "mean of a field per interval" },
  { text: "max_over_time(…)", insert: "max_over_time(", detail: "greatest of a field per interval" },
  { text: "min_over_time(…)", insert: "min_over_time(", detail: "least of a field per interval" },
  { text: "sum_over_time(…)", insert: "sum_over_time(", detail: "sum of a field per interval" },
  { text: "compare(…)", insert: "compare({ ", detail: "what the selected spans have and others have not" },
];

const BEHIND_METRICS: readonly Suggestion[] = [
  { text: "by(…)", insert: "by(", detail: "a series per value" },
  { text: "|", insert: "| ", detail: "then: topk, bottomk" },
  { text: "with(…)", insert: "with(", detail: "hints" },
  { text: ">", insert: "> ", detail: "only what is more than" },
  { text: "<", insert: "< ", detail: "only what is less than" },
];

const SECOND_STAGES: readonly Suggestion[] = [
  { text: "topk(…)", insert: "topk(", detail: "the largest series, per interval" },
  { text: "bottomk(…)", insert: "bottomk(", detail: "the smallest series, per interval" },
];

const HINTS: readonly Suggestion[] = [
  { text: "exemplars=true", insert: "exemplars=true)", detail: "traces beside the series" },
  { text: "exemplars=100", insert: "exemplars=100)", detail: "so many of them" },
  { text: "exemplars=false", insert: "exemplars=false)", detail: "none" },
];

const START: readonly Suggestion[] = [
  { text: "{", insert: "{ ", detail: "a filter of spans" },
  { text: "{ status = error }", detail: "spans that failed" },
  { text: "{ span.headspan.stolen_ns > 10000000 }", detail: "lost more than 10 ms to a neighbour" },
  { text: "{ span.faas.coldstart = true }", detail: "cold starts" },
  { text: "{ kind = server && duration > 1s }", detail: "slow invocations" },
];

/**
 * Suggestions that need no question to the API.
 *
 * @param metrics whether series may be asked for here
 */
export function fixedSuggestions(wanted: Wanted, metrics: boolean): readonly Suggestion[] {
  switch (wanted.kind) {
    case "operator":
      return OPERATORS;
    case "joiner":
      return JOINERS;
    case "combination":
      return COMBINATIONS;
    case "stage":
      return metrics ? [...STAGES, ...METRICS_STAGES] : STAGES;
    case "metrics":
      return BEHIND_METRICS;
    case "secondStage":
      return SECOND_STAGES;
    case "hint":
      return HINTS;
    case "start":
      return START;
    case "field":
    case "value":
    case "nothing":
      return [];
  }
}

/** Names of fields from the scopes and names that the API knows. */
export function fieldSuggestions(scopes: readonly { name: string; tags: string[] }[]): Suggestion[] {
  const found: Suggestion[] = [];
  for (const scope of scopes) {
    for (const tag of scope.tags) {
      if (scope.name === "intrinsic") {
        if (!tag.includes(":")) found.push({ text: tag, insert: `${tag} `, detail: "of the span" });
      } else {
        const text = `${scope.name}.${quotedName(tag)}`;
        found.push({ text, insert: `${text} `, detail: `attribute of the ${scope.name}` });
      }
    }
  }
  for (const scope of scopes) {
    if (scope.name !== "intrinsic") continue;
    for (const tag of scope.tags) {
      if (tag.includes(":"))
        found.push({ text: tag, insert: `${tag} `, detail: `of the ${tag.slice(0, tag.indexOf(":"))}` });
    }
  }
  return found;
}

/** A name as it stands after its scope. */
export function quotedName(name: string): string {
  return /^[\p{L}\p{N}_.\-/:@]+$/u.test(name) ? name : quoted(name);
}

/** A text as a literal. */
export function quoted(text: string): string {
  return `"${text.replace(/\\/g, "\\\\").replace(/"/g, '\\"')}"`;
}

/** Values of a field as literals. */
export function valueSuggestions(values: readonly { type: string; value: string }[]): Suggestion[] {
  return values.map(({ type, value }) => {
    const text = type === "string" ? quoted(value) : value;
    return { text, insert: `${text} `, detail: type === "keyword" ? "" : type };
  });
}

/** Those that fit what has been typed: first those that begin with it, then those that hold it. */
export function matching(all: readonly Suggestion[], prefix: string, most: number): Suggestion[] {
  const typed = prefix.toLowerCase().replace(/^["`]/, "");
  const bare = (text: string): string => text.toLowerCase().replace(/^["`]/, "");
  const begins = all.filter((one) => bare(one.text).startsWith(typed));
  const holds = typed ? all.filter((one) => !bare(one.text).startsWith(typed) && bare(one.text).includes(typed)) : [];
  return [...begins, ...holds].slice(0, most);
}
