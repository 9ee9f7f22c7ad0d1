package io.headspan.query.traceql;

import io.headspan.query.traceql.SearchSql.Field;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/// `compare({selection}, topN, start, end)` as SQL: how often each value of each attribute occurs
/// among the selected spans and among the others, to see what the selected ones have in common.
///
/// Each span becomes a row per attribute; these are counted, and of each attribute the most
/// frequent values of either side are kept.
final class ComparisonSql {
  private static final long DEFAULT_TOP = 10;

  /// The intrinsics whose values are counted, beside all attributes of span and resource.
  private static final List<Intrinsic> INTRINSICS =
      List.of(
          Intrinsic.NAME,
          Intrinsic.KIND,
          Intrinsic.STATUS,
          Intrinsic.STATUS_MESSAGE,
          Intrinsic.ROOT_NAME,
          Intrinsic.ROOT_SERVICE_NAME);

  private final Bindings bindings;
  private final TimeGrid grid;

  ComparisonSql(Bindings bindings, TimeGrid grid) {
    this.bindings = bindings;
    this.grid = grid;
  }

  /// A SELECT of the shape that [MetricsSql] describes.
  String series(List<Stage> selection, MetricsExpression.CompareTo compare) {
    long top = compare.limits().isEmpty() ? DEFAULT_TOP : compare.limits().getFirst();
    String counted =
        """
        SELECT chosen, pair.1 AS name, pair.2 AS value, b, sum(w) AS val \
        FROM (SELECT chosen, b, w, arrayJoin(pairs) AS pair FROM (SELECT %s AS chosen, %s AS b, w, pairs \
        FROM (%s))) GROUP BY chosen, name, value, b\
        """
            .formatted(
                chosen(compare),
                MetricsSql.interval(grid, bindings),
                spans(selection, compare.selection()));
    String byValue =
        """
        SELECT chosen, name, value, sum(val) AS total, %s AS vals \
        FROM (%s) GROUP BY chosen, name, value\
        """
            .formatted(vals(), counted);
    String ranked =
        """
        SELECT *, row_number() OVER (PARTITION BY chosen, name ORDER BY total DESC, value) AS place \
        FROM (%s)\
        """
            .formatted(byValue);
    String none =
        "CAST([],'Array(String)') AS xt, CAST([],'Array(Int64)') AS xs,"
            + " CAST([],'Array(Float64)') AS xv";
    // Three kinds of series of one relation, each row in one or two of them: its values if it is
    // among the most frequent, what all values add up to, and that there were more.
    return """
    SELECT kind.1 AS names, kind.2 AS tags, sumForEach(vals) AS vals, %1$s \
    FROM (SELECT vals, arrayJoin(arrayFilter(k->notEmpty(k.1),[\
    if(place<=%2$d,([%3$s,name],[concat('s',side),value]),([],[])),\
    ([%3$s,name],[concat('s',side,'_total'),'snil']),\
    if(place=%4$d,([%3$s,%5$s,name],[concat('s',side),%6$s,'snil']),([],[]))])) AS kind \
    FROM (SELECT *, if(chosen,'selection','baseline') AS side FROM (%7$s))) GROUP BY kind\
    """
        .formatted(
            none,
            top,
            bindings.text("__meta_type"),
            top + 1,
            bindings.text("__meta_error"),
            bindings.text("s__too_many_values__"),
            ranked);
  }

  private String vals() {
    return "arrayResize(groupArrayInsertAt(toFloat64(0),%1$d)(val,toUInt32(b)),%1$d,toFloat64(0))"
        .formatted(grid.count());
  }

  /// Whether a span is selected: by the filter, and by the time range if there is one.
  private String chosen(MetricsExpression.CompareTo compare) {
    StringBuilder chosen = new StringBuilder("picked");
    if (compare.limits().size() > 1) {
      chosen.append(" AND st>=").append(bindings.integer(compare.limits().get(1)));
    }
    if (compare.limits().size() > 2) {
      chosen.append(" AND st<").append(bindings.integer(compare.limits().get(2)));
    }
    return "(" + chosen + ")";
  }

  private String spans(List<Stage> selection, SpansetExpression.Filter filter) {
    SearchSql spans = new SearchSql(selection, List.of(), grid.range(), bindings);
    FieldSql fields = spans.fields();
    List<String> pairs = new ArrayList<>();
    Map<String, String> intrinsics = new LinkedHashMap<>();
    for (Intrinsic intrinsic : INTRINSICS) {
      intrinsics.put(
          intrinsic.text(), fields.tagged(new FieldExpression.Field(filter.at(), intrinsic)));
    }
    pairs.add(
        intrinsics.entrySet().stream()
            .map(one -> "(" + bindings.text(one.getKey()) + "," + one.getValue() + ")")
            .collect(Collectors.joining(",", "[", "]")));
    pairs.add(fields.allAttributes());
    List<Field> columns =
        List.of(
            new Field("picked", fields.condition(filter.condition()), "UInt8"),
            // A span that was kept of many stands for all of them.
            new Field("w", "adjusted_count", "Float64"),
            new Field(
                "pairs",
                "arrayFilter(l->l.2!="
                    + TaggedValue.NOTHING_SQL
                    + ",arrayConcat("
                    + String.join(",", pairs)
                    + "))",
                "Array(Tuple(String,String))"));
    return spans.spans(columns);
  }
}
