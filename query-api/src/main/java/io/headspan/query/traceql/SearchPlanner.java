package io.headspan.query.traceql;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Turns a query for traces into a [SearchPlan]: rewrites it into fewer kinds of nodes, and refuses
/// what cannot be run.
public final class SearchPlanner {
  /// Most spanset filters: each has a bit of a 64-bit number.
  static final int MAX_FILTERS = 64;

  private SearchPlanner() {}

  /// A plan for `query` over the spans of `range`.
  ///
  /// @throws TraceQlException if the query asks for metrics or uses what cannot be run yet; the
  ///   message names the construct and its place
  public static SearchPlan plan(Query query, TimeRange range) {
    Map<String, FieldExpression> shown = new LinkedHashMap<>();
    List<Stage> stages = spanStages(query.pipeline().at(), query.pipeline().stages(), shown);
    stages.forEach(stage -> showConditions(stage, shown));
    SearchPlan plan = new SearchPlan(stages, List.copyOf(shown.values()), range);
    // What can be parsed and not be run shows while SQL is made: now, not when rows are asked for.
    var _ = plan.isScan() ? plan.newest(1) : plan.found(1, 1);
    plan.details(List.of(new TraceExtent("0".repeat(31) + "1", range.fromNs(), range.fromNs())), 1);
    return plan;
  }

  /// The stages of a pipeline that select spans, rewritten; a spanset expression comes first.
  static List<Stage> spanStages(Position at, List<Stage> pipeline) {
    return spanStages(at, pipeline, new LinkedHashMap<>());
  }

  /// The same, with the fields to show.
  ///
  /// @param shown gets the fields that the stages ask to show
  private static List<Stage> spanStages(
      Position at, List<Stage> pipeline, Map<String, FieldExpression> shown) {
    List<Stage> stages = new ArrayList<>();
    for (Stage stage : withoutParentheses(pipeline)) {
      switch (stage) {
        case SpansetExpression spanset -> add(stages, rewrite(spanset));
        case Stage.ScalarFilter filter -> stages.add(rewrite(filter));
        case Stage.GroupBy by -> {
          stages.add(by);
          show(by.key(), shown);
        }
        case Stage.Coalesce coalesce -> stages.add(coalesce);
        case Stage.Select select -> select.fields().forEach(field -> show(field, shown));
        case MetricsExpression metrics ->
            throw TraceQlException.invalid(
                metrics.at(),
                "a metrics function makes time series, and this is a search for traces;"
                    + " ask /api/metrics/query_range");
        case ScalarExpression scalar ->
            throw TraceQlException.unsupported(scalar.at(), "an aggregate without comparison");
      }
    }
    if (stages.isEmpty() || !(stages.getFirst() instanceof SpansetExpression)) {
      // A pipeline may begin with a stage that works on spansets; it then works on all spans.
      stages.addFirst(
          new SpansetExpression.Filter(at, new FieldExpression.Literal(at, new Value.Bool(true))));
    }
    return stages;
  }

  /// A pipeline in parentheses that is a stage of its own is its stages.
  private static List<Stage> withoutParentheses(List<Stage> pipeline) {
    List<Stage> stages = new ArrayList<>();
    for (Stage stage : pipeline) {
      if (stage instanceof SpansetExpression.Nested nested) {
        stages.addAll(withoutParentheses(nested.pipeline().stages()));
      } else {
        stages.add(stage);
      }
    }
    return stages;
  }

  /// A filter behind a filter is their conjunction, which needs no grouping by trace.
  private static void add(List<Stage> stages, SpansetExpression spanset) {
    if (stages.size() == 1
        && stages.getFirst() instanceof SpansetExpression.Filter first
        && spanset instanceof SpansetExpression.Filter second) {
      stages.set(0, both(first, second));
    } else {
      stages.add(spanset);
    }
  }

  private static SpansetExpression.Filter both(
      SpansetExpression.Filter first, SpansetExpression.Filter second) {
    return new SpansetExpression.Filter(
        first.at(),
        new FieldExpression.Logical(
            second.at(), LogicalOperator.AND, List.of(first.condition(), second.condition())));
  }

  private static SpansetExpression rewrite(SpansetExpression spanset) {
    return switch (spanset) {
      case SpansetExpression.Filter filter -> filter;
      case SpansetExpression.Combination combination -> combine(combination);
      case SpansetExpression.Structural structural ->
          new SpansetExpression.Structural(
              structural.at(),
              structural.operator(),
              rewrite(structural.left()),
              rewrite(structural.right()));
      case SpansetExpression.Nested nested -> nested(nested);
    };
  }

  /// `{a} || {b}` of plain filters is `{a || b}`.
  private static SpansetExpression combine(SpansetExpression.Combination combination) {
    List<SpansetExpression> operands =
        combination.operands().stream().map(SearchPlanner::rewrite).toList();
    List<FieldExpression> conditions = new ArrayList<>();
    for (SpansetExpression operand : operands) {
      if (combination.operator() == LogicalOperator.OR
          && operand instanceof SpansetExpression.Filter filter) {
        conditions.add(filter.condition());
      }
    }
    return conditions.size() == operands.size()
        ? new SpansetExpression.Filter(
            combination.at(),
            new FieldExpression.Logical(combination.at(), LogicalOperator.OR, conditions))
        : new SpansetExpression.Combination(combination.at(), combination.operator(), operands);
  }

  private static SpansetExpression nested(SpansetExpression.Nested nested) {
    List<Stage> stages = rewrite(withoutParentheses(nested.pipeline().stages()));
    return stages.size() == 1 && stages.getFirst() instanceof SpansetExpression only
        ? only
        : new SpansetExpression.Nested(nested.at(), new Pipeline(nested.pipeline().at(), stages));
  }

  /// The stages of a pipeline in parentheses.
  private static List<Stage> rewrite(List<Stage> pipeline) {
    List<Stage> stages = new ArrayList<>();
    for (Stage stage : pipeline) {
      switch (stage) {
        case SpansetExpression spanset -> stages.add(rewrite(spanset));
        case Stage.ScalarFilter filter -> stages.add(rewrite(filter));
        case Stage.GroupBy _, Stage.Coalesce _, Stage.Select _ -> stages.add(stage);
        case ScalarExpression scalar -> stages.add(rewrite(scalar));
        case MetricsExpression metrics ->
            throw TraceQlException.invalid(
                metrics.at(), "a metrics function cannot be an operand between spansets");
      }
    }
    return stages;
  }

  private static Stage.ScalarFilter rewrite(Stage.ScalarFilter filter) {
    return new Stage.ScalarFilter(
        filter.at(), filter.operator(), rewrite(filter.left()), rewrite(filter.right()));
  }

  private static ScalarExpression rewrite(ScalarExpression scalar) {
    return switch (scalar) {
      case ScalarExpression.Aggregate _, ScalarExpression.Literal _ -> scalar;
      case ScalarExpression.Calculate(
              Position at,
              Arithmetic operator,
              ScalarExpression left,
              ScalarExpression right) ->
          new ScalarExpression.Calculate(at, operator, rewrite(left), rewrite(right));
      case ScalarExpression.OfPipeline(Position at, Pipeline pipeline) ->
          new ScalarExpression.OfPipeline(
              at, new Pipeline(pipeline.at(), rewrite(withoutParentheses(pipeline.stages()))));
    };
  }

  // What the spans of the answer carry: the fields that the query speaks of.

  private static void showConditions(Stage stage, Map<String, FieldExpression> shown) {
    switch (stage) {
      case SpansetExpression.Filter filter -> showFields(filter.condition(), shown);
      case SpansetExpression.Combination combination ->
          combination.operands().forEach(operand -> showConditions(operand, shown));
      case SpansetExpression.Structural structural -> {
        showConditions(structural.left(), shown);
        showConditions(structural.right(), shown);
      }
      case SpansetExpression.Nested nested ->
          nested.pipeline().stages().forEach(inner -> showConditions(inner, shown));
      case Stage.GroupBy by -> show(by.key(), shown);
      case Stage.Select select -> select.fields().forEach(field -> show(field, shown));
      case Stage.ScalarFilter _, Stage.Coalesce _, MetricsExpression _, ScalarExpression _ -> {}
    }
  }

  private static void showFields(FieldExpression expression, Map<String, FieldExpression> shown) {
    switch (expression) {
      case FieldExpression.Attribute _ -> show(expression, shown);
      case FieldExpression.Field field -> {
        // Showing numbers of the tree that a condition did not need would mean making the tree.
        if (!Columns.isOfTree(field.intrinsic())) {
          show(field, shown);
        }
      }
      case FieldExpression.Literal _ -> {}
      case FieldExpression.Logical logical ->
          logical.operands().forEach(operand -> showFields(operand, shown));
      case FieldExpression.Compare compare -> {
        showFields(compare.left(), shown);
        showFields(compare.right(), shown);
      }
      case FieldExpression.Calculate calculate -> {
        showFields(calculate.left(), shown);
        showFields(calculate.right(), shown);
      }
      case FieldExpression.Not not -> showFields(not.operand(), shown);
      case FieldExpression.Negate negate -> showFields(negate.operand(), shown);
    }
  }

  private static void show(FieldExpression expression, Map<String, FieldExpression> shown) {
    shownName(expression).ifPresent(_ -> shown.putIfAbsent(FieldText.of(expression), expression));
  }

  /// The name under which a field stands among a span's attributes; empty for what a span of the
  /// answer has anyway, and for what belongs to the trace.
  static Optional<String> shownName(FieldExpression expression) {
    return switch (expression) {
      case FieldExpression.Attribute attribute ->
          Optional.of(attribute.ofParent() ? FieldText.of(attribute) : attribute.name());
      case FieldExpression.Field field ->
          switch (field.intrinsic()) {
            case NAME,
                DURATION,
                SPAN_ID,
                TRACE_ID,
                TRACE_DURATION,
                ROOT_NAME,
                ROOT_SERVICE_NAME,
                PARENT ->
                Optional.empty();
            default -> Optional.of(field.intrinsic().text());
          };
      default -> Optional.empty();
    };
  }
}
