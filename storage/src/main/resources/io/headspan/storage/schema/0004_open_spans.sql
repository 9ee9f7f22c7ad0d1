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
ENGINE = ReplacingMergeTree
PARTITION BY day
ORDER BY (trace_id, span_id)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

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
