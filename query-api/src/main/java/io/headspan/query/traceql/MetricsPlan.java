package io.headspan.query.traceql;

import io.headspan.storage.SqlQuery;
import java.util.Optional;

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

  /// Asks whether some span of the range stands for several: a row if so. Empty if the answer makes
  /// no difference to [#series].
  public Optional<SqlQuery> sampling() {
    return MetricsSql.hasQuantiles(expression)
        ? Optional.of(MetricsSql.sampling(grid.range()))
        : Optional.empty();
  }

  /// The series, to be read by [#reader()].
  ///
  /// @param limit most of them
  /// @param withExemplars whether spans are to be found for them
  /// @param isSampled whether [#sampling()] gave a row
  public SqlQuery series(int limit, boolean withExemplars, boolean isSampled) {
    return new MetricsSql(grid, withExemplars, isSampled).statement(expression, limit);
  }

  /// Reads the rows of [#series].
  public SeriesReader reader() {
    return new SeriesReader();
  }
}
