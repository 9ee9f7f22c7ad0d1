package io.headspan.query.tempo;

import io.headspan.query.http.Queries;
import io.headspan.query.http.Request;
import io.headspan.query.tempo.TraceSummary.ServiceStats;
import io.headspan.query.traceql.TimeRange;
import io.headspan.query.traceql.TraceExtent;
import io.headspan.storage.Row;
import io.headspan.storage.SqlQuery;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/// Reads summaries of traces.
final class TraceSummaries {
  /// What stands for the service of a root that never came, as in Tempo.
  private static final String NO_ROOT = "<root span not yet received>";

  /// How far a trace may reach beyond the time range in which some of its spans were found.
  private static final long AROUND_NS = Duration.ofDays(1).toNanos();

  private static final String MAX_QUERY_BYTES = "4194304";

  private final Queries queries;

  TraceSummaries(Queries queries) {
    this.queries = queries;
  }

  /// The summaries, without services, of those of `traceIds` that the store has, by id.
  ///
  /// @param traceIds 32 hex digits each, as the store gave them
  /// @param range where they were found
  Map<String, TraceSummary> of(Request request, List<String> traceIds, TimeRange range) {
    String ids =
        traceIds.stream().map(id -> "unhex('" + id + "')").collect(Collectors.joining(","));
    SqlQuery query =
        SqlQuery.of(
                """
                SELECT lower(hex(trace_id)), toUnixTimestamp64Nano(min(start)), \
                toUnixTimestamp64Nano(max(end)), tupleElement(max(root),'found'), \
                tupleElement(max(root),'service'), tupleElement(max(root),'operation') \
                FROM trace_summary WHERE trace_id IN (%s) \
                AND day>=toDate(fromUnixTimestamp64Nano({from:Int64},'UTC')) \
                AND day<=toDate(fromUnixTimestamp64Nano({to:Int64},'UTC')) GROUP BY trace_id\
                """
                    .formatted(ids))
            .bind("from", Math.max(0, range.fromNs() - AROUND_NS))
            .bind("to", range.toNs() + AROUND_NS)
            .setting("max_query_size", MAX_QUERY_BYTES);
    return queries.run(request, query, row -> Map.entry(row.text(0), read(row))).stream()
        .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue));
  }

  private static TraceSummary read(Row row) {
    boolean rooted = row.flag(3);
    return new TraceSummary(
        rooted ? row.text(4) : NO_ROOT,
        rooted ? row.text(5) : "",
        row.integer(1),
        row.integer(2),
        Map.of());
  }

  private record OfService(String traceId, String service, ServiceStats stats) {}

  /// How many spans of each service traces have, by id and service.
  ///
  /// @param range where they were found
  Map<String, Map<String, ServiceStats>> services(
      Request request, List<TraceExtent> traces, TimeRange range) {
    TimeRange around =
        new TimeRange(Math.max(0, range.fromNs() - AROUND_NS), range.toNs() + AROUND_NS);
    SqlQuery query =
        SqlQuery.of(
                """
                SELECT lower(hex(trace_id)), toString(service) AS service, uniqExact(span_id), \
                uniqExactIf(span_id,status=2) FROM spans WHERE %s \
                AND time>=fromUnixTimestamp64Nano({from:Int64},'UTC') \
                AND time<=fromUnixTimestamp64Nano({to:Int64},'UTC') GROUP BY trace_id, service\
                """
                    .formatted(TraceExtent.condition(traces, around)))
            .bind("from", around.fromNs())
            .bind("to", around.toNs())
            .setting("max_query_size", MAX_QUERY_BYTES);
    Map<String, Map<String, ServiceStats>> services = new HashMap<>();
    queries
        .run(
            request,
            query,
            row ->
                new OfService(
                    row.text(0), row.text(1), new ServiceStats(row.integer(2), row.integer(3))))
        .forEach(each ->
            services
                .computeIfAbsent(each.traceId(), _ -> new TreeMap<>())
                .put(each.service(), each.stats()));
    return services;
  }
}
