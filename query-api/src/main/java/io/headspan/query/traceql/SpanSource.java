package io.headspan.query.traceql;

import io.headspan.query.traceql.Columns.Table;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// The FROM clause of one statement: spans in a time range, joined with what the fields in use need
/// of resources, scopes and traces.
///
/// A condition on one of those tables alone needs no join: [#membership] makes it a set of
/// fingerprints or trace ids, which is smaller and can skip granules.
final class SpanSource {
  /// What stands for the service of a root that never came, as in Tempo.
  static final String NO_ROOT = "<root span not yet received>";

  /// Batches of decisions are numbered by the second, and a thousand within it.
  private static final long NS_PER_BATCH = 1_000_000;

  private final Bindings bindings;
  private final TimeRange range;
  private final Map<String, String> resourceColumns = new LinkedHashMap<>();
  private final Map<String, String> scopeColumns = new LinkedHashMap<>();
  private final Set<Table> joined = EnumSet.noneOf(Table.class);
  private final List<String> parentColumns = new ArrayList<>();
  private boolean decided;
  private @Nullable SpanSource parent;

  SpanSource(Bindings bindings, TimeRange range) {
    this.bindings = bindings;
    this.range = range;
  }

  /// The condition that spans lie in the time range, by which the primary key prunes, and are no
  /// open versions of others; `identity` keeps the index of trace ids from being read, of which
  /// that excludes nothing.
  String inRange() {
    return "time>="
        + bindings.time(range.fromNs())
        + " AND time<="
        + bindings.time(range.toNs())
        + " AND NOT (open AND (identity(trace_id),span_id) IN (SELECT trace_id, span_id FROM ended_open WHERE "
        + onDays()
        + "))";
  }

  /// The FROM clause without its keyword. Ask after everything else has been compiled.
  String from() {
    StringBuilder sql = new StringBuilder("spans");
    if (joined.contains(Table.RESOURCE)) {
      sql.append(sideJoin("resources", "resource", "resource_fp", resourceColumns, onDays()));
    }
    if (joined.contains(Table.SCOPE)) {
      sql.append(sideJoin("scopes", "scope", "scope_fp", scopeColumns, onDays()));
    }
    if (joined.contains(Table.TRACE)) {
      sql.append(
              " LEFT ANY JOIN (SELECT trace_id AS trace_key, root_name, root_service, trace_duration")
          .append(" FROM (")
          .append(traces())
          .append(")) AS trace ON spans.trace_id=trace.trace_key");
    }
    if (decided) {
      sql.append(decisions());
    }
    if (parent != null) {
      sql.append(parentJoin(parent));
    }
    return sql.toString();
  }

  private String parentJoin(SpanSource source) {
    String columns =
        IntStream.range(0, parentColumns.size())
            .mapToObj(i -> ", " + parentColumns.get(i) + " AS parent_value" + i)
            .collect(Collectors.joining());
    return """
     LEFT ANY JOIN (SELECT trace_id AS parent_trace, span_id AS parent_id%s FROM %s WHERE %s) \
    AS parent ON spans.trace_id=parent.parent_trace AND spans.parent_span_id=parent.parent_id\
    """
        .formatted(columns, source.from(), source.inRange());
  }

  /// A condition on spans: that the parent, wherever it lies in the time range, fulfils what
  /// `condition` makes over its rows. It needs no join, only the set of such parents.
  String parentMembership(Function<SpanSource, String> condition) {
    SpanSource source = new SpanSource(bindings, range);
    String fulfilled = condition.apply(source);
    return "(trace_id,parent_span_id) IN (SELECT trace_id, span_id FROM "
        + source.from()
        + " WHERE "
        + source.inRange()
        + " AND "
        + fulfilled
        + ")";
  }

  /// The rows that a span's parent is looked for in, where its values are needed on the span's row.
  SpanSource parent() {
    if (parent == null) {
      parent = new SpanSource(bindings, range);
    }
    return parent;
  }

  /// What an expression over [#parent()] is of a span's parent; its type's default if it has none.
  String ofParent(String expression) {
    parent();
    int known = parentColumns.indexOf(expression);
    if (known < 0) {
      parentColumns.add(expression);
      known = parentColumns.size() - 1;
    }
    return "parent_value" + known;
  }

  private static String sideJoin(
      String table, String alias, String key, Map<String, String> columns, String where) {
    String selected =
        columns.entrySet().stream()
            .map(column -> column.getValue() + " AS " + column.getKey())
            .collect(Collectors.joining(", "));
    return " LEFT ANY JOIN (SELECT fp AS "
        + alias
        + "_key, "
        + selected
        + " FROM "
        + table
        + " WHERE "
        + where
        + ") AS "
        + alias
        + " ON spans."
        + key
        + "="
        + alias
        + "."
        + alias
        + "_key";
  }

  /// A condition on spans: that the row of `table` they name fulfils `condition`.
  String membership(Table table, String condition) {
    return switch (table) {
      case RESOURCE -> setOf("resource_fp", "resources", condition);
      case SCOPE -> setOf("scope_fp", "scopes", condition);
      case TRACE -> "trace_id IN (SELECT trace_id FROM (" + traces() + ") WHERE " + condition + ")";
      case SPAN -> condition;
    };
  }

  private String setOf(String key, String table, String condition) {
    return key + " IN (SELECT fp FROM " + table + " WHERE " + onDays() + " AND " + condition + ")";
  }

  /// A side table's column on the rows of spans.
  String joinedColumn(Table table, String expression) {
    joined.add(table);
    Map<String, String> columns =
        switch (table) {
          case RESOURCE -> resourceColumns;
          case SCOPE -> scopeColumns;
          case SPAN, TRACE -> throw new IllegalArgumentException("no side table: table=" + table);
        };
    for (Map.Entry<String, String> column : columns.entrySet()) {
      if (column.getValue().equals(expression)) {
        return column.getKey();
      }
    }
    String name = (table == Table.RESOURCE ? "resource_" : "scope_") + "value" + columns.size();
    columns.put(name, expression);
    return name;
  }

  /// Makes the columns of traces usable on the rows of spans.
  void joinTraces() {
    joined.add(Table.TRACE);
  }

  /// Makes the policies that kept a span's trace usable on the rows of spans.
  void joinDecisions() {
    decided = true;
  }

  /// The newest decision that kept a trace. A trace is decided after it has begun.
  private String decisions() {
    return """
     LEFT ANY JOIN (SELECT trace_id AS decided_trace, \
    CAST(argMax(policies,batch),'Array(String)') AS sampling_policies FROM decisions \
    WHERE kept AND batch>=toUInt64(%d) GROUP BY trace_id) AS decision \
    ON spans.trace_id=decision.decided_trace\
    """
        .formatted(Math.max(0, range.fromNs() / NS_PER_BATCH));
  }

  /// Resources and scopes are kept per day of their spans.
  String onDays() {
    return "day>=toDate("
        + bindings.time(range.fromNs())
        + ") AND day<=toDate("
        + bindings.time(range.toNs())
        + ")";
  }

  /// A trace's summary lies under the days of all its spans, of which some may be out of range.
  private String traces() {
    String days =
        "day>=toDate("
            + bindings.time(range.fromNs())
            + ")-1 AND day<=toDate("
            + bindings.time(range.toNs())
            + ")+1";
    return """
    SELECT trace_id, max(root) AS r, if(r.found=1,toString(r.operation),'') AS root_name, \
    if(r.found=1,toString(r.service),'%s') AS root_service, \
    toUnixTimestamp64Nano(max(end))-toUnixTimestamp64Nano(min(start)) AS trace_duration \
    FROM trace_summary WHERE %s GROUP BY trace_id\
    """
        .formatted(NO_ROOT, days);
  }
}
