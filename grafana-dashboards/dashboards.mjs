// Writes the dashboards: node dashboards.mjs; with --check, says instead which of them are not as written here.
// Queries are TraceQL for Grafana's own Tempo data source; "health" asks Prometheus too, for what collectors and agents count about themselves.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const TEMPO = { type: "tempo", uid: "headspan" };
const PROMETHEUS = { type: "prometheus", uid: "${prometheus}" };

/** Seconds of an interval, where a sum has to become a rate; the same as the panels' step. */
const STEP_SECONDS = 60;
const STEP = `${STEP_SECONDS}s`;
const STEP_NS = STEP_SECONDS * 1e9;

const SERVICE = "resource.service.name";
const TENANT = "resource.headspan.tenant";
const TEAM = "resource.headspan.team";
const HOST = "resource.host.name";
const CULPRIT = "span.headspan.culprit";
const POLICY = "span.headspan.sampling.policy";

/** Invocations that fulfil `more`. */
const served = (more = "") => `{ kind = server${more && ` && ${more}`} }`;
/** Invocations of which somebody else took something: others have no culprit. */
const robbed = (more = "") => served(`span.headspan.stolen_ns > 0${more && ` && ${more}`}`);
const failed = (more = "") => served(`status = error${more && ` && ${more}`}`);
const over = (what, filter, by) => `${filter} | ${what}${by ? ` by (${by})` : ""}`;
const rate = (filter, by) => over("rate()", filter, by);
const quantile = (field, p, filter, by) => over(`quantile_over_time(${field}, ${p})`, filter, by);
const sum = (account, filter, by) => over(`sum_over_time(span.headspan.${account}_ns)`, filter, by);
/** How much of an account there was at a time, on average: nanoseconds per nanosecond. */
const level = (account, filter, by) => `(${sum(account, filter, by)}) / ${STEP_NS}`;
const share = (filter, of, by) => `(${rate(filter, by)}) / (${rate(of, by)})`;

function target(query, instant) {
  return {
    queryType: "traceql",
    query,
    metricsQueryType: instant ? "instant" : "range",
    tableType: "traces",
    limit: 20,
    spss: 3,
    ...(instant ? {} : { step: STEP, exemplars: /quantile|histogram/.test(query) ? 50 : 0 }),
  };
}

const refs = (targets, datasource) => targets.map((one, i) => ({ refId: String.fromCharCode(65 + i), datasource, ...one }));

function panel(type, title, description, targets, { unit = "short", width = 8, height = 8, options = {}, custom = {}, datasource = TEMPO } = {}) {
  return {
    type,
    title,
    description,
    datasource,
    targets: refs(targets, datasource),
    fieldConfig: { defaults: { unit, ...(type === "timeseries" ? { custom: { fillOpacity: 10, lineWidth: 1, showPoints: "auto", ...custom } } : {}) }, overrides: [] },
    options,
    width,
    height,
  };
}

const TABLE_LEGEND = { legend: { displayMode: "table", placement: "bottom", calcs: ["lastNotNull", "max"] }, tooltip: { mode: "multi", sort: "desc" } };

const lines = (title, description, queries, more = {}) =>
  panel("timeseries", title, description, [queries].flat().map((query) => target(query, false)), { options: TABLE_LEGEND, ...more });
const stacked = (title, description, query, more = {}) =>
  lines(title, description, query, { ...more, custom: { stacking: { mode: "normal" }, fillOpacity: 60 } });
const figure = (title, description, query, more = {}) =>
  panel("stat", title, description, [target(query, true)], { width: 4, height: 4, options: { reduceOptions: { calcs: ["lastNotNull"] }, colorMode: "none" }, ...more });
const bars = (title, description, query, more = {}) =>
  panel("bargauge", title, description, [target(query, true)], { options: { orientation: "horizontal", displayMode: "basic", reduceOptions: { calcs: ["lastNotNull"], values: false } }, ...more });
const heat = (title, description, query, more = {}) =>
  panel("heatmap", title, description, [target(query, false)], { width: 16, options: { calculate: false, color: { scheme: "Blues", mode: "scheme" }, yAxis: { unit: "s" } }, ...more });
const traces = (title, description, query, more = {}) =>
  panel("table", title, description, [{ queryType: "traceql", query, tableType: "traces", limit: 20, spss: 3 }], { width: 24, ...more });
const prometheus = (title, description, queries, more = {}) =>
  panel("timeseries", title, description, [queries].flat().map((expr) => ({ expr, range: true, editorMode: "code" })), {
    width: 12,
    datasource: PROMETHEUS,
    options: TABLE_LEGEND,
    ...more,
  });

/** A variable with the values of an attribute. */
const values = (name, attribute, { multi = false } = {}) => ({
  name,
  label: name,
  type: "query",
  datasource: TEMPO,
  query: { type: 1, label: attribute, refId: "variable" },
  refresh: 2,
  sort: 1,
  multi,
  includeAll: multi,
  ...(multi ? { allValue: ".*", current: { text: ["All"], value: ["$__all"] } } : {}),
});

const functionIs = `${SERVICE} = "$function"`;
const tenantIs = `${TENANT} = "$tenant"`;
const nodeIs = `${HOST} = "$node"`;
const chosen = `${SERVICE} =~ \`\${functions:regex}\``;

const DASHBOARDS = [
  {
    uid: "headspan-overview",
    title: "Headspan: overview",
    variables: [values("functions", "service.name", { multi: true })],
    panels: [
      figure("Invocations", "in the time shown", over("count_over_time()", served(chosen)), { unit: "locale" }),
      figure("Failed", "in the time shown", over("count_over_time()", failed(chosen)), { unit: "locale" }),
      figure("Cold starts", "in the time shown", over("count_over_time()", served(`${chosen} && span.faas.coldstart = true`)), { unit: "locale" }),
      figure("p99", "of all invocations", quantile("duration", ".99", served(chosen)), { unit: "s" }),
      figure("Stolen", "processor time that invocations lost to others", sum("stolen", served(chosen)), { unit: "ns" }),
      figure("Throttled", "time that invocations lost to their own quota", sum("throttled", served(chosen)), { unit: "ns" }),
      lines("Rate", "invocations per second", rate(served(chosen), SERVICE), { unit: "reqps" }),
      lines("Errors", "share of invocations that failed", share(failed(chosen), served(chosen), SERVICE), { unit: "percentunit" }),
      lines("Cold starts by function", "", over("count_over_time()", served(`${chosen} && span.faas.coldstart = true`), SERVICE)),
      lines("p50 by function", "", quantile("duration", ".5", served(chosen), SERVICE), { unit: "s" }),
      lines("p95 by function", "", quantile("duration", ".95", served(chosen), SERVICE), { unit: "s" }),
      lines("p99 by function", "points lead to traces", quantile("duration", ".99", served(chosen), SERVICE), { unit: "s" }),
      lines("Queue time p99", "from a request's first byte to the thread that read it", quantile("span.headspan.queue_ns", ".99", served(chosen), SERVICE), { unit: "ns" }),
      lines("Backlog", "requests that waited to be read, on average", level("queue", served(chosen), SERVICE)),
      lines("Time stolen", "processors' worth of time, by who took it", level("stolen", robbed(chosen), CULPRIT)),
      traces("Newest failures", "", failed(chosen)),
    ],
  },
  {
    uid: "headspan-function",
    title: "Headspan: function",
    variables: [values("function", "service.name")],
    links: [{ title: "Explain", url: "${page}#/explain?service=${function}&from=${__from}&to=${__to}" }],
    panels: [
      lines("Rate", "by operation", rate(served(functionIs), "name"), { unit: "reqps" }),
      lines("Errors", "by operation", rate(failed(functionIs), "name"), { unit: "reqps" }),
      lines("Versions", "invocations per second of each", rate(served(functionIs), "resource.service.version"), { unit: "reqps" }),
      heat("Latency", "spans by duration", over("histogram_over_time(duration)", served(functionIs))),
      lines("Percentiles", "points lead to traces", over("quantile_over_time(duration, .5, .95, .99)", served(functionIs)), { unit: "s" }),
      stacked("Own CPU", "processors' worth", level("cpu", served(functionIs))),
      stacked("Stolen", "processors' worth, by who took it", level("stolen", robbed(functionIs), CULPRIT)),
      stacked("Throttled", "processors' worth", level("throttled", served(functionIs))),
      stacked("Queueing", "requests that waited to be read, on average", level("queue", served(functionIs))),
      stacked("Blocked", "invocations asleep, on average", level("blocked", served(functionIs))),
      lines("Calls", "per second, by what is called", rate(`{ kind = client && ${functionIs} }`, "name"), { unit: "reqps" }),
      lines("Calls p99", "by what is called", quantile("duration", ".99", `{ kind = client && ${functionIs} }`, "name"), { unit: "s", width: 12 }),
      lines("Cold starts p50", "from the first program executed to the first response", quantile("span.headspan.coldstart_ns", ".5", served(`${functionIs} && span.faas.coldstart = true`)), { unit: "ns", width: 12 }),
      traces("Slow invocations", "longer than a tenth of a second", served(`${functionIs} && duration > 100ms`)),
    ],
  },
  {
    uid: "headspan-tenant",
    title: "Headspan: tenant",
    variables: [values("tenant", "headspan.tenant")],
    panels: [
      lines("Rate", "by function", rate(served(tenantIs), SERVICE), { unit: "reqps" }),
      lines("Errors", "share of invocations that failed", share(failed(tenantIs), served(tenantIs), SERVICE), { unit: "percentunit" }),
      lines("p99", "by function; points lead to traces", quantile("duration", ".99", served(tenantIs), SERVICE), { unit: "s" }),
      stacked("Processors used", "by function", level("cpu", served(tenantIs), SERVICE)),
      stacked("Robbed by", "processors' worth, by who took it", level("stolen", robbed(tenantIs), CULPRIT)),
      stacked("Taken from", "processors' worth, by who lost it", level("stolen", served(`${CULPRIT} = "$tenant"`), TENANT)),
      bars("Most robbed functions", "", `${sum("stolen", served(tenantIs), SERVICE)} | topk(10)`, { unit: "ns", width: 12 }),
      bars("Throttled by their own quota", "", `${sum("throttled", served(tenantIs), SERVICE)} | topk(10)`, { unit: "ns", width: 12 }),
    ],
  },
  {
    uid: "headspan-node",
    title: "Headspan: node",
    variables: [values("node", "host.name")],
    panels: [
      lines("Rate", "by function", rate(served(nodeIs), SERVICE), { unit: "reqps" }),
      lines("p99", "by function; points lead to traces", quantile("duration", ".99", served(nodeIs), SERVICE), { unit: "s" }),
      lines("Runtimes", "invocations per second", rate(served(nodeIs), "resource.headspan.runtime"), { unit: "reqps" }),
      stacked("Processors used", "by tenant", level("cpu", served(nodeIs), TENANT)),
      stacked("Stolen", "processors' worth, by who took it", level("stolen", robbed(nodeIs), CULPRIT)),
      stacked("Throttled", "processors' worth, by tenant", level("throttled", served(nodeIs), TENANT)),
      bars("Invocations by tenant", "in the time shown", over("count_over_time()", served(nodeIs), TENANT), { unit: "locale", width: 12 }),
      bars("Most robbed here", "", `${sum("stolen", served(nodeIs), SERVICE)} | topk(10)`, { unit: "ns", width: 12 }),
    ],
  },
  {
    uid: "headspan-interference",
    title: "Headspan: interference",
    variables: [],
    panels: [
      stacked("Who took from whom", "processors' worth; own load is in none of it", level("stolen", robbed(), `${TENANT}, ${CULPRIT}`), { width: 24 }),
      bars("Matrix", "stolen in the time shown, by who lost and who took", sum("stolen", robbed(), `${TENANT}, ${CULPRIT}`), { unit: "ns", width: 12, height: 10 }),
      bars("Biggest culprits", "by who took most of each invocation's", `${sum("stolen", robbed(), CULPRIT)} | topk(10)`, { unit: "ns", width: 6, height: 10 }),
      bars("Most robbed functions", "", `${sum("stolen", served(), SERVICE)} | topk(10)`, { unit: "ns", width: 6, height: 10 }),
      lines("Stolen per invocation, p99", "by function", quantile("span.headspan.stolen_ns", ".99", served(), SERVICE), { unit: "ns", width: 12 }),
      lines("Throttled by the own quota", "processors' worth; nobody else's doing", level("throttled", served(), SERVICE), { width: 12 }),
      traces("Robbed of more than 50 ms", "", served("span.headspan.stolen_ns > 50000000")),
    ],
  },
  {
    uid: "headspan-cost",
    title: "Headspan: cost",
    variables: [
      { name: "price", label: "price of a CPU second", type: "textbox", query: "0.0000166667", current: { text: "0.0000166667", value: "0.0000166667" } },
      { name: "request", label: "price of an invocation", type: "textbox", query: "0.0000002", current: { text: "0.0000002", value: "0.0000002" } },
    ],
    panels: [
      bars("CPU cost by team", "CPU seconds times their price", `(${sum("cpu", served(), TEAM)}) * $price / 1000000000`, { unit: "currencyUSD", width: 12 }),
      bars("CPU cost by function", "the ten most expensive", `(${sum("cpu", served(), SERVICE)}) * $price / 1000000000 | topk(10)`, { unit: "currencyUSD", width: 12 }),
      bars("Invocation cost by team", "invocations times their price", `(${over("count_over_time()", served(), TEAM)}) * $request`, { unit: "currencyUSD", width: 12 }),
      lines("CPU seconds by team", "per minute", `(${sum("cpu", served(), TEAM)}) / 1000000000`, { unit: "s", width: 12 }),
      lines("Duration by function", "seconds of invocations per minute: what is billed where waiting is billed", over("sum_over_time(duration)", served(), SERVICE), { unit: "s", width: 12 }),
      lines("Paid for, but asleep", "share of the invocations' time that was blocked, by function", `(${sum("blocked", served(), SERVICE)}) / (${over("sum_over_time(duration)", served(), SERVICE)}) / 1000000000`, { unit: "percentunit", width: 12 }),
    ],
  },
  {
    uid: "headspan-health",
    title: "Headspan: sampling and ledger health",
    variables: [{ name: "prometheus", label: "Prometheus", type: "datasource", query: "prometheus", current: {} }],
    panels: [
      stacked("Why traces were kept", "invocations per second that the kept ones stand for, by the first policy that kept their trace", rate(served(`${POLICY} =~ ".+"`), POLICY), { unit: "reqps", width: 12 }),
      stacked("Why traces were kept, by tenant", "the same", rate(served(`${POLICY} =~ ".+"`), `${TENANT}, ${POLICY}`), { unit: "reqps", width: 12 }),
      bars("Kept by policy", "invocations that the kept ones stand for, in the time shown", over("count_over_time()", served(`${POLICY} =~ ".+"`), POLICY), { unit: "locale", width: 12 }),
      traces("Newest kept traces", "each with what kept it", served(`${POLICY} =~ ".+"`), { width: 12 }),
      prometheus("Captured", "spans per second, by tenant", "sum by (tenant) (rate(headspan_ledger_captured_spans_total[5m]))"),
      prometheus("Lost", "spans per second, by reason: should be none", "sum by (reason) (rate(headspan_ledger_dropped_spans_total[5m]))"),
      prometheus("Imbalance", "captured spans of which nobody knows what became: 0", "sum by (instance) (headspan_ledger_imbalance_spans)"),
      prometheus("Waiting", "spans on their way to the store: in memory, in the spool", ["sum by (instance) (headspan_ledger_in_memory_spans)", "sum by (instance) (headspan_ledger_spooled_spans)"]),
      prometheus("Received and stored", "spans per second at the collectors", ["sum(rate(headspan_collector_spans_received_total[5m]))", "sum(rate(headspan_collector_spans_stored_total[5m]))"]),
      prometheus("Refused", "spans per second, by reason", "sum by (reason) (rate(headspan_collector_spans_rejected_total[5m]))"),
      prometheus("Left out", "spans, log records and data points per second of batches that were taken, by tenant and reason", "sum by (tenant, reason) (rate(headspan_collector_left_out_total[5m]))"),
      prometheus("Insert time p99", "of one insert into the store", "histogram_quantile(0.99, sum by (le) (rate(headspan_collector_insert_seconds_bucket[5m])))", { unit: "s" }),
      prometheus("Under way", "bytes received and not answered yet, and the limit", ["sum by (instance) (headspan_collector_in_flight_bytes)", "sum by (instance) (headspan_collector_in_flight_limit_bytes)"], { unit: "bytes" }),
    ],
  },
];

/** The address of the web page; the page variable is on every dashboard, hidden. */
const PAGE = { name: "page", type: "constant", hide: 2, query: "http://127.0.0.1:3200/", current: { text: "http://127.0.0.1:3200/", value: "http://127.0.0.1:3200/" } };

/** Lays panels out in rows of 24 columns. */
function layOut(panels) {
  let x = 0;
  let y = 0;
  let tallest = 0;
  return panels.map(({ width, height, ...rest }, i) => {
    if (x + width > 24) {
      x = 0;
      y += tallest;
      tallest = 0;
    }
    const gridPos = { x, y, w: width, h: height };
    x += width;
    tallest = Math.max(tallest, height);
    return { id: i + 1, gridPos, ...rest };
  });
}

const link = (one) => ({ type: "link", icon: "external link", targetBlank: true, includeVars: false, keepTime: false, ...one });

function json({ uid, title, variables, panels, links = [] }) {
  const all = [...links, { title: "Web page", url: "${page}#/functions?from=${__from}&to=${__to}" }];
  const dashboard = {
    id: null,
    uid,
    title,
    tags: ["headspan"],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    time: { from: "now-1h", to: "now" },
    refresh: "1m",
    timezone: "browser",
    annotations: { list: [] },
    links: [{ type: "dashboards", title: "Headspan", tags: ["headspan"], asDropdown: true, includeVars: false, keepTime: true }, ...all.map(link)],
    templating: { list: [...variables, PAGE] },
    panels: layOut(panels),
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}

const check = process.argv[2] === "--check";
mkdirSync(path.join(here, "dashboards"), { recursive: true });
for (const dashboard of DASHBOARDS) {
  const name = `${dashboard.uid.replace("headspan-", "")}.json`;
  const file = path.join(here, "dashboards", name);
  if (!check) writeFileSync(file, json(dashboard));
  else if (readFileSync(file, "utf8") !== json(dashboard)) {
    console.error(`dashboards/${name} is not as dashboards.mjs writes it; run node grafana-dashboards/dashboards.mjs`);
    process.exitCode = 1;
  }
}
