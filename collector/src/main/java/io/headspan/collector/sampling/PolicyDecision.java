package io.headspan.collector.sampling;

/// What one policy says.
public enum PolicyDecision {
  /// It matches, and is for keeping the trace.
  SAMPLED,

  /// It does not match, and leaves the trace to others.
  NOT_SAMPLED,

  /// It is inverted and does not match: it is for keeping the trace unless another leaves it out.
  INVERT_SAMPLED,

  /// It is inverted and matches: the trace is not kept.
  INVERT_NOT_SAMPLED,

  /// The trace is not kept, whatever others say.
  DROPPED;

  static PolicyDecision of(boolean matches) {
    return matches ? SAMPLED : NOT_SAMPLED;
  }

  boolean isSampled() {
    return this == SAMPLED || this == INVERT_SAMPLED;
  }
}
