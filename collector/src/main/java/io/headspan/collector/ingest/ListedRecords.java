package io.headspan.collector.ingest;

import io.headspan.wire.LogBatch;
import io.headspan.wire.MetricBatch;
import io.headspan.wire.SignalOrigin;
import io.headspan.wire.TypedAttribute;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.ToLongFunction;

/// Log records or data points. Lengths are those of texts in characters, which are bytes of all but
/// a few.
///
/// @param <T> the batch
/// @param <R> one of it
public final class ListedRecords<T, R> implements Records<T> {
  private static final int FIXED_BYTES = 64;
  private static final int NUMBER_BYTES = 8;

  private final T batch;
  private final Omission.Kind kind;
  private final List<R> records;
  private final Function<R, List<TypedAttribute>> attributes;
  private final ToLongFunction<R> contentBytes;
  private final Function<List<R>, T> rebuilding;
  private final List<String> tenants = new ArrayList<>();
  private final int[] tenantOf;

  /// Log records.
  public static ListedRecords<LogBatch, LogBatch.Entry> of(LogBatch batch) {
    return new ListedRecords<>(
        batch,
        Omission.Kind.LOG_RECORDS,
        batch.entries(),
        LogBatch.Entry::origin,
        LogBatch.Entry::attributes,
        log -> log.body().text().length(),
        LogBatch::new);
  }

  /// Data points.
  public static ListedRecords<MetricBatch, MetricBatch.Point> of(MetricBatch batch) {
    return new ListedRecords<>(
        batch,
        Omission.Kind.DATA_POINTS,
        batch.points(),
        point -> point.metric().origin(),
        MetricBatch.Point::attributes,
        ListedRecords::contentBytes,
        MetricBatch::new);
  }

  private ListedRecords(
      T batch,
      Omission.Kind kind,
      List<R> records,
      Function<R, SignalOrigin> origin,
      Function<R, List<TypedAttribute>> attributes,
      ToLongFunction<R> contentBytes,
      Function<List<R>, T> rebuilding) {
    this.batch = batch;
    this.kind = kind;
    this.records = records;
    this.attributes = attributes;
    this.contentBytes = contentBytes;
    this.rebuilding = rebuilding;
    tenantOf = new int[records.size()];
    IdentityHashMap<SignalOrigin, Integer> ofOrigin = new IdentityHashMap<>();
    Map<String, Integer> indexes = new HashMap<>();
    for (int i = 0; i < tenantOf.length; i++) {
      tenantOf[i] =
          ofOrigin.computeIfAbsent(
              origin.apply(records.get(i)),
              each ->
                  indexes.computeIfAbsent(
                      each.text(SpanRecords.TENANT),
                      tenant -> {
                        tenants.add(tenant);
                        return tenants.size() - 1;
                      }));
    }
  }

  private static long contentBytes(MetricBatch.Point point) {
    long numbers =
        switch (point.value()) {
          case MetricBatch.Gauge _, MetricBatch.Sum _ -> 1;
          case MetricBatch.Histogram each -> each.bounds().size() + each.counts().size();
          case MetricBatch.ExponentialHistogram each ->
              each.positive().counts().size() + each.negative().counts().size();
          case MetricBatch.Summary each -> each.quantiles().size() + each.values().size();
        };
    return NUMBER_BYTES * numbers + (long) FIXED_BYTES * point.exemplars().size();
  }

  @Override
  public T batch() {
    return batch;
  }

  @Override
  public Omission.Kind kind() {
    return kind;
  }

  @Override
  public int size() {
    return records.size();
  }

  @Override
  public List<String> tenants() {
    return tenants;
  }

  @Override
  public int tenant(int record) {
    return tenantOf[record];
  }

  @Override
  public int attributes(int record) {
    return attributes.apply(records.get(record)).size();
  }

  @Override
  public int longestValueBytes(int record) {
    int longest = 0;
    for (TypedAttribute each : attributes.apply(records.get(record))) {
      longest = Math.max(longest, each.value().text().length());
    }
    return longest;
  }

  @Override
  public long bytes(int record) {
    R one = records.get(record);
    long bytes = FIXED_BYTES + contentBytes.applyAsLong(one);
    for (TypedAttribute each : attributes.apply(one)) {
      bytes += each.key().length() + each.value().text().length();
    }
    return bytes;
  }

  @Override
  public T excerpt(BitSet wanted) {
    return rebuilding.apply(wanted.stream().mapToObj(records::get).toList());
  }
}
