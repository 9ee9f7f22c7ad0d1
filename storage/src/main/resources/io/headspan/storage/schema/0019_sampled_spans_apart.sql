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
