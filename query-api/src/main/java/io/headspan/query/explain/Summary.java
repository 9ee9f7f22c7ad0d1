package io.headspan.query.explain;

import java.util.List;

/// What a range holds of a function's invocations, all of them.
///
/// @param measured how many have a time account
/// @param quantilesNs by [#LEVELS]
/// @param versions most frequent first
record Summary(
    long invocations,
    long errors,
    long coldStarts,
    long measured,
    double meanNs,
    double[] quantilesNs,
    List<VersionCount> versions) {
  static final String LEVELS = "0.5,0.95,0.985,0.99,0.995";
  private static final int P50 = 0;
  private static final int P95 = 1;
  private static final int BAND_FROM = 2;
  private static final int P99 = 3;
  private static final int BAND_TO = 4;

  record VersionCount(String version, long invocations) {}

  double p50Ns() {
    return quantilesNs[P50];
  }

  double p95Ns() {
    return quantilesNs[P95];
  }

  double p99Ns() {
    return quantilesNs[P99];
  }

  /// Where the band around the 99th percentile begins.
  long bandFromNs() {
    return (long) quantilesNs[BAND_FROM];
  }

  long bandToNs() {
    return (long) quantilesNs[BAND_TO];
  }

  long count(String version) {
    return versions.stream()
        .filter(each -> each.version().equals(version))
        .mapToLong(VersionCount::invocations)
        .sum();
  }

  double errorRate() {
    return invocations == 0 ? 0 : (double) errors / invocations;
  }
}
