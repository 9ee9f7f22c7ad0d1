package io.headspan.storage;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/// What the rollups say of the invocations of a range: the only place that knows from which rows.
/// Whole hours come from rows of an hour, the minutes before and behind them from rows of a minute
/// (`latency_slots`), and what was stored before there were any from `latency_minute`. The outcome
/// is always that of the minutes alone (docs/adr/0019-hours-and-minutes.md).
///
/// A statement reads `FROM` the place that it is given, rows with the columns `slot` (a minute or
/// an hour), `tenant`, `service`, `version`, `operation`, `runtime`, `status`, `invocations`,
/// `duration_sum`, `duration_max`, `latency`, `billed_ms`, `billed_100ms`, `queue_ns`, `cpu_ns`,
/// `stolen_ns`, `cold_starts`, `response_bytes`, `instances` (a state of `uniqMergeMap`, by the
/// minute of the hour), `variance` and `first_minute`.
public final class LatencyRange {
  private static final long MINUTE = TimeUnit.MINUTES.toSeconds(1);
  private static final long HOUR = TimeUnit.HOURS.toSeconds(1);

  /// Of ClickHouse's DateTime, to the minute.
  private static final long LAST = (1L << 32) / MINUTE * MINUTE - MINUTE;

  private static final String COLUMNS =
      """
      tenant, service, version, operation, runtime, status, invocations, duration_sum, \
      duration_max, latency, billed_ms, billed_100ms, queue_ns, cpu_ns, stolen_ns, cold_starts, \
      response_bytes, %s AS instances, variance, %s AS first_minute\
      """;

  private static final String SLOT_COLUMNS = COLUMNS.formatted("instances", "first_minute");
  private static final String MINUTE_COLUMNS =
      COLUMNS.formatted(
          "initializeAggregation('uniqMergeMapState',map(toUInt8(toMinute(minute)),instances))",
          "minute");

  private static final String WHOLE =
      "slot>=toDateTime({whole:UInt32},'UTC') AND slot<toDateTime({behind:UInt32},'UTC')";
  private static final String EDGES =
      """
      (slot>=toDateTime({first:UInt32},'UTC') AND slot<toDateTime({whole:UInt32},'UTC') \
      OR slot>=toDateTime({behind:UInt32},'UTC') AND slot<=toDateTime({last:UInt32},'UTC'))\
      """;

  /// The hours of the range that have to be read by the minute.
  private static final String OLD =
      """
      FROM hours_by_minute WHERE hour>=toStartOfHour(toDateTime({first:UInt32},'UTC')) \
      AND hour<=toDateTime({last:UInt32},'UTC')\
      """;

  /// What both an agent and a function's own SDK count is taken from the one that counted more in
  /// that minute, the agent if they agree within 2 %, or within three standard deviations of what
  /// sampled spans stand for (docs/adr/0009-one-invocation-once.md). `%1$s` is the minute, `%2$s`
  /// which rows.
  private static final String ONCE =
      """
      (tenant,service,%1$s,runtime='') NOT IN (\
      SELECT tenant, service, %1$s, agent*1.02+3*sqrt(spread)>=sdk \
      FROM (SELECT tenant, service, %1$s, \
      sumIf(invocations,runtime!='') AS agent, sumIf(invocations,runtime='') AS sdk, \
      sum(variance) AS spread FROM %2$s GROUP BY tenant, service, %1$s) \
      WHERE agent>0 AND sdk>0)\
      """;

  /// Rows of hours in which both counted: no sum over an hour says which minutes are whose.
  private static final String SHARED =
      """
      (tenant,service,toStartOfHour(slot)) IN (\
      SELECT tenant, service, slot FROM latency_slots \
      WHERE seconds=3600 AND slot>=toStartOfHour(toDateTime({first:UInt32},'UTC')) \
      AND slot<=toDateTime({last:UInt32},'UTC') \
      GROUP BY tenant, service, slot HAVING min(runtime)='' AND max(runtime)!='')\
      """;

  private static final String OLD_MINUTES =
      """
      latency_minute WHERE minute>=toDateTime({first:UInt32},'UTC') \
      AND minute<=toDateTime({last:UInt32},'UTC') \
      AND toStartOfHour(minute) IN (SELECT hour\
      """
          + " "
          + OLD
          + ")";

  /// All rows of the range, if none of its hours is an old one.
  private static final String NEW_ROWS =
      "(SELECT slot, "
          + SLOT_COLUMNS
          + " FROM latency_slots WHERE seconds=3600 AND "
          + WHOLE
          + " OR seconds=60 AND "
          + EDGES
          + ")";

  private static final String ALL_ROWS =
      "(SELECT slot, "
          + SLOT_COLUMNS
          + " FROM latency_slots WHERE (seconds=3600 AND "
          + WHOLE
          + " OR seconds=60 AND "
          + EDGES
          + ") AND toStartOfHour(slot) NOT IN (SELECT hour "
          + OLD
          + ") UNION ALL SELECT minute AS slot, "
          + MINUTE_COLUMNS
          + " FROM "
          + OLD_MINUTES
          + ")";

  private static final String ROWS_ONCE =
      "(SELECT slot, "
          + SLOT_COLUMNS
          + " FROM latency_slots WHERE (seconds=3600 AND "
          + WHOLE
          + " AND NOT "
          + SHARED
          + " OR seconds=60 AND ("
          + EDGES
          + " OR "
          + WHOLE
          + " AND "
          + SHARED
          + ") AND "
          + ONCE.formatted(
              "slot",
              "latency_slots WHERE seconds=60 AND slot>=toDateTime({first:UInt32},'UTC')"
                  + " AND slot<=toDateTime({last:UInt32},'UTC') AND "
                  + SHARED)
          + ") AND toStartOfHour(slot) NOT IN (SELECT hour "
          + OLD
          + ") UNION ALL SELECT minute AS slot, "
          + MINUTE_COLUMNS
          + " FROM "
          + OLD_MINUTES
          + " AND "
          + ONCE.formatted("minute", OLD_MINUTES)
          + ")";

  private final long first;
  private final long last;
  private final long whole;
  private final long behind;

  private LatencyRange(long first, long last) {
    this.first = first;
    this.last = last;
    long begin = Math.ceilDiv(first, HOUR) * HOUR;
    long end = Math.floorDiv(last + MINUTE, HOUR) * HOUR;
    // Without a whole hour everything is before them.
    whole = begin < end ? begin : last + MINUTE;
    behind = begin < end ? end : last + MINUTE;
  }

  /// The minutes from that of `fromNs` to that of `toNs`, both included, in unix ns.
  public static LatencyRange of(long fromNs, long toNs) {
    return new LatencyRange(minute(fromNs), minute(toNs));
  }

  private static long minute(long timeNs) {
    return Math.clamp(Math.floorDiv(timeNs, TimeUnit.MINUTES.toNanos(1)) * MINUTE, 0, LAST);
  }

  /// A statement on all invocations of the range, whoever counted them.
  ///
  /// @param select with `%1$s` where it reads from
  public SqlQuery all(String select) {
    return bound(select.formatted(ALL_ROWS));
  }

  /// A row of an answer that belongs to one function, counted by one side.
  public interface Counted {
    String tenant();

    String service();

    /// Empty if the function's own SDK counted.
    String runtime();

    /// The column `%1$s` of the statement.
    long unsure();
  }

  /// Runs a statement on the invocations of the range, each once, also where an agent and a
  /// function's own SDK count them. Nearly always no function is counted by both, and no hour is an
  /// old one: that is asked first, because a statement that is right without it takes as long
  /// again. What the answer needs to say for it is in the answer, so nothing can come between.
  ///
  /// @param select with `%1$s` as its first column, and `%2$s` where it reads from; it has to group
  ///   by tenant, service and runtime, and may by more
  /// @param ask runs it
  public <T extends Counted> List<T> once(String select, Function<SqlQuery, List<T>> ask) {
    List<T> rows = ask.apply(bound(select.formatted("(SELECT count() " + OLD + ")", NEW_ROWS)));
    return isSure(rows) ? rows : ask.apply(exact(select));
  }

  /// The statement that is right in every case.
  SqlQuery exact(String select) {
    return bound(select.formatted("toUInt64(0)", ROWS_ONCE));
  }

  private record Name(String tenant, String service) {}

  private static boolean isSure(List<? extends Counted> rows) {
    // No rows also say nothing of old hours.
    if (rows.isEmpty() || rows.getFirst().unsure() > 0) {
      return false;
    }
    Map<Name, Set<Boolean>> sides = new HashMap<>();
    return rows.stream()
        .allMatch(row -> {
          Set<Boolean> known =
              sides.computeIfAbsent(new Name(row.tenant(), row.service()), _ -> new HashSet<>());
          known.add(row.runtime().isEmpty());
          return known.size() == 1;
        });
  }

  private SqlQuery bound(String sql) {
    return SqlQuery.of(sql)
        .bind("first", first)
        .bind("last", last)
        .bind("whole", whole)
        .bind("behind", behind);
  }
}
