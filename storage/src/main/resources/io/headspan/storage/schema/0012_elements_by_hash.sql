-- Texts and the elements of arrays are in one bloom filter: a condition on either is one look-up then,
-- and a disjunction of two would use no index.
ALTER TABLE kept_spans
    MODIFY COLUMN IF EXISTS string_hashes Array(UInt64) ALIAS arrayConcat(
        arrayMap((k, v) -> cityHash64(k, v), string_keys, string_values),
        arrayMap((k, v) -> cityHash64(k, v), elements.key, elements.value)),
    DROP INDEX IF EXISTS by_string,
    ADD INDEX IF NOT EXISTS by_text arrayConcat(
        arrayMap((k, v) -> cityHash64(k, v), string_keys, string_values),
        arrayMap((k, v) -> cityHash64(k, v), elements.key, elements.value))
        TYPE bloom_filter(0.01) GRANULARITY 1;

ALTER TABLE recent_spans
    MODIFY COLUMN IF EXISTS string_hashes Array(UInt64) ALIAS arrayConcat(
        arrayMap((k, v) -> cityHash64(k, v), string_keys, string_values),
        arrayMap((k, v) -> cityHash64(k, v), elements.key, elements.value)),
    DROP INDEX IF EXISTS by_string,
    ADD INDEX IF NOT EXISTS by_text arrayConcat(
        arrayMap((k, v) -> cityHash64(k, v), string_keys, string_values),
        arrayMap((k, v) -> cityHash64(k, v), elements.key, elements.value))
        TYPE bloom_filter(0.01) GRANULARITY 1;

-- For what was stored before; the server does it in the background.
ALTER TABLE kept_spans MATERIALIZE INDEX IF EXISTS by_text;

ALTER TABLE recent_spans MATERIALIZE INDEX IF EXISTS by_text;
