-- A span that a sampler before us let through stands for several, as `th` in its tracestate says
-- (OTEP 235). It does so from the moment it is stored, not only once it is copied.
ALTER TABLE recent_spans
    MODIFY COLUMN IF EXISTS adjusted_count Float64 ALIAS
    72057594037927936 / (72057594037927936 - reinterpretAsUInt64(reverse(unhex(rightPad(
        extract(trace_state, '(?:^|,)[ \\t]*ot=(?:[^,;]*;)*th:([0-9a-f]{1,14})[ \\t]*(?:[,;]|$)'), 14, '0')))));

ALTER TABLE kept_spans
    MODIFY COLUMN IF EXISTS adjusted_count Float64 DEFAULT
    72057594037927936 / (72057594037927936 - reinterpretAsUInt64(reverse(unhex(rightPad(
        extract(trace_state, '(?:^|,)[ \\t]*ot=(?:[^,;]*;)*th:([0-9a-f]{1,14})[ \\t]*(?:[,;]|$)'), 14, '0')))));

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
