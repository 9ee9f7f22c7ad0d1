-- What agents tell about their nodes. Every column: docs/storage.md. A replayed report is stored
-- once, as a block with its token; rollups come later and deduplicate by themselves.
CREATE TABLE IF NOT EXISTS node_ledger
(
    time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    agent LowCardinality(String) CODEC(ZSTD(1)),
    boot LowCardinality(String) CODEC(ZSTD(1)),
    host LowCardinality(String) CODEC(ZSTD(1)),
    sequence UInt64 CODEC(Delta, ZSTD(1)),
    tenant LowCardinality(String) CODEC(ZSTD(1)),
    state LowCardinality(String) CODEC(ZSTD(1)),
    reason LowCardinality(String) CODEC(ZSTD(1)),
    spans UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(time)
ORDER BY (agent, boot, tenant, state, reason, time)
TTL toDateTime(time) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS interference_matrix
(
    time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    interval_ns UInt64 CODEC(ZSTD(1)),
    agent LowCardinality(String) CODEC(ZSTD(1)),
    boot LowCardinality(String) CODEC(ZSTD(1)),
    host LowCardinality(String) CODEC(ZSTD(1)),
    sequence UInt64 CODEC(Delta, ZSTD(1)),
    victim LowCardinality(String) CODEC(ZSTD(1)),
    culprit LowCardinality(String) CODEC(ZSTD(1)),
    wait_ns UInt64 CODEC(T64, ZSTD(1)),
    waits UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(time)
ORDER BY (victim, culprit, toStartOfMinute(time), agent, time)
TTL toDateTime(time) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS node_pressure
(
    time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    interval_ns UInt64 CODEC(ZSTD(1)),
    agent LowCardinality(String) CODEC(ZSTD(1)),
    boot LowCardinality(String) CODEC(ZSTD(1)),
    host LowCardinality(String) CODEC(ZSTD(1)),
    sequence UInt64 CODEC(Delta, ZSTD(1)),
    resource LowCardinality(String) CODEC(ZSTD(1)),
    some_ns UInt64 CODEC(T64, ZSTD(1)),
    full_ns UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(time)
ORDER BY (agent, resource, time)
TTL toDateTime(time) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;
