package io.headspan.query.tempo;

import com.linecorp.armeria.common.HttpResponse;
import io.headspan.query.http.Queries;
import io.headspan.query.http.Request;
import io.headspan.query.tempo.TraceSummary.ServiceStats;
import io.headspan.query.traceql.Query;
import io.headspan.query.traceql.SearchPlan;
import io.headspan.query.traceql.SearchPlanner;
import io.headspan.query.traceql.Spanset;
import io.headspan.query.traceql.TimeRange;
import io.headspan.query.traceql.TraceExtent;
import io.headspan.query.traceql.TraceQl;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// `/api/search`: the newest traces with spans that a query matches. Which traces first, then what
/// the answer shows of them: see [SearchPlan].
final class Search {
  static final int DEFAULT_LIMIT = 20;
  static final int MAX_LIMIT = 5_000;
  static final int DEFAULT_SPANS_PER_SET = 3;
  static final int MAX_SPANS_PER_SET = 10_000;

  private final Queries queries;
  private final TraceSummaries summaries;

  Search(Queries queries) {
    this.queries = queries;
    summaries = new TraceSummaries(queries);
  }

  HttpResponse search(Request request) {
    TimeRange range = request.timeRange();
    int limit = request.integer("limit", DEFAULT_LIMIT, 1, MAX_LIMIT);
    int spansPerSet = request.integer("spss", DEFAULT_SPANS_PER_SET, 1, MAX_SPANS_PER_SET);
    SearchPlan plan = SearchPlanner.plan(query(request), range);
    return SearchJson.response(
        details(request, plan, candidates(request, plan, limit), spansPerSet));
  }

  private static Query query(Request request) {
    Optional<Duration> min = request.duration("minDuration");
    Optional<Duration> max = request.duration("maxDuration");
    Optional<String> traceQl = request.parameter("q");
    String text =
        traceQl.orElseGet(() -> TagFilter.toTraceQl(request.parameter("tags").orElse("")));
    return TraceQl.parse(text + TagFilter.durationStages(min, max));
  }

  /// The ids of the newest traces that match.
  List<String> candidates(Request request, SearchPlan plan, int limit) {
    return queries.run(request, plan.candidates(limit), row -> row.text(0));
  }

  /// What an answer shows of some traces, newest first.
  List<FoundTrace> details(Request request, SearchPlan plan, List<String> ids, int spansPerSet) {
    if (ids.isEmpty()) {
      return List.of();
    }
    // A trace may be gone, or new, between the statements.
    Map<String, TraceSummary> found = summaries.of(request, ids, plan.range());
    List<TraceExtent> extents =
        found.entrySet().stream()
            .map(each ->
                new TraceExtent(each.getKey(), each.getValue().startNs(), each.getValue().endNs()))
            .toList();
    Map<String, List<Spanset>> sets = new HashMap<>();
    queries
        .run(request, plan.details(extents, spansPerSet), plan.reader())
        .forEach(set -> sets.computeIfAbsent(set.traceId(), _ -> new ArrayList<>()).add(set));
    Map<String, Map<String, ServiceStats>> services =
        summaries.services(request, extents, plan.range());
    List<FoundTrace> traces = new ArrayList<>();
    found.forEach((id, summary) -> {
      List<Spanset> itsSets = sets.get(id);
      Map<String, ServiceStats> itsServices = services.get(id);
      if (itsSets != null && itsServices != null) {
        traces.add(new FoundTrace(id, summary.withServices(itsServices), itsSets));
      }
    });
    traces.sort(
        Comparator.comparingLong((FoundTrace trace) -> trace.summary().startNs()).reversed());
    return traces;
  }
}
