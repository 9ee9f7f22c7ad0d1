package io.headspan.query.tempo;

import com.linecorp.armeria.common.HttpResponse;
import io.headspan.query.http.Queries;
import io.headspan.query.http.Request;
import io.headspan.query.tempo.TraceSummary.ServiceStats;
import io.headspan.query.traceql.FoundSet;
import io.headspan.query.traceql.FoundSet.SpanKey;
import io.headspan.query.traceql.Query;
import io.headspan.query.traceql.SearchPlan;
import io.headspan.query.traceql.SearchPlanner;
import io.headspan.query.traceql.Spanset;
import io.headspan.query.traceql.TimeRange;
import io.headspan.query.traceql.TraceExtent;
import io.headspan.query.traceql.TraceQl;
import io.headspan.storage.SqlQuery;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/// `/api/search`: the newest traces with spans that a query matches. Which traces first, then what
/// the answer shows of them: see [SearchPlan].
final class Search {
  static final int DEFAULT_LIMIT = 20;
  static final int MAX_LIMIT = 5_000;
  static final int DEFAULT_SPANS_PER_SET = 3;
  static final int MAX_SPANS_PER_SET = 10_000;

  /// How many traces more than are wanted are looked for in a part of the range: some may have
  /// begun before it.
  private static final int BEGUN_EARLIER = 20;

  /// How many matching spans of each trace are read for it.
  private static final int SPANS_PER_TRACE = 10;

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
    Found found = find(request, plan, limit, spansPerSet);
    return SearchJson.response(details(request, found, found.ids()));
  }

  private static Query query(Request request) {
    Optional<Duration> min = request.duration("minDuration");
    Optional<Duration> max = request.duration("maxDuration");
    Optional<String> traceQl = request.parameter("q");
    String text =
        traceQl.orElseGet(() -> TagFilter.toTraceQl(request.parameter("tags").orElse("")));
    return TraceQl.parse(text + TagFilter.durationStages(min, max));
  }

  /// The newest traces that match.
  ///
  /// @param ids 32 hex digits each, the newest first
  /// @param sets their spansets by id; empty where they have not been looked for
  /// @param summaries those that were asked for
  record Found(
      SearchPlan plan,
      int spansPerSet,
      List<String> ids,
      Map<String, List<FoundSet>> sets,
      Map<String, TraceSummary> summaries) {
    /// The traces that a part of the range is enough for: all of their spans are in it.
    Found begunWithin(TimeRange slice, int limit, Map<String, TraceSummary> known) {
      List<String> begun =
          ids.stream()
              .filter(id -> {
                TraceSummary summary = known.get(id);
                return summary != null && summary.startNs() >= slice.fromNs();
              })
              .limit(limit)
              .toList();
      return new Found(plan, spansPerSet, begun, sets, known);
    }
  }

  /// The traces that match, not more than `limit`: those with the newest matching spans, of those
  /// that began last if these are enough.
  Found find(Request request, SearchPlan plan, int limit, int spansPerSet) {
    if (plan.isScan()) {
      return scan(request, plan, limit, spansPerSet);
    }
    for (TimeRange slice : plan.slices()) {
      Found found = look(request, plan, slice, limit + BEGUN_EARLIER, spansPerSet);
      if (found.ids().size() >= limit) {
        Found begun = found.begunWithin(slice, limit, summaries.of(request, found.ids(), slice));
        if (begun.ids().size() == limit) {
          return begun;
        }
      }
    }
    return look(request, plan, plan.range(), limit, spansPerSet);
  }

  /// The spansets are known where there are no more matching spans than are read.
  private Found scan(Request request, SearchPlan plan, int limit, int spansPerSet) {
    int most = Math.min(SearchPlan.SHOWN_BY_ID_MAX, limit * SPANS_PER_TRACE);
    List<SpanKey> newest = queries.run(request, plan.newest(most), SpanKey::read);
    Map<String, Set<SpanKey>> byTrace = new LinkedHashMap<>();
    // One span may be stored twice.
    newest.forEach(span -> byTrace.computeIfAbsent(span.traceId(), _ -> new HashSet<>()).add(span));
    if (newest.size() < most) {
      Map<String, List<FoundSet>> sets = new LinkedHashMap<>();
      byTrace.entrySet().stream()
          .limit(limit)
          .forEach(trace ->
              sets.put(
                  trace.getKey(),
                  List.of(FoundSet.of(trace.getKey(), trace.getValue(), spansPerSet))));
      return new Found(plan, spansPerSet, List.copyOf(sets.keySet()), sets, Map.of());
    }
    List<String> ids =
        byTrace.size() < limit
            ? queries.run(request, plan.candidates(limit), row -> row.text(0))
            : byTrace.keySet().stream().limit(limit).toList();
    return new Found(plan, spansPerSet, ids, Map.of(), Map.of());
  }

  private Found look(
      Request request, SearchPlan plan, TimeRange slice, int limit, int spansPerSet) {
    Map<String, List<FoundSet>> sets = new LinkedHashMap<>();
    queries
        .run(request, plan.within(slice).found(limit, spansPerSet), FoundSet::read)
        .forEach(set -> sets.computeIfAbsent(set.traceId(), _ -> new ArrayList<>()).add(set));
    return new Found(plan, spansPerSet, List.copyOf(sets.keySet()), sets, Map.of());
  }

  /// What an answer shows of some of the traces, newest first.
  List<FoundTrace> details(Request request, Found found, List<String> ids) {
    if (ids.isEmpty()) {
      return List.of();
    }
    TimeRange range = found.plan().range();
    // A trace may be gone, or new, between the statements.
    Map<String, TraceSummary> known =
        found.summaries().isEmpty() ? summaries.of(request, ids, range) : found.summaries();
    Map<String, TraceSummary> wanted = new LinkedHashMap<>();
    for (String id : ids) {
      TraceSummary summary = known.get(id);
      if (summary != null) {
        wanted.put(id, summary);
      }
    }
    if (wanted.isEmpty()) {
      return List.of();
    }
    List<TraceExtent> extents =
        wanted.entrySet().stream()
            .map(each ->
                new TraceExtent(each.getKey(), each.getValue().startNs(), each.getValue().endNs()))
            .toList();
    Map<String, List<Spanset>> sets = spansets(request, found, extents);
    Map<String, Map<String, ServiceStats>> services = summaries.services(request, extents, range);
    List<FoundTrace> traces = new ArrayList<>();
    wanted.forEach((id, summary) -> {
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

  private Map<String, List<Spanset>> spansets(
      Request request, Found found, List<TraceExtent> traces) {
    SearchPlan plan = found.plan();
    List<FoundSet> sets =
        traces.stream()
            .flatMap(trace -> found.sets().getOrDefault(trace.traceId(), List.of()).stream())
            .toList();
    Set<SpanKey> keys =
        sets.stream().flatMap(set -> set.spans().stream()).collect(Collectors.toSet());
    Optional<SqlQuery> shown = found.sets().isEmpty() ? Optional.empty() : plan.shown(traces, keys);
    List<Spanset> spansets;
    if (shown.isEmpty()) {
      spansets = queries.run(request, plan.details(traces, found.spansPerSet()), plan.reader());
    } else {
      Map<SpanKey, Spanset.Span> spans = new HashMap<>();
      queries
          .run(request, shown.get(), plan.shownReader())
          .forEach(span -> spans.put(span.getKey(), span.getValue()));
      spansets = sets.stream().map(set -> set.with(spans)).toList();
    }
    return spansets.stream().collect(Collectors.groupingBy(Spanset::traceId));
  }
}
