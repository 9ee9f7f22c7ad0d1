package io.headspan.storage;

import io.headspan.wire.LogBatch;
import io.headspan.wire.MetricBatch;
import io.headspan.wire.TypedAttribute;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;

/// Writes log records and data points, a block for each batch. Thread-safe.
final class RecordWriter {
  private static final int LOG_COLUMNS = 14 + RecordBlock.ORIGIN_COLUMNS;
  private static final int POINT_COLUMNS = 36 + RecordBlock.ORIGIN_COLUMNS;

  private static final MetricBatch.Totals NO_TOTALS =
      new MetricBatch.Totals(0, Double.NaN, Double.NaN, Double.NaN);
  private static final MetricBatch.Buckets NO_BUCKETS = new MetricBatch.Buckets(0, List.of());
  private static final MetricBatch.Measure NO_MEASURE =
      new MetricBatch.Measure(false, Double.doubleToRawLongBits(Double.NaN));

  private final StoreClient client;

  RecordWriter(StoreClient client) {
    this.client = client;
  }

  void insert(LogBatch batch, String deduplicationToken) {
    if (batch.size() == 0) {
      return;
    }
    RecordBlock<LogBatch.Entry> block = new RecordBlock<>(batch.entries(), LOG_COLUMNS);
    // A time that the sender does not know is the one at which it saw the record.
    block.times("time", log -> log.timeNs() == 0 ? log.observedNs() : log.timeNs());
    block.times("observed", LogBatch.Entry::observedNs);
    block.traceIds("trace_id", LogBatch.Entry::traceIdHigh, LogBatch.Entry::traceIdLow);
    block.longs("span_id", LogBatch.Entry::spanId);
    block.ints("flags", LogBatch.Entry::flags);
    block.bytes("severity", LogBatch.Entry::severity);
    block.texts("severity_text", LogBatch.Entry::severityText);
    block.texts("event_name", LogBatch.Entry::eventName);
    block.texts("body", log -> log.body().text());
    block.bytes("body_type", log -> log.body().type());
    block.attributes("", LogBatch.Entry::attributes);
    block.ints("dropped_attributes", LogBatch.Entry::droppedAttributes);
    block.origins(LogBatch.Entry::origin);
    insert("logs", block, deduplicationToken);
  }

  void insert(MetricBatch batch, String deduplicationToken) {
    if (batch.size() == 0) {
      return;
    }
    RecordBlock<MetricBatch.Point> block = new RecordBlock<>(batch.points(), POINT_COLUMNS);
    block.times("time", MetricBatch.Point::timeNs);
    block.times("start", MetricBatch.Point::startNs);
    block.texts("metric", point -> point.metric().name());
    block.bytes("kind", point -> kind(point.value()));
    block.texts("unit", point -> point.metric().unit());
    block.texts("description", point -> point.metric().description());
    block.bytes("temporality", point -> point.metric().temporality());
    block.bools("monotonic", point -> point.metric().monotonic() ? 1 : 0);
    block.ints("flags", MetricBatch.Point::flags);
    block.attributes("", MetricBatch.Point::attributes);
    block.doubles("value", point -> measure(point).asDouble());
    block.signedLongs("integer", point -> measure(point).integer() ? measure(point).bits() : 0);
    block.bools("is_integer", point -> measure(point).integer() ? 1 : 0);
    block.longs("count", point -> totals(point).count());
    totals(block, "sum", MetricBatch.Totals::sum);
    totals(block, "min", MetricBatch.Totals::min);
    totals(block, "max", MetricBatch.Totals::max);
    block.doubleLists("bounds", RecordWriter::bounds);
    block.longLists("counts", RecordWriter::counts);
    block.doubleLists("quantile_values", RecordWriter::quantileValues);
    block.signedInts("scale", point -> exponential(point, MetricBatch.ExponentialHistogram::scale));
    block.longs(
        "zero_count",
        point ->
            point.value() instanceof MetricBatch.ExponentialHistogram each ? each.zeroCount() : 0);
    block.doubles(
        "zero_threshold",
        point ->
            point.value() instanceof MetricBatch.ExponentialHistogram each
                ? each.zeroThreshold()
                : 0);
    block.signedInts("positive_offset", point -> positive(point).offset());
    block.signedInts("negative_offset", point -> negative(point).offset());
    block.longLists("negative_counts", point -> negative(point).counts());
    exemplars(block);
    block.origins(point -> point.metric().origin());
    insert("metric_points", block, deduplicationToken);
  }

  /// Lists of one length for each point, and one for the attributes of all its exemplars.
  private static void exemplars(RecordBlock<MetricBatch.Point> block) {
    NativeSink sink = block.sink();
    block.lists(
        "exemplar_times",
        "Array(DateTime64(9, 'UTC'))",
        MetricBatch.Point::exemplars,
        each -> sink.putLong(each.timeNs()));
    block.lists(
        "exemplar_values",
        "Array(Float64)",
        MetricBatch.Point::exemplars,
        each -> sink.putLong(Double.doubleToRawLongBits(each.value())));
    block.lists(
        "exemplar_trace_ids",
        "Array(FixedString(16))",
        MetricBatch.Point::exemplars,
        each -> {
          sink.putBigLong(each.traceIdHigh());
          sink.putBigLong(each.traceIdLow());
        });
    block.lists(
        "exemplar_span_ids",
        "Array(UInt64)",
        MetricBatch.Point::exemplars,
        each -> sink.putLong(each.spanId()));
    Function<MetricBatch.Point, List<OfExemplar>> attributes = RecordWriter::exemplarAttributes;
    block.lists(
        "exemplar_attribute_owners",
        "Array(UInt32)",
        attributes,
        each -> sink.putInt(each.exemplar()));
    block.lists(
        "exemplar_attribute_keys",
        "Array(String)",
        attributes,
        each -> sink.putString(each.attribute().key()));
    block.lists(
        "exemplar_attribute_types",
        "Array(UInt8)",
        attributes,
        each -> sink.putByte(each.attribute().value().type()));
    block.lists(
        "exemplar_attribute_values",
        "Array(String)",
        attributes,
        each -> sink.putString(each.attribute().value().text()));
  }

  private record OfExemplar(int exemplar, TypedAttribute attribute) {}

  private static List<OfExemplar> exemplarAttributes(MetricBatch.Point point) {
    List<OfExemplar> all = new ArrayList<>();
    for (int i = 0; i < point.exemplars().size(); i++) {
      for (TypedAttribute each : point.exemplars().get(i).attributes()) {
        all.add(new OfExemplar(i, each));
      }
    }
    return all;
  }

  private void insert(String table, RecordBlock<?> block, String deduplicationToken) {
    client.insert(
        table,
        block.sink(),
        Map.of(
            "insert_deduplicate",
            "1",
            "insert_deduplication_token",
            deduplicationToken,
            "deduplicate_blocks_in_dependent_materialized_views",
            "1"));
  }

  private static int kind(MetricBatch.Value value) {
    return switch (value) {
      case MetricBatch.Gauge _ -> 1;
      case MetricBatch.Sum _ -> 2;
      case MetricBatch.Histogram _ -> 3;
      case MetricBatch.ExponentialHistogram _ -> 4;
      case MetricBatch.Summary _ -> 5;
    };
  }

  private static MetricBatch.Measure measure(MetricBatch.Point point) {
    return switch (point.value()) {
      case MetricBatch.Gauge(MetricBatch.Measure measure) -> measure;
      case MetricBatch.Sum(MetricBatch.Measure measure) -> measure;
      case MetricBatch.Histogram _, MetricBatch.ExponentialHistogram _, MetricBatch.Summary _ ->
          NO_MEASURE;
    };
  }

  private static MetricBatch.Totals totals(MetricBatch.Point point) {
    return switch (point.value()) {
      case MetricBatch.Gauge _, MetricBatch.Sum _ -> NO_TOTALS;
      case MetricBatch.Histogram each -> each.totals();
      case MetricBatch.ExponentialHistogram each -> each.totals();
      case MetricBatch.Summary each -> each.totals();
    };
  }

  private static void totals(
      RecordBlock<MetricBatch.Point> block,
      String name,
      ToDoubleFunction<MetricBatch.Totals> value) {
    block.doubles(name, point -> value.applyAsDouble(totals(point)));
  }

  private static List<Double> bounds(MetricBatch.Point point) {
    return switch (point.value()) {
      case MetricBatch.Histogram each -> each.bounds();
      case MetricBatch.Summary each -> each.quantiles();
      case MetricBatch.Gauge _, MetricBatch.Sum _, MetricBatch.ExponentialHistogram _ -> List.of();
    };
  }

  private static List<Long> counts(MetricBatch.Point point) {
    return point.value() instanceof MetricBatch.Histogram histogram
        ? histogram.counts()
        : positive(point).counts();
  }

  private static List<Double> quantileValues(MetricBatch.Point point) {
    return point.value() instanceof MetricBatch.Summary summary ? summary.values() : List.of();
  }

  private static int exponential(
      MetricBatch.Point point,
      java.util.function.ToIntFunction<MetricBatch.ExponentialHistogram> value) {
    return point.value() instanceof MetricBatch.ExponentialHistogram histogram
        ? value.applyAsInt(histogram)
        : 0;
  }

  private static MetricBatch.Buckets positive(MetricBatch.Point point) {
    return point.value() instanceof MetricBatch.ExponentialHistogram histogram
        ? histogram.positive()
        : NO_BUCKETS;
  }

  private static MetricBatch.Buckets negative(MetricBatch.Point point) {
    return point.value() instanceof MetricBatch.ExponentialHistogram histogram
        ? histogram.negative()
        : NO_BUCKETS;
  }
}
