package io.headspan.collector.spanmetrics;

import io.headspan.wire.TraceContext;
import io.prometheus.metrics.model.snapshots.Exemplar;

/// A span that stands for others of its series.
///
/// @param seconds what was measured
/// @param timeMillis when, since 1970
record Exemplary(long traceIdHigh, long traceIdLow, long spanId, double seconds, long timeMillis) {
  Exemplar snapshot() {
    return Exemplar.builder()
        .value(seconds)
        .traceId(TraceContext.hexId(traceIdHigh) + TraceContext.hexId(traceIdLow))
        .spanId(TraceContext.hexId(spanId))
        .timestampMillis(timeMillis)
        .build();
  }
}
