package io.headspan.query.tempo;

import java.util.Map;

/// What a list of traces shows of one.
///
/// @param rootService service of the last root span; what Tempo says instead while none came
/// @param rootName name of the last root span; "" while none came
/// @param services spans by service; empty if they were not asked for
record TraceSummary(
    String rootService,
    String rootName,
    long startNs,
    long endNs,
    Map<String, ServiceStats> services) {
  TraceSummary withServices(Map<String, ServiceStats> changed) {
    return new TraceSummary(rootService, rootName, startNs, endNs, changed);
  }

  /// Spans of one service in a trace.
  record ServiceStats(long spans, long errors) {}
}
