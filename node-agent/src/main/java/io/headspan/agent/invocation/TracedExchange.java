package io.headspan.agent.invocation;

import io.headspan.agent.http.RequestHead;
import io.headspan.agent.probe.http.HttpExchange;
import io.headspan.wire.TraceContext;

/// An exchange with its place in a trace, as the [Correlator] found it.
///
/// @param head what its request said
/// @param spanId its own span id, never 0
/// @param traceIdHigh first 8 bytes of the trace id
/// @param traceIdLow last 8 bytes of the trace id
/// @param flags W3C trace flags
/// @param traceState W3C tracestate, "" if there is none
/// @param parentSpanId the parent by evidence; 0 if the span starts its trace
/// @param evidence what the parent rests on
/// @param wasOpen whether it was handed out as open before
public record TracedExchange(
    HttpExchange exchange,
    RequestHead head,
    long spanId,
    long traceIdHigh,
    long traceIdLow,
    byte flags,
    String traceState,
    long parentSpanId,
    ParentEvidence evidence,
    boolean wasOpen) {
  /// The parent that the request's header named; 0 if it named none.
  public long headerParentSpanId() {
    TraceContext context = head.context();
    return context == null ? 0 : context.spanId();
  }
}
