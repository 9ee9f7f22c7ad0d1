-- What is recent is dropped before larger parts of it would pay. To merge those again, of half a minute each at 50,000
-- spans/s, took half a core.
ALTER TABLE recent_spans MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 67108864;

-- Parts of a window that hold nothing of the seconds that the sampler looks at.
ALTER TABLE recent_spans ADD INDEX IF NOT EXISTS by_time time TYPE minmax GRANULARITY 1;
