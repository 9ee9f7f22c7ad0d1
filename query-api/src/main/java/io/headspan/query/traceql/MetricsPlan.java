package io.headspan.query.traceql;

import io.headspan.storage.SqlQuery;

/// How to make the time series of a query, in one statement.
///
/// A plan may be used by any thread and any number of times.
public final class MetricsPlan {
  private final MetricsExpression expression;
  private final TimeGrid grid;

  MetricsPlan(MetricsExpression expression, TimeGrid grid) {
    this.expression = expression;
    this.grid = grid;
  }

  /// The intervals of its series.
  public TimeGrid grid() {
    return grid;
  }

  /// The series, to be read by [#reader()].
  ///
  /// @param limit most of them
  /// @param withExemplars whether spans are to be found for them
  public SqlQuery series(int limit, boolean withExemplars) {
    return new MetricsSql(grid, withExemplars).statement(expression, limit);
  }

  /// Reads the rows of [#series].
  public SeriesReader reader() {
    return new SeriesReader();
  }
}
