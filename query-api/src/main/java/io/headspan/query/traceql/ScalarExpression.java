package io.headspan.query.traceql;

import java.util.Optional;

/// A number per spanset. As a stage it can only end a pipeline in parentheses.
public sealed interface ScalarExpression extends Stage {
  /// `count()`, `avg(x)` and so on; only `count` has no field.
  record Aggregate(Position at, AggregateFunction function, Optional<FieldExpression> field)
      implements ScalarExpression {}

  /// A value written in the query.
  record Literal(Position at, Value value) implements ScalarExpression {}

  /// Arithmetic on two numbers.
  record Calculate(Position at, Arithmetic operator, ScalarExpression left, ScalarExpression right)
      implements ScalarExpression {}

  /// A pipeline in parentheses that ends in an aggregate.
  record OfPipeline(Position at, Pipeline pipeline) implements ScalarExpression {}
}
