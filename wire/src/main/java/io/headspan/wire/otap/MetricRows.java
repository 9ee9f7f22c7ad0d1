package io.headspan.wire.otap;

import com.google.protobuf.ByteString;
import io.headspan.wire.Attributes;
import io.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;
import io.opentelemetry.proto.common.v1.InstrumentationScope;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayloadType;
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
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Puts the tables of one batch of metrics together (OTAP specification, section 5.3): metrics,
/// then their data points, then the exemplars of those.
final class MetricRows {
  private static final int TRACE_ID_BYTES = 16;

  // Kinds of metrics, as the column metric_type has them (pmetric.MetricType).
  private static final int GAUGE = 1;
  private static final int SUM = 2;
  private static final int HISTOGRAM = 3;
  private static final int EXPONENTIAL_HISTOGRAM = 4;
  private static final int SUMMARY = 5;

  private final long number;
  private final Payloads payloads;
  private long ignored;

  /// @param number different for every batch of the stream
  MetricRows(long number, Payloads payloads) {
    this.number = number;
    this.payloads = payloads;
  }

  long ignored() {
    return ignored;
  }

  ExportMetricsServiceRequest decode() {
    ArrowTable rows = payloads.single(ArrowPayloadType.UNIVARIATE_METRICS);
    if (rows == null) {
      return ExportMetricsServiceRequest.getDefaultInstance();
    }
    OwnedRecords owned = new OwnedRecords(number, payloads, rows);
    Metric.Builder[] metrics = metrics(rows, owned);
    ignored += owned.ignored();
    ExportMetricsServiceRequest.Builder request = ExportMetricsServiceRequest.newBuilder();
    owned.visit(
        new OwnedRecords.Visitor() {
          private ResourceMetrics.@Nullable Builder current;

          @Override
          public void resource(Resource resource, String schemaUrl) {
            current =
                request.addResourceMetricsBuilder().setResource(resource).setSchemaUrl(schemaUrl);
          }

          @Override
          public void scope(InstrumentationScope scope, String schemaUrl, List<Integer> of) {
            if (current == null) {
              throw new IllegalStateException("scope before its resource");
            }
            ScopeMetrics.Builder to =
                current.addScopeMetricsBuilder().setScope(scope).setSchemaUrl(schemaUrl);
            of.forEach(row -> to.addMetrics(metrics[row]));
          }
        });
    return request.build();
  }

  private Metric.Builder[] metrics(ArrowTable rows, OwnedRecords owned) {
    int n = rows.rows();
    OwnerIndex index = OwnedRecords.index(rows);
    Attributes metadata = owned.attributes(ArrowPayloadType.METRIC_ATTRS, index, n);
    long[] kinds = OwnedRecords.numbers(rows.require("metric_type"), n);
    String[] names = owned.texts(rows.require("name"), n);
    String[] descriptions = owned.texts(rows.find("description"), n);
    String[] units = owned.texts(rows.find("unit"), n);
    long[] temporalities = OwnedRecords.numbers(rows.find("aggregation_temporality"), n);
    long[] monotonic = OwnedRecords.numbers(rows.find("is_monotonic"), n);
    Metric.Builder[] metrics = new Metric.Builder[n];
    for (int row = 0; row < n; row++) {
      metrics[row] =
          Metric.newBuilder()
              .setName(names[row])
              .setDescription(descriptions[row])
              .setUnit(units[row]);
      owned.each(metadata, row, metrics[row]::addMetadata);
      int temporality = (int) temporalities[row];
      switch ((int) kinds[row]) {
        case GAUGE -> metrics[row].getGaugeBuilder();
        case SUM ->
            metrics[row]
                .getSumBuilder()
                .setAggregationTemporalityValue(temporality)
                .setIsMonotonic(monotonic[row] != 0);
        case HISTOGRAM ->
            metrics[row].getHistogramBuilder().setAggregationTemporalityValue(temporality);
        case EXPONENTIAL_HISTOGRAM ->
            metrics[row]
                .getExponentialHistogramBuilder()
                .setAggregationTemporalityValue(temporality);
        case SUMMARY -> metrics[row].getSummaryBuilder();
        default -> {} // Without points, or of a kind of the future.
      }
    }
    numbers(owned, index, metrics, kinds);
    histograms(owned, index, metrics, kinds);
    exponentialHistograms(owned, index, metrics, kinds);
    summaries(owned, index, metrics, kinds);
    return metrics;
  }

  private void numbers(
      OwnedRecords owned, OwnerIndex index, Metric.Builder[] metrics, long[] kinds) {
    ArrowTable rows = payloads.single(ArrowPayloadType.NUMBER_DATA_POINTS);
    if (rows == null || rows.rows() == 0) {
      return;
    }
    Points points =
        new Points(
            owned,
            rows,
            ArrowPayloadType.NUMBER_DP_ATTRS,
            ArrowPayloadType.NUMBER_DP_EXEMPLARS,
            ArrowPayloadType.NUMBER_DP_EXEMPLAR_ATTRS);
    Column integers = rows.find("int_value");
    Column doubles = rows.find("double_value");
    long[] integer = OwnedRecords.numbers(integers, rows.rows());
    long[] real = OwnedRecords.numbers(doubles, rows.rows());
    points.forEach(
        index,
        (metric, row) -> {
          NumberDataPoint.Builder point =
              NumberDataPoint.newBuilder()
                  .setTimeUnixNano(points.times[row])
                  .setStartTimeUnixNano(points.starts[row])
                  .setFlags((int) points.flags[row]);
          if (integers != null && !integers.isNull(row)) {
            point.setAsInt(integer[row]);
          } else if (doubles != null && !doubles.isNull(row)) {
            point.setAsDouble(Double.longBitsToDouble(real[row]));
          }
          owned.each(points.attributes, row, point::addAttributes);
          points.exemplars(row, point::addExemplars);
          switch ((int) kinds[metric]) {
            case GAUGE -> metrics[metric].getGaugeBuilder().addDataPoints(point);
            case SUM -> metrics[metric].getSumBuilder().addDataPoints(point);
            default -> ignored++;
          }
        });
  }

  private void histograms(
      OwnedRecords owned, OwnerIndex index, Metric.Builder[] metrics, long[] kinds) {
    ArrowTable rows = payloads.single(ArrowPayloadType.HISTOGRAM_DATA_POINTS);
    if (rows == null || rows.rows() == 0) {
      return;
    }
    Points points =
        new Points(
            owned,
            rows,
            ArrowPayloadType.HISTOGRAM_DP_ATTRS,
            ArrowPayloadType.HISTOGRAM_DP_EXEMPLARS,
            ArrowPayloadType.HISTOGRAM_DP_EXEMPLAR_ATTRS);
    Totals totals = new Totals(rows);
    Lists counts = new Lists(rows.find("bucket_counts"));
    Lists bounds = new Lists(rows.find("explicit_bounds"));
    points.forEach(
        index,
        (metric, row) -> {
          HistogramDataPoint.Builder point =
              HistogramDataPoint.newBuilder()
                  .setTimeUnixNano(points.times[row])
                  .setStartTimeUnixNano(points.starts[row])
                  .setFlags((int) points.flags[row])
                  .setCount(totals.counts[row]);
          totals.sum(row, point::setSum);
          totals.min(row, point::setMin);
          totals.max(row, point::setMax);
          counts.each(row, point::addBucketCounts);
          bounds.each(row, bits -> point.addExplicitBounds(Double.longBitsToDouble(bits)));
          owned.each(points.attributes, row, point::addAttributes);
          points.exemplars(row, point::addExemplars);
          if (kinds[metric] == HISTOGRAM) {
            metrics[metric].getHistogramBuilder().addDataPoints(point);
          } else {
            ignored++;
          }
        });
  }

  private void exponentialHistograms(
      OwnedRecords owned, OwnerIndex index, Metric.Builder[] metrics, long[] kinds) {
    ArrowTable rows = payloads.single(ArrowPayloadType.EXP_HISTOGRAM_DATA_POINTS);
    if (rows == null || rows.rows() == 0) {
      return;
    }
    int n = rows.rows();
    Points points =
        new Points(
            owned,
            rows,
            ArrowPayloadType.EXP_HISTOGRAM_DP_ATTRS,
            ArrowPayloadType.EXP_HISTOGRAM_DP_EXEMPLARS,
            ArrowPayloadType.EXP_HISTOGRAM_DP_EXEMPLAR_ATTRS);
    Totals totals = new Totals(rows);
    long[] scales = OwnedRecords.numbers(rows.find("scale"), n);
    long[] zeros = OwnedRecords.numbers(rows.find("zero_count"), n);
    long[] thresholds = OwnedRecords.numbers(rows.find("zero_threshold"), n);
    Buckets positive = new Buckets(rows, "positive");
    Buckets negative = new Buckets(rows, "negative");
    points.forEach(
        index,
        (metric, row) -> {
          ExponentialHistogramDataPoint.Builder point =
              ExponentialHistogramDataPoint.newBuilder()
                  .setTimeUnixNano(points.times[row])
                  .setStartTimeUnixNano(points.starts[row])
                  .setFlags((int) points.flags[row])
                  .setCount(totals.counts[row])
                  .setScale((int) scales[row])
                  .setZeroCount(zeros[row])
                  .setZeroThreshold(Double.longBitsToDouble(thresholds[row]));
          totals.sum(row, point::setSum);
          totals.min(row, point::setMin);
          totals.max(row, point::setMax);
          positive.of(row, point::setPositive);
          negative.of(row, point::setNegative);
          owned.each(points.attributes, row, point::addAttributes);
          points.exemplars(row, point::addExemplars);
          if (kinds[metric] == EXPONENTIAL_HISTOGRAM) {
            metrics[metric].getExponentialHistogramBuilder().addDataPoints(point);
          } else {
            ignored++;
          }
        });
  }

  private void summaries(
      OwnedRecords owned, OwnerIndex index, Metric.Builder[] metrics, long[] kinds) {
    ArrowTable rows = payloads.single(ArrowPayloadType.SUMMARY_DATA_POINTS);
    if (rows == null || rows.rows() == 0) {
      return;
    }
    Points points = new Points(owned, rows, ArrowPayloadType.SUMMARY_DP_ATTRS, null, null);
    Totals totals = new Totals(rows);
    Column lists = rows.find("quantile");
    List<Column> pair = lists == null ? List.of() : lists.elements().children();
    Lists quantiles = new Lists(lists, child(pair, "quantile"));
    Lists values = new Lists(lists, child(pair, "value"));
    points.forEach(
        index,
        (metric, row) -> {
          SummaryDataPoint.Builder point =
              SummaryDataPoint.newBuilder()
                  .setTimeUnixNano(points.times[row])
                  .setStartTimeUnixNano(points.starts[row])
                  .setFlags((int) points.flags[row])
                  .setCount(totals.counts[row]);
          totals.sum(row, point::setSum);
          List<Double> heights = new ArrayList<>();
          values.each(row, bits -> heights.add(Double.longBitsToDouble(bits)));
          List<Double> marks = new ArrayList<>();
          quantiles.each(row, bits -> marks.add(Double.longBitsToDouble(bits)));
          for (int i = 0; i < Math.max(marks.size(), heights.size()); i++) {
            point.addQuantileValues(
                SummaryDataPoint.ValueAtQuantile.newBuilder()
                    .setQuantile(i < marks.size() ? marks.get(i) : 0)
                    .setValue(i < heights.size() ? heights.get(i) : 0));
          }
          owned.each(points.attributes, row, point::addAttributes);
          if (kinds[metric] == SUMMARY) {
            metrics[metric].getSummaryBuilder().addDataPoints(point);
          } else {
            ignored++;
          }
        });
  }

  private static @Nullable Column child(List<Column> columns, String name) {
    for (Column each : columns) {
      if (each.name().equals(name)) {
        return each;
      }
    }
    return null;
  }

  /// What the points of all kinds have.
  private final class Points {
    private final ArrowTable rows;
    private final long[] times;
    private final long[] starts;
    private final long[] flags;
    private final Attributes attributes;
    private final List<List<Exemplar>> exemplars = new ArrayList<>();

    Points(
        OwnedRecords owned,
        ArrowTable rows,
        ArrowPayloadType attributesType,
        @Nullable ArrowPayloadType exemplarsType,
        @Nullable ArrowPayloadType exemplarAttributesType) {
      this.rows = rows;
      int n = rows.rows();
      times = OwnedRecords.numbers(rows.find("time_unix_nano"), n);
      starts = OwnedRecords.numbers(rows.find("start_time_unix_nano"), n);
      flags = OwnedRecords.numbers(rows.find("flags"), n);
      OwnerIndex index = OwnedRecords.index(rows);
      attributes = owned.attributes(attributesType, index, n);
      if (exemplarsType != null && exemplarAttributesType != null) {
        ArrowTable table = payloads.single(exemplarsType);
        if (table != null && table.rows() > 0) {
          for (int row = 0; row < n; row++) {
            exemplars.add(new ArrayList<>());
          }
          addExemplars(owned, table, exemplarAttributesType, index);
        }
      }
    }

    /// Calls `point` with the metric's row and the point's, for every point of a metric.
    void forEach(OwnerIndex metrics, PointOfMetric point) {
      Column column = rows.require("parent_id");
      long[] parents = OwnedRecords.numbers(column, rows.rows());
      IdColumns.sumParents(column, parents);
      for (int row = 0; row < rows.rows(); row++) {
        int metric = metrics.first(parents[row]);
        if (metric == OwnerIndex.NONE) {
          ignored++;
        } else {
          point.accept(metric, row);
        }
      }
    }

    void exemplars(int row, Consumer<Exemplar> to) {
      if (!exemplars.isEmpty()) {
        exemplars.get(row).forEach(to);
      }
    }

    private void addExemplars(
        OwnedRecords owned, ArrowTable table, ArrowPayloadType attributesType, OwnerIndex points) {
      int n = table.rows();
      Attributes ofExemplars = owned.attributes(attributesType, OwnedRecords.index(table), n);
      long[] at = OwnedRecords.numbers(table.find("time_unix_nano"), n);
      ByteString[] traceIds = OwnedRecords.ids(table.find("trace_id"), TRACE_ID_BYTES, n);
      ByteString[] spanIds = OwnedRecords.ids(table.find("span_id"), Long.BYTES, n);
      Column integers = table.find("int_value");
      Column doubles = table.find("double_value");
      long[] integer = OwnedRecords.numbers(integers, n);
      long[] real = OwnedRecords.numbers(doubles, n);
      Column parent = table.require("parent_id");
      long[] parents = OwnedRecords.numbers(parent, n);
      IdColumns.sumParents(
          parent,
          parents,
          (row, previous) ->
              has(integers, row) == has(integers, previous)
                  && has(doubles, row) == has(doubles, previous)
                  && (has(integers, row) || has(doubles, row))
                  && integer[row] == integer[previous]
                  && Double.longBitsToDouble(real[row]) == Double.longBitsToDouble(real[previous]));
      for (int row = 0; row < n; row++) {
        int point = points.first(parents[row]);
        if (point == OwnerIndex.NONE) {
          ignored++;
          continue;
        }
        Exemplar.Builder exemplar =
            Exemplar.newBuilder()
                .setTimeUnixNano(at[row])
                .setTraceId(traceIds[row])
                .setSpanId(spanIds[row]);
        if (has(integers, row)) {
          exemplar.setAsInt(integer[row]);
        } else if (has(doubles, row)) {
          exemplar.setAsDouble(Double.longBitsToDouble(real[row]));
        }
        owned.each(ofExemplars, row, exemplar::addFilteredAttributes);
        exemplars.get(point).add(exemplar.build());
      }
    }

    private static boolean has(@Nullable Column column, int row) {
      return column != null && !column.isNull(row);
    }
  }

  @FunctionalInterface
  private interface PointOfMetric {
    void accept(int metric, int row);
  }

  @FunctionalInterface
  private interface BitsConsumer {
    void accept(long bits);
  }

  @FunctionalInterface
  private interface DoubleSetter {
    Object set(double value);
  }

  /// The numbers of distributions that may be absent.
  private static final class Totals {
    private final long[] counts;
    private final @Nullable Column sum;
    private final @Nullable Column min;
    private final @Nullable Column max;
    private final long[] one = new long[1];

    Totals(ArrowTable rows) {
      counts = OwnedRecords.numbers(rows.find("count"), rows.rows());
      sum = rows.find("sum");
      min = rows.find("min");
      max = rows.find("max");
    }

    void sum(int row, DoubleSetter to) {
      set(sum, row, to);
    }

    void min(int row, DoubleSetter to) {
      set(min, row, to);
    }

    void max(int row, DoubleSetter to) {
      set(max, row, to);
    }

    private void set(@Nullable Column column, int row, DoubleSetter to) {
      if (column != null && !column.isNull(row)) {
        column.longs(row, row + 1, one);
        var _ = to.set(Double.longBitsToDouble(one[0]));
      }
    }
  }

  /// A column of lists of numbers.
  private static final class Lists {
    private final @Nullable Column lists;
    private final long[] elements;

    Lists(@Nullable Column lists) {
      this(lists, lists == null ? null : lists.elements());
    }

    /// @param elements what the lists hold, or a child of it
    Lists(@Nullable Column lists, @Nullable Column elements) {
      this.lists = elements == null ? null : lists;
      this.elements = OwnedRecords.numbers(elements, elements == null ? 0 : elements.rows());
    }

    void each(int row, BitsConsumer to) {
      if (lists != null) {
        int length = lists.listLength(row);
        int begin = length == 0 ? 0 : lists.listBegin(row);
        for (int i = begin; i < begin + length; i++) {
          to.accept(elements[i]);
        }
      }
    }
  }

  /// One half of an exponential histogram.
  private static final class Buckets {
    private final long[] offsets;
    private final Lists counts;

    Buckets(ArrowTable rows, String name) {
      offsets = OwnedRecords.numbers(rows.find(name, "offset"), rows.rows());
      counts = new Lists(rows.find(name, "bucket_counts"));
    }

    /// Both halves are there even if one is empty, as for the Go consumer.
    void of(int row, Consumer<ExponentialHistogramDataPoint.Buckets> to) {
      ExponentialHistogramDataPoint.Buckets.Builder buckets =
          ExponentialHistogramDataPoint.Buckets.newBuilder().setOffset((int) offsets[row]);
      counts.each(row, buckets::addBucketCounts);
      to.accept(buckets.build());
    }
  }
}
