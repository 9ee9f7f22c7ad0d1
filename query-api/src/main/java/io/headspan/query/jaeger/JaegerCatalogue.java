package io.headspan.query.jaeger;

import com.linecorp.armeria.common.HttpStatus;
import io.headspan.query.http.Queries;
import io.headspan.query.http.Request;
import io.headspan.query.http.RequestException;
import io.headspan.query.traceql.SpanKind;
import io.headspan.storage.SqlQuery;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/// What there is: services, their operations, and who calls whom.
final class JaegerCatalogue {
  private static final Duration DEFAULT_LOOKBACK = Duration.ofHours(24);
  private static final long NS_PER_MS = 1_000_000;

  private static final String SERVICES =
      "SELECT DISTINCT toString(service) AS name FROM resources WHERE name!='' ORDER BY name";
  private static final String OPERATIONS =
      """
      SELECT DISTINCT toString(operation) AS name, kind FROM spans WHERE service={service:String} \
      ORDER BY name, kind\
      """;
  private static final String CALLS =
      """
      SELECT toString(parent.service), toString(child.service), \
      toInt64(round(sum(child.adjusted_count))) FROM \
      (SELECT trace_id, parent_span_id, service, adjusted_count FROM spans WHERE parent_span_id!=0 AND NOT open \
      AND time>=fromUnixTimestamp64Nano({from:Int64},'UTC') \
      AND time<=fromUnixTimestamp64Nano({to:Int64},'UTC')) AS child \
      ANY LEFT JOIN (SELECT trace_id, span_id, service FROM spans WHERE NOT open \
      AND time>=fromUnixTimestamp64Nano({from:Int64},'UTC') \
      AND time<=fromUnixTimestamp64Nano({to:Int64},'UTC')) AS parent \
      ON child.trace_id=parent.trace_id AND child.parent_span_id=parent.span_id \
      WHERE parent.span_id!=0 AND child.trace_id IN (SELECT trace_id FROM trace_summary \
      WHERE day>=toDate(fromUnixTimestamp64Nano({from:Int64},'UTC'))-1 \
      AND day<=toDate(fromUnixTimestamp64Nano({to:Int64},'UTC'))+1 GROUP BY trace_id \
      HAVING min(start)>fromUnixTimestamp64Nano({from:Int64},'UTC') \
      AND max(end)<fromUnixTimestamp64Nano({to:Int64},'UTC')) \
      GROUP BY parent.service, child.service ORDER BY 1, 2\
      """;

  private final Queries queries;

  JaegerCatalogue(Queries queries) {
    this.queries = queries;
  }

  /// An operation of a service.
  ///
  /// @param kind as Jaeger writes it: "" where the sender did not say
  record Operation(String name, String kind) {
    /// The same as version 3 writes it, where every operation has a kind.
    Operation named() {
      return kind.isEmpty() ? new Operation(name, SpanKind.INTERNAL.keyword()) : this;
    }
  }

  /// How often spans of `parent` have spans of `child` as children.
  record Call(String parent, String child, long count) {}

  List<String> services(Request request) {
    return queries.run(request, SqlQuery.of(SERVICES), row -> row.text(0));
  }

  /// @param kind of spans; all if empty
  List<Operation> operations(Request request, String service, Optional<String> kind) {
    return queries
        .run(
            request,
            SqlQuery.of(OPERATIONS).bind("service", service),
            row -> new Operation(row.text(0), kind((int) row.integer(1))))
        .stream()
        .filter(operation -> kind.isEmpty() || kind.get().equals(operation.kind()))
        .toList();
  }

  static String kind(int code) {
    for (SpanKind kind : SpanKind.values()) {
      if (kind.code() == code && kind != SpanKind.UNSPECIFIED) {
        return kind.keyword();
      }
    }
    return "";
  }

  /// The calls of traces that lie within the time asked for as a whole.
  List<Call> calls(Request request) {
    long toNs = milliseconds(request, "endTs").orElseGet(request::nowNs);
    long backNs = milliseconds(request, "lookback").orElse(DEFAULT_LOOKBACK.toNanos());
    if (backNs < 0) {
      // Jaeger has 500 for this, and clients know it.
      throw new RequestException(
          HttpStatus.INTERNAL_SERVER_ERROR, "lookback is less than nothing: ns=" + backNs);
    }
    Optional<String> service = request.parameter("service");
    return queries
        .run(
            request,
            SqlQuery.of(CALLS).bind("from", Math.max(0, toNs - backNs)).bind("to", toNs),
            row -> new Call(row.text(0), row.text(1), row.integer(2)))
        .stream()
        .filter(call ->
            service.isEmpty()
                || service.get().equals(call.parent())
                || service.get().equals(call.child()))
        .toList();
  }

  private static Optional<Long> milliseconds(Request request, String name) {
    return request
        .parameter(name)
        .map(text -> {
          try {
            return Math.multiplyExact(Long.parseLong(text), NS_PER_MS);
          } catch (NumberFormatException | ArithmeticException _) {
            throw RequestException.badRequest(
                "unable to parse param '" + name + "': " + text + ", want=milliseconds");
          }
        });
  }
}
