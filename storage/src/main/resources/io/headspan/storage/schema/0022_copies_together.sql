-- Batches of decisions whose traces are copied to `kept_spans` together: a batch is in one copy. Numbers go up one by
-- one, so of two samplers that put different batches together under the next number one is first. Nothing is ever
-- deleted here, or numbers, which are tokens, would begin anew.
CREATE TABLE IF NOT EXISTS tier_copies
(
    number UInt64 CODEC(Delta, ZSTD(1)),
    batch UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY intDiv(number, 100000)
ORDER BY (number, batch)
SETTINGS non_replicated_deduplication_window = 10000;
