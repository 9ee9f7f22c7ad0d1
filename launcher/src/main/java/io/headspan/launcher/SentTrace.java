package io.headspan.launcher;

import io.headspan.wire.TraceContext;
import java.util.List;

/// One request that the demo sent, and the invocations that it must have caused.
///
/// @param context the trace id, and the span id of the demo's own CLIENT span, as its `traceparent`
///   said
/// @param route what was called, for people
/// @param hops the functions that ran, the first called by the demo, each next one by the one
///   before
/// @param startNs when the request left, ns since the Unix epoch
/// @param durationNs until the whole response was read
/// @param status the response's status
record SentTrace(
    TraceContext context, String route, List<Hop> hops, long startNs, long durationNs, int status) {
  SentTrace {
    hops = List.copyOf(hops);
  }

  /// @param tenant as the platform names it
  /// @param function as `service.name`
  /// @param runtime as `headspan.runtime`
  record Hop(String tenant, String function, String runtime) {}
}
