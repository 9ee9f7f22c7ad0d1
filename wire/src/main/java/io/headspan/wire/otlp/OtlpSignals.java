package io.headspan.wire.otlp;

import com.google.protobuf.ByteString;
import io.headspan.wire.LogBatch;
import io.headspan.wire.MetricBatch;
import io.headspan.wire.SignalOrigin;
import io.headspan.wire.TypedAttribute;
import io.headspan.wire.TypedValue;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest;
import io.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;
import io.opentelemetry.proto.common.v1.InstrumentationScope;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.logs.v1.LogRecord;
import io.opentelemetry.proto.logs.v1.ResourceLogs;
import io.opentelemetry.proto.logs.v1.ScopeLogs;
import io.opentelemetry.proto.metrics.v1.Exemplar;
import io.opentelemetry.proto.metrics.v1.ExponentialHistogramDataPoint;
import io.opentelemetry.proto.metrics.v1.HistogramDataPoint;
import io.opentelemetry.proto.metrics.v1.Metric;
import io.opentelemetry.proto.metrics.v1.NumberDataPoint;
import io.opentelemetry.proto.metrics.v1.ResourceMetrics;
import io.opentelemetry.proto.metrics.v1.ScopeMetrics;
import io.opentelemetry.proto.metrics.v1.SummaryDataPoint;
import io.opentelemetry.proto.resource.v1.Resource;
import java.util.ArrayList;
import java.util.List;

/// OTLP's logs and metrics as batches. Ids of traces and spans that have not the right length count
/// as none, as OTLP asks of receivers of logs.
public final class OtlpSignals {
  private static final int TRACE_ID_BYTES = 16;
  private static final int SPAN_ID_BYTES = 8;

  private OtlpSignals() {}

  /// The log records of a request, in its order.
  ///
  /// @throws io.headspan.wire.WireException if a value is nested too deeply
  public static LogBatch decode(ExportLogsServiceRequest request) {
    List<LogBatch.Entry> entries = new ArrayList<>();
    for (ResourceLogs resource : request.getResourceLogsList()) {
      List<TypedAttribute> attributes = attributes(resource.getResource());
      for (ScopeLogs scope : resource.getScopeLogsList()) {
        SignalOrigin origin =
            origin(attributes, resource.getSchemaUrl(), scope.getScope(), scope.getSchemaUrl());
        for (LogRecord log : scope.getLogRecordsList()) {
          entries.add(entry(origin, log));
        }
      }
    }
    return new LogBatch(entries);
  }

  /// The data points of a request, in its order.
  ///
  /// @throws io.headspan.wire.WireException if a value is nested too deeply
  public static MetricBatch decode(ExportMetricsServiceRequest request) {
    List<MetricBatch.Point> points = new ArrayList<>();
    for (ResourceMetrics resource : request.getResourceMetricsList()) {
      List<TypedAttribute> attributes = attributes(resource.getResource());
      for (ScopeMetrics scope : resource.getScopeMetricsList()) {
        SignalOrigin origin =
            origin(attributes, resource.getSchemaUrl(), scope.getScope(), scope.getSchemaUrl());
        for (Metric metric : scope.getMetricsList()) {
          points(origin, metric, points);
        }
      }
    }
    return new MetricBatch(points);
  }

  private static LogBatch.Entry entry(SignalOrigin origin, LogRecord log) {
    return new LogBatch.Entry(
        origin,
        log.getTimeUnixNano(),
        log.getObservedTimeUnixNano(),
        id(log.getTraceId(), TRACE_ID_BYTES, 0),
        id(log.getTraceId(), TRACE_ID_BYTES, Long.BYTES),
        id(log.getSpanId(), SPAN_ID_BYTES, 0),
        log.getFlags(),
        small(log.getSeverityNumberValue()),
        log.getSeverityText(),
        log.getEventName(),
        OtlpValues.typed(log.getBody()),
        attributes(log.getAttributesList()),
        log.getDroppedAttributesCount());
  }

  private static void points(SignalOrigin origin, Metric metric, List<MetricBatch.Point> to) {
    switch (metric.getDataCase()) {
      case GAUGE -> {
        MetricBatch.Metric of = of(origin, metric, 0, false);
        for (NumberDataPoint point : metric.getGauge().getDataPointsList()) {
          to.add(number(of, point, new MetricBatch.Gauge(number(point))));
        }
      }
      case SUM -> {
        MetricBatch.Metric of =
            of(
                origin,
                metric,
                metric.getSum().getAggregationTemporalityValue(),
                metric.getSum().getIsMonotonic());
        for (NumberDataPoint point : metric.getSum().getDataPointsList()) {
          to.add(number(of, point, new MetricBatch.Sum(number(point))));
        }
      }
      case HISTOGRAM -> {
        MetricBatch.Metric of =
            of(origin, metric, metric.getHistogram().getAggregationTemporalityValue(), false);
        for (HistogramDataPoint point : metric.getHistogram().getDataPointsList()) {
          to.add(histogram(of, point));
        }
      }
      case EXPONENTIAL_HISTOGRAM -> {
        MetricBatch.Metric of =
            of(
                origin,
                metric,
                metric.getExponentialHistogram().getAggregationTemporalityValue(),
                false);
        for (ExponentialHistogramDataPoint point :
            metric.getExponentialHistogram().getDataPointsList()) {
          to.add(exponential(of, point));
        }
      }
      case SUMMARY -> {
        MetricBatch.Metric of = of(origin, metric, 0, false);
        for (SummaryDataPoint point : metric.getSummary().getDataPointsList()) {
          to.add(summary(of, point));
        }
      }
      case DATA_NOT_SET -> {} // A metric without points.
    }
  }

  private static MetricBatch.Point number(
      MetricBatch.Metric of, NumberDataPoint point, MetricBatch.Value value) {
    return new MetricBatch.Point(
        of,
        point.getTimeUnixNano(),
        point.getStartTimeUnixNano(),
        point.getFlags(),
        attributes(point.getAttributesList()),
        value,
        exemplars(point.getExemplarsList()));
  }

  private static MetricBatch.Measure number(NumberDataPoint point) {
    return point.hasAsInt()
        ? new MetricBatch.Measure(true, point.getAsInt())
        : new MetricBatch.Measure(false, Double.doubleToRawLongBits(point.getAsDouble()));
  }

  private static MetricBatch.Point histogram(MetricBatch.Metric of, HistogramDataPoint point) {
    return new MetricBatch.Point(
        of,
        point.getTimeUnixNano(),
        point.getStartTimeUnixNano(),
        point.getFlags(),
        attributes(point.getAttributesList()),
        new MetricBatch.Histogram(
            new MetricBatch.Totals(
                point.getCount(),
                point.hasSum() ? point.getSum() : Double.NaN,
                point.hasMin() ? point.getMin() : Double.NaN,
                point.hasMax() ? point.getMax() : Double.NaN),
            point.getExplicitBoundsList(),
            point.getBucketCountsList()),
        exemplars(point.getExemplarsList()));
  }

  private static MetricBatch.Point exponential(
      MetricBatch.Metric of, ExponentialHistogramDataPoint point) {
    return new MetricBatch.Point(
        of,
        point.getTimeUnixNano(),
        point.getStartTimeUnixNano(),
        point.getFlags(),
        attributes(point.getAttributesList()),
        new MetricBatch.ExponentialHistogram(
            new MetricBatch.Totals(
                point.getCount(),
                point.hasSum() ? point.getSum() : Double.NaN,
                point.hasMin() ? point.getMin() : Double.NaN,
                point.hasMax() ? point.getMax() : Double.NaN),
            point.getScale(),
            point.getZeroCount(),
            point.getZeroThreshold(),
            buckets(point.getPositive()),
            buckets(point.getNegative())),
        exemplars(point.getExemplarsList()));
  }

  private static MetricBatch.Buckets buckets(ExponentialHistogramDataPoint.Buckets buckets) {
    return new MetricBatch.Buckets(buckets.getOffset(), buckets.getBucketCountsList());
  }

  private static MetricBatch.Point summary(MetricBatch.Metric of, SummaryDataPoint point) {
    List<Double> quantiles = new ArrayList<>();
    List<Double> values = new ArrayList<>();
    for (SummaryDataPoint.ValueAtQuantile each : point.getQuantileValuesList()) {
      quantiles.add(each.getQuantile());
      values.add(each.getValue());
    }
    return new MetricBatch.Point(
        of,
        point.getTimeUnixNano(),
        point.getStartTimeUnixNano(),
        point.getFlags(),
        attributes(point.getAttributesList()),
        new MetricBatch.Summary(
            new MetricBatch.Totals(point.getCount(), point.getSum(), Double.NaN, Double.NaN),
            quantiles,
            values),
        List.of());
  }

  private static List<MetricBatch.Exemplar> exemplars(List<Exemplar> exemplars) {
    List<MetricBatch.Exemplar> result = new ArrayList<>(exemplars.size());
    for (Exemplar each : exemplars) {
      result.add(
          new MetricBatch.Exemplar(
              each.getTimeUnixNano(),
              each.hasAsInt() ? (double) each.getAsInt() : each.getAsDouble(),
              id(each.getTraceId(), TRACE_ID_BYTES, 0),
              id(each.getTraceId(), TRACE_ID_BYTES, Long.BYTES),
              id(each.getSpanId(), SPAN_ID_BYTES, 0),
              attributes(each.getFilteredAttributesList())));
    }
    return result;
  }

  private static MetricBatch.Metric of(
      SignalOrigin origin, Metric metric, int temporality, boolean monotonic) {
    return new MetricBatch.Metric(
        origin,
        metric.getName(),
        metric.getUnit(),
        metric.getDescription(),
        small(temporality),
        monotonic);
  }

  private static SignalOrigin origin(
      List<TypedAttribute> resource,
      String resourceSchemaUrl,
      InstrumentationScope scope,
      String scopeSchemaUrl) {
    return new SignalOrigin(
        resource,
        resourceSchemaUrl,
        scope.getName(),
        scope.getVersion(),
        attributes(scope.getAttributesList()),
        scopeSchemaUrl);
  }

  private static List<TypedAttribute> attributes(Resource resource) {
    return attributes(resource.getAttributesList());
  }

  private static List<TypedAttribute> attributes(List<KeyValue> attributes) {
    List<TypedAttribute> result = new ArrayList<>(attributes.size());
    for (KeyValue each : attributes) {
      TypedValue value = OtlpValues.typed(each.getValue());
      result.add(new TypedAttribute(each.getKey(), value));
    }
    return result;
  }

  /// Eight bytes of an id; 0 if it has another length than it should.
  private static long id(ByteString id, int length, int skip) {
    // The buffer of a part of a message begins somewhere in the message's bytes.
    return id.size() == length ? id.asReadOnlyByteBuffer().slice().getLong(skip) : 0;
  }

  /// Enumerations are open in protobuf; what no byte holds was never assigned and counts as unset.
  private static byte small(int value) {
    return value >= 0 && value <= Byte.MAX_VALUE ? (byte) value : 0;
  }
}
