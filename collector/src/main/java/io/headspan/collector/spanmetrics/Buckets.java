package io.headspan.collector.spanmetrics;

import java.util.Arrays;

/// Upper bounds of a histogram's buckets, each twice the one before.
record Buckets(double first, int count) {
  /// The buckets of `traces_spanmetrics_latency`.
  static final Buckets CALLS = new Buckets(0.002, 14);

  /// The buckets of the service graph.
  static final Buckets REQUESTS = new Buckets(0.1, 8);

  /// Number of the bucket for a value, `count` for what is beyond the last bound.
  int of(double value) {
    int bucket = 0;
    double bound = first;
    while (bucket < count && value > bound) {
      bucket++;
      bound *= 2;
    }
    return bucket;
  }

  /// The bounds, and infinity.
  double[] bounds() {
    double[] bounds = new double[count + 1];
    Arrays.setAll(
        bounds, bucket -> bucket == count ? Double.POSITIVE_INFINITY : first * (1L << bucket));
    return bounds;
  }
}
