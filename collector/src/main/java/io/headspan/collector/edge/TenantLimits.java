package io.headspan.collector.edge;

import java.time.Duration;

/// What one tenant may send. A limit of 0 is none.
///
/// @param spansPerSecond in the long run
/// @param logRecordsPerSecond in the long run
/// @param dataPointsPerSecond in the long run
/// @param bytesPerSecond in the long run, of all signals together, as they are when decoded
/// @param burst for how long it may have been silent and send what it has saved all at once
/// @param attributes of one span, log record or data point, at most
/// @param valueBytes of one of their values, at most
/// @param recordBytes of one span, log record or data point, at most
record TenantLimits(
    double spansPerSecond,
    double logRecordsPerSecond,
    double dataPointsPerSecond,
    double bytesPerSecond,
    Duration burst,
    int attributes,
    int valueBytes,
    int recordBytes) {
  /// Whatever comes.
  static final TenantLimits NONE = new TenantLimits(0, 0, 0, 0, Duration.ofMinutes(1), 0, 0, 0);

  boolean hasRates() {
    return spansPerSecond > 0
        || logRecordsPerSecond > 0
        || dataPointsPerSecond > 0
        || bytesPerSecond > 0;
  }

  boolean hasSizes() {
    return attributes > 0 || valueBytes > 0 || recordBytes > 0;
  }
}
