-- Two tiers of spans: every span for minutes in `recent_spans`, and what the sampler keeps in
-- `kept_spans`, which is what `spans` was before. `tier_boundary` says which of the two is read of a
-- window of time, and `spans` is now a view that reads so. Why: docs/adr/0013-two-tiers-of-spans.md.
CREATE TABLE IF NOT EXISTS recent_spans
(
    time DateTime64(9, 'UTC') CODEC(T64, ZSTD(1)),
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id UInt64 CODEC(NONE),
    parent_span_id UInt64 CODEC(ZSTD(1)),
    duration Int64 CODEC(T64, ZSTD(1)),
    operation LowCardinality(String) CODEC(ZSTD(1)),
    kind UInt8 CODEC(ZSTD(1)),
    status UInt8 CODEC(ZSTD(1)),
    status_message String CODEC(ZSTD(1)),
    trace_state LowCardinality(String) CODEC(ZSTD(1)),
    flags UInt32 CODEC(ZSTD(1)),

    resource_fp LowCardinality(UInt64) CODEC(ZSTD(1)),
    scope_fp LowCardinality(UInt64) CODEC(ZSTD(1)),
    tenant LowCardinality(String) CODEC(ZSTD(1)),
    team LowCardinality(String) CODEC(ZSTD(1)),
    service LowCardinality(String) CODEC(ZSTD(1)),
    version LowCardinality(String) CODEC(ZSTD(1)),
    runtime LowCardinality(String) CODEC(ZSTD(1)),

    promoted UInt32 CODEC(ZSTD(1)),
    queue_ns Int64 CODEC(T64, ZSTD(1)),
    cpu_ns Int64 CODEC(T64, ZSTD(1)),
    stolen_ns Int64 CODEC(T64, ZSTD(1)),
    http_method LowCardinality(String) CODEC(ZSTD(1)),
    http_route LowCardinality(String) CODEC(ZSTD(1)),
    http_status UInt16 CODEC(ZSTD(1)),
    url_path String CODEC(ZSTD(1)),
    rpc_method LowCardinality(String) CODEC(ZSTD(1)),
    db_system LowCardinality(String) CODEC(ZSTD(1)),
    faas_coldstart Bool CODEC(ZSTD(1)),

    string_keys Array(LowCardinality(String)) CODEC(ZSTD(1)),
    string_values Array(String) CODEC(ZSTD(1)),
    ints Map(LowCardinality(String), Int64) CODEC(ZSTD(1)),
    doubles Map(LowCardinality(String), Float64) CODEC(ZSTD(1)),
    bool_keys Array(LowCardinality(String)) CODEC(ZSTD(1)),
    bool_values Array(Bool) CODEC(ZSTD(1)),
    other Array(Tuple(key LowCardinality(String), type UInt8, value String)) CODEC(ZSTD(1)),
    elements Array(Tuple(key LowCardinality(String), type UInt8, value String)) CODEC(ZSTD(1)),

    events Array(Tuple(
        time DateTime64(9, 'UTC'),
        name LowCardinality(String),
        dropped_attributes UInt32)) CODEC(ZSTD(1)),
    event_attributes Array(Tuple(
        event UInt32,
        key LowCardinality(String),
        type UInt8,
        value String)) CODEC(ZSTD(1)),
    links Array(Tuple(
        trace_id FixedString(16),
        span_id UInt64,
        trace_state String,
        flags UInt32,
        dropped_attributes UInt32)) CODEC(ZSTD(1)),
    link_attributes Array(Tuple(
        link UInt32,
        key LowCardinality(String),
        type UInt8,
        value String)) CODEC(ZSTD(1)),
    dropped_attributes UInt32 CODEC(ZSTD(1)),
    dropped_events UInt32 CODEC(ZSTD(1)),
    dropped_links UInt32 CODEC(ZSTD(1)),

    open Bool
        MATERIALIZED has(bool_keys, 'headspan.open') AND bool_values[indexOf(bool_keys, 'headspan.open')]
        CODEC(ZSTD(1)),
    window DateTime('UTC') CODEC(Delta, ZSTD(1)),

    string_hashes Array(UInt64) ALIAS arrayMap((k, v) -> cityHash64(k, v), string_keys, string_values),
    adjusted_count Float64 ALIAS toFloat64(1),

    INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_string arrayMap((k, v) -> cityHash64(k, v), string_keys, string_values)
        TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY window
ORDER BY (toStartOfFiveMinutes(time), trace_id, time)
SETTINGS
    index_granularity = 2048,
    map_serialization_version = 'with_buckets',
    map_serialization_version_for_zero_level_parts = 'basic',
    max_buckets_in_map = 8,
    map_buckets_min_avg_size = 0,
    map_buckets_strategy = 'constant',
    non_replicated_deduplication_window = 10000;

RENAME TABLE IF EXISTS spans TO kept_spans;

ALTER TABLE kept_spans
    ADD COLUMN IF NOT EXISTS window DateTime('UTC') CODEC(Delta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS decision UInt64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS trace_start DateTime64(9, 'UTC') CODEC(T64, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS root_service LowCardinality(String) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS root_operation LowCardinality(String) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS adjusted_count Float64 DEFAULT 1 CODEC(ZSTD(1)),
    ADD INDEX IF NOT EXISTS by_window window TYPE minmax GRANULARITY 1;

-- The last window that is read from `kept_spans`; later ones are read from `recent_spans`.
CREATE TABLE IF NOT EXISTS tier_boundary
(
    window DateTime('UTC'),
    moved DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY window;

CREATE OR REPLACE VIEW spans AS
SELECT
    time, trace_id, span_id, parent_span_id, duration, operation, kind, status, status_message,
    trace_state, flags, resource_fp, scope_fp, tenant, team, service, version, runtime, promoted,
    queue_ns, cpu_ns, stolen_ns, http_method, http_route, http_status, url_path, rpc_method,
    db_system, faas_coldstart, string_keys, string_values, ints, doubles, bool_keys, bool_values,
    other, elements, events, event_attributes, links, link_attributes, dropped_attributes,
    dropped_events, dropped_links, open, string_hashes, window, adjusted_count
FROM kept_spans
WHERE window <= (SELECT max(window) FROM tier_boundary)
UNION ALL
SELECT
    time, trace_id, span_id, parent_span_id, duration, operation, kind, status, status_message,
    trace_state, flags, resource_fp, scope_fp, tenant, team, service, version, runtime, promoted,
    queue_ns, cpu_ns, stolen_ns, http_method, http_route, http_status, url_path, rpc_method,
    db_system, faas_coldstart, string_keys, string_values, ints, doubles, bool_keys, bool_values,
    other, elements, events, event_attributes, links, link_attributes, dropped_attributes,
    dropped_events, dropped_links, open, string_hashes, window, adjusted_count
FROM recent_spans
WHERE window > (SELECT max(window) FROM tier_boundary);

-- What is known of each trace from each insert, in the order of arrival: what the sampler looks at.
-- `rows` are all, `spans` those that are not open; `statuses` has a bit for each status; `unended` are
-- the open ones of which the end has not come.
CREATE TABLE IF NOT EXISTS trace_arrivals
(
    window DateTime('UTC') CODEC(Delta, ZSTD(1)),
    arrived DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    day Date CODEC(ZSTD(1)),
    trace_id FixedString(16) CODEC(ZSTD(1)),
    start DateTime64(9, 'UTC') CODEC(T64, ZSTD(1)),
    end DateTime64(9, 'UTC') CODEC(T64, ZSTD(1)),
    last_start DateTime64(9, 'UTC') CODEC(T64, ZSTD(1)),
    rows UInt64 CODEC(T64, ZSTD(1)),
    spans UInt64 CODEC(T64, ZSTD(1)),
    errors UInt64 CODEC(T64, ZSTD(1)),
    statuses UInt8 CODEC(ZSTD(1)),
    unended Int64 CODEC(T64, ZSTD(1)),
    root Tuple(
        found UInt8,
        time DateTime64(9, 'UTC'),
        service String,
        operation String) CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY window
ORDER BY (arrived, trace_id)
SETTINGS index_granularity = 2048, non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS trace_arrivals_view TO trace_arrivals AS
SELECT
    window,
    now64(3, 'UTC') AS arrived,
    toDate(time) AS day,
    trace_id,
    min(time) AS start,
    max(fromUnixTimestamp64Nano(toUnixTimestamp64Nano(time) + duration, 'UTC')) AS end,
    max(time) AS last_start,
    count() AS rows,
    countIf(NOT (has(bool_keys, 'headspan.open') AND bool_values[indexOf(bool_keys, 'headspan.open')])) AS spans,
    countIf(status = 2) AS errors,
    groupBitOr(toUInt8(bitShiftLeft(1, status))) AS statuses,
    sum(if(has(bool_keys, 'headspan.open'), if(bool_values[indexOf(bool_keys, 'headspan.open')], 1, -1), 0)) AS unended,
    max(if(parent_span_id = 0, (toUInt8(1), time, toString(service), toString(operation)), (toUInt8(0), toDateTime64(0, 9, 'UTC'), '', ''))) AS root
FROM recent_spans
GROUP BY window, day, trace_id;

CREATE OR REPLACE MATERIALIZED VIEW trace_summary_view TO trace_summary AS
SELECT day, trace_id, start, greatest(end, last_start) AS end, spans, errors, root
FROM trace_arrivals;

CREATE OR REPLACE MATERIALIZED VIEW ended_open_view TO ended_open AS
SELECT toDate(time) AS day, trace_id, span_id
FROM recent_spans
WHERE has(bool_keys, 'headspan.open') AND NOT bool_values[indexOf(bool_keys, 'headspan.open')];

CREATE OR REPLACE MATERIALIZED VIEW latency_minute_view TO latency_minute AS
SELECT
    toStartOfMinute(toDateTime(time, 'UTC')) AS minute,
    tenant,
    service,
    version,
    operation,
    runtime,
    status,
    count() AS invocations,
    sum(took) AS duration_sum,
    max(took) AS duration_max,
    quantilesDDState(0.01, 0.5, 0.9, 0.95, 0.99)(took) AS latency
FROM
(
    SELECT time, tenant, service, version, operation, runtime, status, toUInt64(greatest(duration, 0)) AS took
    FROM recent_spans
    WHERE kind IN (2, 5)
        AND NOT (has(bool_keys, 'headspan.open') AND bool_values[indexOf(bool_keys, 'headspan.open')])
)
GROUP BY minute, tenant, service, version, operation, runtime, status;

-- What the sampler decided about each trace, and what it looked at then: `rows` of it, the last of
-- which came at `last`. `batch` is that second and a number within it, by which a batch is stored,
-- and its traces copied, once. `threshold` is the rejection threshold, 0 if all like it are kept.
CREATE TABLE IF NOT EXISTS decisions
(
    batch UInt64 CODEC(Delta, ZSTD(1)),
    decided DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    trace_id FixedString(16) CODEC(ZSTD(1)),
    kept Bool CODEC(ZSTD(1)),
    again Bool CODEC(ZSTD(1)),
    policies Array(LowCardinality(String)) CODEC(ZSTD(1)),
    threshold UInt64 CODEC(ZSTD(1)),
    rows UInt64 CODEC(T64, ZSTD(1)),
    last DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    start DateTime64(9, 'UTC') CODEC(T64, ZSTD(1)),
    end DateTime64(9, 'UTC') CODEC(T64, ZSTD(1)),
    root_service LowCardinality(String) CODEC(ZSTD(1)),
    root_operation LowCardinality(String) CODEC(ZSTD(1)),

    INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(toDateTime(intDiv(batch, 1000), 'UTC'))
ORDER BY (batch, trace_id)
TTL toDateTime(decided) + INTERVAL 30 DAY
SETTINGS index_granularity = 2048, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

-- Batches whose kept traces are all in `kept_spans`.
CREATE TABLE IF NOT EXISTS decision_batches
(
    batch UInt64,
    copied DateTime64(3, 'UTC'),
    traces UInt64,
    kept UInt64
)
ENGINE = MergeTree
ORDER BY batch
TTL toDateTime(copied) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 10000;

-- Who samples: of those whose time is not over the one who has been there for longest.
CREATE TABLE IF NOT EXISTS sampler_lease
(
    holder String,
    since DateTime64(3, 'UTC'),
    until DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY until
TTL toDateTime(until) + INTERVAL 1 HOUR;

-- What became of the spans of each window that was closed.
CREATE TABLE IF NOT EXISTS sampling_ledger
(
    window DateTime('UTC'),
    closed DateTime64(3, 'UTC'),
    tenant LowCardinality(String),
    state LowCardinality(String),
    spans UInt64
)
ENGINE = MergeTree
ORDER BY (window, tenant, state)
TTL toDateTime(closed) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 10000;
