package io.headspan.collector.edge;

/// Who a caller is, or why it is not let in.
public sealed interface Verdict {
  /// It may send.
  record Known(Sender sender) implements Verdict {}

  /// It may not.
  ///
  /// @param why what to tell it
  record Refused(Reason reason, String why) implements Verdict {}

  /// Why a caller is not let in.
  enum Reason {
    /// Nobody knows who it is.
    UNAUTHENTICATED("unauthenticated"),
    /// It is known, and may not do this.
    FORBIDDEN("forbidden");

    private final String label;

    Reason(String label) {
      this.label = label;
    }

    /// The value of the metric label `reason`.
    public String label() {
      return label;
    }
  }
}
