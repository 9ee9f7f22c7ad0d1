package io.headspan.query.http;

import java.time.Duration;

/// What one query may use.
///
/// @param timeout time in the store
/// @param memoryBytes memory in the store
/// @param traceSpans spans of one trace
public record QueryLimits(Duration timeout, long memoryBytes, int traceSpans) {}
