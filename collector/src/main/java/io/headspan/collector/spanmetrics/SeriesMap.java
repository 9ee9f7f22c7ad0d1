package io.headspan.collector.spanmetrics;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/// Series by their labels: no more than a limit, and none that nothing came to for a while. Not
/// thread-safe.
final class SeriesMap<K, V> {
  /// For how long a series stays without anything new.
  static final Duration STALE = Duration.ofMinutes(15);

  private final int limit;
  private final Supplier<V> create;

  private final Map<K, Series<V>> series = new LinkedHashMap<>();

  private long refused;

  private static final class Series<V> {
    private final V value;
    private final long sinceMillis;
    private long lastMillis;

    Series(V value, long sinceMillis) {
      this.value = value;
      this.sinceMillis = sinceMillis;
    }
  }

  /// Takes a series, its labels, and since when it is there.
  interface Visitor<K, V> {
    void visit(K labels, V value, long sinceMillis);
  }

  SeriesMap(int limit, Supplier<V> create) {
    this.limit = limit;
    this.create = create;
  }

  /// The series of `labels`; empty, and counted, if it would be one too many.
  Optional<V> at(K labels, long nowMillis) {
    Series<V> found = series.get(labels);
    if (found == null) {
      if (series.size() >= limit) {
        refused++;
        return Optional.empty();
      }
      found = new Series<>(create.get(), nowMillis);
      series.put(labels, found);
    }
    found.lastMillis = nowMillis;
    return Optional.of(found.value);
  }

  /// How often there was no room for a series.
  long refused() {
    return refused;
  }

  /// Forgets what is stale and goes through the rest.
  void forEach(long nowMillis, Visitor<K, V> visitor) {
    series.values().removeIf(each -> nowMillis - each.lastMillis > STALE.toMillis());
    for (Map.Entry<K, Series<V>> entry : series.entrySet()) {
      Series<V> found = entry.getValue();
      visitor.visit(entry.getKey(), found.value, found.sinceMillis);
    }
  }
}
