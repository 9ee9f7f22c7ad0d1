package io.headspan.query.explain;

import java.util.List;

/// What a range holds of a function's invocations, all of them.
///
/// @param measured how many have a time account
/// @param quantilesNs by [#LEVELS]
/// @param versions most frequent first
/// @param spans that tell of them
/// @param worth of how many invocations, each told of by a span, one would learn as much
/// @param isWeighted whether some span stands for several
record Summary(
    long invocations,
    long errors,
    long coldStarts,
    long measured,
    double meanNs,
    double[] quantilesNs,
    List<VersionCount> versions,
    long spans,
    double worth,
    boolean isWeighted) {
  static final String LEVELS = "0.5,0.95,0.985,0.99,0.995";
  static final Summary NONE = new Summary(0, 0, 0, 0, 0, new double[5], List.of(), 0, 0, false);

  private static final int P50 = 0;
  private static final int P95 = 1;
  private static final int BAND_FROM = 2;
  private static final int P99 = 3;
  private static final int BAND_TO = 4;

  record VersionCount(String version, long invocations) {}

  Summary withVersions(List<VersionCount> counted) {
    return new Summary(
        invocations,
        errors,
        coldStarts,
        measured,
        meanNs,
        quantilesNs,
        counted,
        spans,
        worth,
        isWeighted);
  }

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
