package io.headspan.query.traceql;

import io.headspan.storage.SqlQuery;
import java.util.List;

/// How to find the traces of a query, in two statements: which traces (only what the conditions
/// read), then their spansets (all that the answer shows, for those few traces). Both come from one
/// plan, so that they agree.
///
/// A plan may be used by any thread and any number of times.
public final class SearchPlan {
  private final List<Stage> stages;
  private final List<FieldExpression> shown;
  private final TimeRange range;

  SearchPlan(List<Stage> stages, List<FieldExpression> shown, TimeRange range) {
    this.stages = List.copyOf(stages);
    this.shown = List.copyOf(shown);
    this.range = range;
  }

  /// The spans looked at.
  public TimeRange range() {
    return range;
  }

  /// Rows of one column, the trace id as 32 hex digits; the traces with the newest matching spans,
  /// newest first.
  public SqlQuery candidates(int limit) {
    return new SearchSql(stages, List.of(), range).candidates(limit);
  }

  /// The spansets of some traces, to be read by [#reader()].
  ///
  /// @param traces those of [#candidates], with the times of their summaries
  public SqlQuery details(List<TraceExtent> traces, int spansPerSet) {
    return new SearchSql(stages, shown, range).details(traces, spansPerSet);
  }

  /// Reads the rows of [#details].
  public SpansetReader reader() {
    return new SpansetReader(
        shown.stream().map(field -> SearchPlanner.shownName(field).orElseThrow()).toList());
  }
}
