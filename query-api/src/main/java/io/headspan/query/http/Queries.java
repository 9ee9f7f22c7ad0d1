package io.headspan.query.http;

import com.linecorp.armeria.common.HttpStatus;
import io.headspan.query.access.Pseudonyms;
import io.headspan.storage.RowReader;
import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import io.headspan.storage.TraceRead;
import io.headspan.storage.TraceSpans;
import io.headspan.wire.otlp.OtlpEncoder;
import io.opentelemetry.proto.trace.v1.TracesData;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/// The store as handlers use it, and their only way to it: every query sees what its request may
/// see, is under the limits, and ends when its request does.
public final class Queries {
  private static final long RESULT_ROWS = 200_000;

  private final SpanStore store;
  private final QueryLimits limits;
  private final Optional<Pseudonyms> pseudonyms;

  /// @param pseudonyms what tenants see instead of others' names
  public Queries(SpanStore store, QueryLimits limits, Optional<Pseudonyms> pseudonyms) {
    this.store = store;
    this.limits = limits;
    this.pseudonyms = pseudonyms;
  }

  /// The limits that all queries are under.
  public QueryLimits limits() {
    return limits;
  }

  /// Runs a SELECT for `request`, and gives it up if the request is.
  ///
  /// @throws io.headspan.storage.StoreException as [SpanStore#query] does
  public <T> List<T> run(Request request, SqlQuery query, RowReader<T> reader) {
    String id = newId();
    request.onCancel(() -> store.cancel(id));
    checkWanted(request);
    return store.query(
        request
            .visible(pseudonyms)
            .narrow(query, store.address().database(), store.address().tableDatabase())
            .id(id)
            // Until the answer is complete the query can be given up, and a limit is an error of
            // its own and not a broken answer.
            .setting("wait_end_of_query", "1")
            .timeout(limits.timeout())
            .maxMemoryBytes(limits.memoryBytes())
            .maxResultRows(RESULT_ROWS),
        reader);
  }

  private static void checkWanted(Request request) {
    if (request.isCancelled()) {
      throw new RequestException(HttpStatus.SERVICE_UNAVAILABLE, "request was given up");
    }
  }

  /// What may be seen of a trace.
  ///
  /// @param isCut whether it has more spans than were read
  public record StoredTrace(TracesData data, boolean isCut) {}

  /// What the request may see of several traces, by id, in one statement; those without spans are
  /// left out. The more traces, the fewer of their earliest spans.
  ///
  /// @param traceIds 32 hex digits each
  /// @throws io.headspan.storage.StoreException as [SpanStore#traces] does
  public Map<String, StoredTrace> traces(Request request, List<String> traceIds) {
    VisibleTenants visible = request.visible(pseudonyms);
    int spans = (int) Math.min(limits.traceSpans(), RESULT_ROWS / Math.max(1, traceIds.size()));
    Map<String, StoredTrace> traces = new HashMap<>();
    store
        .traces(traceIds, traceRead(request, visible, spans))
        .forEach((id, trace) -> traces.put(id, seen(visible, trace)));
    return traces;
  }

  private static StoredTrace seen(VisibleTenants visible, TraceSpans trace) {
    return new StoredTrace(visible.narrow(OtlpEncoder.encode(trace.spans())), trace.isCut());
  }

  /// What the request may see of the earliest spans of a trace, at most [QueryLimits#traceSpans()].
  ///
  /// @throws io.headspan.storage.StoreException as [SpanStore#trace] does
  public StoredTrace trace(Request request, long traceIdHigh, long traceIdLow) {
    VisibleTenants visible = request.visible(pseudonyms);
    return seen(
        visible,
        store.trace(traceIdHigh, traceIdLow, traceRead(request, visible, limits.traceSpans())));
  }

  /// A read that is under the limits and ends with its request, as a query does.
  private TraceRead traceRead(Request request, VisibleTenants visible, int spans) {
    TraceRead read =
        TraceRead.of(spans)
            .ofTenants(visible.tenants())
            .within(limits.timeout(), limits.memoryBytes())
            .named(newId(), () -> checkWanted(request));
    request.onCancel(() -> read.statementIds().forEach(store::cancel));
    return read;
  }

  private static String newId() {
    return "headspan-query-" + UUID.randomUUID();
  }
}
