package io.headspan.query.traceql;

import java.util.List;

/// An expression over the fields of one span.
public sealed interface FieldExpression {
  /// Where it stands; for an operator, where its sign stands.
  Position at();

  /// A value written in the query.
  record Literal(Position at, Value value) implements FieldExpression {}

  /// An attribute.
  ///
  /// @param ofParent whether it is the parent span's
  /// @param name without scope and quotes
  record Attribute(Position at, AttributeScope scope, boolean ofParent, String name)
      implements FieldExpression {}

  /// An intrinsic.
  record Field(Position at, Intrinsic intrinsic) implements FieldExpression {}

  /// Two or more boolean operands under one operator.
  record Logical(Position at, LogicalOperator operator, List<FieldExpression> operands)
      implements FieldExpression {
    public Logical {
      operands = List.copyOf(operands);
    }
  }

  /// A comparison.
  record Compare(Position at, Comparison operator, FieldExpression left, FieldExpression right)
      implements FieldExpression {
    /// The same with its sides exchanged.
    Compare mirrored() {
      FieldExpression first = right;
      FieldExpression second = left;
      return new Compare(at, operator.mirrored(), first, second);
    }
  }

  /// Arithmetic on two numbers.
  record Calculate(Position at, Arithmetic operator, FieldExpression left, FieldExpression right)
      implements FieldExpression {}

  /// `!x`.
  record Not(Position at, FieldExpression operand) implements FieldExpression {}

  /// `-x`.
  record Negate(Position at, FieldExpression operand) implements FieldExpression {}
}
