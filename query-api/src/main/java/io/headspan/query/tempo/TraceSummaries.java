package io.headspan.query.tempo;

import io.headspan.query.http.Queries;
import io.headspan.query.http.Request;
import io.headspan.query.tempo.TraceSummary.ServiceStats;
import io.headspan.query.traceql.TimeRange;
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

  private final Queries queries;

  TraceSummaries(Queries queries) {
    this.queries = queries;
  }

  /// The summaries of those of `traceIds` that the store has, by id.
  ///
  /// @param traceIds 32 hex digits each, as the store gave them
  /// @param range where they were found
  Map<String, TraceSummary> of(Request request, List<String> traceIds, TimeRange range) {
    String ids =
        traceIds.stream().map(id -> "unhex('" + id + "')").collect(Collectors.joining(","));
    SqlQuery query =
        SqlQuery.of(
"""
                SELECT lower(hex(trace_id)), first, last, root.found, root.service, root.operation, \
                service, spans, errors FROM (SELECT trace_id, toString(service) AS service, \
                uniqExact(span_id) AS spans, uniqExactIf(span_id,status=2) AS errors \
FROM spans WHERE trace_id IN (%1$s) \
                AND time>=fromUnixTimestamp64Nano({from:Int64},'UTC') \
                AND time<=fromUnixTimestamp64Nano({to:Int64},'UTC') \
                GROUP BY trace_id, service) AS counts \
                INNER JOIN (SELECT trace_id, toUnixTimestamp64Nano(min(start)) AS first, \
                toUnixTimestamp64Nano(max(end)) AS last, max(root) AS root \
FROM trace_summary WHERE trace_id IN (%1$s) \
                AND day>=toDate(fromUnixTimestamp64Nano({from:Int64},'UTC')) \
                AND day<=toDate(fromUnixTimestamp64Nano({to:Int64},'UTC')) GROUP BY trace_id) AS summary \
                USING (trace_id)\
"""
                    .formatted(ids))
            .bind("from", Math.max(0, range.fromNs() - AROUND_NS))
            .bind("to", range.toNs() + AROUND_NS)
            .setting("max_query_size", "4194304");
    Map<String, TraceSummary> summaries = new HashMap<>();
    queries
        .run(request, query, row -> Map.entry(row.text(0), read(row)))
        .forEach(entry ->
            summaries.merge(entry.getKey(), entry.getValue(), TraceSummaries::withServices));
    return summaries;
  }

  private static TraceSummary read(Row row) {
    boolean rooted = row.flag(3);
    return new TraceSummary(
        rooted ? row.text(4) : NO_ROOT,
        rooted ? row.text(5) : "",
        row.integer(1),
        row.integer(2),
        Map.of(row.text(6), new ServiceStats(row.integer(7), row.integer(8))));
  }

  private static TraceSummary withServices(TraceSummary summary, TraceSummary more) {
    Map<String, ServiceStats> services = new TreeMap<>(summary.services());
    services.putAll(more.services());
    return new TraceSummary(
        summary.rootService(), summary.rootName(), summary.startNs(), summary.endNs(), services);
  }
}
