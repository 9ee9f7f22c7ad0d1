package io.headspan.collector.spanmetrics;

import io.prometheus.metrics.model.snapshots.ClassicHistogramBuckets;
import io.prometheus.metrics.model.snapshots.Exemplar;
import io.prometheus.metrics.model.snapshots.Exemplars;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot.HistogramDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Counts of seconds by bucket, where each value stands for some; with an exemplar by bucket. Not
/// thread-safe.
final class WeightedHistogram {
  private final Buckets buckets;
  private final double[] counts;
  private final @Nullable Exemplary[] exemplars;
  private double sum;

  WeightedHistogram(Buckets buckets) {
    this.buckets = buckets;
    counts = new double[buckets.count() + 1];
    exemplars = new Exemplary[counts.length];
  }

  /// @param weight how many it stands for
  void observe(Exemplary exemplary, double weight) {
    int bucket = buckets.of(exemplary.seconds());
    counts[bucket] += weight;
    sum += weight * exemplary.seconds();
    exemplars[bucket] = exemplary;
  }

  double count() {
    return Arrays.stream(counts).sum();
  }

  /// The newest of all.
  @Nullable Exemplar exemplar() {
    Exemplary newest = null;
    for (Exemplary each : exemplars) {
      if (each != null && (newest == null || each.timeMillis() > newest.timeMillis())) {
        newest = each;
      }
    }
    return newest == null ? null : newest.snapshot();
  }

  /// Counts are whole numbers in Prometheus' format: each bucket's is rounded such that its running
  /// total is.
  HistogramDataPointSnapshot snapshot(Labels labels, long sinceMillis) {
    ClassicHistogramBuckets.Builder classic = ClassicHistogramBuckets.builder();
    double[] bounds = buckets.bounds();
    double total = 0;
    long told = 0;
    for (int bucket = 0; bucket < counts.length; bucket++) {
      total += counts[bucket];
      long rounded = Math.round(total);
      classic.bucket(bounds[bucket], rounded - told);
      told = rounded;
    }
    return HistogramDataPointSnapshot.builder()
        .labels(labels)
        .classicHistogramBuckets(classic.build())
        .sum(sum)
        .exemplars(
            Exemplars.of(
                Arrays.stream(exemplars)
                    .filter(Objects::nonNull)
                    .map(Exemplary::snapshot)
                    .toList()))
        .createdTimestampMillis(sinceMillis)
        .build();
  }
}
