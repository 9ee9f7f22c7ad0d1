package io.headspan.agent.invocation;

/// What the parent of a span rests on.
public enum ParentEvidence {
  /// The caller's end of the same connection was captured: same addresses, same TCP sequence.
  CONNECTION,
  /// One invocation of the calling instance was open when the call left and carried the call's
  /// trace id.
  SAME_TRACE,
  /// One invocation of the calling instance was open at all. The call carried no context; or the
  /// invocation did not, and the call carried one of a trace that was new there.
  ONLY_OPEN,
  /// The thread that wrote the call served that invocation and no other, see [CallOfThread].
  CALLING_THREAD,
  /// The request's own `traceparent`.
  HEADER,
  /// There is none: the span starts a trace.
  NONE;

  /// The evidence as a metric label.
  public String label() {
    return switch (this) {
      case CONNECTION -> "connection";
      case SAME_TRACE -> "same_trace";
      case ONLY_OPEN -> "only_open";
      case CALLING_THREAD -> "calling_thread";
      case HEADER -> "header";
      case NONE -> "none";
    };
  }
}
