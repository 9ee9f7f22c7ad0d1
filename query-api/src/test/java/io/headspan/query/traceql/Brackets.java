package io.headspan.query.traceql;

import java.util.stream.Collectors;

/// Queries with every operator in parentheses, to see how they were grouped.
final class Brackets {
  private Brackets() {}

  static String of(Query query) {
    return of(query.pipeline());
  }

  private static String of(Pipeline pipeline) {
    return pipeline.stages().stream().map(Brackets::of).collect(Collectors.joining(" | "));
  }

  private static String of(Stage stage) {
    return switch (stage) {
      case SpansetExpression.Filter filter -> "{" + of(filter.condition()) + "}";
      case SpansetExpression.Combination combination ->
          combination.operands().stream()
              .map(Brackets::of)
              .collect(Collectors.joining(" " + combination.operator().symbol() + " ", "(", ")"));
      case SpansetExpression.Structural structural ->
          binary(structural.left(), structural.operator().symbol(), structural.right());
      case SpansetExpression.Nested nested -> "(" + of(nested.pipeline()) + ")";
      case ScalarExpression.Aggregate aggregate ->
          aggregate.function().text() + "(" + aggregate.field().map(Brackets::of).orElse("") + ")";
      case ScalarExpression.Literal literal ->
          FieldText.of(new FieldExpression.Literal(literal.at(), literal.value()));
      case ScalarExpression.Calculate calculate ->
          binary(calculate.left(), calculate.operator().symbol(), calculate.right());
      case ScalarExpression.OfPipeline of -> "(" + of(of.pipeline()) + ")";
      case Stage.ScalarFilter filter ->
          binary(filter.left(), filter.operator().symbol(), filter.right());
      case Stage.GroupBy by -> "by(" + of(by.key()) + ")";
      case Stage.Coalesce _ -> "coalesce()";
      case Stage.Select select ->
          select.fields().stream()
              .map(Brackets::of)
              .collect(Collectors.joining(", ", "select(", ")"));
      case MetricsExpression.OverTime over -> overTime(over);
      case MetricsExpression.CompareTo compare ->
          "compare("
              + of(compare.selection())
              + compare.limits().stream().map(limit -> ", " + limit).collect(Collectors.joining())
              + ")";
      case MetricsExpression.Rank rank ->
          (rank.largest() ? "topk(" : "bottomk(") + rank.limit() + ")";
      case MetricsExpression.Ranked ranked -> of(ranked.of()) + " | " + of(ranked.rank());
      case MetricsExpression.Keep keep ->
          "(" + of(keep.of()) + " " + keep.operator().symbol() + " " + keep.bound() + ")";
      case MetricsExpression.OfPipeline of -> "(" + of(of.pipeline()) + ")";
      case MetricsExpression.Constant constant -> Double.toString(constant.value());
      case MetricsExpression.Calculate calculate ->
          binary(calculate.left(), calculate.operator().symbol(), calculate.right());
    };
  }

  private static String overTime(MetricsExpression.OverTime over) {
    String arguments =
        over.field().map(Brackets::of).orElse("")
            + over.quantiles().stream().map(q -> ", " + q).collect(Collectors.joining());
    String by =
        over.by().isEmpty()
            ? ""
            : over.by().stream().map(Brackets::of).collect(Collectors.joining(", ", " by(", ")"));
    return over.function().text() + "(" + arguments + ")" + by;
  }

  private static String binary(Stage left, String symbol, Stage right) {
    return "(" + of(left) + " " + symbol + " " + of(right) + ")";
  }

  private static String of(FieldExpression expression) {
    String text = FieldText.of(expression);
    return switch (expression) {
      case FieldExpression.Literal _, FieldExpression.Attribute _, FieldExpression.Field _ -> text;
      case FieldExpression.Logical _,
          FieldExpression.Compare _,
          FieldExpression.Calculate _,
          FieldExpression.Not _,
          FieldExpression.Negate _ ->
          "(" + text + ")";
    };
  }
}
