package io.headspan.query.traceql;

import io.headspan.query.traceql.SearchSql.Field;
import io.headspan.storage.SqlQuery;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// Makes the statement of a metrics query.
///
/// Every expression is a SELECT of one shape, a row per series: `names` and `tags` (tagged values)
/// of its labels, `vals` with a number per interval (NaN where there is none), and of its exemplars
/// `xt` (trace ids), `xs` (times) and `xv` (values). A function over time is a GROUP BY around the
/// spans that [SearchSql] selects; topk, filters and arithmetic are SELECTs around those.
///
/// For one statement and one thread.
final class MetricsSql {
  private static final String COLUMNS = "names, tags, vals, xt, xs, xv";
  private static final String NAME = "__name__";
  private static final String NO_EXEMPLARS =
      "CAST([],'Array(String)') AS xt, CAST([],'Array(Int64)') AS xs,"
          + " CAST([],'Array(Float64)') AS xv";
  private static final int MAX_SQL_BYTES = 4 << 20;

  /// How far quantiles may be from the truth, as a share of it. The sketch keeps that promise for
  /// numbers well above 1 only, so it is given nanoseconds.
  private static final String QUANTILE_PRECISION = "0.005";

  /// How wide the buckets of weighted quantiles are: a value and the least of its bucket differ by
  /// less than this share.
  private static final double BUCKET_WIDTH = 0.005;

  private final Bindings bindings = new Bindings();
  private final TimeGrid grid;
  private final boolean withExemplars;
  private final boolean isSampled;

  /// @param isSampled whether spans may stand for several; if not, quantiles are cheaper
  MetricsSql(TimeGrid grid, boolean withExemplars, boolean isSampled) {
    this.grid = grid;
    this.withExemplars = withExemplars;
    this.isSampled = isSampled;
  }

  /// A statement that gives a row if some span of `range` stands for several.
  static SqlQuery sampling(TimeRange range) {
    Bindings bindings = new Bindings();
    SpanSource spans = new SpanSource(bindings, range);
    return bindings.statement(
        "SELECT 1 FROM %s WHERE %s AND adjusted_count!=1 LIMIT 1"
            .formatted(spans.from(), spans.inRange()));
  }

  /// Whether quantiles are part of `expression`.
  static boolean hasQuantiles(MetricsExpression expression) {
    return switch (expression) {
      case MetricsExpression.OfPipeline(_, Pipeline pipeline) ->
          pipeline.stages().getLast() instanceof MetricsExpression last && hasQuantiles(last);
      case MetricsExpression.OverTime over -> over.function() == MetricsFunction.QUANTILE_OVER_TIME;
      case MetricsExpression.Ranked ranked -> hasQuantiles(ranked.of());
      case MetricsExpression.Keep keep -> hasQuantiles(keep.of());
      case MetricsExpression.Calculate(_, _, var left, var right) ->
          hasQuantiles(left) || hasQuantiles(right);
      case MetricsExpression.Constant _, MetricsExpression.CompareTo _, MetricsExpression.Rank _ ->
          false;
    };
  }

  SqlQuery statement(MetricsExpression expression, int limit) {
    String sql =
        """
        SELECT %1$s FROM (%2$s) WHERE arrayExists(v->isFinite(v),vals) ORDER BY names, tags LIMIT %3$d\
        """
            .formatted(COLUMNS, series(expression), limit);
    return bindings
        .statement(TraceQl.checkedStatement(sql))
        .setting("max_query_size", Integer.toString(MAX_SQL_BYTES));
  }

  private String series(MetricsExpression expression) {
    return switch (expression) {
      case MetricsExpression.OfPipeline(_, Pipeline pipeline) -> leaf(pipeline.stages());
      case MetricsExpression.Ranked ranked -> ranked(ranked);
      case MetricsExpression.Keep keep ->
          mapped(
              series(keep.of()),
              "if(v" + keep.operator().symbol() + bindings.real(keep.bound()) + ",v,nan)");
      case MetricsExpression.Calculate calculate -> calculated(calculate);
      case MetricsExpression.Constant constant ->
          throw TraceQlException.invalid(
              constant.at(), "a number alone makes no series; one operand must be a metrics query");
      case MetricsExpression.OverTime over -> throw unplanned(over);
      case MetricsExpression.CompareTo compare -> throw unplanned(compare);
      case MetricsExpression.Rank rank -> throw unplanned(rank);
    };
  }

  private static IllegalArgumentException unplanned(MetricsExpression stage) {
    return new IllegalArgumentException("not planned: stage=" + stage);
  }

  private String leaf(List<Stage> stages) {
    List<Stage> selection = stages.subList(0, stages.size() - 1);
    return switch (stages.getLast()) {
      case MetricsExpression.OverTime over -> overTime(selection, over);
      case MetricsExpression.CompareTo compare ->
          new ComparisonSql(bindings, grid).series(selection, compare);
      case Stage other -> throw new IllegalArgumentException("not metrics: stage=" + other);
    };
  }

  // Functions over time.

  private String overTime(List<Stage> selection, MetricsExpression.OverTime over) {
    SearchSql spans = new SearchSql(selection, List.of(), grid.range(), bindings);
    List<Field> columns = new ArrayList<>();
    for (int i = 0; i < over.by().size(); i++) {
      columns.add(new Field("m" + i, spans.fields().tagged(over.by().get(i)), "String"));
    }
    List<String> keys = columns.stream().map(Field::name).toList();
    over.field()
        .ifPresent(field ->
            columns.add(new Field("mv", spans.fields().number(field), "Tuple(t UInt8,n Float64)")));
    // A span that was kept of many stands for all of them.
    columns.add(new Field("w", "adjusted_count", "Float64"));
    String rows =
        "SELECT *, %s AS b%s FROM (%s)%s"
            .formatted(
                interval(grid, bindings),
                over.field().isPresent()
                    ? ", if(mv.1=" + ValueType.TIME.code() + ",mv.2/1e9,mv.2) AS num"
                    : "",
                spans.spans(columns),
                over.field().isPresent() ? " WHERE mv.1>0" : "");
    return switch (over.function()) {
      case RATE -> grouped(over, keys, "sum(w)/" + bindings.real(grid.stepNs() / 1e9), "0", rows);
      case COUNT_OVER_TIME -> grouped(over, keys, "sum(w)", "0", rows);
      case MIN_OVER_TIME -> grouped(over, keys, "min(num)", "nan", rows);
      case MAX_OVER_TIME -> grouped(over, keys, "max(num)", "nan", rows);
      case AVG_OVER_TIME -> grouped(over, keys, "sum(num*w)/sum(w)", "nan", rows);
      case SUM_OVER_TIME -> grouped(over, keys, "sum(num*w)", "nan", rows);
      case QUANTILE_OVER_TIME -> quantiles(over, keys, rows);
      case HISTOGRAM_OVER_TIME -> histogram(over, keys, rows);
    };
  }

  /// The index of the interval in which a span starts, from `st`.
  static String interval(TimeGrid grid, Bindings bindings) {
    return "intDiv(st-%s,%s)"
        .formatted(
            bindings.integer(grid.firstEndNs() - grid.stepNs() + 1),
            bindings.integer(grid.stepNs()));
  }

  private String grouped(
      MetricsExpression.OverTime over,
      List<String> keys,
      String aggregate,
      String empty,
      String rows) {
    boolean counts = over.field().isEmpty();
    String values =
        "SELECT %s AS val, %s FROM (%s) GROUP BY %s"
            .formatted(
                aggregate,
                String.join(", ", with(keys, "b", exemplar(counts ? "0." : "num"))),
                rows,
                String.join(", ", with(keys, "b")));
    String name = "[" + bindings.text(NAME) + "]";
    String tag = "[" + bindings.text(ValueType.TEXT.tag() + over.function().text()) + "]";
    return keys.isEmpty()
        ? series(name, tag, values, "", empty, counts)
        : series(
            "labels.1",
            "labels.2",
            withLabels(over, keys, values, ""),
            " GROUP BY labels",
            empty,
            counts);
  }

  private String quantiles(MetricsExpression.OverTime over, List<String> keys, String rows) {
    String levels =
        over.quantiles().stream()
            .map(level -> Double.toString(level))
            .collect(Collectors.joining(","));
    String values =
        """
        SELECT *, pair.1 AS level, pair.2 AS val FROM (SELECT *, \
        arrayJoin(arrayZip(CAST([%1$s],'Array(Float64)'),found)) AS pair FROM (%2$s))\
        """
            .formatted(
                levels, isSampled ? weighted(levels, keys, rows) : sketched(levels, keys, rows));
    return series(
        "labels.1",
        "labels.2",
        withLabels(over, keys, values, real("p", "level")),
        " GROUP BY labels",
        "0",
        false);
  }

  private String sketched(String levels, List<String> keys, String rows) {
    return "SELECT arrayMap(q->q/1e9,quantilesDD(%s,%s)(num*1e9)) AS found, %s FROM (%s) GROUP BY %s"
        .formatted(
            QUANTILE_PRECISION,
            levels,
            String.join(", ", with(keys, "b", exemplar("num"))),
            rows,
            String.join(", ", with(keys, "b")));
  }

  /// Quantiles of what the spans stand for. The store's sketch takes no weights, so this is one of
  /// narrow buckets: of n in all, the least value below which there are more than p(n-1).
  private String weighted(String levels, List<String> keys, String rows) {
    String bucket =
        "(sign(num),if(num=0,0,toInt32(ceil(log(abs(num))/%s))))"
            .formatted(Math.log1p(BUCKET_WIDTH));
    String cells =
        "SELECT min(num) AS least, sum(w) AS ws, %s FROM (%s) WHERE w>0 GROUP BY %s"
            .formatted(
                String.join(", ", with(keys, "b", exemplar("num"))),
                rows,
                String.join(", ", with(keys, "b", bucket)));
    return """
    SELECT arrayMap(p->cells[arrayFirstIndex(s->s>p*(sums[-1]-1),sums)].1,\
    CAST([%1$s],'Array(Float64)')) AS found, %2$s FROM (\
    SELECT arraySort(groupArray((least,ws))) AS cells, arrayCumSum(c->c.2,cells) AS sums, %3$s \
    FROM (%4$s) GROUP BY %5$s)\
    """
        .formatted(
            levels,
            String.join(", ", with(keys, "b", withExemplars ? "ex" : "")),
            String.join(
                ", ",
                with(keys, "b", withExemplars ? "argMin(ex,cityHash64(ex.1,ex.2)) AS ex" : "")),
            cells,
            String.join(", ", with(keys, "b")));
  }

  /// Buckets end at powers of two; of durations, in ns.
  private String histogram(MetricsExpression.OverTime over, List<String> keys, String rows) {
    String values =
        """
        SELECT sum(w) AS val, %s FROM (SELECT *, \
        exp2(ceil(log2(mv.2)))/if(mv.1=%d,1e9,1) AS bucket FROM (%s) WHERE mv.2>=2) GROUP BY %s\
        """
            .formatted(
                String.join(", ", with(keys, "bucket", "b", exemplar("num"))),
                ValueType.TIME.code(),
                rows,
                String.join(", ", with(keys, "bucket", "b")));
    return series(
        "labels.1",
        "labels.2",
        withLabels(over, keys, values, real("__bucket", "bucket")),
        " GROUP BY labels",
        "0",
        false);
  }

  private static List<String> with(List<String> keys, String... more) {
    List<String> all = new ArrayList<>(keys);
    all.addAll(List.of(more));
    all.removeIf(String::isEmpty);
    return all;
  }

  /// One span of a group, by a hash of its id: neither the first nor the largest.
  private String exemplar(String value) {
    return withExemplars
        ? "argMin((lower(hex(trace_id)),st," + value + "),cityHash64(trace_id,st)) AS ex"
        : "";
  }

  /// The labels of a row with the tagged keys: of what the spans lack there is none, but if they
  /// lack all, the first says nil.
  private String withLabels(
      MetricsExpression.OverTime over, List<String> keys, String rows, String more) {
    String all =
        IntStream.range(0, keys.size())
            .mapToObj(
                i -> "(" + bindings.text(FieldText.of(over.by().get(i))) + "," + keys.get(i) + ")")
            .collect(Collectors.joining(",", "[", "]"));
    String labels =
        keys.isEmpty()
            ? more
            : "arrayConcat(if(empty(known),[(%s,%s)],known)%s)"
                .formatted(
                    bindings.text(FieldText.of(over.by().getFirst())),
                    bindings.text(ValueType.TEXT.tag() + "nil"),
                    more.isEmpty() ? "" : "," + more);
    return keys.isEmpty()
        ? "SELECT *, " + labels + " AS labels FROM (" + rows + ")"
        : """
        SELECT *, %s AS labels FROM (SELECT *, arrayFilter(l->l.2!=%s,%s) AS known FROM (%s))\
        """
            .formatted(labels, TaggedValue.NOTHING_SQL, all, rows);
  }

  private String real(String name, String value) {
    return "[(" + bindings.text(name) + "," + Columns.tag(ValueType.REAL, value) + ")]";
  }

  /// Rows of (labels, b, val) as a row per series.
  private String series(
      String names, String tags, String rows, String groupBy, String empty, boolean counts) {
    String exemplars =
        withExemplars
            ? "groupArray(ex.1) AS xt, groupArray(ex.2) AS xs, groupArray("
                + (counts ? "val" : "ex.3")
                + ") AS xv"
            : NO_EXEMPLARS;
    return """
    SELECT %1$s AS names, %2$s AS tags, arrayResize(groupArrayInsertAt(%3$s,%4$d)(val,toUInt32(b)),\
    %4$d,%3$s) AS vals, %5$s FROM (%6$s)%7$s\
    """
        .formatted(names, tags, "toFloat64(" + empty + ")", grid.count(), exemplars, rows, groupBy);
  }

  // What stands around.

  private static String mapped(String series, String value) {
    return "SELECT names, tags, arrayMap(v->%s,vals) AS vals, xt, xs, xv FROM (%s)"
        .formatted(value, series);
  }

  /// The largest or smallest of each interval.
  private String ranked(MetricsExpression.Ranked ranked) {
    String order = ranked.rank().largest() ? "val DESC, place" : "val, place DESC";
    return """
    SELECT names, tags, arrayResize(groupArrayInsertAt(nan,%1$d)(val,toUInt32(b-1)),%1$d,nan) AS vals, \
    any(xt) AS xt, any(xs) AS xs, any(xv) AS xv FROM (SELECT * FROM (\
    SELECT names, tags, xt, xs, xv, place, b, val FROM (SELECT *, %5$s AS place FROM (%2$s)) \
    ARRAY JOIN vals AS val, arrayEnumerate(vals) AS b) WHERE isFinite(val) \
    ORDER BY b, %3$s LIMIT %4$d BY b) GROUP BY names, tags\
    """
        .formatted(
            grid.count(),
            series(ranked.of()),
            order,
            ranked.rank().limit(),
            "arrayMap((n,t)->" + TaggedValue.placeSql("n", "t") + ",names,tags)");
  }

  private String calculated(MetricsExpression.Calculate calculate) {
    boolean numberLeft = calculate.left() instanceof MetricsExpression.Constant;
    boolean numberRight = calculate.right() instanceof MetricsExpression.Constant;
    if (numberLeft && numberRight) {
      throw TraceQlException.invalid(
          calculate.at(), "numbers alone make no series; one operand must be a metrics query");
    }
    if (calculate.right() instanceof MetricsExpression.Constant(_, double right)) {
      return mapped(
          series(calculate.left()), value(calculate.operator(), "v", bindings.real(right)));
    }
    if (calculate.left() instanceof MetricsExpression.Constant(_, double left)) {
      return mapped(
          series(calculate.right()), value(calculate.operator(), bindings.real(left), "v"));
    }
    if (hasNoLabels(calculate.left()) != hasNoLabels(calculate.right())) {
      return spread(calculate);
    }
    String name = bindings.text(NAME);
    return """
    SELECT names, arrayMap((n,t)->if(n=%1$s,%2$s,t),names,tags) AS tags, \
    arrayMap((v,w)->%3$s,vals,right_vals) AS vals, xt, xs, xv \
    FROM (SELECT *, %4$s AS left_key FROM (%5$s)) AS a \
    INNER JOIN (SELECT vals AS right_vals, %4$s AS right_key FROM (%6$s)) AS b \
    ON left_key=right_key\
    """
        .formatted(
            name,
            bindings.text(ValueType.TEXT.tag() + nameOf(calculate)),
            value(calculate.operator(), "v", "w"),
            "toString(arraySort(arrayFilter(l->l.1!=" + name + ",arrayZip(names,tags))))",
            series(calculate.left()),
            series(calculate.right()));
  }

  /// One series without labels against each of those with labels, as in the share of each service
  /// in the whole.
  private String spread(MetricsExpression.Calculate calculate) {
    boolean oneOnTheLeft = hasNoLabels(calculate.left());
    MetricsExpression each = oneOnTheLeft ? calculate.right() : calculate.left();
    MetricsExpression one = oneOnTheLeft ? calculate.left() : calculate.right();
    return """
    SELECT names, tags, arrayMap((v,w)->%s,vals,one_vals) AS vals, xt, xs, xv \
    FROM (%s) AS a CROSS JOIN (SELECT vals AS one_vals FROM (%s)) AS b\
    """
        .formatted(
            oneOnTheLeft
                ? value(calculate.operator(), "w", "v")
                : value(calculate.operator(), "v", "w"),
            series(each),
            series(one));
  }

  /// Whether an expression gives one series, which has nothing but a name.
  private static boolean hasNoLabels(MetricsExpression expression) {
    return switch (expression) {
      case MetricsExpression.OfPipeline(_, Pipeline pipeline) ->
          pipeline.stages().getLast() instanceof MetricsExpression last && hasNoLabels(last);
      case MetricsExpression.OverTime over ->
          over.by().isEmpty()
              && switch (over.function()) {
                case QUANTILE_OVER_TIME, HISTOGRAM_OVER_TIME -> false;
                case RATE,
                    COUNT_OVER_TIME,
                    MIN_OVER_TIME,
                    MAX_OVER_TIME,
                    AVG_OVER_TIME,
                    SUM_OVER_TIME ->
                    true;
              };
      case MetricsExpression.Ranked ranked -> hasNoLabels(ranked.of());
      case MetricsExpression.Keep keep -> hasNoLabels(keep.of());
      case MetricsExpression.Calculate(_, _, var left, var right) ->
          hasNoLabels(left) && hasNoLabels(right);
      case MetricsExpression.Constant _ -> true;
      case MetricsExpression.CompareTo _, MetricsExpression.Rank _ -> false;
    };
  }

  /// Division by zero gives no sample.
  private static String value(Arithmetic operator, String left, String right) {
    return switch (operator) {
      case ADD, SUBTRACT, MULTIPLY -> "(" + left + operator.symbol() + right + ")";
      case DIVIDE -> "if(%2$s=0,nan,%1$s/%2$s)".formatted(left, right);
      case REMAINDER, POWER ->
          throw new IllegalArgumentException("no arithmetic of series: operator=" + operator);
    };
  }

  /// What a series without labels is called.
  private static String nameOf(MetricsExpression expression) {
    return switch (expression) {
      case MetricsExpression.OfPipeline(_, Pipeline pipeline) ->
          pipeline.stages().getLast() instanceof MetricsExpression last ? nameOf(last) : "";
      case MetricsExpression.OverTime over -> over.function().text();
      case MetricsExpression.CompareTo _ -> "compare";
      case MetricsExpression.Rank rank -> rank.largest() ? "topk" : "bottomk";
      case MetricsExpression.Ranked ranked -> nameOf(ranked.of());
      case MetricsExpression.Keep keep -> nameOf(keep.of());
      case MetricsExpression.Constant _ -> "";
      case MetricsExpression.Calculate(_, _, MetricsExpression.Constant _, var right) ->
          nameOf(right);
      case MetricsExpression.Calculate(_, _, var left, MetricsExpression.Constant _) ->
          nameOf(left);
      case MetricsExpression.Calculate(_, Arithmetic operator, var left, var right) ->
          "(" + nameOf(left) + " " + operator.symbol() + " " + nameOf(right) + ")";
    };
  }
}
