-- Log records and data points of metrics, as their senders wrote them. Every column: docs/storage.md.
-- A replayed batch is stored once, as a block with its token.
CREATE TABLE IF NOT EXISTS logs
(
    time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    observed DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id UInt64 CODEC(ZSTD(1)),
    flags UInt32 CODEC(ZSTD(1)),
    severity UInt8 CODEC(ZSTD(1)),
    severity_text LowCardinality(String) CODEC(ZSTD(1)),
    event_name LowCardinality(String) CODEC(ZSTD(1)),
    body String CODEC(ZSTD(1)),
    body_type UInt8 CODEC(ZSTD(1)),
    keys Array(LowCardinality(String)) CODEC(ZSTD(1)),
    types Array(UInt8) CODEC(ZSTD(1)),
    values Array(String) CODEC(ZSTD(1)),
    dropped_attributes UInt32 CODEC(ZSTD(1)),
    tenant LowCardinality(String) CODEC(ZSTD(1)),
    team LowCardinality(String) CODEC(ZSTD(1)),
    service LowCardinality(String) CODEC(ZSTD(1)),
    version LowCardinality(String) CODEC(ZSTD(1)),
    runtime LowCardinality(String) CODEC(ZSTD(1)),
    resource_keys Array(LowCardinality(String)) CODEC(ZSTD(1)),
    resource_types Array(UInt8) CODEC(ZSTD(1)),
    resource_values Array(String) CODEC(ZSTD(1)),
    resource_schema_url LowCardinality(String) CODEC(ZSTD(1)),
    scope_name LowCardinality(String) CODEC(ZSTD(1)),
    scope_version LowCardinality(String) CODEC(ZSTD(1)),
    scope_keys Array(LowCardinality(String)) CODEC(ZSTD(1)),
    scope_types Array(UInt8) CODEC(ZSTD(1)),
    scope_values Array(String) CODEC(ZSTD(1)),
    scope_schema_url LowCardinality(String) CODEC(ZSTD(1)),

    INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_word lower(body) TYPE tokenbf_v1(8192, 3, 0) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(time)
ORDER BY (toStartOfFiveMinutes(time), tenant, service, time)
SETTINGS index_granularity = 2048, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS metric_points
(
    time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    start DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    metric LowCardinality(String) CODEC(ZSTD(1)),
    kind UInt8 CODEC(ZSTD(1)),
    unit LowCardinality(String) CODEC(ZSTD(1)),
    description LowCardinality(String) CODEC(ZSTD(1)),
    temporality UInt8 CODEC(ZSTD(1)),
    monotonic Bool CODEC(ZSTD(1)),
    flags UInt32 CODEC(ZSTD(1)),
    keys Array(LowCardinality(String)) CODEC(ZSTD(1)),
    types Array(UInt8) CODEC(ZSTD(1)),
    values Array(String) CODEC(ZSTD(1)),
    value Float64 CODEC(ZSTD(1)),
    integer Int64 CODEC(ZSTD(1)),
    is_integer Bool CODEC(ZSTD(1)),
    count UInt64 CODEC(ZSTD(1)),
    sum Float64 CODEC(ZSTD(1)),
    min Float64 CODEC(ZSTD(1)),
    max Float64 CODEC(ZSTD(1)),
    bounds Array(Float64) CODEC(ZSTD(1)),
    counts Array(UInt64) CODEC(ZSTD(1)),
    quantile_values Array(Float64) CODEC(ZSTD(1)),
    scale Int32 CODEC(ZSTD(1)),
    zero_count UInt64 CODEC(ZSTD(1)),
    zero_threshold Float64 CODEC(ZSTD(1)),
    positive_offset Int32 CODEC(ZSTD(1)),
    negative_offset Int32 CODEC(ZSTD(1)),
    negative_counts Array(UInt64) CODEC(ZSTD(1)),
    exemplar_times Array(DateTime64(9, 'UTC')) CODEC(ZSTD(1)),
    exemplar_values Array(Float64) CODEC(ZSTD(1)),
    exemplar_trace_ids Array(FixedString(16)) CODEC(ZSTD(1)),
    exemplar_span_ids Array(UInt64) CODEC(ZSTD(1)),
    exemplar_attribute_owners Array(UInt32) CODEC(ZSTD(1)),
    exemplar_attribute_keys Array(LowCardinality(String)) CODEC(ZSTD(1)),
    exemplar_attribute_types Array(UInt8) CODEC(ZSTD(1)),
    exemplar_attribute_values Array(String) CODEC(ZSTD(1)),
    tenant LowCardinality(String) CODEC(ZSTD(1)),
    team LowCardinality(String) CODEC(ZSTD(1)),
    service LowCardinality(String) CODEC(ZSTD(1)),
    version LowCardinality(String) CODEC(ZSTD(1)),
    runtime LowCardinality(String) CODEC(ZSTD(1)),
    resource_keys Array(LowCardinality(String)) CODEC(ZSTD(1)),
    resource_types Array(UInt8) CODEC(ZSTD(1)),
    resource_values Array(String) CODEC(ZSTD(1)),
    resource_schema_url LowCardinality(String) CODEC(ZSTD(1)),
    scope_name LowCardinality(String) CODEC(ZSTD(1)),
    scope_version LowCardinality(String) CODEC(ZSTD(1)),
    scope_keys Array(LowCardinality(String)) CODEC(ZSTD(1)),
    scope_types Array(UInt8) CODEC(ZSTD(1)),
    scope_values Array(String) CODEC(ZSTD(1)),
    scope_schema_url LowCardinality(String) CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(time)
ORDER BY (metric, tenant, service, toStartOfFiveMinutes(time), time)
SETTINGS index_granularity = 2048, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;
