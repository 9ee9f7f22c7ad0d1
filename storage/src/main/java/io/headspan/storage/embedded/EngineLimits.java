package io.headspan.storage.embedded;

import java.nio.file.Path;
import java.util.Optional;

/// What the engine may use of the machine, given to it when it starts: its own defaults are 90 % of
/// the memory and a mark cache of 5 GB.
///
/// @param memoryBytes the most memory of the process before queries are refused
/// @param markCacheBytes the cache of index marks, which a warm lookup by trace id lives on
/// @param backgroundThreads threads that merge parts
/// @param config more settings, in ClickHouse's own XML
record EngineLimits(
    long memoryBytes, long markCacheBytes, int backgroundThreads, Optional<Path> config) {}
