package io.headspan.query.http;

import io.headspan.storage.SqlQuery;
import java.time.Duration;

/// What one query may use.
///
/// @param timeout time in the store
/// @param memoryBytes memory in the store
/// @param traceSpans spans of one trace
public record QueryLimits(Duration timeout, long memoryBytes, int traceSpans) {
  private static final long RESULT_ROWS = 200_000;

  /// `query` under these limits.
  public SqlQuery apply(SqlQuery query) {
    return query.timeout(timeout).maxMemoryBytes(memoryBytes).maxResultRows(RESULT_ROWS);
  }
}
