package io.headspan.query.trace;

import io.headspan.query.http.Queries;
import io.headspan.query.http.Request;
import io.headspan.query.http.RequestException;
import io.headspan.storage.SqlQuery;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import io.opentelemetry.proto.trace.v1.Status;
import io.opentelemetry.proto.trace.v1.TracesData;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Whole traces by id, as OTLP.
public final class Traces {
  private static final int ID_DIGITS = 32;
  private static final String SPANS_OF_TRACE =
      "SELECT sum(spans) FROM trace_summary WHERE trace_id=unhex({id:String})";

  private final Queries queries;

  public Traces(Queries queries) {
    this.queries = queries;
  }

  /// A trace, or as much of it as an answer may hold.
  ///
  /// @param data without spans if there is no such trace
  /// @param problem why it is not complete, in letters that need no escape in JSON; "" if it is
  public record Found(TracesData data, String problem) {
    /// Whether there is no such trace.
    public boolean isAbsent() {
      return data.getResourceSpansCount() == 0;
    }

    /// Whether spans are missing.
    public boolean isPartial() {
      return !problem.isEmpty();
    }
  }

  /// The trace with an id of up to 32 hex digits; of a trace that is too large the earliest spans.
  ///
  /// @throws RequestException if `id` is none
  public Found find(Request request, String id) {
    String padded = paddedId(id);
    long high = Long.parseUnsignedLong(padded, 0, ID_DIGITS / 2, 16);
    long low = Long.parseUnsignedLong(padded, ID_DIGITS / 2, ID_DIGITS, 16);
    return found(request, padded, queries.trace(request, high, low));
  }

  /// Several traces, in the order of `ids`; more of them mean fewer spans of each.
  ///
  /// @throws RequestException if one of `ids` is none
  public List<Found> find(Request request, List<String> ids) {
    List<String> padded = ids.stream().map(id -> paddedId(id).toLowerCase(Locale.ROOT)).toList();
    Map<String, Queries.StoredTrace> stored =
        queries.traces(request, padded.stream().distinct().toList());
    return padded.stream()
        .map(id ->
            stored.containsKey(id)
                ? found(request, id, stored.get(id))
                : new Found(TracesData.getDefaultInstance(), ""))
        .toList();
  }

  private Found found(Request request, String padded, Queries.StoredTrace stored) {
    String problem = "";
    if (stored.isCut()) {
      int read = count(stored.data());
      long spans = spansOfTrace(request, padded);
      if (spans > read) {
        problem = "trace too large: spans=" + spans + ", the first " + read + " are in the answer";
      }
    }
    return new Found(withStatus(stored.data()), problem);
  }

  private static int count(TracesData trace) {
    int spans = 0;
    for (ResourceSpans resource : trace.getResourceSpansList()) {
      for (ScopeSpans scope : resource.getScopeSpansList()) {
        spans += scope.getSpansCount();
      }
    }
    return spans;
  }

  private long spansOfTrace(Request request, String id) {
    List<Long> counts =
        queries.run(request, SqlQuery.of(SPANS_OF_TRACE).bind("id", id), row -> row.integer(0));
    return counts.isEmpty() ? 0 : counts.getFirst();
  }

  /// An id with its leading zeros, without which ids come too.
  ///
  /// @throws RequestException if `id` is none
  public static String paddedId(String id) {
    boolean hex =
        !id.isEmpty()
            && id.length() <= ID_DIGITS
            && id.chars().allMatch(c -> c < 128 && Character.digit(c, 16) >= 0);
    if (!hex) {
      throw RequestException.badRequest(
          "not a trace id: id=" + id + ", want=up to " + ID_DIGITS + " hex digits");
    }
    return "0".repeat(ID_DIGITS - id.length()) + id;
  }

  /// Every span of Tempo's and Jaeger's has a status message, be it empty, and viewers rely on it.
  private static TracesData withStatus(TracesData trace) {
    TracesData.Builder builder = trace.toBuilder();
    for (ResourceSpans.Builder resource : builder.getResourceSpansBuilderList()) {
      for (ScopeSpans.Builder scope : resource.getScopeSpansBuilderList()) {
        for (Span.Builder span : scope.getSpansBuilderList()) {
          if (!span.hasStatus()) {
            span.setStatus(Status.getDefaultInstance());
          }
        }
      }
    }
    return builder.build();
  }
}
