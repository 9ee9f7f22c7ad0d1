package io.headspan.query.traceql;

import io.headspan.query.traceql.TraceQlParser.ArgumentContext;
import io.headspan.query.traceql.TraceQlParser.CallContext;
import io.headspan.query.traceql.TraceQlParser.ComparisonContext;
import io.headspan.query.traceql.TraceQlParser.FieldContext;
import io.headspan.query.traceql.TraceQlParser.GroupingContext;
import io.headspan.query.traceql.TraceQlParser.HintContext;
import io.headspan.query.traceql.TraceQlParser.HintsContext;
import io.headspan.query.traceql.TraceQlParser.InversionContext;
import io.headspan.query.traceql.TraceQlParser.PipelineContext;
import io.headspan.query.traceql.TraceQlParser.PowerContext;
import io.headspan.query.traceql.TraceQlParser.PrimaryContext;
import io.headspan.query.traceql.TraceQlParser.ProductContext;
import io.headspan.query.traceql.TraceQlParser.QueryContext;
import io.headspan.query.traceql.TraceQlParser.RelationOperatorContext;
import io.headspan.query.traceql.TraceQlParser.SpansetFilterContext;
import io.headspan.query.traceql.TraceQlParser.StageContext;
import io.headspan.query.traceql.TraceQlParser.StagePowerContext;
import io.headspan.query.traceql.TraceQlParser.StagePrimaryContext;
import io.headspan.query.traceql.TraceQlParser.StageProductContext;
import io.headspan.query.traceql.TraceQlParser.StageRelationContext;
import io.headspan.query.traceql.TraceQlParser.StageSumContext;
import io.headspan.query.traceql.TraceQlParser.SumContext;
import io.headspan.query.traceql.TraceQlParser.UnaryContext;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.antlr.v4.runtime.ParserRuleContext;
import org.antlr.v4.runtime.Token;
import org.jspecify.annotations.Nullable;

/// Makes the typed tree of a parse tree. The grammar gives shape and precedence; here it is decided
/// what each function takes, which operator joins what, and which stage may follow which.
///
/// For one query and one thread.
final class QueryBuilder {
  private static final String FUNCTIONS =
      Stream.of(
              Stream.of("by", "coalesce", "select"),
              Stream.of(AggregateFunction.values()).map(AggregateFunction::text),
              Stream.of(MetricsFunction.values()).map(MetricsFunction::text),
              Stream.of("compare", "topk", "bottomk"))
          .flatMap(names -> names)
          .collect(Collectors.joining(", "));

  /// Levels below each node made so far. Long chains of operators lean to the left, so depth is not
  /// only a matter of brackets.
  private final IdentityHashMap<Object, Integer> depths = new IdentityHashMap<>();

  /// Stages so far, those of pipelines in parentheses included.
  private int stageCount;

  Query query(QueryContext context) {
    Pipeline pipeline = pipeline(context.pipeline());
    Stage last = pipeline.stages().getLast();
    if (last instanceof ScalarExpression) {
      throw bareScalar(last);
    }
    HintsContext hints = context.hints();
    return new Query(pipeline, hints == null ? List.of() : hints(hints));
  }

  private static TraceQlException bareScalar(Stage scalar) {
    return TraceQlException.invalid(
        scalar.at(), "an aggregate needs a comparison here, as in count() > 2");
  }

  // Pipelines.

  private Pipeline pipeline(PipelineContext context) {
    List<Stage> stages = new ArrayList<>();
    for (StageContext stageContext : context.stage()) {
      Stage stage = stage(stageContext);
      stageCount++;
      if (stageCount > TraceQl.MAX_STAGES && stages.size() >= 1) {
        throw TraceQlException.tooLarge(
            stage.at() + ": more than " + TraceQl.MAX_STAGES + " stages");
      }
      if (!stages.isEmpty()) {
        checkOrder(stages.getLast(), stage);
      } else if (isSecondStage(stage)) {
        throw TraceQlException.invalid(
            stage.at(), "topk and bottomk stand after a metrics function such as rate()");
      } else if (stage instanceof Stage.Coalesce) {
        throw TraceQlException.invalid(
            stage.at(), "coalesce() stands after by(), as in {} | by(name) | coalesce()");
      }
      stages.add(stage);
    }
    return node(new Pipeline(at(context), stages), stages.toArray());
  }

  private static void checkOrder(Stage previous, Stage stage) {
    if (previous instanceof ScalarExpression) {
      throw bareScalar(previous);
    }
    if (previous instanceof MetricsExpression metrics) {
      if (!isSecondStage(stage)) {
        throw TraceQlException.invalid(
            stage.at(), "after a metrics function only topk(n) or bottomk(n) may follow");
      }
      refuseComparison(stage.at(), metrics);
    } else if (isSecondStage(stage)) {
      throw TraceQlException.invalid(
          stage.at(), "topk and bottomk stand after a metrics function such as rate()");
    }
  }

  private static boolean isSecondStage(Stage stage) {
    return stage instanceof MetricsExpression.Rank
        || (stage instanceof MetricsExpression.Keep keep
            && keep.of() instanceof MetricsExpression.Rank);
  }

  private Stage stage(StageContext context) {
    Stage result = relation(context.stageRelation(0));
    int operators = context.op.size();
    int i = 0;
    while (i < operators) {
      Token sign = context.op.get(i);
      LogicalOperator operator = logical(sign);
      List<SpansetExpression> operands = new ArrayList<>();
      operands.add(spanset(result, sign));
      while (i < operators && context.op.get(i).getType() == sign.getType()) {
        operands.add(spanset(relation(context.stageRelation(i + 1)), context.op.get(i)));
        i++;
      }
      result =
          node(
              new SpansetExpression.Combination(TraceQl.position(sign), operator, operands),
              operands.toArray());
    }
    return result;
  }

  private Stage relation(StageRelationContext context) {
    Stage result = sum(context.stageSum(0));
    for (int i = 0; i < context.op.size(); i++) {
      RelationOperatorContext sign = context.op.get(i);
      result = relation(sign.getStart(), result, sum(context.stageSum(i + 1)));
    }
    return result;
  }

  private Stage relation(Token sign, Stage left, Stage right) {
    Position at = TraceQl.position(sign);
    if (left instanceof SpansetExpression l && right instanceof SpansetExpression r) {
      return node(new SpansetExpression.Structural(at, structural(sign), l, r), l, r);
    }
    Comparison operator = comparison(sign);
    if (operator != null
        && left instanceof ScalarExpression l
        && right instanceof ScalarExpression r) {
      if (l instanceof ScalarExpression.Literal && r instanceof ScalarExpression.Literal) {
        throw TraceQlException.invalid(
            at, "neither side of " + sign.getText() + " is an aggregate");
      }
      Typing.checkComparison(at, operator, type(l), type(r));
      return node(new Stage.ScalarFilter(at, operator, l, r), l, r);
    }
    if (operator != null
        && left instanceof MetricsExpression metrics
        && right instanceof ScalarExpression.Literal literal) {
      if (operator.isPattern()) {
        throw TraceQlException.invalid(at, operator.symbol() + " cannot compare samples");
      }
      refuseComparison(at, metrics);
      return node(new MetricsExpression.Keep(at, metrics, operator, number(literal)), metrics);
    }
    throw cannotJoin(sign, left, right);
  }

  private Stage sum(StageSumContext context) {
    Stage result = product(context.stageProduct(0));
    for (int i = 0; i < context.op.size(); i++) {
      result = calculate(context.op.get(i), result, product(context.stageProduct(i + 1)));
    }
    return result;
  }

  private Stage product(StageProductContext context) {
    Stage result = power(context.stagePower(0));
    for (int i = 0; i < context.op.size(); i++) {
      result = calculate(context.op.get(i), result, power(context.stagePower(i + 1)));
    }
    return result;
  }

  private Stage power(StagePowerContext context) {
    Stage base = primary(context.stagePrimary());
    return context.POW() == null
        ? base
        : calculate(context.POW().getSymbol(), base, power(context.stagePower()));
  }

  private Stage calculate(Token sign, Stage left, Stage right) {
    Position at = TraceQl.position(sign);
    Arithmetic operator = arithmetic(sign);
    if (left instanceof ScalarExpression l && right instanceof ScalarExpression r) {
      requireNumber(l, sign);
      requireNumber(r, sign);
      if (l instanceof ScalarExpression.Literal first
          && r instanceof ScalarExpression.Literal second) {
        Optional<Value> folded = Literals.calculate(at, operator, first.value(), second.value());
        if (folded.isPresent()) {
          return new ScalarExpression.Literal(first.at(), folded.get());
        }
      }
      return node(new ScalarExpression.Calculate(at, operator, l, r), l, r);
    }
    Optional<MetricsExpression> l = metricsOperand(left);
    Optional<MetricsExpression> r = metricsOperand(right);
    if (l.isPresent() && r.isPresent()) {
      if (operator == Arithmetic.REMAINDER || operator == Arithmetic.POWER) {
        throw TraceQlException.invalid(at, operator.symbol() + " cannot join series; + - * / can");
      }
      return node(
          new MetricsExpression.Calculate(at, operator, l.get(), r.get()), l.get(), r.get());
    }
    throw cannotJoin(sign, left, right);
  }

  /// What can be an operand between series: a number, or a query that ends before the operator,
  /// which is one in parentheses.
  private static Optional<MetricsExpression> metricsOperand(Stage stage) {
    return switch (stage) {
      case MetricsExpression.OfPipeline pipeline -> {
        refuseComparison(pipeline.at(), pipeline);
        yield Optional.of(pipeline);
      }
      case MetricsExpression.Calculate calculate -> Optional.of(calculate);
      case MetricsExpression metrics ->
          throw TraceQlException.invalid(
              metrics.at(),
              "arithmetic needs its metrics queries in parentheses, as in ({} | rate()) * 60");
      case ScalarExpression.Literal literal when literal.value() instanceof Value.Time ->
          throw TraceQlException.invalid(
              literal.at(), "arithmetic of series needs a number, and this is a duration");
      case ScalarExpression.Literal literal ->
          Optional.of(new MetricsExpression.Constant(literal.at(), number(literal)));
      default -> Optional.empty();
    };
  }

  /// `compare()` gives counts of values, which nothing that works on series can follow.
  private static void refuseComparison(Position at, MetricsExpression metrics) {
    MetricsExpression series = metrics;
    while (series instanceof MetricsExpression.OfPipeline(_, Pipeline pipeline)
        && pipeline.stages().getLast() instanceof MetricsExpression last) {
      series = last;
    }
    if (series instanceof MetricsExpression.CompareTo) {
      throw TraceQlException.invalid(at, "nothing may follow compare()");
    }
  }

  private Stage primary(StagePrimaryContext context) {
    if (context.spansetFilter() != null) {
      return filter(context.spansetFilter());
    }
    if (context.pipeline() != null) {
      return bracketed(context, pipeline(context.pipeline()));
    }
    if (context.call() != null) {
      return call(context.call());
    }
    if (context.SUB() != null) {
      Token sign = context.SUB().getSymbol();
      Stage operand = primary(context.stagePrimary());
      if (operand instanceof ScalarExpression.Literal literal) {
        return new ScalarExpression.Literal(
            TraceQl.position(sign), Literals.negate(literal.at(), literal.value()));
      }
      return calculate(
          sign, new ScalarExpression.Literal(TraceQl.position(sign), new Value.Int(0)), operand);
    }
    Token token = context.literal().getStart();
    return new ScalarExpression.Literal(
        TraceQl.position(token),
        Literals.value(token)
            .orElseThrow(() ->
                TraceQlException.invalid(
                    TraceQl.position(token),
                    "unexpected "
                        + token.getText()
                        + ", expected a spanset in braces, a function or a value")));
  }

  /// What a pipeline in parentheses is as an operand depends on its last stage.
  private Stage bracketed(StagePrimaryContext context, Pipeline pipeline) {
    Position at = at(context);
    Stage last = pipeline.stages().getLast();
    boolean single = pipeline.stages().size() == 1;
    return switch (last) {
      case ScalarExpression scalar ->
          single ? scalar : node(new ScalarExpression.OfPipeline(at, pipeline), pipeline);
      case MetricsExpression _ -> node(new MetricsExpression.OfPipeline(at, pipeline), pipeline);
      case SpansetExpression spanset ->
          single ? spanset : node(new SpansetExpression.Nested(at, pipeline), pipeline);
      case Stage.ScalarFilter _, Stage.GroupBy _, Stage.Coalesce _, Stage.Select _ ->
          node(new SpansetExpression.Nested(at, pipeline), pipeline);
    };
  }

  private SpansetExpression.Filter filter(SpansetFilterContext context) {
    FieldContext field = context.field();
    FieldExpression condition =
        field == null
            ? new FieldExpression.Literal(at(context), new Value.Bool(true))
            : field(field);
    Typing.requireBoolean(condition, "a spanset filter");
    return node(new SpansetExpression.Filter(at(context), condition), condition);
  }

  private static SpansetExpression spanset(Stage stage, Token sign) {
    if (stage instanceof SpansetExpression spanset) {
      return spanset;
    }
    throw TraceQlException.invalid(
        TraceQl.position(sign),
        sign.getText()
            + " joins spansets, and there is "
            + description(stage)
            + " beside it; put pipelines in parentheses, as in ({a} | count() > 1) && {b}");
  }

  private static TraceQlException cannotJoin(Token sign, Stage left, Stage right) {
    return TraceQlException.invalid(
        TraceQl.position(sign),
        sign.getText() + " cannot join " + description(left) + " and " + description(right));
  }

  private static String description(Stage stage) {
    return switch (stage) {
      case SpansetExpression _ -> "a spanset";
      case ScalarExpression.Literal literal -> Typing.of(literal.value()).description();
      case ScalarExpression _ -> "an aggregate";
      case MetricsExpression _ -> "a metrics function";
      case Stage.ScalarFilter _ -> "a comparison of aggregates";
      case Stage.GroupBy _ -> "by()";
      case Stage.Coalesce _ -> "coalesce()";
      case Stage.Select _ -> "select()";
    };
  }

  private static FieldType type(ScalarExpression scalar) {
    return scalar instanceof ScalarExpression.Literal literal
        ? Typing.of(literal.value())
        : FieldType.NUMBER;
  }

  private static void requireNumber(ScalarExpression scalar, Token sign) {
    if (type(scalar) != FieldType.NUMBER) {
      throw TraceQlException.invalid(
          scalar.at(),
          sign.getText() + " needs a number, and this is " + type(scalar).description());
    }
  }

  private static double number(ScalarExpression.Literal literal) {
    return switch (literal.value()) {
      case Value.Int(long value) -> value;
      case Value.Real(double value) -> value;
      // Series are in seconds.
      case Value.Time(long ns) -> ns / 1e9;
      case Value.Text _, Value.Bool _, Value.Status _, Value.Kind _, Value.Nil _ ->
          throw TraceQlException.invalid(
              literal.at(),
              "samples compare with a number, and this is "
                  + Typing.of(literal.value()).description());
    };
  }

  // Functions.

  private Stage call(CallContext context) {
    String name = context.getStart().getText();
    return switch (name) {
      case "by" -> new Stage.GroupBy(at(context), spanField(context, name));
      case "coalesce" -> {
        requireArguments(context, 0);
        yield new Stage.Coalesce(at(context));
      }
      case "select" -> select(context);
      case "compare" -> compare(context);
      case "topk", "bottomk" ->
          new MetricsExpression.Rank(at(context), name.equals("topk"), rankLimit(context));
      default -> aggregateOrMetrics(context, name);
    };
  }

  private Stage aggregateOrMetrics(CallContext context, String name) {
    for (AggregateFunction function : AggregateFunction.values()) {
      if (function.text().equals(name)) {
        return aggregate(context, function);
      }
    }
    for (MetricsFunction function : MetricsFunction.values()) {
      if (function.text().equals(name)) {
        return overTime(context, function);
      }
    }
    throw TraceQlException.invalid(
        at(context), "unknown function " + name + ", expected one of " + FUNCTIONS);
  }

  private ScalarExpression aggregate(CallContext context, AggregateFunction function) {
    refuseGrouping(context);
    if (function == AggregateFunction.COUNT) {
      requireArguments(context, 0);
      return new ScalarExpression.Aggregate(at(context), function, Optional.empty());
    }
    FieldExpression field = spanField(context, function.text());
    Typing.requireNumber(field, function.text() + "()");
    return node(new ScalarExpression.Aggregate(at(context), function, Optional.of(field)), field);
  }

  private Stage select(CallContext context) {
    refuseGrouping(context);
    if (context.argument().isEmpty()) {
      throw TraceQlException.invalid(at(context), "select() needs at least one field");
    }
    List<FieldExpression> fields = new ArrayList<>();
    for (ArgumentContext argument : context.argument()) {
      FieldExpression field = field(argument);
      if (!(field instanceof FieldExpression.Attribute || field instanceof FieldExpression.Field)) {
        throw TraceQlException.invalid(field.at(), "select() takes attributes and intrinsics only");
      }
      fields.add(field);
    }
    return new Stage.Select(at(context), fields);
  }

  private MetricsExpression overTime(CallContext context, MetricsFunction function) {
    List<ArgumentContext> arguments = context.argument();
    Optional<FieldExpression> field = Optional.empty();
    List<Double> quantiles = new ArrayList<>();
    if (function == MetricsFunction.QUANTILE_OVER_TIME) {
      if (arguments.size() < 2) {
        throw TraceQlException.invalid(
            at(context), "quantile_over_time needs a field and at least one quantile");
      }
      for (ArgumentContext argument : arguments.subList(1, arguments.size())) {
        quantiles.add(quantile(field(argument)));
      }
      field = Optional.of(plainField(field(arguments.getFirst()), function.text() + "()"));
    } else if (function.ofField()) {
      requireArguments(context, 1);
      field = Optional.of(plainField(field(arguments.getFirst()), function.text() + "()"));
    } else {
      requireArguments(context, 0);
    }
    GroupingContext grouping = context.grouping();
    List<FieldExpression> by = grouping == null ? List.of() : by(grouping);
    return new MetricsExpression.OverTime(at(context), function, field, quantiles, by);
  }

  private List<FieldExpression> by(GroupingContext context) {
    if (context.field().isEmpty()) {
      throw TraceQlException.invalid(at(context), "by() needs at least one field");
    }
    if (context.field().size() > TraceQl.MAX_KEYS) {
      throw TraceQlException.tooLarge(
          at(context) + ": more than " + TraceQl.MAX_KEYS + " fields to group by");
    }
    return context.field().stream().map(field -> plainField(field(field), "by()")).toList();
  }

  /// What metrics functions take: they name their series after it.
  private static FieldExpression plainField(FieldExpression field, String where) {
    if (field instanceof FieldExpression.Attribute || field instanceof FieldExpression.Field) {
      return field;
    }
    throw TraceQlException.invalid(
        field.at(), where + " of a metrics query takes attributes and intrinsics only");
  }

  private static double quantile(FieldExpression expression) {
    if (expression instanceof FieldExpression.Literal(_, Value value)) {
      double quantile =
          switch (value) {
            case Value.Int(long whole) -> whole;
            case Value.Real(double fraction) -> fraction;
            default -> Double.NaN;
          };
      if (quantile >= 0 && quantile <= 1) {
        return quantile;
      }
    }
    throw TraceQlException.invalid(expression.at(), "a quantile is a number from 0 to 1");
  }

  private MetricsExpression compare(CallContext context) {
    refuseGrouping(context);
    List<ArgumentContext> arguments = context.argument();
    if (arguments.isEmpty()
        || arguments.size() > 4
        || arguments.getFirst().spansetFilter() == null) {
      throw TraceQlException.invalid(
          at(context), "compare() takes a spanset in braces, then topN, start and end");
    }
    if (arguments.size() == 3) {
      throw TraceQlException.invalid(at(context), "compare() with a start needs an end too");
    }
    List<Long> limits = new ArrayList<>();
    for (ArgumentContext argument : arguments.subList(1, arguments.size())) {
      limits.add(positiveInt(field(argument), "compare()"));
    }
    return new MetricsExpression.CompareTo(
        at(context), filter(arguments.getFirst().spansetFilter()), limits);
  }

  private long rankLimit(CallContext context) {
    refuseGrouping(context);
    requireArguments(context, 1);
    return positiveInt(field(context.argument(0)), context.getStart().getText() + "()");
  }

  private static long positiveInt(FieldExpression expression, String where) {
    if (expression instanceof FieldExpression.Literal(_, Value.Int(long value)) && value > 0) {
      return value;
    }
    throw TraceQlException.invalid(expression.at(), where + " needs an integer greater than 0");
  }

  /// The one argument of a function that reads spans.
  private FieldExpression spanField(CallContext context, String name) {
    refuseGrouping(context);
    requireArguments(context, 1);
    FieldExpression field = field(context.argument(0));
    if (!readsSpan(field)) {
      throw TraceQlException.invalid(
          field.at(), name + "() needs a field of the span, and this is the same for all");
    }
    return field;
  }

  private static boolean readsSpan(FieldExpression expression) {
    return switch (expression) {
      case FieldExpression.Literal _ -> false;
      case FieldExpression.Attribute _, FieldExpression.Field _ -> true;
      case FieldExpression.Logical logical ->
          logical.operands().stream().anyMatch(QueryBuilder::readsSpan);
      case FieldExpression.Compare compare ->
          readsSpan(compare.left()) || readsSpan(compare.right());
      case FieldExpression.Calculate calculate ->
          readsSpan(calculate.left()) || readsSpan(calculate.right());
      case FieldExpression.Not not -> readsSpan(not.operand());
      case FieldExpression.Negate negate -> readsSpan(negate.operand());
    };
  }

  private static void requireArguments(CallContext context, int count) {
    int given = context.argument().size();
    if (given != count) {
      throw TraceQlException.invalid(
          at(context),
          context.getStart().getText()
              + "() takes "
              + (count == 0 ? "no argument" : "one argument")
              + ", given="
              + given);
    }
  }

  private static void refuseGrouping(CallContext context) {
    if (context.grouping() != null) {
      throw TraceQlException.invalid(
          at(context.grouping()),
          "by() after " + context.getStart().getText() + "(): only metrics functions take it");
    }
  }

  private List<Hint> hints(HintsContext context) {
    List<Hint> hints = new ArrayList<>();
    for (HintContext hint : context.hint()) {
      Token token = hint.literal().getStart();
      Position at = TraceQl.position(token);
      Value value =
          Literals.value(token)
              .orElseThrow(() -> TraceQlException.invalid(at, "a hint's value is a literal"));
      hints.add(
          new Hint(
              at(hint),
              hint.IDENTIFIER().getText(),
              hint.SUB() == null ? value : Literals.negate(at, value)));
    }
    return hints;
  }

  // Fields of a span.

  private FieldExpression field(ArgumentContext context) {
    if (context.field() == null) {
      throw TraceQlException.invalid(at(context), "expected a field, found a spanset");
    }
    return field(context.field());
  }

  private FieldExpression field(FieldContext context) {
    FieldExpression result = comparison(context.comparison(0));
    int operators = context.op.size();
    int i = 0;
    while (i < operators) {
      Token sign = context.op.get(i);
      String where = sign.getText();
      List<FieldExpression> operands = new ArrayList<>();
      Typing.requireBoolean(result, where);
      operands.add(result);
      while (i < operators && context.op.get(i).getType() == sign.getType()) {
        FieldExpression operand = comparison(context.comparison(i + 1));
        Typing.requireBoolean(operand, where);
        operands.add(operand);
        i++;
      }
      result =
          node(
              new FieldExpression.Logical(TraceQl.position(sign), logical(sign), operands),
              operands.toArray());
    }
    return result;
  }

  private FieldExpression comparison(ComparisonContext context) {
    FieldExpression result = sum(context.sum(0));
    for (int i = 0; i < context.op.size(); i++) {
      Token sign = context.op.get(i);
      Position at = TraceQl.position(sign);
      Comparison operator = comparison(sign);
      if (operator == null) {
        throw new IllegalStateException("not a comparison: token=" + sign.getText());
      }
      FieldExpression right = sum(context.sum(i + 1));
      Typing.checkComparison(at, operator, result, right);
      result = node(new FieldExpression.Compare(at, operator, result, right), result, right);
    }
    return result;
  }

  private FieldExpression sum(SumContext context) {
    FieldExpression result = inversion(context.inversion(0));
    for (int i = 0; i < context.op.size(); i++) {
      result = calculate(context.op.get(i), result, inversion(context.inversion(i + 1)));
    }
    return result;
  }

  private FieldExpression inversion(InversionContext context) {
    if (context.product() != null) {
      return product(context.product());
    }
    FieldExpression operand = inversion(context.inversion());
    Typing.requireBoolean(operand, "!");
    return node(new FieldExpression.Not(at(context), operand), operand);
  }

  private FieldExpression product(ProductContext context) {
    FieldExpression result = power(context.power(0));
    for (int i = 0; i < context.op.size(); i++) {
      result = calculate(context.op.get(i), result, power(context.power(i + 1)));
    }
    return result;
  }

  private FieldExpression power(PowerContext context) {
    FieldExpression base = unary(context.unary());
    return context.POW() == null
        ? base
        : calculate(context.POW().getSymbol(), base, power(context.power()));
  }

  private FieldExpression calculate(Token sign, FieldExpression left, FieldExpression right) {
    Typing.requireNumber(left, sign.getText());
    Typing.requireNumber(right, sign.getText());
    return node(
        new FieldExpression.Calculate(TraceQl.position(sign), arithmetic(sign), left, right),
        left,
        right);
  }

  private FieldExpression unary(UnaryContext context) {
    if (context.primary() != null) {
      return primary(context.primary());
    }
    Token inner = context.unary().getStart();
    if (inner.getTokenIndex() == context.unary().getStop().getTokenIndex()
        && inner.getType() == TraceQlLexer.INTEGER) {
      // The least integer has no positive counterpart, so the sign belongs to the literal.
      return new FieldExpression.Literal(
          at(context), Literals.integer(TraceQl.position(inner), "-" + inner.getText()));
    }
    FieldExpression operand = unary(context.unary());
    if (operand instanceof FieldExpression.Literal(Position place, Value value)) {
      return new FieldExpression.Literal(at(context), Literals.negate(place, value));
    }
    Typing.requireNumber(operand, "-");
    return node(new FieldExpression.Negate(at(context), operand), operand);
  }

  private FieldExpression primary(PrimaryContext context) {
    if (context.field() != null) {
      return field(context.field());
    }
    Position at = at(context);
    Token token = context.getStart();
    String text = token.getText();
    if (context.ATTRIBUTE() != null) {
      return Literals.attribute(at, text);
    }
    if (context.literal() != null) {
      Optional<Value> value = Literals.value(token);
      if (value.isPresent()) {
        return new FieldExpression.Literal(at, value.get());
      }
    }
    Intrinsic intrinsic = Intrinsic.spellings().get(text);
    if (intrinsic == null) {
      throw TraceQlException.invalid(
          at,
          "unknown name "
              + text
              + ", expected an attribute such as span."
              + text.toLowerCase(Locale.ROOT).replace(':', '.')
              + " or one of "
              + String.join(", ", Intrinsic.spellings().keySet()));
    }
    return new FieldExpression.Field(at, intrinsic);
  }

  // Operators.

  private static LogicalOperator logical(Token sign) {
    return sign.getType() == TraceQlLexer.AND ? LogicalOperator.AND : LogicalOperator.OR;
  }

  private static Arithmetic arithmetic(Token sign) {
    return switch (sign.getType()) {
      case TraceQlLexer.ADD -> Arithmetic.ADD;
      case TraceQlLexer.SUB -> Arithmetic.SUBTRACT;
      case TraceQlLexer.MUL -> Arithmetic.MULTIPLY;
      case TraceQlLexer.DIV -> Arithmetic.DIVIDE;
      case TraceQlLexer.MOD -> Arithmetic.REMAINDER;
      case TraceQlLexer.POW -> Arithmetic.POWER;
      default -> throw new IllegalStateException("not arithmetic: token=" + sign.getText());
    };
  }

  private static @Nullable Comparison comparison(Token sign) {
    return switch (sign.getType()) {
      case TraceQlLexer.EQ -> Comparison.EQUAL;
      case TraceQlLexer.NEQ -> Comparison.NOT_EQUAL;
      case TraceQlLexer.LT -> Comparison.LESS;
      case TraceQlLexer.LTE -> Comparison.LESS_OR_EQUAL;
      case TraceQlLexer.GT -> Comparison.GREATER;
      case TraceQlLexer.GTE -> Comparison.GREATER_OR_EQUAL;
      case TraceQlLexer.MATCH -> Comparison.MATCH;
      case TraceQlLexer.NOT_MATCH -> Comparison.NOT_MATCH;
      default -> null;
    };
  }

  private static StructuralOperator structural(Token sign) {
    return switch (sign.getType()) {
      case TraceQlLexer.GT -> plain(StructuralOperator.Relation.CHILD);
      case TraceQlLexer.LT -> plain(StructuralOperator.Relation.PARENT);
      case TraceQlLexer.DESCENDANT -> plain(StructuralOperator.Relation.DESCENDANT);
      case TraceQlLexer.ANCESTOR -> plain(StructuralOperator.Relation.ANCESTOR);
      case TraceQlLexer.SIBLING -> plain(StructuralOperator.Relation.SIBLING);
      case TraceQlLexer.NOT_CHILD -> negated(StructuralOperator.Relation.CHILD);
      case TraceQlLexer.NOT_PARENT -> negated(StructuralOperator.Relation.PARENT);
      case TraceQlLexer.NOT_DESCENDANT -> negated(StructuralOperator.Relation.DESCENDANT);
      case TraceQlLexer.NOT_ANCESTOR -> negated(StructuralOperator.Relation.ANCESTOR);
      case TraceQlLexer.NOT_MATCH -> negated(StructuralOperator.Relation.SIBLING);
      case TraceQlLexer.UNION_CHILD -> union(StructuralOperator.Relation.CHILD);
      case TraceQlLexer.UNION_PARENT -> union(StructuralOperator.Relation.PARENT);
      case TraceQlLexer.UNION_DESCENDANT -> union(StructuralOperator.Relation.DESCENDANT);
      case TraceQlLexer.UNION_ANCESTOR -> union(StructuralOperator.Relation.ANCESTOR);
      case TraceQlLexer.UNION_SIBLING -> union(StructuralOperator.Relation.SIBLING);
      default ->
          throw TraceQlException.invalid(
              TraceQl.position(sign), sign.getText() + " cannot join a spanset and a spanset");
    };
  }

  private static StructuralOperator plain(StructuralOperator.Relation relation) {
    return new StructuralOperator(relation, StructuralOperator.Form.PLAIN);
  }

  private static StructuralOperator negated(StructuralOperator.Relation relation) {
    return new StructuralOperator(relation, StructuralOperator.Form.NEGATED);
  }

  private static StructuralOperator union(StructuralOperator.Relation relation) {
    return new StructuralOperator(relation, StructuralOperator.Form.UNION);
  }

  private static Position at(ParserRuleContext context) {
    return TraceQl.position(context.getStart());
  }

  private <T> T node(T node, Object... children) {
    int depth = 1;
    for (Object child : children) {
      depth = Math.max(depth, depths.getOrDefault(child, 0) + 1);
    }
    if (depth > TraceQl.MAX_DEPTH) {
      Position at =
          switch (node) {
            case FieldExpression field -> field.at();
            case Stage stage -> stage.at();
            default -> new Position(1, 1);
          };
      throw TraceQl.tooDeep(at);
    }
    depths.put(node, depth);
    return node;
  }
}
