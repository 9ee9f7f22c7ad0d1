package io.headspan.query.traceql;

import java.util.List;
import java.util.Optional;

/// Time series. Only at the end of a query, or in parentheses as an operand of arithmetic.
public sealed interface MetricsExpression extends Stage {
  /// `rate()`, `avg_over_time(x) by (y)` and so on.
  ///
  /// @param quantiles of `quantile_over_time`, else empty
  /// @param by the labels' fields
  record OverTime(
      Position at,
      MetricsFunction function,
      Optional<FieldExpression> field,
      List<Double> quantiles,
      List<FieldExpression> by)
      implements MetricsExpression {
    public OverTime {
      quantiles = List.copyOf(quantiles);
      by = List.copyOf(by);
    }
  }

  /// `compare({selection}, topN, startNs, endNs)`; the later arguments may be missing.
  record CompareTo(Position at, SpansetExpression.Filter selection, List<Long> limits)
      implements MetricsExpression {
    public CompareTo {
      limits = List.copyOf(limits);
    }
  }

  /// `topk(n)` or `bottomk(n)` of the stage before it.
  record Rank(Position at, boolean largest, long limit) implements MetricsExpression {}

  /// `topk(n)` or `bottomk(n)` with the series that it ranks: what a planner makes of the stage.
  record Ranked(MetricsExpression of, Rank rank) implements MetricsExpression {
    @Override
    public Position at() {
      return rank.at();
    }
  }

  /// Samples for which a comparison with a number holds.
  record Keep(Position at, MetricsExpression of, Comparison operator, double bound)
      implements MetricsExpression {}

  /// A pipeline in parentheses that ends in metrics.
  record OfPipeline(Position at, Pipeline pipeline) implements MetricsExpression {}

  /// A number as operand.
  record Constant(Position at, double value) implements MetricsExpression {}

  /// Arithmetic on series with equal labels.
  record Calculate(
      Position at, Arithmetic operator, MetricsExpression left, MetricsExpression right)
      implements MetricsExpression {}
}
