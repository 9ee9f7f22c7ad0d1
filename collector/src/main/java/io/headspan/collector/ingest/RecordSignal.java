package io.headspan.collector.ingest;

/// Signals beside traces whose records are stored as they came.
public enum RecordSignal {
  LOGS("logs"),
  METRICS("metrics");

  private final String label;

  RecordSignal(String label) {
    this.label = label;
  }

  /// The value of the metric label `signal`, and the first part of the signal's tokens.
  public String label() {
    return label;
  }
}
