package io.headspan.query.traceql;

import io.headspan.storage.RowReader;
import io.headspan.storage.SqlQuery;
import java.util.List;
import java.util.stream.Collectors;

/// Queries for the values of a field, for the suggestions of an editor.
public final class TagPlanner {
  private TagPlanner() {}

  /// Names of the attributes of one scope, of whatever type, of spans of `range` that fulfil all of
  /// `conditions`: rows of one text.
  ///
  /// @param scope any but [AttributeScope#ANY]
  /// @throws TraceQlException if a condition cannot be run
  public static SqlQuery names(
      AttributeScope scope, List<FieldExpression> conditions, TimeRange range, int limit) {
    Bindings bindings = new Bindings();
    SpanSource source = new SpanSource(bindings, range);
    String where = where(conditions, FieldSql.ofAnyParents(bindings, source));
    String spans = source.from() + " WHERE " + source.inRange() + where;
    String from =
        switch (scope) {
          case SPAN -> "arrayJoin(" + Columns.spanAttributeNames() + ") AS name FROM " + spans;
          case EVENT -> "arrayJoin(event_attributes.key) AS name FROM " + spans;
          case LINK -> "arrayJoin(link_attributes.key) AS name FROM " + spans;
          case RESOURCE -> side("resources", "resource_fp", source, where, spans);
          case INSTRUMENTATION -> side("scopes", "scope_fp", source, where, spans);
          case ANY -> throw new IllegalArgumentException("not one scope: scope=" + scope);
        };
    return bindings.statement("SELECT DISTINCT " + from + " ORDER BY name LIMIT " + limit);
  }

  /// Without conditions the names are those of the days of the range, which needs no look at spans.
  private static String side(
      String table, String key, SpanSource source, String where, String spans) {
    return "arrayJoin(keys) AS name FROM "
        + table
        + " WHERE "
        + source.onDays()
        + (where.isEmpty() ? "" : " AND fp IN (SELECT " + key + " FROM " + spans + ")");
  }

  /// Suggestions need not be exact: what would need the tree of each trace is left out.
  private static String where(List<FieldExpression> conditions, FieldSql fields) {
    return conditions.stream()
        .map(condition -> " AND " + fields.conditionWithoutTree(condition))
        .collect(Collectors.joining());
  }

  /// Different values of `field` on spans of `range` that fulfil all of `conditions`, for
  /// [#reader()].
  ///
  /// @throws TraceQlException if one of them cannot be run
  public static SqlQuery values(
      FieldExpression field, List<FieldExpression> conditions, TimeRange range, int limit) {
    Bindings bindings = new Bindings();
    SpanSource source = new SpanSource(bindings, range);
    FieldSql fields = FieldSql.ofAnyParents(bindings, source);
    String values = fields.allTagged(field);
    if (fields.usesTree()) {
      throw TraceQlException.unsupported(
          field.at(), "a list of the values of " + FieldText.of(field));
    }
    String where = where(conditions, fields);
    return bindings.statement(
        "SELECT DISTINCT arrayJoin(%s) AS value FROM %s WHERE %s%s ORDER BY value LIMIT %d"
            .formatted(values, source.from(), source.inRange(), where, limit));
  }

  /// Reads the rows of [#values].
  public static RowReader<ResultValue> reader() {
    return row -> TaggedValue.read(row.text(0));
  }
}
