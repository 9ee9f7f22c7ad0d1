package io.headspan.query.explain;

/// What a range holds of one operation, or of all. Times are means per invocation.
///
/// @param quantilesNs p50, p95, p99
record OperationSummary(
    String operation,
    long invocations,
    long errors,
    long coldStarts,
    double meanNs,
    double[] quantilesNs,
    double cpuNs,
    double queueNs,
    double stolenNs,
    double throttledNs,
    double blockedNs) {}
