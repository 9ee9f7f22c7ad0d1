package io.headspan.benchmarks.query;

import static io.headspan.benchmarks.query.StoredDay.encoded;

import io.headspan.benchmarks.BenchReport;
import io.headspan.benchmarks.BenchReport.Better;
import io.headspan.benchmarks.BenchReport.Target;
import java.io.IOException;
import java.time.Duration;

/// `./dev bench store [SPANS [DIRECTORY]]`: what it takes to find something among 10 million spans
/// of a day.
public final class StoreBench {
  private static final int TIMES = 100;
  private static final Duration DAY = Duration.ofDays(1);

  private StoreBench() {}

  public static void main(String[] arguments) throws IOException, InterruptedException {
    BenchReport report = new BenchReport("store");
    Questions questions = new Questions(report);
    try (StoredDay day = StoredDay.of(arguments)) {
      questions.measure(
          "trace_by_id",
          TIMES,
          Target.atMost(20),
          i -> day.ask("/api/v2/traces/" + day.pick(i).traceId(), "\"spans\""));
      questions.measure(
          "attribute_search",
          TIMES,
          Target.atMost(50),
          i ->
              search(
                  day,
                  "{ resource.service.name = \"%s\" && span.url.full = \"%s\" }"
                      .formatted(day.pick(i).service(), day.pick(i).value())));
      questions.measure(
          "attribute_search_any_service",
          TIMES,
          Target.none(Better.LOWER),
          i -> search(day, "{ span.url.full = \"%s\" }".formatted(day.pick(i).value())));
      questions.measure(
          "day_percentiles",
          TIMES,
          Target.atMost(50),
          _ -> day.ask("/api/headspan/v1/functions?" + day.range(DAY), "p99Ms"));
    }
    var _ = report.finish();
  }

  private static double search(StoredDay day, String query)
      throws IOException, InterruptedException {
    // The same value may stand in more traces than are asked for, so any answer will do.
    return day.ask(
        "/api/search?limit=20&" + day.range(DAY) + "&q=" + encoded(query), "\"traceID\"");
  }
}
