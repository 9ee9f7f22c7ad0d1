package io.headspan.agent.invocation;

/// Why a span that could have had better evidence for its parent went out with the word of its
/// header.
public enum MissingEvidence {
  /// An invocation from this node: the call it came from was not reported in time.
  CALL_NOT_REPORTED,
  /// An invocation from this node: the call it came from carried another context.
  CALL_DIFFERS,
  /// A call: not all invocations that were open when it left were reported in time.
  OPEN_NOT_REPORTED,
  /// A call: it is not known how many invocations were open when it left, or not for sure because
  /// the instance is older than the agent.
  OPEN_NOT_COUNTED,
  /// A call: it was reported so late that invocations which were open when it left may be
  /// forgotten.
  REPORTED_LATE,
  /// A call: invocations were open, none of its trace.
  OTHER_TRACES,
  /// A call: several invocations could have made it.
  AMBIGUOUS,
  /// A call: its head was cut off, so whether it carried a context is not known.
  CONTEXT_CUT_OFF,
  /// Too many exchanges were waiting; this one had waited longest.
  OVERFLOW,
  /// The agent closed while it waited.
  CLOSING;

  /// The reason as a metric label.
  public String label() {
    return switch (this) {
      case CALL_NOT_REPORTED -> "call_not_reported";
      case CALL_DIFFERS -> "call_differs";
      case OPEN_NOT_REPORTED -> "open_not_reported";
      case OPEN_NOT_COUNTED -> "open_not_counted";
      case REPORTED_LATE -> "reported_late";
      case OTHER_TRACES -> "other_traces";
      case AMBIGUOUS -> "ambiguous";
      case CONTEXT_CUT_OFF -> "context_cut_off";
      case OVERFLOW -> "overflow";
      case CLOSING -> "closing";
    };
  }
}
