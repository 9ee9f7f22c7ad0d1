package io.headspan.query.http;

import com.linecorp.armeria.common.HttpStatus;
import io.headspan.storage.RowReader;
import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import io.headspan.wire.SpanBatch;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;
import java.util.stream.Collectors;

/// The store as handlers use it: every query is under the limits, and ends when its request does.
public final class Queries {
  private static final long RESULT_ROWS = 200_000;
  private static final List<String> TABLES_WITH_TENANT =
      List.of("spans", "resources", "latency_minute", "logs");

  private final SpanStore store;
  private final QueryLimits limits;

  public Queries(SpanStore store, QueryLimits limits) {
    this.store = store;
    this.limits = limits;
  }

  /// The limits that all queries are under.
  public QueryLimits limits() {
    return limits;
  }

  /// Runs a SELECT for `request`, and gives it up if the request is.
  ///
  /// @throws io.headspan.storage.StoreException as [SpanStore#query] does
  public <T> List<T> run(Request request, SqlQuery query, RowReader<T> reader) {
    String id = "headspan-query-" + UUID.randomUUID();
    request.onCancel(() -> store.cancel(id));
    checkWanted(request);
    return store.query(
        narrowed(query, request.tenants())
            .id(id)
            // Until the answer is complete the query can be given up, and a limit is an error of
            // its
            // own and not a broken answer.
            .setting("wait_end_of_query", "1")
            .timeout(limits.timeout())
            .maxMemoryBytes(limits.memoryBytes())
            .maxResultRows(RESULT_ROWS),
        reader);
  }

  /// The store itself leaves out other tenants' rows, wherever a statement reads them.
  private static SqlQuery narrowed(SqlQuery query, List<String> tenants) {
    if (tenants.isEmpty()) {
      return query;
    }
    String condition =
        tenants.stream()
            .map(tenant ->
                "unhex(\\'"
                    + HexFormat.of().formatHex(tenant.getBytes(StandardCharsets.UTF_8))
                    + "\\')")
            .collect(Collectors.joining(",", "tenant IN (", ")"));
    return query.setting(
        "additional_table_filters",
        TABLES_WITH_TENANT.stream()
            .map(table -> "'" + table + "':'" + condition + "'")
            .collect(Collectors.joining(",", "{", "}")));
  }

  private static void checkWanted(Request request) {
    if (request.isCancelled()) {
      throw new RequestException(HttpStatus.SERVICE_UNAVAILABLE, "request was given up");
    }
  }

  /// The earliest spans of a trace, at most [QueryLimits#traceSpans()].
  ///
  /// @throws io.headspan.storage.StoreException as [SpanStore#trace] does
  public SpanBatch trace(Request request, long traceIdHigh, long traceIdLow) {
    checkWanted(request);
    return store.trace(traceIdHigh, traceIdLow, limits.traceSpans());
  }
}
