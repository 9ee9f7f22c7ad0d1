package io.headspan.storage.embedded;

/// What the engine may use of the machine, given to it when it starts: its own defaults are 90 % of
/// the memory and a mark cache of 5 GB.
///
/// @param memoryBytes the most memory of the process before queries are refused
/// @param markCacheBytes the cache of index marks, which a warm lookup by trace id lives on
/// @param backgroundThreads threads that merge parts
record EngineLimits(long memoryBytes, long markCacheBytes, int backgroundThreads) {}
