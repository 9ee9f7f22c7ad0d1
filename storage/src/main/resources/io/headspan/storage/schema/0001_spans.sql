-- Spans, and the resources and scopes they name by fingerprint. Why these types, codecs, indexes
-- and this order: docs/adr/0004-spans-clustered-by-trace.md; every column: docs/storage.md.
CREATE TABLE IF NOT EXISTS spans
(
    time DateTime64(9, 'UTC') CODEC(T64, ZSTD(1)),
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id UInt64 CODEC(NONE),
    parent_span_id UInt64 CODEC(ZSTD(1)),
    duration Int64 CODEC(T64, ZSTD(1)),
    operation LowCardinality(String) CODEC(ZSTD(1)),
    kind UInt8 CODEC(ZSTD(1)),
    status UInt8 CODEC(ZSTD(1)),
    status_message String CODEC(ZSTD(1)),
    trace_state LowCardinality(String) CODEC(ZSTD(1)),
    flags UInt32 CODEC(ZSTD(1)),

    resource_fp LowCardinality(UInt64) CODEC(ZSTD(1)),
    scope_fp LowCardinality(UInt64) CODEC(ZSTD(1)),
    tenant LowCardinality(String) CODEC(ZSTD(1)),
    team LowCardinality(String) CODEC(ZSTD(1)),
    service LowCardinality(String) CODEC(ZSTD(1)),
    version LowCardinality(String) CODEC(ZSTD(1)),
    runtime LowCardinality(String) CODEC(ZSTD(1)),

    promoted UInt32 CODEC(ZSTD(1)),
    queue_ns Int64 CODEC(T64, ZSTD(1)),
    cpu_ns Int64 CODEC(T64, ZSTD(1)),
    stolen_ns Int64 CODEC(T64, ZSTD(1)),
    http_method LowCardinality(String) CODEC(ZSTD(1)),
    http_route LowCardinality(String) CODEC(ZSTD(1)),
    http_status UInt16 CODEC(ZSTD(1)),
    url_path String CODEC(ZSTD(1)),
    rpc_method LowCardinality(String) CODEC(ZSTD(1)),
    db_system LowCardinality(String) CODEC(ZSTD(1)),
    faas_coldstart Bool CODEC(ZSTD(1)),

    string_keys Array(LowCardinality(String)) CODEC(ZSTD(1)),
    string_values Array(String) CODEC(ZSTD(1)),
    ints Map(LowCardinality(String), Int64) CODEC(ZSTD(1)),
    doubles Map(LowCardinality(String), Float64) CODEC(ZSTD(1)),
    bool_keys Array(LowCardinality(String)) CODEC(ZSTD(1)),
    bool_values Array(Bool) CODEC(ZSTD(1)),
    other Array(Tuple(key LowCardinality(String), type UInt8, value String)) CODEC(ZSTD(1)),

    events Array(Tuple(
        time DateTime64(9, 'UTC'),
        name LowCardinality(String),
        dropped_attributes UInt32)) CODEC(ZSTD(1)),
    event_attributes Array(Tuple(
        event UInt32,
        key LowCardinality(String),
        type UInt8,
        value String)) CODEC(ZSTD(1)),
    links Array(Tuple(
        trace_id FixedString(16),
        span_id UInt64,
        trace_state String,
        flags UInt32,
        dropped_attributes UInt32)) CODEC(ZSTD(1)),
    link_attributes Array(Tuple(
        link UInt32,
        key LowCardinality(String),
        type UInt8,
        value String)) CODEC(ZSTD(1)),
    dropped_attributes UInt32 CODEC(ZSTD(1)),
    dropped_events UInt32 CODEC(ZSTD(1)),
    dropped_links UInt32 CODEC(ZSTD(1)),

    string_hashes Array(UInt64) ALIAS arrayMap((k, v) -> cityHash64(k, v), string_keys, string_values),

    INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_path url_path TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_string arrayMap((k, v) -> cityHash64(k, v), string_keys, string_values)
        TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(time)
ORDER BY (toStartOfFiveMinutes(time), trace_id, time)
SETTINGS
    index_granularity = 2048,
    ttl_only_drop_parts = 1,
    map_serialization_version = 'with_buckets',
    map_serialization_version_for_zero_level_parts = 'basic',
    max_buckets_in_map = 8,
    map_buckets_min_avg_size = 0,
    map_buckets_strategy = 'constant',
    non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS resources
(
    day Date,
    fp UInt64,
    tenant LowCardinality(String),
    team LowCardinality(String),
    service LowCardinality(String),
    version LowCardinality(String),
    runtime LowCardinality(String),
    instance String,
    keys Array(LowCardinality(String)),
    types Array(UInt8),
    values Array(String),
    schema_url LowCardinality(String),
    dropped_attributes UInt32
)
ENGINE = ReplacingMergeTree
PARTITION BY day
ORDER BY fp
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS scopes
(
    day Date,
    fp UInt64,
    name LowCardinality(String),
    version LowCardinality(String),
    keys Array(LowCardinality(String)),
    types Array(UInt8),
    values Array(String),
    schema_url LowCardinality(String),
    dropped_attributes UInt32
)
ENGINE = ReplacingMergeTree
PARTITION BY day
ORDER BY fp
SETTINGS ttl_only_drop_parts = 1;
