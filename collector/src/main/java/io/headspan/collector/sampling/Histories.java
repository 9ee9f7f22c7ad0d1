package io.headspan.collector.sampling;

import io.headspan.storage.LatencyRange;
import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/// The histories that policies ask for, one statement each, and again when they are out of date.
/// They are by the minute, so nothing is lost by that. Not thread-safe.
final class Histories {
  /// The most names of one history: those with the most invocations.
  private static final int NAMES_MAX = 50_000;

  private static final Duration FRESH = Duration.ofMinutes(1);

  /// What is rare now may be common in a moment.
  private static final Duration COUNTS_FRESH = Duration.ofSeconds(10);

  private record Read(long atMillis, History history) {}

  private final Map<Policy.OfHistory, Read> read = new HashMap<>();

  /// A set of histories that were made by hand.
  static Histories of(Map<Policy.OfHistory, History> histories) {
    Histories set = new Histories();
    histories.forEach((condition, history) -> set.read.put(condition, new Read(0, history)));
    return set;
  }

  /// What is known for a condition; nothing if it was never asked for.
  History of(Policy.OfHistory condition) {
    Read found = read.get(condition);
    return found == null ? History.NONE : found.history;
  }

  /// Reads what is out of date.
  void refresh(SpanStore store, List<Policy.Condition> conditions, long nowMillis) {
    for (Policy.Condition each : conditions) {
      if (each instanceof Policy.OfHistory condition) {
        Duration fresh = condition instanceof Policy.RareOperation ? COUNTS_FRESH : FRESH;
        Read before = read.get(condition);
        if (before == null || nowMillis - before.atMillis >= fresh.toMillis()) {
          read.put(condition, new Read(nowMillis, read(store, condition, nowMillis)));
        }
      }
    }
  }

  private static History read(SpanStore store, Policy.OfHistory condition, long nowMillis) {
    return switch (condition) {
      case Policy.SlowerThanUsual slower ->
          read(
              store,
              query(
                      "operation",
                      "toInt64(quantilesDDMerge(0.01, 0.5, 0.9, 0.95, 0.99)(latency)[{level:UInt8}])",
                      "sum(invocations) >= {least:UInt64}",
                      slower.lookbackMinutes(),
                      nowMillis)
                  .bind(
                      "level", 1 + Policy.SlowerThanUsual.PERCENTILES.indexOf(slower.percentile()))
                  .bind("least", slower.minInvocations()));
      case Policy.RareOperation rare ->
          read(
              store,
              query(
                      "operation",
                      "toInt64(sum(invocations))",
                      "sum(invocations) > {most:UInt64}",
                      rare.lookbackMinutes(),
                      nowMillis)
                  .bind("most", rare.maxInvocations()));
      case Policy.NewVersion version ->
          read(
              store,
              query(
                      "version",
                      "toInt64(toUnixTimestamp(min(first_minute)))",
                      "min(first_minute) < toDateTime({new:Int64}, 'UTC')",
                      version.lookbackMinutes(),
                      nowMillis)
                  .bind(
                      "new",
                      TimeUnit.MILLISECONDS.toSeconds(nowMillis)
                          - TimeUnit.MINUTES.toSeconds(version.minutes())));
    };
  }

  private static SqlQuery query(
      String name, String value, String having, long lookbackMinutes, long nowMillis) {
    String sql =
        """
        SELECT toString(tenant), toString(service), toString(%1$s),
            cityHash64(tenant, service, %1$s), cityHash64(tenant, service), %2$s
        FROM %4$s
        GROUP BY tenant, service, %1$s
        HAVING %3$s
        ORDER BY sum(invocations) DESC
        LIMIT {limit:UInt64}
        """
            .formatted(name, value, having, "%1$s");
    return LatencyRange.of(
            TimeUnit.MILLISECONDS.toNanos(nowMillis) - TimeUnit.MINUTES.toNanos(lookbackMinutes),
            TimeUnit.MILLISECONDS.toNanos(nowMillis))
        .all(sql)
        .bind("limit", NAMES_MAX);
  }

  private static History read(SpanStore store, SqlQuery query) {
    return new History(
        store
            .query(
                query,
                row ->
                    Map.entry(
                        new History.Name(row.text(0), row.text(1), row.text(2)),
                        new History.Known(row.integer(3), row.integer(4), row.integer(5))))
            .stream()
            .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue)));
  }
}
