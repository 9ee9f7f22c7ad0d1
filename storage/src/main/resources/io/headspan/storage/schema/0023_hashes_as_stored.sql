-- Tenants see pseudonyms in place of others' names, in `string_values` and in `string_hashes` made of it, for which no
-- index is used. What has no such names in it is looked for in `text_hashes`, which is never anything else than stored.
ALTER TABLE kept_spans ADD COLUMN IF NOT EXISTS text_hashes Array(UInt64) ALIAS arrayConcat(
    arrayMap((k, v) -> cityHash64(k, v), string_keys, string_values),
    arrayMap((k, v) -> cityHash64(k, v), elements.key, elements.value));

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
