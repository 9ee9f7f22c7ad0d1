package io.headspan.collector.ingest;

/// Spans, log records or data points of one tenant that are left out of a batch that is stored.
///
/// @param sender name of the token that they came with; "" for none
/// @param tenant whose they are, as far as that is known for sure; "" for nobody's
/// @param count how many
public record Omission(String sender, String tenant, Kind kind, Rejection reason, int count) {
  /// What is left out.
  public enum Kind {
    SPANS("traces"),
    LOG_RECORDS(RecordSignal.LOGS.label()),
    DATA_POINTS(RecordSignal.METRICS.label());

    private final String signal;

    Kind(String signal) {
      this.signal = signal;
    }

    /// The signal they are of, as it is stored.
    public String signal() {
      return signal;
    }
  }
}
