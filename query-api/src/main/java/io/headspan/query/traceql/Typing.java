package io.headspan.query.traceql;

import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;

/// The rules of types, checked while the tree is built: an operator that could never hold for its
/// operands' types is an error and not an empty answer.
final class Typing {
  private Typing() {}

  static FieldType of(FieldExpression expression) {
    return switch (expression) {
      case FieldExpression.Literal literal -> of(literal.value());
      case FieldExpression.Attribute _ -> FieldType.ANY;
      case FieldExpression.Field field -> field.intrinsic().type();
      case FieldExpression.Logical _, FieldExpression.Compare _, FieldExpression.Not _ ->
          FieldType.BOOLEAN;
      case FieldExpression.Calculate _, FieldExpression.Negate _ -> FieldType.NUMBER;
    };
  }

  static FieldType of(Value value) {
    return switch (value) {
      case Value.Text _ -> FieldType.TEXT;
      case Value.Int _, Value.Real _, Value.Time _ -> FieldType.NUMBER;
      case Value.Bool _ -> FieldType.BOOLEAN;
      case Value.Status _ -> FieldType.STATUS;
      case Value.Kind _ -> FieldType.KIND;
      case Value.Nil _ -> FieldType.NIL;
    };
  }

  /// That `expression` can stand between braces, under `!` or beside `&&`.
  static void requireBoolean(FieldExpression expression, String where) {
    FieldType type = of(expression);
    if (!type.canBe(FieldType.BOOLEAN)) {
      throw TraceQlException.invalid(
          expression.at(), where + " needs a boolean, and this is " + type.description());
    }
  }

  static void requireNumber(FieldExpression expression, String where) {
    FieldType type = of(expression);
    if (!type.canBe(FieldType.NUMBER)) {
      throw TraceQlException.invalid(
          expression.at(), where + " needs a number, and this is " + type.description());
    }
  }

  static void checkComparison(
      Position at, Comparison operator, FieldExpression left, FieldExpression right) {
    if (operator.isPattern()) {
      checkPattern(at, operator, left, right);
      return;
    }
    FieldType l = of(left);
    FieldType r = of(right);
    if (l != r && l != FieldType.ANY && r != FieldType.ANY && !isNil(l) && !isNil(r)) {
      throw TraceQlException.invalid(
          at,
          operator.symbol()
              + " needs two values of one type, and these are "
              + l.description()
              + " and "
              + r.description());
    }
    if (operator == Comparison.EQUAL && (isNil(l) || isNil(r))) {
      refuseWhatAlwaysIs(at, isNil(l) ? right : left);
    }
    for (FieldType type : new FieldType[] {l, r}) {
      switch (type) {
        case BOOLEAN, STATUS, KIND, NIL -> {
          if (!operator.isEquality()) {
            throw TraceQlException.invalid(
                at, operator.symbol() + " cannot order " + type.description() + "; = and != can");
          }
        }
        case NUMBER, TEXT, ANY -> {}
      }
    }
  }

  /// `= nil` of what no span lacks is a mistake, and of the fields of events and links it would not
  /// say what it seems to.
  private static void refuseWhatAlwaysIs(Position at, FieldExpression field) {
    String name =
        switch (field) {
          case FieldExpression.Field(_, Intrinsic intrinsic) when intrinsic != Intrinsic.PARENT ->
              intrinsic.text();
          case FieldExpression.Attribute attribute
              when attribute.scope() == AttributeScope.RESOURCE
                  && !attribute.ofParent()
                  && attribute.name().equals("service.name") ->
              FieldText.of(attribute);
          default -> "";
        };
    if (!name.isEmpty()) {
      throw TraceQlException.invalid(
          at,
          "= nil asks for attributes; for spans without " + name + " write !(" + name + " != nil)");
    }
  }

  /// That a number per spanset may be compared with another.
  static void checkComparison(Position at, Comparison operator, FieldType left, FieldType right) {
    if (operator.isPattern()) {
      throw TraceQlException.invalid(
          at, operator.symbol() + " needs strings, and these are numbers");
    }
    if (left != FieldType.NUMBER || right != FieldType.NUMBER) {
      FieldType wrong = left == FieldType.NUMBER ? right : left;
      throw TraceQlException.invalid(
          at, "an aggregate compares with a number, and this is " + wrong.description());
    }
  }

  private static void checkPattern(
      Position at, Comparison operator, FieldExpression left, FieldExpression right) {
    if (!of(left).canBe(FieldType.TEXT)) {
      throw TraceQlException.invalid(
          at, operator.symbol() + " needs a string, and this is " + of(left).description());
    }
    if (!(right instanceof FieldExpression.Literal(Position place, Value.Text(String pattern)))) {
      throw TraceQlException.invalid(
          right.at(), "the pattern of " + operator.symbol() + " must be a string in quotes");
    }
    // RE2 is what runs it: no look-around, no back references, and so no exponential time.
    try {
      Pattern.compile(pattern);
    } catch (PatternSyntaxException e) {
      throw TraceQlException.invalid(
          place, "not a regular expression: `" + pattern + "`: " + e.getDescription());
    }
  }

  private static boolean isNil(FieldType type) {
    return type == FieldType.NIL;
  }
}
