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
