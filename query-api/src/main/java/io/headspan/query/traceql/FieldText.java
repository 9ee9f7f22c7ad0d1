package io.headspan.query.traceql;

import java.util.stream.Collectors;

/// Field expressions as text, as results name them: `by(resource.service.name)`, `avg(duration)`.
public final class FieldText {
  private FieldText() {}

  /// `expression` in one spelling whatever the query used; nested operators are in parentheses.
  public static String of(FieldExpression expression) {
    return switch (expression) {
      case FieldExpression.Literal literal -> of(literal.value());
      case FieldExpression.Attribute attribute -> of(attribute);
      case FieldExpression.Field field -> field.intrinsic().text();
      case FieldExpression.Logical logical ->
          logical.operands().stream()
              .map(FieldText::operand)
              .collect(Collectors.joining(" " + logical.operator().symbol() + " "));
      case FieldExpression.Compare compare ->
          binary(compare.left(), compare.operator().symbol(), compare.right());
      case FieldExpression.Calculate calculate ->
          binary(calculate.left(), calculate.operator().symbol(), calculate.right());
      case FieldExpression.Not not -> "!" + operand(not.operand());
      case FieldExpression.Negate negate -> "-" + operand(negate.operand());
    };
  }

  private static String binary(FieldExpression left, String symbol, FieldExpression right) {
    return operand(left) + " " + symbol + " " + operand(right);
  }

  private static String operand(FieldExpression expression) {
    return switch (expression) {
      case FieldExpression.Literal _, FieldExpression.Attribute _, FieldExpression.Field _ ->
          of(expression);
      case FieldExpression.Logical _,
          FieldExpression.Compare _,
          FieldExpression.Calculate _,
          FieldExpression.Not _,
          FieldExpression.Negate _ ->
          "(" + of(expression) + ")";
    };
  }

  private static String of(FieldExpression.Attribute attribute) {
    String parent = attribute.ofParent() ? "parent." : "";
    boolean bare = attribute.ofParent() && attribute.scope() == AttributeScope.ANY;
    return parent + (bare ? "" : attribute.scope().prefix() + ".") + quoted(attribute.name());
  }

  private static String quoted(String name) {
    boolean plain =
        name.codePoints()
            .noneMatch(c -> Character.isWhitespace(c) || "{}()=~!<>&|^,\"\\`".indexOf(c) >= 0);
    return plain ? name : "\"" + name.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
  }

  private static String of(Value value) {
    return switch (value) {
      case Value.Text(String text) -> "`" + text + "`";
      case Value.Int(long number) -> Long.toString(number);
      case Value.Real(double number) -> Double.toString(number);
      case Value.Time(long ns) -> GoDuration.format(ns);
      case Value.Bool(boolean bool) -> Boolean.toString(bool);
      case Value.Status(SpanStatus status) -> status.keyword();
      case Value.Kind(SpanKind kind) -> kind.keyword();
      case Value.Nil _ -> "nil";
    };
  }
}
