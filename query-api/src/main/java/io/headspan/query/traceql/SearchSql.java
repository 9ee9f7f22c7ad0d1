package io.headspan.query.traceql;

import io.headspan.storage.SqlQuery;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// Makes one statement of a search.
///
/// A lone filter at the head is a plain scan. Everything else has one shape: one scan in which each
/// spanset filter is a bit of `f`; one GROUP BY trace, whose HAVING drops traces that cannot match;
/// then one SELECT around it per node of the tree, each adding a column that is a set of spans.
/// Nesting SELECTs and not expressions keeps the statement linear in the query: ClickHouse copies
/// an expression for each of its uses.
///
/// For one statement and one thread.
final class SearchSql {
  /// The fields of an element of a set.
  record Field(String name, String expression, String type) {}

  private static final int MAX_SQL_BYTES = 4 << 20;

  private final List<Stage> stages;
  private final List<FieldExpression> shown;
  private final TimeRange range;
  private final Bindings bindings;
  private final SpanSource source;
  private final FieldSql fields;
  private final List<String> filters = new ArrayList<>();
  private final List<String> filtersWithoutTree = new ArrayList<>();
  private final List<Field> numbers = new ArrayList<>();
  private final List<Field> keys = new ArrayList<>();
  private final List<Field> wanted = new ArrayList<>();
  private final List<String> columns = new ArrayList<>();

  /// Columns of groups within which columns are made: each of an array of sets per group.
  private final Deque<String> groupings = new ArrayDeque<>();

  private boolean isStructural;

  SearchSql(List<Stage> stages, List<FieldExpression> shown, TimeRange range) {
    this(stages, shown, range, new Bindings());
  }

  /// One of several selections of a statement, which share their bindings.
  SearchSql(List<Stage> stages, List<FieldExpression> shown, TimeRange range, Bindings bindings) {
    this.stages = stages;
    this.shown = shown;
    this.range = range;
    this.bindings = bindings;
    source = new SpanSource(bindings, range);
    fields = new FieldSql(bindings, source);
  }

  /// The condition of a lone filter that asks for nothing of other spans: what it selects is found
  /// by reading spans in their order.
  private Optional<String> loneCondition() {
    if (stages.size() == 1 && stages.getFirst() instanceof SpansetExpression.Filter filter) {
      String condition = fields.condition(filter.condition());
      if (!fields.usesTree()) {
        return Optional.of(condition);
      }
    }
    return Optional.empty();
  }

  boolean isScan() {
    return loneCondition().isPresent();
  }

  /// The newest matching spans.
  SqlQuery newest(int limit) {
    return scan("lower(hex(trace_id)), span_id, toUnixTimestamp64Nano(time)", "LIMIT " + limit);
  }

  SqlQuery candidates(int limit) {
    return scan("lower(hex(trace_id))", "LIMIT 1 BY trace_id LIMIT " + limit);
  }

  /// Reads in the order of the primary key and stops at the limit.
  private SqlQuery scan(String columns, String limit) {
    String condition =
        loneCondition().orElseThrow(() -> new IllegalStateException("no scan: stages=" + stages));
    return query(
            TraceQl.checkedStatement(
                "SELECT %s FROM %s WHERE %s AND %s ORDER BY toStartOfFiveMinutes(time) DESC, time DESC %s"
                    .formatted(columns, source.from(), source.inRange(), condition, limit)))
        // A rare text is in few granules: to know them first is cheaper than to read towards them.
        .setting("use_skip_indexes_on_data_read", "0");
  }

  /// The spansets of the traces with the newest matching spans.
  SqlQuery found(int limit, int spansPerSet) {
    String sets = TraceQl.checkedStatement(sets("", false));
    String newest = "arrayMax(tupleElement(set,'st'))";
    // Only by() gives a trace more than one.
    boolean several = stages.stream().anyMatch(Stage.GroupBy.class::isInstance);
    String chosen =
        several
            ? """
            SELECT trace_id, tupleElement(one,1) AS attrs, tupleElement(one,2) AS set, newest \
            FROM (SELECT trace_id, groupArray((attrs,set)) AS all, max(%s) AS newest FROM (%s) \
            GROUP BY trace_id ORDER BY newest DESC, trace_id LIMIT %d) ARRAY JOIN all AS one\
            """
            : "SELECT trace_id, attrs, set, %s AS newest FROM (%s) ORDER BY newest DESC, trace_id LIMIT %d";
    return query(
        """
        SELECT lower(hex(trace_id)), attrs.1, attrs.2, length(set), \
        tupleElement(some,'id'), tupleElement(some,'st') \
        FROM (SELECT trace_id, attrs, set, newest, \
        arraySlice(arraySort(e->(e.st,e.id),set),1,%d) AS some FROM (%s)) \
        ORDER BY newest DESC, trace_id\
        """
            .formatted(spansPerSet, chosen.formatted(newest, sets, limit)));
  }

  /// What an answer shows of some spans; empty if that takes the tree.
  Optional<SqlQuery> shown(List<TraceExtent> traces, String spanIds) {
    fields.useNoIndex();
    String columns =
        shown.stream().map(field -> ", " + fields.tagged(field)).collect(Collectors.joining());
    if (fields.usesTree()) {
      return Optional.empty();
    }
    return Optional.of(
        query(
            """
            SELECT lower(hex(trace_id)), span_id, toUnixTimestamp64Nano(time), duration, operation%s \
            FROM %s WHERE %s AND %s AND span_id IN (%s)\
            """
                .formatted(
                    columns,
                    source.from(),
                    source.inRange(),
                    TraceExtent.condition(traces, range),
                    spanIds)));
  }

  /// What compiles the fields of the spans of this selection.
  FieldSql fields() {
    return fields;
  }

  /// A SELECT of `trace_id`, `st` (start in ns) and `columns`, a row per matching span; expressions
  /// of `columns` come from [#fields()].
  String spans(List<Field> columns) {
    Optional<String> condition = loneCondition();
    if (condition.isPresent()) {
      String selected =
          columns.stream()
              .map(column -> ", " + column.expression() + " AS " + column.name())
              .collect(Collectors.joining());
      return "SELECT trace_id, toUnixTimestamp64Nano(time) AS st%s FROM %s WHERE %s AND %s"
          .formatted(selected, source.from(), source.inRange(), condition.get());
    }
    wanted.addAll(columns);
    String selected =
        columns.stream()
            .map(column -> ", tupleElement(e,'" + column.name() + "') AS " + column.name())
            .collect(Collectors.joining());
    return """
    SELECT trace_id, tupleElement(e,'st') AS st%s \
    FROM (SELECT trace_id, arrayJoin(set) AS e FROM (%s))\
    """
        .formatted(selected, sets("", false));
  }

  SqlQuery details(List<TraceExtent> traces, int spansPerSet) {
    fields.useNoIndex();
    String ids = " AND " + TraceExtent.condition(traces, range);
    String sets = sets(ids, true);
    String fieldColumns =
        IntStream.range(0, shown.size())
            .mapToObj(i -> ", tupleElement(some,'a" + i + "')")
            .collect(Collectors.joining());
    return query(
        """
        SELECT lower(hex(trace_id)), attrs.1, attrs.2, length(set), \
        tupleElement(some,'id'), tupleElement(some,'st'), tupleElement(some,'du'), \
        tupleElement(some,'nm')%s FROM (SELECT trace_id, attrs, set, \
        arraySlice(arraySort(e->(e.st,e.id),set),1,%d) AS some FROM (%s))\
        """
            .formatted(fieldColumns, spansPerSet, sets));
  }

  private SqlQuery query(String sql) {
    return bindings
        .statement(sql)
        .setting("read_in_order_use_buffering", "0")
        .setting("max_query_size", Integer.toString(MAX_SQL_BYTES));
  }

  /// Rows `trace_id, set, attrs`, one per spanset of the answer.
  private String sets(String more, boolean withDetails) {
    SpansetExpression head = (SpansetExpression) stages.getFirst();
    String set = set(head, "x");
    String needed = needed(head);
    List<String> layers = new ArrayList<>();
    for (Stage stage : stages.subList(1, stages.size())) {
      layers.addAll(layers(stage));
    }
    String sql =
        "SELECT trace_id, "
            + set
            + " AS set, CAST([],'Array(Tuple(String,String))') AS attrs FROM ("
            + withColumns(columns, 0, grouped(more, needed, withDetails))
            + ") WHERE notEmpty(set)";
    for (String layer : layers) {
      sql = layer.replace(INNER, sql);
    }
    return sql;
  }

  private static final String INNER = "\u0001";
  private static final Pattern COLUMN = Pattern.compile("\\bc([0-9]+)\\b");

  /// SELECTs around `inner` that add columns, as few as can be: those that need none of each other
  /// stand in one. ClickHouse recurses per SELECT.
  private static String withColumns(List<String> expressions, int first, String inner) {
    int[] level = new int[expressions.size()];
    int deepest = -1;
    for (int i = 0; i < level.length; i++) {
      Matcher used = COLUMN.matcher(expressions.get(i));
      while (used.find()) {
        int other = Integer.parseInt(used.group(1)) - first;
        if (other >= 0 && other < i) {
          level[i] = Math.max(level[i], level[other] + 1);
        }
      }
      deepest = Math.max(deepest, level[i]);
    }
    String sql = inner;
    for (int depth = 0; depth <= deepest; depth++) {
      StringBuilder select = new StringBuilder("SELECT *");
      for (int i = 0; i < level.length; i++) {
        if (level[i] == depth) {
          select.append(", ").append(expressions.get(i)).append(" AS c").append(first + i);
        }
      }
      sql = select + " FROM (" + sql + ")";
    }
    return sql;
  }

  private String grouped(String more, String needed, boolean withDetails) {
    List<Field> elements = new ArrayList<>();
    elements.add(new Field("id", "span_id", "UInt64"));
    elements.add(new Field("st", "toUnixTimestamp64Nano(time)", "Int64"));
    elements.add(new Field("f", "f", "UInt64"));
    elements.addAll(numbers);
    elements.addAll(keys);
    elements.addAll(wanted);
    if (withDetails) {
      elements.add(new Field("du", "duration", "Int64"));
      elements.add(new Field("nm", "operation", "String"));
      for (int i = 0; i < shown.size(); i++) {
        elements.add(new Field("a" + i, fields.tagged(shown.get(i)), "String"));
      }
    }
    if (isStructural && !fields.usesTree()) {
      return numbered(more, needed, elements);
    }
    if (isStructural) {
      elements.add(new Field("l", "tree_left", "UInt32"));
      elements.add(new Field("r", "tree_right", "UInt32"));
      elements.add(new Field("p", "tree_parent", "Int32"));
    }
    return """
    SELECT trace_id, groupUniqArray(e) AS x FROM (\
    SELECT trace_id, %s, %s AS e FROM %s \
    WHERE %s%s AND %s) GROUP BY trace_id HAVING %s\
    """
        .formatted(
            bits(filters),
            tuple(elements),
            from(more, needed),
            source.inRange(),
            more,
            any(filters),
            needed);
  }

  /// The same where only operators need the tree: made of one scan of whole traces, and the numbers
  /// stay beside the elements.
  private String numbered(String more, String needed, List<Field> elements) {
    String spans =
        "SELECT trace_id, span_id, parent_span_id, time, %s, %s AS e FROM %s WHERE %s%s AND %s"
            .formatted(
                bits(filters),
                tuple(elements),
                source.from(),
                source.inRange(),
                more,
                ofCandidates(more, needed));
    List<Field> all = new ArrayList<>(elements);
    all.add(new Field("l", "", "UInt32"));
    all.add(new Field("r", "", "UInt32"));
    all.add(new Field("p", "", "Int32"));
    return SpanTree.elements(spans, type(all));
  }

  private static String tuple(List<Field> elements) {
    return elements.stream()
        .map(Field::expression)
        .collect(Collectors.joining(",", "CAST(tuple(", "),'" + type(elements) + "')"));
  }

  private static String type(List<Field> elements) {
    return elements.stream()
        .map(element -> element.name() + " " + element.type())
        .collect(Collectors.joining(",", "Tuple(", ")"));
  }

  /// Each condition as a column, and all of them as bits of `f`.
  private static String bits(List<String> conditions) {
    String columns =
        IntStream.range(0, conditions.size())
            .mapToObj(i -> conditions.get(i) + " AS b" + i + ", ")
            .collect(Collectors.joining());
    return IntStream.range(0, conditions.size())
        .mapToObj(i -> "bitShiftLeft(toUInt64(b" + i + ")," + i + ")")
        .collect(Collectors.joining("+", columns, " AS f"));
  }

  private static String any(List<String> conditions) {
    return IntStream.range(0, conditions.size())
        .mapToObj(i -> "b" + i)
        .collect(Collectors.joining(" OR ", "(", ")"));
  }

  private String from(String more, String needed) {
    if (!fields.usesTree()) {
      return source.from();
    }
    String spans =
        "SELECT trace_id, span_id, parent_span_id, time FROM spans WHERE %s AND %s"
            .formatted(source.inRange(), ofCandidates(more, needed));
    return source.from()
        + " INNER JOIN ("
        + SpanTree.numbers(spans)
        + ") AS tree ON spans.trace_id=tree.tree_trace AND spans.span_id=tree.tree_span";
  }

  /// The tree is made of whole traces: of those that have what the head of the pipeline needs, as
  /// far as it can be told without the tree.
  private String ofCandidates(String more, String needed) {
    return """
    trace_id IN (SELECT trace_id FROM (SELECT trace_id, %s FROM %s WHERE %s%s AND %s) \
    GROUP BY trace_id HAVING %s)\
    """
        .formatted(
            bits(filtersWithoutTree),
            source.from(),
            source.inRange(),
            more,
            any(filtersWithoutTree),
            needed);
  }

  // Sets of spans of one trace, as columns.

  private String set(SpansetExpression expression, String base) {
    return switch (expression) {
      case SpansetExpression.Filter filter ->
          column("arrayFilter(e->bitTest(e.f," + bit(filter) + ")," + base + ")");
      case SpansetExpression.Combination combination -> combined(combination, base);
      case SpansetExpression.Structural structural -> {
        isStructural = true;
        yield SpanTree.operate(
            structural.operator(),
            set(structural.left(), base),
            set(structural.right(), base),
            this::column);
      }
      case SpansetExpression.Nested nested -> pipeline(nested.pipeline().stages(), base);
    };
  }

  /// The union of the spansets that a pipeline in parentheses gives. After `by()` the column is an
  /// array of sets.
  private String pipeline(List<Stage> stages, String base) {
    String current = base;
    List<String> keysSoFar = new ArrayList<>();
    for (Stage stage : stages) {
      boolean grouped = !keysSoFar.isEmpty();
      switch (stage) {
        case SpansetExpression spanset ->
            current =
                grouped
                    ? column("arrayFilter(g->notEmpty(g),%s)".formatted(each(current, spanset)))
                    : set(spanset, current);
        case Stage.ScalarFilter filter ->
            current =
                grouped
                    ? column(
                        "arrayFilter((g,b)->b,%s,%s)".formatted(current, each(current, filter)))
                    : column("if(" + scalar(filter, current).condition() + "," + current + ",[])");
        case Stage.GroupBy by -> {
          keysSoFar.add("e." + key(by.key()));
          current =
              groups(
                  grouped ? column("arrayFlatten(" + current + ")") : current,
                  String.join(",", keysSoFar));
        }
        case Stage.Coalesce _ -> {
          current = grouped ? column("arrayFlatten(" + current + ")") : current;
          keysSoFar.clear();
        }
        case Stage.Select _ -> {
          // Only says what to show.
        }
        case MetricsExpression _, ScalarExpression _ ->
            throw new IllegalArgumentException("no spans: stage=" + stage);
      }
    }
    return keysSoFar.isEmpty() ? current : column("arrayFlatten(" + current + ")");
  }

  /// What `spanset` selects of each group, as an array of sets.
  private String each(String groups, SpansetExpression spanset) {
    groupings.addLast(groups);
    String sets = set(spanset, groups);
    groupings.removeLast();
    return sets;
  }

  /// Whether `filter` holds for each group, as an array.
  private String each(String groups, Stage.ScalarFilter filter) {
    groupings.addLast(groups);
    String holds = column(scalar(filter, groups).condition());
    groupings.removeLast();
    return holds;
  }

  /// A set as an array of sets, one per value of `keys`.
  private String groups(String set, String keys) {
    String sorted = column("arraySort(e->tuple(" + keys + ")," + set + ")");
    String values = column("arrayMap(e->tuple(" + keys + ")," + sorted + ")");
    String before =
        column("arraySlice(arrayPushFront(%1$s,%1$s[1]),1,length(%1$s))".formatted(values));
    return column("arraySplit((e,k,b)->k!=b," + sorted + "," + values + "," + before + ")");
  }

  private String combined(SpansetExpression.Combination combination, String base) {
    List<String> sets = combination.operands().stream().map(operand -> set(operand, base)).toList();
    String union = "arrayDistinct(arrayConcat(" + String.join(",", sets) + "))";
    if (combination.operator() == LogicalOperator.OR) {
      return column(union);
    }
    String all =
        sets.stream().map(set -> "notEmpty(" + set + ")").collect(Collectors.joining(" AND "));
    return column("if(" + all + "," + union + ",[])");
  }

  /// What the bits of a trace's spans must have for `expression` to give a span, as a condition on
  /// the group.
  private String needed(SpansetExpression expression) {
    return switch (expression) {
      case SpansetExpression.Filter filter -> "bitTest(groupBitOr(f)," + bit(filter) + ")";
      case SpansetExpression.Combination combination ->
          combination.operands().stream()
              .map(this::needed)
              .collect(
                  Collectors.joining(
                      combination.operator() == LogicalOperator.AND ? " AND " : " OR ", "(", ")"));
      case SpansetExpression.Structural structural ->
          structural.operator().form() == StructuralOperator.Form.NEGATED
              ? needed(structural.right())
              : "(" + needed(structural.left()) + " AND " + needed(structural.right()) + ")";
      case SpansetExpression.Nested nested ->
          nested.pipeline().stages().getFirst() instanceof SpansetExpression first
              ? needed(first)
              : "1";
    };
  }

  private int bit(SpansetExpression.Filter filter) {
    String condition = fields.condition(filter.condition());
    int known = filters.indexOf(condition);
    if (known >= 0) {
      return known;
    }
    if (filters.size() == SearchPlanner.MAX_FILTERS) {
      throw TraceQlException.tooLarge(
          filter.at() + ": more than " + SearchPlanner.MAX_FILTERS + " different spanset filters");
    }
    filters.add(condition);
    filtersWithoutTree.add(fields.conditionWithoutTree(filter.condition()));
    return filters.size() - 1;
  }

  /// A column of `expression`; within groups, of what it is for each of them.
  private String column(String expression) {
    String lifted = expression;
    String element = "h";
    for (String groups : groupings.reversed()) {
      lifted = lifted(lifted, groups, element);
      element += "h";
    }
    int known = columns.indexOf(lifted);
    if (known >= 0) {
      return "c" + known;
    }
    columns.add(lifted);
    return "c" + (columns.size() - 1);
  }

  /// An expression over columns as one over the elements of such columns.
  ///
  /// @param groups has as many elements as the columns in use
  /// @param element what stands before the name of such a column for an element of it
  private static String lifted(String expression, String groups, String element) {
    Set<String> used = new LinkedHashSet<>(List.of(groups));
    String ofElements =
        COLUMN
            .matcher(expression)
            .replaceAll(column -> {
              used.add(column.group());
              return element + column.group();
            });
    return used.stream()
            .map(column -> element + column)
            .collect(Collectors.joining(",", "arrayMap((", ")->"))
        + ofElements
        + ","
        + String.join(",", used)
        + ")";
  }

  // Stages after the head, as SELECTs around rows of (trace_id, set, attrs).

  private List<String> layers(Stage stage) {
    return switch (stage) {
      case SpansetExpression spanset -> filterLayer(spanset);
      case Stage.ScalarFilter filter -> List.of(scalarLayer(filter));
      case Stage.GroupBy by -> List.of(groupLayer(by));
      case Stage.Coalesce _ ->
          List.of(
              """
              SELECT trace_id, sets AS set, none AS attrs FROM (SELECT trace_id, \
              arrayDistinct(groupArrayArray(set)) AS sets, \
              CAST([],'Array(Tuple(String,String))') AS none FROM (%s) GROUP BY trace_id)\
              """
                  .formatted(INNER));
      case Stage.Select _, MetricsExpression _, ScalarExpression _ ->
          throw new IllegalArgumentException("no layer: stage=" + stage);
    };
  }

  private List<String> filterLayer(SpansetExpression spanset) {
    Layer<String> layer = layer(() -> set(spanset, "set"));
    return List.of(
        "SELECT trace_id, "
            + layer.result()
            + " AS kept, attrs FROM ("
            + layer.inner()
            + ") WHERE notEmpty(kept)",
        "SELECT trace_id, kept AS set, attrs FROM (" + INNER + ")");
  }

  /// What an expression over `set` gave, and the SELECT of the columns that it needs.
  private record Layer<T>(T result, String inner) {}

  /// Columns made by `expression` stand on a later set than those of the head, so they move into a
  /// layer. An expression that the head has too keeps its name there.
  private <T> Layer<T> layer(Supplier<T> expression) {
    int before = columns.size();
    T result = expression.get();
    List<String> own = new ArrayList<>(columns.subList(before, columns.size()));
    columns.subList(before, columns.size()).clear();
    return new Layer<>(result, withColumns(own, before, INNER));
  }

  /// A comparison of numbers per set.
  ///
  /// @param shown the aggregates in it, by name, as tagged text
  private record Scalar(String condition, Map<String, String> shown) {}

  private String scalarLayer(Stage.ScalarFilter filter) {
    Layer<Scalar> layer = layer(() -> scalar(filter, "set"));
    String shown =
        layer.result().shown().entrySet().stream()
            .map(one -> "(" + bindings.text(one.getKey()) + "," + one.getValue() + ")")
            .collect(Collectors.joining(","));
    return "SELECT trace_id, set, arrayConcat(attrs,CAST([%s],'Array(Tuple(String,String))')) AS attrs FROM (%s) WHERE %s"
        .formatted(shown, layer.inner(), layer.result().condition());
  }

  private String groupLayer(Stage.GroupBy by) {
    String key = key(by.key());
    return """
    SELECT trace_id, groupArray(e) AS set, arrayConcat(before,[(%s,value)]) AS attrs \
    FROM (SELECT trace_id, before, e, tupleElement(e,'%s') AS value \
    FROM (SELECT trace_id, attrs AS before, arrayJoin(set) AS e FROM (%s))) \
    GROUP BY trace_id, before, value\
    """
        .formatted(bindings.text("by(" + FieldText.of(by.key()) + ")"), key, INNER);
  }

  private String key(FieldExpression expression) {
    return element(keys, "k", fields.tagged(expression), "String");
  }

  private static String element(
      List<Field> elements, String prefix, String expression, String type) {
    for (Field element : elements) {
      if (element.expression().equals(expression)) {
        return element.name();
      }
    }
    String name = prefix + elements.size();
    elements.add(new Field(name, expression, type));
    return name;
  }

  private Scalar scalar(Stage.ScalarFilter filter, String set) {
    Map<String, String> shown = new LinkedHashMap<>();
    NumberSql left = number(filter.left(), set, shown);
    NumberSql right = number(filter.right(), set, shown);
    String compared = left.value() + filter.operator().symbol() + right.value();
    String condition =
        Stream.of(left.defined(), right.defined(), compared)
            .filter(part -> !part.equals(Variant.ALWAYS))
            .collect(Collectors.joining(" AND "));
    return new Scalar(condition, shown);
  }

  /// A number per set.
  ///
  /// @param defined whether there is one: no field means no average
  private record NumberSql(String defined, String value) {}

  private NumberSql number(ScalarExpression scalar, String set, Map<String, String> shown) {
    return switch (scalar) {
      case ScalarExpression.Literal literal ->
          new NumberSql(Variant.ALWAYS, fields.literalNumber(literal.value()));
      case ScalarExpression.Aggregate aggregate -> aggregate(aggregate, set, shown);
      case ScalarExpression.Calculate calculate ->
          calculate(
              calculate.operator(),
              number(calculate.left(), set, shown),
              number(calculate.right(), set, shown));
      case ScalarExpression.OfPipeline(Position _, Pipeline inner) -> {
        List<Stage> stages = inner.stages();
        String spans = pipeline(stages.subList(0, stages.size() - 1), set);
        yield number((ScalarExpression) stages.getLast(), spans, new LinkedHashMap<>());
      }
    };
  }

  private static NumberSql calculate(Arithmetic operator, NumberSql left, NumberSql right) {
    String l = left.value();
    String r = right.value();
    String value =
        switch (operator) {
          case ADD, SUBTRACT, MULTIPLY -> "(" + l + operator.symbol() + r + ")";
          case DIVIDE -> "(" + l + "/" + r + ")";
          case REMAINDER -> "(%1$s-trunc(%1$s/%2$s)*%2$s)".formatted(l, r);
          case POWER -> "pow(" + l + "," + r + ")";
        };
    boolean divides = operator == Arithmetic.DIVIDE || operator == Arithmetic.REMAINDER;
    String defined =
        Stream.of(left.defined(), right.defined(), divides ? r + "!=0" : Variant.ALWAYS)
            .filter(part -> !part.equals(Variant.ALWAYS))
            .collect(Collectors.joining(" AND "));
    return new NumberSql(defined.isEmpty() ? Variant.ALWAYS : defined, value);
  }

  private NumberSql aggregate(
      ScalarExpression.Aggregate aggregate, String set, Map<String, String> shown) {
    if (aggregate.field().isEmpty()) {
      String count = "length(" + set + ")";
      shown.put("count()", "concat('" + ValueType.INT.tag() + "',toString(" + count + "))");
      return new NumberSql(Variant.ALWAYS, count);
    }
    FieldExpression field = aggregate.field().get();
    String element = element(numbers, "n", fields.number(field), "Tuple(t UInt8,n Float64)");
    String present = "arrayFilter(v->v.t>0,arrayMap(e->e." + element + "," + set + "))";
    String values = "arrayMap(v->v.n," + present + ")";
    String value =
        switch (aggregate.function()) {
          case AVG -> "arrayAvg(" + values + ")";
          case MIN -> "arrayMin(" + values + ")";
          case MAX -> "arrayMax(" + values + ")";
          case SUM -> "arraySum(" + values + ")";
          case COUNT -> throw new IllegalStateException("count() has no field");
        };
    // An integer stays one unless it is divided; a duration stays a duration in whole ns.
    String integer =
        aggregate.function() == AggregateFunction.AVG
            ? "0"
            : "arrayAll(v->v.t=" + ValueType.INT.code() + "," + present + ")";
    String tagged =
        "multiIf(%s,concat('%c',toString(toInt64(%s))),%s,concat('%c',toString(toInt64(%s))),concat('%c',toString(%s)))"
            .formatted(
                integer,
                ValueType.INT.tag(),
                value,
                "arrayAll(v->v.t=" + ValueType.TIME.code() + "," + present + ")",
                ValueType.TIME.tag(),
                value,
                ValueType.REAL.tag(),
                value);
    shown.put(aggregate.function().text() + "(" + FieldText.of(field) + ")", tagged);
    return new NumberSql("notEmpty(" + present + ")", value);
  }
}
