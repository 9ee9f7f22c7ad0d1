package io.headspan.query.tempo;

import com.linecorp.armeria.common.HttpResponse;
import io.headspan.query.http.Queries;
import io.headspan.query.http.Request;
import io.headspan.query.http.RequestException;
import io.headspan.query.traceql.Hint;
import io.headspan.query.traceql.MetricsPlan;
import io.headspan.query.traceql.MetricsPlanner;
import io.headspan.query.traceql.Query;
import io.headspan.query.traceql.Series;
import io.headspan.query.traceql.TimeGrid;
import io.headspan.query.traceql.TimeRange;
import io.headspan.query.traceql.TraceQl;
import io.headspan.query.traceql.Value;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/// `/api/metrics/query_range` and `/api/metrics/query`: time series, and one value per series.
final class Metrics {
  static final int MAX_SERIES = 1_000;
  private static final int MAX_EXEMPLARS = 100;

  /// About how many samples a series has if the request does not say.
  private static final int SAMPLES = 240;

  private static final List<Duration> STEPS =
      List.of(
          Duration.ofHours(1),
          Duration.ofMinutes(5),
          Duration.ofMinutes(1),
          Duration.ofSeconds(15),
          Duration.ofSeconds(5),
          Duration.ofSeconds(1));

  private final Queries queries;

  Metrics(Queries queries) {
    this.queries = queries;
  }

  /// Series of an answer.
  ///
  /// @param problem why there are not all, "" if there are
  record Found(TimeGrid grid, List<Series> series, String problem) {}

  HttpResponse range(Request request) {
    TimeRange range = request.exactRange();
    Query query = query(request);
    TimeGrid grid = grid(range, request.step("step").orElseGet(() -> defaultStep(range)).toNanos());
    int exemplars = exemplars(query, request.integer("exemplars", 0, 0, Integer.MAX_VALUE));
    return SeriesJson.range(find(request, query, grid, exemplars, MAX_SERIES), exemplars);
  }

  HttpResponse instant(Request request) {
    TimeRange range = request.exactRange();
    TimeGrid grid = TimeGrid.instant(range.fromNs(), range.toNs());
    return SeriesJson.instant(find(request, query(request), grid, 0, MAX_SERIES));
  }

  private static Query query(Request request) {
    return TraceQl.parse(
        request
            .parameter("q")
            .or(() -> request.parameter("query"))
            .orElseThrow(() -> RequestException.badRequest("no query: q is missing")));
  }

  /// @param exemplars how many the answer will hold, 0 for none
  Found find(Request request, Query query, TimeGrid grid, int exemplars, int maxSeries) {
    MetricsPlan plan = MetricsPlanner.plan(query, grid);
    boolean isSampled =
        plan.sampling().isPresent()
            && !queries.run(request, plan.sampling().get(), row -> true).isEmpty();
    List<Series> series =
        new ArrayList<>(
            queries.run(
                request, plan.series(maxSeries + 1, exemplars > 0, isSampled), plan.reader()));
    String problem = "";
    if (series.size() > maxSeries) {
      series.removeLast();
      problem = "more than " + maxSeries + " series; these are the first by their labels";
    }
    return new Found(grid, series, problem);
  }

  /// Intervals that end at multiples of the step, so that a query asked again a little later gives
  /// the same samples.
  static TimeGrid grid(TimeRange range, long stepNs) {
    long first = Math.floorDiv(range.fromNs(), stepNs) * stepNs;
    long last = -Math.floorDiv(-range.toNs(), stepNs) * stepNs;
    long count = (last - first) / stepNs + 1;
    if (count > TimeGrid.MAX_COUNT) {
      throw RequestException.badRequest(
          "too many samples in a series: samples="
              + count
              + ", allowed="
              + TimeGrid.MAX_COUNT
              + "; ask for a longer step or a shorter range");
    }
    return new TimeGrid(first, stepNs, (int) count, false);
  }

  static Duration defaultStep(TimeRange range) {
    long wanted = (range.toNs() - range.fromNs()) / SAMPLES;
    return STEPS.stream()
        .filter(step -> step.toNanos() <= wanted)
        .findFirst()
        .orElse(STEPS.getLast());
  }

  /// How many spans to name, by the request and by the hint `with(exemplars=…)`, which wins.
  static int exemplars(Query query, int requested) {
    int wanted = requested;
    for (Hint hint : query.hints()) {
      if (hint.name().equals("exemplars")) {
        wanted =
            switch (hint.value()) {
              case Value.Bool(boolean on) -> on ? (wanted == 0 ? MAX_EXEMPLARS : wanted) : 0;
              case Value.Int(long count) -> Math.clamp(count, 0, MAX_EXEMPLARS);
              default ->
                  throw RequestException.badRequest(
                      "not a number of exemplars: " + hint.at() + ", want=exemplars=true or 100");
            };
      }
    }
    return Math.min(wanted, MAX_EXEMPLARS);
  }
}
