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
ENGINE = AggregatingMergeTree
PARTITION BY toDate(minute)
ORDER BY (tenant, service, minute, operation, version, runtime, status)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

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
ENGINE = AggregatingMergeTree
PARTITION BY day
ORDER BY trace_id
SETTINGS index_granularity = 2048, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

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
