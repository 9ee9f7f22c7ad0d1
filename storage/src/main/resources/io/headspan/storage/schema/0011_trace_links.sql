-- Which traces the links of recent spans name, in order of arrival: what the sampler keeps together.
CREATE TABLE IF NOT EXISTS trace_links
(
    window DateTime('UTC') CODEC(Delta, ZSTD(1)),
    arrived DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    trace_id FixedString(16) CODEC(ZSTD(1)),
    linked FixedString(16) CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY window
ORDER BY arrived
SETTINGS index_granularity = 2048, non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS trace_links_view TO trace_links AS
SELECT DISTINCT window, now64(3, 'UTC') AS arrived, trace_id, arrayJoin(tupleElement(links, 'trace_id')) AS linked
FROM recent_spans
WHERE notEmpty(links) AND arrayExists(link -> link.1 != trace_id, links);
