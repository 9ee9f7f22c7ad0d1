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
