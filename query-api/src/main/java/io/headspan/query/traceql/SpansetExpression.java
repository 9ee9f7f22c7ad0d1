package io.headspan.query.traceql;

import java.util.List;

/// What selects spans of a trace.
public sealed interface SpansetExpression extends Stage {
  /// `{ condition }`.
  record Filter(Position at, FieldExpression condition) implements SpansetExpression {}

  /// `&&`: all of its operands' spans if every operand has one; `||`: all of them.
  record Combination(Position at, LogicalOperator operator, List<SpansetExpression> operands)
      implements SpansetExpression {
    public Combination {
      operands = List.copyOf(operands);
    }
  }

  /// Spans by their place in the tree.
  record Structural(
      Position at, StructuralOperator operator, SpansetExpression left, SpansetExpression right)
      implements SpansetExpression {}

  /// A pipeline of two or more stages in parentheses.
  record Nested(Position at, Pipeline pipeline) implements SpansetExpression {}
}
