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

-- For what was stored before; the server does it in the background.
ALTER TABLE kept_spans MATERIALIZE INDEX IF EXISTS by_value;

ALTER TABLE recent_spans MATERIALIZE INDEX IF EXISTS by_value;

-- The lengths of texts take less among the texts than in a stream of their own.
ALTER TABLE kept_spans MODIFY SETTING string_serialization_version = 'single_stream';

-- Parts of recent spans are merged once or twice and then dropped: one key of a map is seldom read alone.
ALTER TABLE recent_spans MODIFY SETTING
    string_serialization_version = 'single_stream',
    map_serialization_version = 'basic';
