package io.headspan.benchmarks.query;

import static io.headspan.benchmarks.query.StoredDay.encoded;

import io.headspan.benchmarks.BenchReport;
import io.headspan.benchmarks.BenchReport.Better;
import io.headspan.benchmarks.BenchReport.Target;
import java.io.IOException;
import java.time.Duration;

/// `./dev bench query [SPANS [DIRECTORY]]`: what Grafana's and an on-call engineer's questions take
/// over 10 million spans of a day.
public final class QueryBench {
  private static final int TIMES = 30;
  private static final Duration HOUR = Duration.ofHours(1);
  private static final Duration DAY = Duration.ofDays(1);
  private static final Target REPORTED = Target.none(Better.LOWER);

  private QueryBench() {}

  public static void main(String[] arguments) throws IOException, InterruptedException {
    BenchReport report = new BenchReport("query");
    Questions questions = new Questions(report);
    try (StoredDay day = StoredDay.of(arguments)) {
      for (Duration range : new Duration[] {HOUR, DAY}) {
        String suffix = range.equals(HOUR) ? "_1h" : "_24h";
        searches(questions, day, range, suffix);
        metrics(questions, day, range, suffix);
        questions.measure(
            "tag_values" + suffix,
            TIMES,
            REPORTED,
            _ ->
                day.ask(
                    "/api/v2/search/tag/resource.service.name/values?" + day.range(range),
                    "tagValues"));
      }
      questions.measure(
          "explain",
          TIMES,
          REPORTED,
          i ->
              day.ask(
                  "/api/headspan/v1/explain?service="
                      + encoded(day.pick(i).service())
                      + "&from="
                      + day.end().minus(Duration.ofMinutes(15))
                      + "&to="
                      + day.end(),
                  "sentence"));
    }
    var _ = report.finish();
  }

  private static void searches(Questions questions, StoredDay day, Duration range, String suffix)
      throws IOException, InterruptedException {
    questions.measure(
        "search" + suffix, TIMES, REPORTED, _ -> search(day, range, "{ status = error }"));
    questions.measure(
        "structural_search" + suffix,
        TIMES,
        REPORTED,
        i ->
            search(
                day,
                range,
                "{ resource.service.name = \"%s\" } >> { status = error }"
                    .formatted(day.pick(i).service())));
  }

  private static void metrics(Questions questions, StoredDay day, Duration range, String suffix)
      throws IOException, InterruptedException {
    questions.measure(
        "rate_by_service" + suffix,
        TIMES,
        REPORTED,
        _ -> series(day, range, "{ kind = server } | rate() by (resource.service.name)"));
    questions.measure(
        "quantile_by_service" + suffix,
        TIMES,
        REPORTED,
        _ ->
            series(
                day,
                range,
                "{ kind = server } | quantile_over_time(duration, .99) by (resource.service.name)"));
  }

  private static double search(StoredDay day, Duration range, String query)
      throws IOException, InterruptedException {
    return day.ask(
        "/api/search?limit=20&" + day.range(range) + "&q=" + encoded(query), "\"traces\"");
  }

  private static double series(StoredDay day, Duration range, String query)
      throws IOException, InterruptedException {
    return day.ask(
        "/api/metrics/query_range?" + day.range(range) + "&q=" + encoded(query), "\"series\"");
  }
}
