package io.headspan.wire;

import java.util.List;

/// Data points of metrics that came together.
public record MetricBatch(List<Point> points) {
  public MetricBatch {
    points = List.copyOf(points);
  }

  public int size() {
    return points.size();
  }

  /// What a point is a value of.
  ///
  /// @param temporality OTLP's number: 0 unspecified or none, 1 delta, 2 cumulative
  public record Metric(
      SignalOrigin origin,
      String name,
      String unit,
      String description,
      byte temporality,
      boolean monotonic) {
    /// The same metric, sent by something else.
    public Metric withOrigin(SignalOrigin other) {
      return new Metric(other, name, unit, description, temporality, monotonic);
    }
  }

  /// One data point.
  ///
  /// @param startNs since when it counts, 0 if the sender does not say
  /// @param flags 1 = no value was recorded
  public record Point(
      Metric metric,
      long timeNs,
      long startNs,
      int flags,
      List<TypedAttribute> attributes,
      Value value,
      List<Exemplar> exemplars) {
    public Point {
      attributes = List.copyOf(attributes);
      exemplars = List.copyOf(exemplars);
    }

    /// The same point, of something else.
    public Point withMetric(Metric other) {
      return new Point(other, timeNs, startNs, flags, attributes, value, exemplars);
    }
  }

  /// A measurement kept as an example, with the span it was made in (0 if none).
  public record Exemplar(
      long timeNs,
      double value,
      long traceIdHigh,
      long traceIdLow,
      long spanId,
      List<TypedAttribute> attributes) {
    public Exemplar {
      attributes = List.copyOf(attributes);
    }
  }

  /// The value of a point, by the kind of its metric.
  public sealed interface Value {}

  /// A number at a time.
  public record Gauge(Measure measure) implements Value {}

  /// A number that adds up.
  public record Sum(Measure measure) implements Value {}

  /// An integer as sent, or a double.
  ///
  /// @param integer whether `bits` is the integer; else it is the double's bits
  public record Measure(boolean integer, long bits) {
    public double asDouble() {
      return integer ? (double) bits : Double.longBitsToDouble(bits);
    }
  }

  /// What all kinds of distributions say. Absent numbers are NaN.
  ///
  /// @param count unsigned
  public record Totals(long count, double sum, double min, double max) {}

  /// Counts between explicit bounds; one count more than bounds, or none of both.
  public record Histogram(Totals totals, List<Double> bounds, List<Long> counts) implements Value {
    public Histogram {
      bounds = List.copyOf(bounds);
      counts = List.copyOf(counts);
    }
  }

  /// Counts between powers of 2^(2^-scale).
  public record ExponentialHistogram(
      Totals totals,
      int scale,
      long zeroCount,
      double zeroThreshold,
      Buckets positive,
      Buckets negative)
      implements Value {}

  /// Counts of neighbouring buckets.
  ///
  /// @param offset the index of the first
  public record Buckets(int offset, List<Long> counts) {
    public Buckets {
      counts = List.copyOf(counts);
    }
  }

  /// Quantiles that the sender computed.
  public record Summary(Totals totals, List<Double> quantiles, List<Double> values)
      implements Value {
    public Summary {
      quantiles = List.copyOf(quantiles);
      values = List.copyOf(values);
    }
  }
}
