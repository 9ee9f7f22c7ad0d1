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
ENGINE = AggregatingMergeTree
PARTITION BY toDate(slot)
ORDER BY (seconds, slot, tenant, service, operation, version, runtime, status)
SETTINGS index_granularity = 512, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

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
ENGINE = ReplacingMergeTree
ORDER BY hour;

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
