-- Spans, and the resources and scopes they name by fingerprint. Why these types, codecs, indexes
-- and this order: docs/adr/0004-spans-clustered-by-trace.md; every column: docs/storage.md.
CREATE TABLE IF NOT EXISTS spans
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

    string_hashes Array(UInt64) ALIAS arrayMap((k, v) -> cityHash64(k, v), string_keys, string_values),

    INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_path url_path TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_string arrayMap((k, v) -> cityHash64(k, v), string_keys, string_values)
        TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/headspan_shard/spans', '{replica}')
PARTITION BY toDate(time)
ORDER BY (toStartOfFiveMinutes(time), trace_id, time)
SETTINGS
    index_granularity = 2048,
    ttl_only_drop_parts = 1,
    map_serialization_version = 'with_buckets',
    map_serialization_version_for_zero_level_parts = 'basic',
    max_buckets_in_map = 8,
    map_buckets_min_avg_size = 0,
    map_buckets_strategy = 'constant',
    replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS resources
(
    day Date,
    fp UInt64,
    tenant LowCardinality(String),
    team LowCardinality(String),
    service LowCardinality(String),
    version LowCardinality(String),
    runtime LowCardinality(String),
    instance String,
    keys Array(LowCardinality(String)),
    types Array(UInt8),
    values Array(String),
    schema_url LowCardinality(String),
    dropped_attributes UInt32
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/headspan_shard/resources', '{replica}')
PARTITION BY day
ORDER BY fp
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 0;

CREATE TABLE IF NOT EXISTS scopes
(
    day Date,
    fp UInt64,
    name LowCardinality(String),
    version LowCardinality(String),
    keys Array(LowCardinality(String)),
    types Array(UInt8),
    values Array(String),
    schema_url LowCardinality(String),
    dropped_attributes UInt32
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/headspan_shard/scopes', '{replica}')
PARTITION BY day
ORDER BY fp
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 0;

-- Rollups of every span, filled by materialised views. Each target deduplicates by itself: a
-- replayed insert must not be counted twice here either.
CREATE TABLE IF NOT EXISTS latency_minute
(
    minute DateTime('UTC') CODEC(Delta, ZSTD(1)),
    tenant LowCardinality(String),
    service LowCardinality(String),
    version LowCardinality(String),
    operation LowCardinality(String),
    runtime LowCardinality(String),
    status UInt8,
    invocations SimpleAggregateFunction(sum, UInt64),
    duration_sum SimpleAggregateFunction(sum, UInt64),
    duration_max SimpleAggregateFunction(max, UInt64),
    latency AggregateFunction(quantilesDD(0.01, 0.5, 0.9, 0.95, 0.99), UInt64)
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/headspan_shard/latency_minute', '{replica}')
PARTITION BY toDate(minute)
ORDER BY (tenant, service, minute, operation, version, runtime, status)
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE MATERIALIZED VIEW IF NOT EXISTS latency_minute_view TO latency_minute AS
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
    FROM spans
    WHERE kind IN (2, 5)
)
GROUP BY minute, tenant, service, version, operation, runtime, status;

CREATE TABLE IF NOT EXISTS trace_summary
(
    day Date,
    trace_id FixedString(16) CODEC(ZSTD(1)),
    start SimpleAggregateFunction(min, DateTime64(9, 'UTC')) CODEC(T64, ZSTD(1)),
    end SimpleAggregateFunction(max, DateTime64(9, 'UTC')) CODEC(T64, ZSTD(1)),
    spans SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    errors SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    root SimpleAggregateFunction(max, Tuple(
        found UInt8,
        time DateTime64(9, 'UTC'),
        service String,
        operation String)) CODEC(ZSTD(1))
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/headspan_shard/trace_summary', '{replica}')
PARTITION BY day
ORDER BY trace_id
SETTINGS index_granularity = 2048, ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE MATERIALIZED VIEW IF NOT EXISTS trace_summary_view TO trace_summary AS
SELECT
    toDate(time) AS day,
    trace_id,
    min(time) AS start,
    max(fromUnixTimestamp64Nano(toUnixTimestamp64Nano(time) + greatest(duration, 0), 'UTC')) AS end,
    count() AS spans,
    countIf(status = 2) AS errors,
    max(if(parent_span_id = 0, (toUInt8(1), time, toString(service), toString(operation)), (toUInt8(0), toDateTime64(0, 9, 'UTC'), '', ''))) AS root
FROM spans
GROUP BY day, trace_id;

-- once per shard
-- The strings, ints, doubles and bools directly within slices, a row each under the slice's key, as
-- text: a query cannot look into CBOR.
ALTER TABLE spans
    ADD COLUMN IF NOT EXISTS elements Array(Tuple(key LowCardinality(String), type UInt8, value String))
    CODEC(ZSTD(1)) AFTER other;

-- once per shard
-- An agent tells of an invocation that runs for long before its end (headspan.open is true) and again
-- at its end (headspan.open is false), under one span id. Until it ends, the open version stands for
-- it; it is in no rollup, so that each invocation is counted once.
ALTER TABLE spans
    ADD COLUMN IF NOT EXISTS open Bool
    MATERIALIZED has(bool_keys, 'headspan.open') AND bool_values[indexOf(bool_keys, 'headspan.open')]
    CODEC(ZSTD(1));

-- The spans whose open version counts no more.
CREATE TABLE IF NOT EXISTS ended_open
(
    day Date,
    trace_id FixedString(16),
    span_id UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/headspan_shard/ended_open', '{replica}')
PARTITION BY day
ORDER BY (trace_id, span_id)
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE MATERIALIZED VIEW IF NOT EXISTS ended_open_view TO ended_open AS
SELECT toDate(time) AS day, trace_id, span_id
FROM spans
WHERE has(bool_keys, 'headspan.open') AND NOT bool_values[indexOf(bool_keys, 'headspan.open')];

ALTER TABLE latency_minute_view MODIFY QUERY
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
    FROM spans
    WHERE kind IN (2, 5)
        AND NOT (has(bool_keys, 'headspan.open') AND bool_values[indexOf(bool_keys, 'headspan.open')])
)
GROUP BY minute, tenant, service, version, operation, runtime, status;

ALTER TABLE trace_summary_view MODIFY QUERY
SELECT
    toDate(time) AS day,
    trace_id,
    min(time) AS start,
    max(fromUnixTimestamp64Nano(toUnixTimestamp64Nano(time) + greatest(duration, 0), 'UTC')) AS end,
    countIf(NOT (has(bool_keys, 'headspan.open') AND bool_values[indexOf(bool_keys, 'headspan.open')])) AS spans,
    countIf(status = 2) AS errors,
    max(if(parent_span_id = 0, (toUInt8(1), time, toString(service), toString(operation)), (toUInt8(0), toDateTime64(0, 9, 'UTC'), '', ''))) AS root
FROM spans
GROUP BY day, trace_id;

-- What agents tell about their nodes. Every column: docs/storage.md. A replayed report is stored
-- once, as a block with its token; rollups come later and deduplicate by themselves.
CREATE TABLE IF NOT EXISTS node_ledger
(
    time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    agent LowCardinality(String) CODEC(ZSTD(1)),
    boot LowCardinality(String) CODEC(ZSTD(1)),
    host LowCardinality(String) CODEC(ZSTD(1)),
    sequence UInt64 CODEC(Delta, ZSTD(1)),
    tenant LowCardinality(String) CODEC(ZSTD(1)),
    state LowCardinality(String) CODEC(ZSTD(1)),
    reason LowCardinality(String) CODEC(ZSTD(1)),
    spans UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/headspan_shard/node_ledger', '{replica}')
PARTITION BY toDate(time)
ORDER BY (agent, boot, tenant, state, reason, time)
TTL toDateTime(time) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS interference_matrix
(
    time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    interval_ns UInt64 CODEC(ZSTD(1)),
    agent LowCardinality(String) CODEC(ZSTD(1)),
    boot LowCardinality(String) CODEC(ZSTD(1)),
    host LowCardinality(String) CODEC(ZSTD(1)),
    sequence UInt64 CODEC(Delta, ZSTD(1)),
    victim LowCardinality(String) CODEC(ZSTD(1)),
    culprit LowCardinality(String) CODEC(ZSTD(1)),
    wait_ns UInt64 CODEC(T64, ZSTD(1)),
    waits UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/headspan_shard/interference_matrix', '{replica}')
PARTITION BY toDate(time)
ORDER BY (victim, culprit, toStartOfMinute(time), agent, time)
TTL toDateTime(time) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS node_pressure
(
    time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    interval_ns UInt64 CODEC(ZSTD(1)),
    agent LowCardinality(String) CODEC(ZSTD(1)),
    boot LowCardinality(String) CODEC(ZSTD(1)),
    host LowCardinality(String) CODEC(ZSTD(1)),
    sequence UInt64 CODEC(Delta, ZSTD(1)),
    resource LowCardinality(String) CODEC(ZSTD(1)),
    some_ns UInt64 CODEC(T64, ZSTD(1)),
    full_ns UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/headspan_shard/node_pressure', '{replica}')
PARTITION BY toDate(time)
ORDER BY (agent, resource, time)
TTL toDateTime(time) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- The views as migration 4 left them, made anew. ClickHouse names a view's block by the token of the
-- inserted block and the view's identity. A view whose query was modified has an identity of its own
-- until the process ends: a batch that came again after the store's next start was counted twice. A
-- view that is replaced keeps the identity of its name. So no migration may modify a view's query
-- (docs/adr/0012-replays-after-a-kill.md).
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
    FROM spans
    WHERE kind IN (2, 5)
        AND NOT (has(bool_keys, 'headspan.open') AND bool_values[indexOf(bool_keys, 'headspan.open')])
)
GROUP BY minute, tenant, service, version, operation, runtime, status;

CREATE OR REPLACE MATERIALIZED VIEW trace_summary_view TO trace_summary AS
SELECT
    toDate(time) AS day,
    trace_id,
    min(time) AS start,
    max(fromUnixTimestamp64Nano(toUnixTimestamp64Nano(time) + greatest(duration, 0), 'UTC')) AS end,
    countIf(NOT (has(bool_keys, 'headspan.open') AND bool_values[indexOf(bool_keys, 'headspan.open')])) AS spans,
    countIf(status = 2) AS errors,
    max(if(parent_span_id = 0, (toUInt8(1), time, toString(service), toString(operation)), (toUInt8(0), toDateTime64(0, 9, 'UTC'), '', ''))) AS root
FROM spans
GROUP BY day, trace_id;

-- Log records and data points of metrics, as their senders wrote them. Every column: docs/storage.md.
-- A replayed batch is stored once, as a block with its token.
CREATE TABLE IF NOT EXISTS logs
(
    time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    observed DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id UInt64 CODEC(ZSTD(1)),
    flags UInt32 CODEC(ZSTD(1)),
    severity UInt8 CODEC(ZSTD(1)),
    severity_text LowCardinality(String) CODEC(ZSTD(1)),
    event_name LowCardinality(String) CODEC(ZSTD(1)),
    body String CODEC(ZSTD(1)),
    body_type UInt8 CODEC(ZSTD(1)),
    keys Array(LowCardinality(String)) CODEC(ZSTD(1)),
    types Array(UInt8) CODEC(ZSTD(1)),
    values Array(String) CODEC(ZSTD(1)),
    dropped_attributes UInt32 CODEC(ZSTD(1)),
    tenant LowCardinality(String) CODEC(ZSTD(1)),
    team LowCardinality(String) CODEC(ZSTD(1)),
    service LowCardinality(String) CODEC(ZSTD(1)),
    version LowCardinality(String) CODEC(ZSTD(1)),
    runtime LowCardinality(String) CODEC(ZSTD(1)),
    resource_keys Array(LowCardinality(String)) CODEC(ZSTD(1)),
    resource_types Array(UInt8) CODEC(ZSTD(1)),
    resource_values Array(String) CODEC(ZSTD(1)),
    resource_schema_url LowCardinality(String) CODEC(ZSTD(1)),
    scope_name LowCardinality(String) CODEC(ZSTD(1)),
    scope_version LowCardinality(String) CODEC(ZSTD(1)),
    scope_keys Array(LowCardinality(String)) CODEC(ZSTD(1)),
    scope_types Array(UInt8) CODEC(ZSTD(1)),
    scope_values Array(String) CODEC(ZSTD(1)),
    scope_schema_url LowCardinality(String) CODEC(ZSTD(1)),

    INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_word lower(body) TYPE tokenbf_v1(8192, 3, 0) GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/headspan_shard/logs', '{replica}')
PARTITION BY toDate(time)
ORDER BY (toStartOfFiveMinutes(time), tenant, service, time)
SETTINGS index_granularity = 2048, ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS metric_points
(
    time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    start DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    metric LowCardinality(String) CODEC(ZSTD(1)),
    kind UInt8 CODEC(ZSTD(1)),
    unit LowCardinality(String) CODEC(ZSTD(1)),
    description LowCardinality(String) CODEC(ZSTD(1)),
    temporality UInt8 CODEC(ZSTD(1)),
    monotonic Bool CODEC(ZSTD(1)),
    flags UInt32 CODEC(ZSTD(1)),
    keys Array(LowCardinality(String)) CODEC(ZSTD(1)),
    types Array(UInt8) CODEC(ZSTD(1)),
    values Array(String) CODEC(ZSTD(1)),
    value Float64 CODEC(ZSTD(1)),
    integer Int64 CODEC(ZSTD(1)),
    is_integer Bool CODEC(ZSTD(1)),
    count UInt64 CODEC(ZSTD(1)),
    sum Float64 CODEC(ZSTD(1)),
    min Float64 CODEC(ZSTD(1)),
    max Float64 CODEC(ZSTD(1)),
    bounds Array(Float64) CODEC(ZSTD(1)),
    counts Array(UInt64) CODEC(ZSTD(1)),
    quantile_values Array(Float64) CODEC(ZSTD(1)),
    scale Int32 CODEC(ZSTD(1)),
    zero_count UInt64 CODEC(ZSTD(1)),
    zero_threshold Float64 CODEC(ZSTD(1)),
    positive_offset Int32 CODEC(ZSTD(1)),
    negative_offset Int32 CODEC(ZSTD(1)),
    negative_counts Array(UInt64) CODEC(ZSTD(1)),
    exemplar_times Array(DateTime64(9, 'UTC')) CODEC(ZSTD(1)),
    exemplar_values Array(Float64) CODEC(ZSTD(1)),
    exemplar_trace_ids Array(FixedString(16)) CODEC(ZSTD(1)),
    exemplar_span_ids Array(UInt64) CODEC(ZSTD(1)),
    exemplar_attribute_owners Array(UInt32) CODEC(ZSTD(1)),
    exemplar_attribute_keys Array(LowCardinality(String)) CODEC(ZSTD(1)),
    exemplar_attribute_types Array(UInt8) CODEC(ZSTD(1)),
    exemplar_attribute_values Array(String) CODEC(ZSTD(1)),
    tenant LowCardinality(String) CODEC(ZSTD(1)),
    team LowCardinality(String) CODEC(ZSTD(1)),
    service LowCardinality(String) CODEC(ZSTD(1)),
    version LowCardinality(String) CODEC(ZSTD(1)),
    runtime LowCardinality(String) CODEC(ZSTD(1)),
    resource_keys Array(LowCardinality(String)) CODEC(ZSTD(1)),
    resource_types Array(UInt8) CODEC(ZSTD(1)),
    resource_values Array(String) CODEC(ZSTD(1)),
    resource_schema_url LowCardinality(String) CODEC(ZSTD(1)),
    scope_name LowCardinality(String) CODEC(ZSTD(1)),
    scope_version LowCardinality(String) CODEC(ZSTD(1)),
    scope_keys Array(LowCardinality(String)) CODEC(ZSTD(1)),
    scope_types Array(UInt8) CODEC(ZSTD(1)),
    scope_values Array(String) CODEC(ZSTD(1)),
    scope_schema_url LowCardinality(String) CODEC(ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/headspan_shard/metric_points', '{replica}')
PARTITION BY toDate(time)
ORDER BY (metric, tenant, service, toStartOfFiveMinutes(time), time)
SETTINGS index_granularity = 2048, ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

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
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/headspan_shard/recent_spans', '{replica}')
PARTITION BY window
ORDER BY (toStartOfFiveMinutes(time), trace_id, time)
SETTINGS
    index_granularity = 2048,
    map_serialization_version = 'with_buckets',
    map_serialization_version_for_zero_level_parts = 'basic',
    max_buckets_in_map = 8,
    map_buckets_min_avg_size = 0,
    map_buckets_strategy = 'constant',
    replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

RENAME TABLE IF EXISTS spans TO kept_spans;

-- once per shard
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
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/headspan_shard/tier_boundary', '{replica}')
ORDER BY window
SETTINGS replicated_deduplication_window = 0;

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
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/headspan_shard/trace_arrivals', '{replica}')
PARTITION BY window
ORDER BY (arrived, trace_id)
SETTINGS index_granularity = 2048, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

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
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/headspan_shard/decisions', '{replica}')
PARTITION BY toDate(toDateTime(intDiv(batch, 1000), 'UTC'))
ORDER BY (batch, trace_id)
TTL toDateTime(decided) + INTERVAL 30 DAY
SETTINGS index_granularity = 2048, ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- Batches whose kept traces are all in `kept_spans`.
CREATE TABLE IF NOT EXISTS decision_batches
(
    batch UInt64,
    copied DateTime64(3, 'UTC'),
    traces UInt64,
    kept UInt64
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/headspan_shard/decision_batches', '{replica}')
ORDER BY batch
TTL toDateTime(copied) + INTERVAL 30 DAY
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- Who samples: of those whose time is not over the one who has been there for longest.
CREATE TABLE IF NOT EXISTS sampler_lease
(
    holder String,
    since DateTime64(3, 'UTC'),
    until DateTime64(3, 'UTC')
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/headspan_shard/sampler_lease', '{replica}')
ORDER BY until
TTL toDateTime(until) + INTERVAL 1 HOUR
SETTINGS replicated_deduplication_window = 0;

-- What became of the spans of each window that was closed.
CREATE TABLE IF NOT EXISTS sampling_ledger
(
    window DateTime('UTC'),
    closed DateTime64(3, 'UTC'),
    tenant LowCardinality(String),
    state LowCardinality(String),
    spans UInt64
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/headspan_shard/sampling_ledger', '{replica}')
ORDER BY (window, tenant, state)
TTL toDateTime(closed) + INTERVAL 30 DAY
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- once per shard
-- What bills need beside counts and durations. Durations are rounded up for each invocation, as
-- providers do, so the rollup has to hold the rounded sums. An instance is known by its resource.
ALTER TABLE latency_minute
    ADD COLUMN IF NOT EXISTS billed_ms SimpleAggregateFunction(sum, UInt64),
    ADD COLUMN IF NOT EXISTS billed_100ms SimpleAggregateFunction(sum, UInt64),
    ADD COLUMN IF NOT EXISTS queue_ns SimpleAggregateFunction(sum, UInt64),
    ADD COLUMN IF NOT EXISTS cpu_ns SimpleAggregateFunction(sum, UInt64),
    ADD COLUMN IF NOT EXISTS stolen_ns SimpleAggregateFunction(sum, UInt64),
    ADD COLUMN IF NOT EXISTS cold_starts SimpleAggregateFunction(sum, UInt64),
    ADD COLUMN IF NOT EXISTS response_bytes SimpleAggregateFunction(sum, UInt64),
    ADD COLUMN IF NOT EXISTS instances AggregateFunction(uniq, UInt64);

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
    quantilesDDState(0.01, 0.5, 0.9, 0.95, 0.99)(took) AS latency,
    sum(intDiv(took + 999999, 1000000)) AS billed_ms,
    sum(intDiv(took + 99999999, 100000000) * 100) AS billed_100ms,
    sum(toUInt64(greatest(queue, 0))) AS queue_ns,
    sum(toUInt64(greatest(cpu, 0))) AS cpu_ns,
    sum(toUInt64(greatest(stolen, 0))) AS stolen_ns,
    countIf(cold) AS cold_starts,
    sum(toUInt64(greatest(bytes, 0))) AS response_bytes,
    uniqState(instance) AS instances
FROM
(
    SELECT
        time,
        tenant,
        service,
        version,
        operation,
        runtime,
        status,
        toUInt64(greatest(duration, 0)) AS took,
        queue_ns AS queue,
        cpu_ns AS cpu,
        stolen_ns AS stolen,
        faas_coldstart AS cold,
        ints['http.response.body.size'] AS bytes,
        toUInt64(resource_fp) AS instance
    FROM recent_spans
    WHERE kind IN (2, 5)
        AND NOT (has(bool_keys, 'headspan.open') AND bool_values[indexOf(bool_keys, 'headspan.open')])
)
GROUP BY minute, tenant, service, version, operation, runtime, status;

-- Where nothing is sampled, spans are stored in `kept_spans` at once: rollups of those, which no
-- decision brought there. What was recent before is in them already.
CREATE MATERIALIZED VIEW IF NOT EXISTS trace_summary_kept_view TO trace_summary AS
SELECT
    toDate(time) AS day,
    trace_id,
    min(time) AS start,
    max(fromUnixTimestamp64Nano(toUnixTimestamp64Nano(time) + greatest(duration, 0), 'UTC')) AS end,
    countIf(NOT (has(bool_keys, 'headspan.open') AND bool_values[indexOf(bool_keys, 'headspan.open')])) AS spans,
    countIf(status = 2) AS errors,
    max(if(parent_span_id = 0, (toUInt8(1), time, toString(service), toString(operation)), (toUInt8(0), toDateTime64(0, 9, 'UTC'), '', ''))) AS root
FROM kept_spans
WHERE decision = 0
GROUP BY day, trace_id;

CREATE MATERIALIZED VIEW IF NOT EXISTS ended_open_kept_view TO ended_open AS
SELECT toDate(time) AS day, trace_id, span_id
FROM kept_spans
WHERE decision = 0 AND has(bool_keys, 'headspan.open') AND NOT bool_values[indexOf(bool_keys, 'headspan.open')];

CREATE MATERIALIZED VIEW IF NOT EXISTS latency_minute_kept_view TO latency_minute AS
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
    quantilesDDState(0.01, 0.5, 0.9, 0.95, 0.99)(took) AS latency,
    sum(intDiv(took + 999999, 1000000)) AS billed_ms,
    sum(intDiv(took + 99999999, 100000000) * 100) AS billed_100ms,
    sum(toUInt64(greatest(queue, 0))) AS queue_ns,
    sum(toUInt64(greatest(cpu, 0))) AS cpu_ns,
    sum(toUInt64(greatest(stolen, 0))) AS stolen_ns,
    countIf(cold) AS cold_starts,
    sum(toUInt64(greatest(bytes, 0))) AS response_bytes,
    uniqState(instance) AS instances
FROM
(
    SELECT
        time,
        tenant,
        service,
        version,
        operation,
        runtime,
        status,
        toUInt64(greatest(duration, 0)) AS took,
        queue_ns AS queue,
        cpu_ns AS cpu,
        stolen_ns AS stolen,
        faas_coldstart AS cold,
        ints['http.response.body.size'] AS bytes,
        toUInt64(resource_fp) AS instance
    FROM kept_spans
    WHERE decision = 0 AND kind IN (2, 5)
        AND NOT (has(bool_keys, 'headspan.open') AND bool_values[indexOf(bool_keys, 'headspan.open')])
)
GROUP BY minute, tenant, service, version, operation, runtime, status;

-- Which traces the links of recent spans name, in order of arrival: what the sampler keeps together.
CREATE TABLE IF NOT EXISTS trace_links
(
    window DateTime('UTC') CODEC(Delta, ZSTD(1)),
    arrived DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    trace_id FixedString(16) CODEC(ZSTD(1)),
    linked FixedString(16) CODEC(ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/headspan_shard/trace_links', '{replica}')
PARTITION BY window
ORDER BY arrived
SETTINGS index_granularity = 2048, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE MATERIALIZED VIEW IF NOT EXISTS trace_links_view TO trace_links AS
SELECT DISTINCT window, now64(3, 'UTC') AS arrived, trace_id, arrayJoin(tupleElement(links, 'trace_id')) AS linked
FROM recent_spans
WHERE notEmpty(links) AND arrayExists(link -> link.1 != trace_id, links);

-- once per shard
-- Texts and the elements of arrays are in one bloom filter: a condition on either is one look-up then,
-- and a disjunction of two would use no index.
ALTER TABLE kept_spans
    MODIFY COLUMN IF EXISTS string_hashes Array(UInt64) ALIAS arrayConcat(
        arrayMap((k, v) -> cityHash64(k, v), string_keys, string_values),
        arrayMap((k, v) -> cityHash64(k, v), elements.key, elements.value)),
    DROP INDEX IF EXISTS by_string,
    ADD INDEX IF NOT EXISTS by_text arrayConcat(
        arrayMap((k, v) -> cityHash64(k, v), string_keys, string_values),
        arrayMap((k, v) -> cityHash64(k, v), elements.key, elements.value))
        TYPE bloom_filter(0.01) GRANULARITY 1;

-- once per shard
ALTER TABLE recent_spans
    MODIFY COLUMN IF EXISTS string_hashes Array(UInt64) ALIAS arrayConcat(
        arrayMap((k, v) -> cityHash64(k, v), string_keys, string_values),
        arrayMap((k, v) -> cityHash64(k, v), elements.key, elements.value)),
    DROP INDEX IF EXISTS by_string,
    ADD INDEX IF NOT EXISTS by_text arrayConcat(
        arrayMap((k, v) -> cityHash64(k, v), string_keys, string_values),
        arrayMap((k, v) -> cityHash64(k, v), elements.key, elements.value))
        TYPE bloom_filter(0.01) GRANULARITY 1;

-- once per shard
-- For what was stored before; the server does it in the background.
ALTER TABLE kept_spans MATERIALIZE INDEX IF EXISTS by_text;

-- once per shard
ALTER TABLE recent_spans MATERIALIZE INDEX IF EXISTS by_text;

-- What collectors left out of batches that they acknowledged: with node_ledger, where every span is.
-- Every column: docs/storage.md.
CREATE TABLE IF NOT EXISTS collector_ledger
(
    time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    collector LowCardinality(String) CODEC(ZSTD(1)),
    sender LowCardinality(String) CODEC(ZSTD(1)),
    tenant LowCardinality(String) CODEC(ZSTD(1)),
    signal LowCardinality(String) CODEC(ZSTD(1)),
    reason LowCardinality(String) CODEC(ZSTD(1)),
    records UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/headspan_shard/collector_ledger', '{replica}')
PARTITION BY toDate(time)
ORDER BY (tenant, signal, reason, time)
TTL toDateTime(time) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- once per shard
-- A span that a sampler before us let through stands for several, as `th` in its tracestate says
-- (OTEP 235). It does so from the moment it is stored, not only once it is copied.
ALTER TABLE recent_spans
    MODIFY COLUMN IF EXISTS adjusted_count Float64 ALIAS
    72057594037927936 / (72057594037927936 - reinterpretAsUInt64(reverse(unhex(rightPad(
        extract(trace_state, '(?:^|,)[ \\t]*ot=(?:[^,;]*;)*th:([0-9a-f]{1,14})[ \\t]*(?:[,;]|$)'), 14, '0')))));

-- once per shard
ALTER TABLE kept_spans
    MODIFY COLUMN IF EXISTS adjusted_count Float64 DEFAULT
    72057594037927936 / (72057594037927936 - reinterpretAsUInt64(reverse(unhex(rightPad(
        extract(trace_state, '(?:^|,)[ \\t]*ot=(?:[^,;]*;)*th:([0-9a-f]{1,14})[ \\t]*(?:[,;]|$)'), 14, '0')))));

-- once per shard
-- How far off `invocations` may be, squared: 0 unless spans stand for several. It says when an SDK's
-- sampled spans truly tell of more invocations than an agent did.
ALTER TABLE latency_minute ADD COLUMN IF NOT EXISTS variance SimpleAggregateFunction(sum, UInt64);

-- What spans stand for beside themselves, in rows of its own: the views that every span goes through
-- stay as they are. The store's sketch takes no weights, but is doubled easily, so a span is counted
-- once for each bit of its number, whose part is chosen by a hash of the span's id. No span stands for
-- more than a million, lest a sender's nonsense run over.
CREATE MATERIALIZED VIEW IF NOT EXISTS latency_minute_more_view TO latency_minute AS
SELECT
    minute,
    tenant,
    service,
    version,
    operation,
    runtime,
    status,
    sum(spans * power) AS invocations,
    sum(took_sum * power) AS duration_sum,
    max(took_max) AS duration_max,
    quantilesDDMergeState(0.01, 0.5, 0.9, 0.95, 0.99)(multiIf(
        bit = 0, sketch, bit = 1, sketch * 2, bit = 2, sketch * 4, bit = 3, sketch * 8,
        bit = 4, sketch * 16, bit = 5, sketch * 32, bit = 6, sketch * 64, bit = 7, sketch * 128,
        bit = 8, sketch * 256, bit = 9, sketch * 512, bit = 10, sketch * 1024, bit = 11, sketch * 2048,
        bit = 12, sketch * 4096, bit = 13, sketch * 8192, bit = 14, sketch * 16384, bit = 15, sketch * 32768,
        bit = 16, sketch * 65536, bit = 17, sketch * 131072, bit = 18, sketch * 262144, sketch * 524288)) AS latency,
    sum(ms_sum * power) AS billed_ms,
    sum(ms_100_sum * power) AS billed_100ms,
    sum(queue_sum * power) AS queue_ns,
    sum(cpu_sum * power) AS cpu_ns,
    sum(stolen_sum * power) AS stolen_ns,
    sum(cold_sum * power) AS cold_starts,
    sum(bytes_sum * power) AS response_bytes,
    sum(counts_sum * power) AS variance
FROM
(
    SELECT
        minute,
        tenant,
        service,
        version,
        operation,
        runtime,
        status,
        bit,
        bitShiftLeft(toUInt64(1), bit) AS power,
        count() AS spans,
        sum(took) AS took_sum,
        max(took) AS took_max,
        quantilesDDState(0.01, 0.5, 0.9, 0.95, 0.99)(took) AS sketch,
        sum(intDiv(took + 999999, 1000000)) AS ms_sum,
        sum(intDiv(took + 99999999, 100000000) * 100) AS ms_100_sum,
        sum(toUInt64(greatest(queue, 0))) AS queue_sum,
        sum(toUInt64(greatest(cpu, 0))) AS cpu_sum,
        sum(toUInt64(greatest(stolen, 0))) AS stolen_sum,
        countIf(cold) AS cold_sum,
        sum(toUInt64(greatest(bytes, 0))) AS bytes_sum,
        sum(toUInt64(more) + 1) AS counts_sum
    FROM
    (
        SELECT
            toStartOfMinute(toDateTime(time, 'UTC')) AS minute,
            tenant,
            service,
            version,
            operation,
            runtime,
            status,
            toUInt64(greatest(duration, 0)) AS took,
            queue_ns AS queue,
            cpu_ns AS cpu,
            stolen_ns AS stolen,
            faas_coldstart AS cold,
            ints['http.response.body.size'] AS bytes,
            toUInt32(floor(least(1000000, 72057594037927936 / (72057594037927936
                - reinterpretAsUInt64(reverse(unhex(rightPad(extract(trace_state,
                    '(?:^|,)[ \\t]*ot=(?:[^,;]*;)*th:([0-9a-f]{1,14})[ \\t]*(?:[,;]|$)'), 14, '0'))))))
                + bitShiftRight(cityHash64(span_id), 32) / 4294967296)) - 1 AS more,
            arrayJoin(bitPositionsToArray(toUInt32(more))) AS bit
        FROM recent_spans
        WHERE trace_state != '' AND kind IN (2, 5)
            AND NOT (has(bool_keys, 'headspan.open') AND bool_values[indexOf(bool_keys, 'headspan.open')])
    )
    GROUP BY minute, tenant, service, version, operation, runtime, status, bit
)
GROUP BY minute, tenant, service, version, operation, runtime, status;

CREATE MATERIALIZED VIEW IF NOT EXISTS latency_minute_more_kept_view TO latency_minute AS
SELECT
    minute,
    tenant,
    service,
    version,
    operation,
    runtime,
    status,
    sum(spans * power) AS invocations,
    sum(took_sum * power) AS duration_sum,
    max(took_max) AS duration_max,
    quantilesDDMergeState(0.01, 0.5, 0.9, 0.95, 0.99)(multiIf(
        bit = 0, sketch, bit = 1, sketch * 2, bit = 2, sketch * 4, bit = 3, sketch * 8,
        bit = 4, sketch * 16, bit = 5, sketch * 32, bit = 6, sketch * 64, bit = 7, sketch * 128,
        bit = 8, sketch * 256, bit = 9, sketch * 512, bit = 10, sketch * 1024, bit = 11, sketch * 2048,
        bit = 12, sketch * 4096, bit = 13, sketch * 8192, bit = 14, sketch * 16384, bit = 15, sketch * 32768,
        bit = 16, sketch * 65536, bit = 17, sketch * 131072, bit = 18, sketch * 262144, sketch * 524288)) AS latency,
    sum(ms_sum * power) AS billed_ms,
    sum(ms_100_sum * power) AS billed_100ms,
    sum(queue_sum * power) AS queue_ns,
    sum(cpu_sum * power) AS cpu_ns,
    sum(stolen_sum * power) AS stolen_ns,
    sum(cold_sum * power) AS cold_starts,
    sum(bytes_sum * power) AS response_bytes,
    sum(counts_sum * power) AS variance
FROM
(
    SELECT
        minute,
        tenant,
        service,
        version,
        operation,
        runtime,
        status,
        bit,
        bitShiftLeft(toUInt64(1), bit) AS power,
        count() AS spans,
        sum(took) AS took_sum,
        max(took) AS took_max,
        quantilesDDState(0.01, 0.5, 0.9, 0.95, 0.99)(took) AS sketch,
        sum(intDiv(took + 999999, 1000000)) AS ms_sum,
        sum(intDiv(took + 99999999, 100000000) * 100) AS ms_100_sum,
        sum(toUInt64(greatest(queue, 0))) AS queue_sum,
        sum(toUInt64(greatest(cpu, 0))) AS cpu_sum,
        sum(toUInt64(greatest(stolen, 0))) AS stolen_sum,
        countIf(cold) AS cold_sum,
        sum(toUInt64(greatest(bytes, 0))) AS bytes_sum,
        sum(toUInt64(more) + 1) AS counts_sum
    FROM
    (
        SELECT
            toStartOfMinute(toDateTime(time, 'UTC')) AS minute,
            tenant,
            service,
            version,
            operation,
            runtime,
            status,
            toUInt64(greatest(duration, 0)) AS took,
            queue_ns AS queue,
            cpu_ns AS cpu,
            stolen_ns AS stolen,
            faas_coldstart AS cold,
            ints['http.response.body.size'] AS bytes,
            toUInt32(floor(least(1000000, 72057594037927936 / (72057594037927936
                - reinterpretAsUInt64(reverse(unhex(rightPad(extract(trace_state,
                    '(?:^|,)[ \\t]*ot=(?:[^,;]*;)*th:([0-9a-f]{1,14})[ \\t]*(?:[,;]|$)'), 14, '0'))))))
                + bitShiftRight(cityHash64(span_id), 32) / 4294967296)) - 1 AS more,
            arrayJoin(bitPositionsToArray(toUInt32(more))) AS bit
        FROM kept_spans
        WHERE decision = 0 AND trace_state != '' AND kind IN (2, 5)
            AND NOT (has(bool_keys, 'headspan.open') AND bool_values[indexOf(bool_keys, 'headspan.open')])
    )
    GROUP BY minute, tenant, service, version, operation, runtime, status, bit
)
GROUP BY minute, tenant, service, version, operation, runtime, status;

-- What migration 18 asks of every insert costs as much as all else of the rollup, only to find that
-- nothing was sampled. Now spans that may stand for several are sorted out first, by a view that is
-- little work, and the rest is done where there are some. The table between keeps nothing.
CREATE TABLE IF NOT EXISTS sampled_spans
(
    time DateTime64(9, 'UTC'),
    span_id UInt64,
    tenant LowCardinality(String),
    service LowCardinality(String),
    version LowCardinality(String),
    operation LowCardinality(String),
    runtime LowCardinality(String),
    status UInt8,
    kind UInt8,
    duration Int64,
    queue_ns Int64,
    cpu_ns Int64,
    stolen_ns Int64,
    faas_coldstart Bool,
    trace_state LowCardinality(String),
    response_bytes Int64,
    open Bool
)
ENGINE = Null;

DROP VIEW IF EXISTS latency_minute_more_kept_view;

CREATE OR REPLACE MATERIALIZED VIEW latency_minute_more_view TO latency_minute AS
SELECT
    minute,
    tenant,
    service,
    version,
    operation,
    runtime,
    status,
    sum(spans * power) AS invocations,
    sum(took_sum * power) AS duration_sum,
    max(took_max) AS duration_max,
    quantilesDDMergeState(0.01, 0.5, 0.9, 0.95, 0.99)(multiIf(
        bit = 0, sketch, bit = 1, sketch * 2, bit = 2, sketch * 4, bit = 3, sketch * 8,
        bit = 4, sketch * 16, bit = 5, sketch * 32, bit = 6, sketch * 64, bit = 7, sketch * 128,
        bit = 8, sketch * 256, bit = 9, sketch * 512, bit = 10, sketch * 1024, bit = 11, sketch * 2048,
        bit = 12, sketch * 4096, bit = 13, sketch * 8192, bit = 14, sketch * 16384, bit = 15, sketch * 32768,
        bit = 16, sketch * 65536, bit = 17, sketch * 131072, bit = 18, sketch * 262144, sketch * 524288)) AS latency,
    sum(ms_sum * power) AS billed_ms,
    sum(ms_100_sum * power) AS billed_100ms,
    sum(queue_sum * power) AS queue_ns,
    sum(cpu_sum * power) AS cpu_ns,
    sum(stolen_sum * power) AS stolen_ns,
    sum(cold_sum * power) AS cold_starts,
    sum(bytes_sum * power) AS response_bytes,
    sum(counts_sum * power) AS variance
FROM
(
    SELECT
        minute,
        tenant,
        service,
        version,
        operation,
        runtime,
        status,
        bit,
        bitShiftLeft(toUInt64(1), bit) AS power,
        count() AS spans,
        sum(took) AS took_sum,
        max(took) AS took_max,
        quantilesDDState(0.01, 0.5, 0.9, 0.95, 0.99)(took) AS sketch,
        sum(intDiv(took + 999999, 1000000)) AS ms_sum,
        sum(intDiv(took + 99999999, 100000000) * 100) AS ms_100_sum,
        sum(toUInt64(greatest(queue, 0))) AS queue_sum,
        sum(toUInt64(greatest(cpu, 0))) AS cpu_sum,
        sum(toUInt64(greatest(stolen, 0))) AS stolen_sum,
        countIf(cold) AS cold_sum,
        sum(toUInt64(greatest(bytes, 0))) AS bytes_sum,
        sum(toUInt64(more) + 1) AS counts_sum
    FROM
    (
        SELECT
            toStartOfMinute(toDateTime(time, 'UTC')) AS minute,
            tenant,
            service,
            version,
            operation,
            runtime,
            status,
            toUInt64(greatest(duration, 0)) AS took,
            queue_ns AS queue,
            cpu_ns AS cpu,
            stolen_ns AS stolen,
            faas_coldstart AS cold,
            response_bytes AS bytes,
            toUInt32(floor(least(1000000, 72057594037927936 / (72057594037927936
                - reinterpretAsUInt64(reverse(unhex(rightPad(extract(trace_state,
                    '(?:^|,)[ \\t]*ot=(?:[^,;]*;)*th:([0-9a-f]{1,14})[ \\t]*(?:[,;]|$)'), 14, '0'))))))
                + bitShiftRight(cityHash64(span_id), 32) / 4294967296)) - 1 AS more,
            arrayJoin(bitPositionsToArray(toUInt32(more))) AS bit
        FROM sampled_spans
        WHERE kind IN (2, 5) AND NOT open
    )
    GROUP BY minute, tenant, service, version, operation, runtime, status, bit
)
GROUP BY minute, tenant, service, version, operation, runtime, status;

CREATE MATERIALIZED VIEW IF NOT EXISTS sampled_recent_view TO sampled_spans AS
SELECT
    time, span_id, tenant, service, version, operation, runtime, status, kind, duration, queue_ns,
    cpu_ns, stolen_ns, faas_coldstart, trace_state, ints['http.response.body.size'] AS response_bytes,
    has(bool_keys, 'headspan.open') AND bool_values[indexOf(bool_keys, 'headspan.open')] AS open
FROM recent_spans
WHERE trace_state LIKE '%th:%';

CREATE MATERIALIZED VIEW IF NOT EXISTS sampled_kept_view TO sampled_spans AS
SELECT
    time, span_id, tenant, service, version, operation, runtime, status, kind, duration, queue_ns,
    cpu_ns, stolen_ns, faas_coldstart, trace_state, ints['http.response.body.size'] AS response_bytes,
    has(bool_keys, 'headspan.open') AND bool_values[indexOf(bool_keys, 'headspan.open')] AS open
FROM kept_spans
WHERE trace_state LIKE '%th:%' AND decision = 0;

-- What latency_minute has, in rows of a minute and in rows of an hour (`seconds`), in order of time:
-- a range is read from its whole hours and the minutes before and behind them. Why not hours alone:
-- docs/adr/0019-hours-and-minutes.md.
CREATE TABLE IF NOT EXISTS latency_slots
(
    seconds UInt16 CODEC(ZSTD(1)),
    slot DateTime('UTC') CODEC(Delta, ZSTD(1)),
    tenant LowCardinality(String),
    service LowCardinality(String),
    version LowCardinality(String),
    operation LowCardinality(String),
    runtime LowCardinality(String),
    status UInt8,
    invocations SimpleAggregateFunction(sum, UInt64),
    duration_sum SimpleAggregateFunction(sum, UInt64),
    duration_max SimpleAggregateFunction(max, UInt64),
    latency AggregateFunction(quantilesDD(0.01, 0.5, 0.9, 0.95, 0.99), UInt64),
    billed_ms SimpleAggregateFunction(sum, UInt64),
    billed_100ms SimpleAggregateFunction(sum, UInt64),
    queue_ns SimpleAggregateFunction(sum, UInt64),
    cpu_ns SimpleAggregateFunction(sum, UInt64),
    stolen_ns SimpleAggregateFunction(sum, UInt64),
    cold_starts SimpleAggregateFunction(sum, UInt64),
    response_bytes SimpleAggregateFunction(sum, UInt64),
    instances AggregateFunction(uniqMergeMap, Map(UInt8, AggregateFunction(uniq, UInt64))),
    variance SimpleAggregateFunction(sum, UInt64),
    first_minute SimpleAggregateFunction(min, DateTime('UTC'))
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/headspan_shard/latency_slots', '{replica}')
PARTITION BY toDate(slot)
ORDER BY (seconds, slot, tenant, service, operation, version, runtime, status)
SETTINGS index_granularity = 512, ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- Nothing is aggregated here: the rows of an insert are few, and the table does it anyway.
CREATE MATERIALIZED VIEW IF NOT EXISTS latency_slots_view TO latency_slots AS
SELECT
    toUInt16(arrayJoin([60, 3600])) AS seconds,
    if(seconds = 60, minute, toStartOfHour(minute)) AS slot,
    tenant,
    service,
    version,
    operation,
    runtime,
    status,
    invocations,
    duration_sum,
    duration_max,
    latency,
    billed_ms,
    billed_100ms,
    queue_ns,
    cpu_ns,
    stolen_ns,
    cold_starts,
    response_bytes,
    initializeAggregation('uniqMergeMapState', map(toUInt8(toMinute(minute)), instances)) AS instances,
    variance,
    minute AS first_minute
FROM latency_minute;

-- The hours of which latency_minute had rows before.
CREATE TABLE IF NOT EXISTS latency_before
(
    hour DateTime('UTC')
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/headspan_shard/latency_before', '{replica}')
ORDER BY hour
SETTINGS replicated_deduplication_window = 0;

-- Repeated until it holds: an insert that began before the view was there goes around it.
SELECT throwIf(count() > 0, 'inserts from before latency_slots_view have not ended')
FROM system.processes
WHERE query_kind = 'Insert' AND now64(3, 'UTC') - toIntervalMillisecond(toUInt64(elapsed * 1000)) <
(
    SELECT toDateTime64(max(metadata_modification_time), 3, 'UTC') + INTERVAL 1 SECOND
    FROM system.tables
    WHERE database = currentDatabase() AND name = 'latency_slots_view'
);

INSERT INTO latency_before SELECT DISTINCT toStartOfHour(minute) AS hour FROM latency_minute;

-- What is read, so that there is an error and no wrong answer until all of the above is done.
CREATE OR REPLACE VIEW hours_by_minute AS SELECT hour FROM latency_before;

-- To merge spans costs twice as much as to insert them: seldom, then, and many parts at once (docs/figures.md).
ALTER TABLE kept_spans MODIFY SETTING merge_selector_base = 15;

ALTER TABLE recent_spans MODIFY SETTING merge_selector_base = 15;

-- Batches of decisions whose traces are copied to `kept_spans` together: a batch is in one copy. Numbers go up one by
-- one, so of two samplers that put different batches together under the next number one is first. Nothing is ever
-- deleted here, or numbers, which are tokens, would begin anew.
CREATE TABLE IF NOT EXISTS tier_copies
(
    number UInt64 CODEC(Delta, ZSTD(1)),
    batch UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/headspan_shard/tier_copies', '{replica}')
PARTITION BY intDiv(number, 100000)
ORDER BY (number, batch)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

-- once per shard
-- Tenants see pseudonyms in place of others' names, in `string_values` and in `string_hashes` made of it, for which no
-- index is used. What has no such names in it is looked for in `text_hashes`, which is never anything else than stored.
ALTER TABLE kept_spans ADD COLUMN IF NOT EXISTS text_hashes Array(UInt64) ALIAS arrayConcat(
    arrayMap((k, v) -> cityHash64(k, v), string_keys, string_values),
    arrayMap((k, v) -> cityHash64(k, v), elements.key, elements.value));

-- once per shard
ALTER TABLE recent_spans ADD COLUMN IF NOT EXISTS text_hashes Array(UInt64) ALIAS arrayConcat(
    arrayMap((k, v) -> cityHash64(k, v), string_keys, string_values),
    arrayMap((k, v) -> cityHash64(k, v), elements.key, elements.value));

CREATE OR REPLACE VIEW spans AS
SELECT
    time, trace_id, span_id, parent_span_id, duration, operation, kind, status, status_message,
    trace_state, flags, resource_fp, scope_fp, tenant, team, service, version, runtime, promoted,
    queue_ns, cpu_ns, stolen_ns, http_method, http_route, http_status, url_path, rpc_method,
    db_system, faas_coldstart, string_keys, string_values, ints, doubles, bool_keys, bool_values,
    other, elements, events, event_attributes, links, link_attributes, dropped_attributes,
    dropped_events, dropped_links, open, string_hashes, text_hashes, window, adjusted_count
FROM kept_spans
WHERE window <= (SELECT max(window) FROM tier_boundary)
UNION ALL
SELECT
    time, trace_id, span_id, parent_span_id, duration, operation, kind, status, status_message,
    trace_state, flags, resource_fp, scope_fp, tenant, team, service, version, runtime, promoted,
    queue_ns, cpu_ns, stolen_ns, http_method, http_route, http_status, url_path, rpc_method,
    db_system, faas_coldstart, string_keys, string_values, ints, doubles, bool_keys, bool_values,
    other, elements, events, event_attributes, links, link_attributes, dropped_attributes,
    dropped_events, dropped_links, open, string_hashes, text_hashes, window, adjusted_count
FROM recent_spans
WHERE window > (SELECT max(window) FROM tier_boundary);

-- What is recent is dropped before larger parts of it would pay. To merge those again, of half a minute each at 50,000
-- spans/s, took half a core.
ALTER TABLE recent_spans MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 67108864;

-- once per shard
-- Parts of a window that hold nothing of the seconds that the sampler looks at.
ALTER TABLE recent_spans ADD INDEX IF NOT EXISTS by_time time TYPE minmax GRANULARITY 1;

-- once per shard
-- Texts are looked for by their values, whatever their keys. A merge takes columns one after the other, but row by row
-- those that one index needs together, and keys and values of texts were more than a quarter of it
-- (docs/adr/0023-texts-by-value.md). Tenants see pseudonyms in `string_values`, and `shown_hashes` made of those, while
-- `value_hashes` is never anything else than stored.
--
-- Of a filter that lets one granule in a hundred through falsely, a search for a rare text spends most of its time on
-- reading those, whose strings are 400 KB each. One in a thousand takes 0.5 bytes more of a span.
ALTER TABLE kept_spans
    ADD COLUMN IF NOT EXISTS value_hashes Array(UInt64) ALIAS arrayConcat(
        arrayMap(v -> cityHash64(v), string_values), arrayMap(v -> cityHash64(v), elements.value)),
    ADD COLUMN IF NOT EXISTS shown_hashes Array(UInt64) ALIAS arrayConcat(
        arrayMap(v -> cityHash64(v), string_values), arrayMap(v -> cityHash64(v), elements.value)),
    DROP INDEX IF EXISTS by_text,
    ADD INDEX IF NOT EXISTS by_value arrayConcat(
        arrayMap(v -> cityHash64(v), string_values), arrayMap(v -> cityHash64(v), elements.value))
        TYPE bloom_filter(0.001) GRANULARITY 1;

-- once per shard
ALTER TABLE recent_spans
    ADD COLUMN IF NOT EXISTS value_hashes Array(UInt64) ALIAS arrayConcat(
        arrayMap(v -> cityHash64(v), string_values), arrayMap(v -> cityHash64(v), elements.value)),
    ADD COLUMN IF NOT EXISTS shown_hashes Array(UInt64) ALIAS arrayConcat(
        arrayMap(v -> cityHash64(v), string_values), arrayMap(v -> cityHash64(v), elements.value)),
    DROP INDEX IF EXISTS by_text,
    ADD INDEX IF NOT EXISTS by_value arrayConcat(
        arrayMap(v -> cityHash64(v), string_values), arrayMap(v -> cityHash64(v), elements.value))
        TYPE bloom_filter(0.01) GRANULARITY 1;

CREATE OR REPLACE VIEW spans AS
SELECT
    time, trace_id, span_id, parent_span_id, duration, operation, kind, status, status_message,
    trace_state, flags, resource_fp, scope_fp, tenant, team, service, version, runtime, promoted,
    queue_ns, cpu_ns, stolen_ns, http_method, http_route, http_status, url_path, rpc_method,
    db_system, faas_coldstart, string_keys, string_values, ints, doubles, bool_keys, bool_values,
    other, elements, events, event_attributes, links, link_attributes, dropped_attributes,
    dropped_events, dropped_links, open, string_hashes, text_hashes, value_hashes, shown_hashes,
    window, adjusted_count
FROM kept_spans
WHERE window <= (SELECT max(window) FROM tier_boundary)
UNION ALL
SELECT
    time, trace_id, span_id, parent_span_id, duration, operation, kind, status, status_message,
    trace_state, flags, resource_fp, scope_fp, tenant, team, service, version, runtime, promoted,
    queue_ns, cpu_ns, stolen_ns, http_method, http_route, http_status, url_path, rpc_method,
    db_system, faas_coldstart, string_keys, string_values, ints, doubles, bool_keys, bool_values,
    other, elements, events, event_attributes, links, link_attributes, dropped_attributes,
    dropped_events, dropped_links, open, string_hashes, text_hashes, value_hashes, shown_hashes,
    window, adjusted_count
FROM recent_spans
WHERE window > (SELECT max(window) FROM tier_boundary);

-- once per shard
-- For what was stored before; the server does it in the background.
ALTER TABLE kept_spans MATERIALIZE INDEX IF EXISTS by_value;

-- once per shard
ALTER TABLE recent_spans MATERIALIZE INDEX IF EXISTS by_value;

-- The lengths of texts take less among the texts than in a stream of their own.
ALTER TABLE kept_spans MODIFY SETTING string_serialization_version = 'single_stream';

-- Parts of recent spans are merged once or twice and then dropped: one key of a map is seldom read alone.
ALTER TABLE recent_spans MODIFY SETTING
    string_serialization_version = 'single_stream',
    map_serialization_version = 'basic';
