package io.headspan.storage;

import java.time.Duration;
import java.time.LocalDate;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// Lets go of what has been stored for longer than its tenants want. All tables have a partition
/// per day: one of which everything is to go is dropped, of others rows are deleted. Nothing is
/// remembered, so whoever does it, and however often, the outcome is the same; what refers to spans
/// goes before them, so that an end in between is made up for the next time.
final class Expiry {
  private static final Duration LIMIT = Duration.ofMinutes(30);

  /// What costs are counted from, for as long as somebody may ask for last year's month.
  private static final int ROLLUP_DAYS = 400;

  /// A table whose rows have a tenant.
  ///
  /// @param day of a row, SQL
  private record Table(String name, String day, int atLeastDays) {}

  private static final Table SPANS = new Table("kept_spans", "toDate(time)", 0);
  private static final List<Table> TABLES =
      List.of(
          SPANS,
          new Table("logs", "toDate(time)", 0),
          new Table("metric_points", "toDate(time)", 0),
          new Table("latency_minute", "toDate(minute)", ROLLUP_DAYS),
          new Table("latency_slots", "toDate(slot)", ROLLUP_DAYS));

  /// What is of no tenant, and of no use without what refers to it.
  private static final List<String> SHARED =
      List.of("trace_summary", "ended_open", "resources", "scopes");

  private final StoreClient client;

  Expiry(StoreClient client) {
    this.client = client;
  }

  /// As [SpanStore#expire].
  List<String> run(Retention retention, LocalDate today) {
    List<String> gone = new ArrayList<>();
    if (retention.isForEver()) {
      return gone;
    }
    for (Table table : TABLES) {
      for (LocalDate day : days(table.name())) {
        if (retention.mayBeOver(day, today)) {
          expire(table, day, retention, today, gone);
        }
      }
    }
    Set<LocalDate> needed = new TreeSet<>(days(SPANS.name()));
    needed.addAll(days("logs"));
    needed.addAll(days("metric_points"));
    for (String table : SHARED) {
      for (LocalDate day : days(table)) {
        if (!needed.contains(day) && retention.mayBeOver(day, today)) {
          drop(table, day, gone);
        }
      }
    }
    return gone;
  }

  private void expire(
      Table table, LocalDate day, Retention retention, LocalDate today, List<String> gone) {
    List<String> tenants = tenants(table, day);
    List<String> over =
        tenants.stream()
            .filter(tenant -> retention.isOver(tenant, day, today, table.atLeastDays()))
            .toList();
    if (over.isEmpty()) {
      return;
    }
    if (over.size() == tenants.size()) {
      drop(table.name(), day, gone);
      return;
    }
    if (table.equals(SPANS)) {
      delete(
          "trace_summary",
          day,
          "trace_id NOT IN (SELECT trace_id FROM kept_spans WHERE toDate(time) = '"
              + day
              + "' AND tenant NOT IN "
              + list(over)
              + ")",
          over);
    }
    delete(table.name(), day, "tenant IN " + list(over), over);
    gone.add("table=" + table.name() + ", day=" + day + ", tenants=" + over);
  }

  private void drop(String table, LocalDate day, List<String> gone) {
    client.command(
        "ALTER TABLE "
            + table
            + " DROP PARTITION ID '"
            + day.format(DateTimeFormatter.BASIC_ISO_DATE)
            + "'",
        Map.of());
    gone.add("table=" + table + ", day=" + day);
  }

  private void delete(String table, LocalDate day, String condition, List<String> tenants) {
    SqlQuery query =
        SqlQuery.of("DELETE FROM " + table + " IN PARTITION '" + day + "' WHERE " + condition)
            .timeout(LIMIT);
    for (int i = 0; i < tenants.size(); i++) {
      query = query.bind("tenant" + i, tenants.get(i));
    }
    client.run(query);
  }

  private static String list(List<String> tenants) {
    return IntStream.range(0, tenants.size())
        .mapToObj(i -> "{tenant" + i + ":String}")
        .collect(Collectors.joining(", ", "(", ")"));
  }

  private List<LocalDate> days(String table) {
    return client.rows(
        SqlQuery.of(
                """
                SELECT DISTINCT partition_id FROM system.parts
                WHERE database = currentDatabase() AND table = {table:String} AND active
                ORDER BY partition_id
                """)
            .bind("table", table),
        row -> LocalDate.parse(row.text(0), DateTimeFormatter.BASIC_ISO_DATE));
  }

  private List<String> tenants(Table table, LocalDate day) {
    return client.rows(
        SqlQuery.of(
            "SELECT DISTINCT toString(tenant) FROM %s WHERE %s = '%s'"
                .formatted(table.name(), table.day(), day)),
        row -> row.text(0));
  }
}
