package io.headspan.query.traceql;

import java.util.List;

/// A parsed and type-checked query.
public record Query(Pipeline pipeline, List<Hint> hints) {
  public Query {
    hints = List.copyOf(hints);
  }

  /// Whether it asks for time series and not for traces.
  public boolean isMetrics() {
    return pipeline.stages().stream().anyMatch(MetricsExpression.class::isInstance);
  }
}
