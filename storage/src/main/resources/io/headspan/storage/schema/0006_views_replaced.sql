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
