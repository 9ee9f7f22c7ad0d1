package io.headspan.query.explain;

import java.util.List;

/// One cause's part in a difference between two ranges, in ns per invocation.
///
/// @param nowNs mean in the range
/// @param baselineNs mean in the baseline
/// @param lowNs lower end of the 95 % interval of the difference
/// @param highNs its upper end
/// @param exemplars traces of the range in which this cause took most
record Component(
    Cause cause,
    double nowNs,
    double baselineNs,
    double lowNs,
    double highNs,
    List<String> exemplars) {
  double addedNs() {
    return nowNs - baselineNs;
  }

  /// Whether the difference is more than chance.
  boolean isSignificant() {
    return lowNs > 0 || highNs < 0;
  }
}
