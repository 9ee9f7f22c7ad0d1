package io.headspan.agent.http;

/// Whether a request carried a span context.
public enum CarriedContext {
  /// It carried none.
  NONE,
  /// It carried a valid one.
  VALID,
  /// It carried one that its specification, W3C Trace Context or B3, says to treat as if it were
  /// not there: malformed, or in several headers where there may be one.
  INVALID,
  /// The head was cut off before its end and no context stands before the cut.
  UNKNOWN
}
