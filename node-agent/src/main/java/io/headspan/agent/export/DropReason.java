package io.headspan.agent.export;

/// Why spans did not get to the collector.
public enum DropReason {
  /// The queue was full; these were the oldest.
  QUEUE_FULL,
  /// The collector refused the batch for good, or it could not be encoded.
  REJECTED,
  /// The agent ended before the collector acknowledged them.
  CLOSED;

  /// The reason as a metric label.
  public String label() {
    return switch (this) {
      case QUEUE_FULL -> "queue_full";
      case REJECTED -> "rejected";
      case CLOSED -> "closed";
    };
  }
}
