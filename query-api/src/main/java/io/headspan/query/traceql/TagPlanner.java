package io.headspan.query.traceql;

import io.headspan.storage.RowReader;
import io.headspan.storage.SqlQuery;
import java.util.List;
import java.util.stream.Collectors;

/// Queries for the values of a field, for the suggestions of an editor.
public final class TagPlanner {
  private TagPlanner() {}

  /// Names of the attributes of one scope, of whatever type, of spans of `range`: rows of one text.
  ///
  /// @param scope any but [AttributeScope#ANY]
  public static SqlQuery names(AttributeScope scope, TimeRange range, int limit) {
    Bindings bindings = new Bindings();
    SpanSource source = new SpanSource(bindings, range);
    String from =
        switch (scope) {
          case SPAN -> spans(Columns.spanAttributeNames(), source);
          case EVENT -> spans("event_attributes.key", source);
          case LINK -> spans("link_attributes.key", source);
          case RESOURCE -> "arrayJoin(keys) AS name FROM resources WHERE " + source.onDays();
          case INSTRUMENTATION -> "arrayJoin(keys) AS name FROM scopes WHERE " + source.onDays();
          case ANY -> throw new IllegalArgumentException("not one scope: scope=" + scope);
        };
    return bindings.bind(SqlQuery.of("SELECT DISTINCT " + from + " ORDER BY name LIMIT " + limit));
  }

  private static String spans(String names, SpanSource source) {
    return "arrayJoin(" + names + ") AS name FROM spans WHERE " + source.inRange();
  }

  /// Different values of `field` on spans of `range` that fulfil all of `conditions`, for
  /// [#reader()].
  ///
  /// @throws TraceQlException if one of them cannot be run
  public static SqlQuery values(
      FieldExpression field, List<FieldExpression> conditions, TimeRange range, int limit) {
    Bindings bindings = new Bindings();
    SpanSource source = new SpanSource(bindings, range);
    FieldSql fields = new FieldSql(bindings, source);
    String values = fields.allTagged(field);
    String where =
        conditions.stream()
            .map(condition -> " AND " + fields.condition(condition))
            .collect(Collectors.joining());
    return bindings.bind(
        SqlQuery.of(
            "SELECT DISTINCT arrayJoin(%s) AS value FROM %s WHERE %s%s ORDER BY value LIMIT %d"
                .formatted(values, source.from(), source.inRange(), where, limit)));
  }

  /// Reads the rows of [#values].
  public static RowReader<ResultValue> reader() {
    return row -> TaggedValue.read(row.text(0));
  }
}
