package io.headspan.query.traceql;

import java.util.List;

/// One stage of a pipeline.
public sealed interface Stage
    permits SpansetExpression,
        ScalarExpression,
        MetricsExpression,
        Stage.ScalarFilter,
        Stage.GroupBy,
        Stage.Coalesce,
        Stage.Select {
  /// Where it starts; for an operator, where its sign stands.
  Position at();

  /// `count() > 2`: keeps the spansets for which it holds.
  record ScalarFilter(
      Position at, Comparison operator, ScalarExpression left, ScalarExpression right)
      implements Stage {}

  /// `by(x)`: splits each spanset by the value of a field.
  record GroupBy(Position at, FieldExpression key) implements Stage {}

  /// `coalesce()`: joins the spansets of a trace again.
  record Coalesce(Position at) implements Stage {}

  /// `select(a, b)`: adds fields to the spans of the answer.
  record Select(Position at, List<FieldExpression> fields) implements Stage {
    public Select {
      fields = List.copyOf(fields);
    }
  }
}
