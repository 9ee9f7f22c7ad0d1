-- What collectors left out of batches that they acknowledged: with node_ledger, where every span is.
-- Every column: docs/storage.md.
CREATE TABLE IF NOT EXISTS collector_ledger
(
    time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    collector LowCardinality(String) CODEC(ZSTD(1)),
    sender LowCardinality(String) CODEC(ZSTD(1)),
    tenant LowCardinality(String) CODEC(ZSTD(1)),
    signal LowCardinality(String) CODEC(ZSTD(1)),
    reason LowCardinality(String) CODEC(ZSTD(1)),
    records UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(time)
ORDER BY (tenant, signal, reason, time)
TTL toDateTime(time) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;
