package io.headspan.query.tempo;

import static io.headspan.query.TestHttp.encoded;
import static io.headspan.query.TestHttp.text;
import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.query.RecordedSpans;
import io.headspan.query.RunningApi;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Queries made to hurt end in a clear error, or in an answer, and soon. They have a store of their
/// own, for they use up its memory.
class HostileQueriesIT {
  /// Far above what any of them takes on a machine that has nothing else to do.
  private static final Duration BOUND = Duration.ofSeconds(25);

  private static final String SEARCH = "/api/search?";
  private static final String RANGE = "/api/metrics/query_range?step=60s&";
  private static final String INSTANT = "/api/metrics/query?";

  @TempDir static Path directory;
  private static RunningApi api;

  @BeforeAll
  static void start() throws Exception {
    api = RunningApi.start(directory, RecordedSpans.requests());
  }

  @AfterAll
  static void stop() {
    if (api != null) {
      api.close();
    }
  }

  static Stream<Arguments> refused() {
    return Stream.of(
        query(SEARCH, "(".repeat(10_000), "nested more than 100 levels deep"),
        query(RANGE, "(".repeat(10_000) + "{} | rate()", "nested more than 100 levels deep"),
        query(SEARCH, "{ " + "!(".repeat(5_000), "nested more than 100 levels deep"),
        query(SEARCH, "{ .a" + " + .a".repeat(900) + " = 1 }", "nested more than 100"),
        query(SEARCH, "{ .a" + " + .a".repeat(90) + " = 1 }", "characters of SQL="),
        query(RANGE, "({} | rate())" + " + ({} | rate())".repeat(200), "more than 32 stages"),
        query(SEARCH, "{ name = `" + "a".repeat(500_000) + "` }", "characters=500013"),
        query(SEARCH, "{}" + " | by(name)".repeat(60), "more than 32 stages"),
        query(SEARCH, "({}" + " | by(name)".repeat(60) + ") && {}", "more than 32 stages"),
        query(SEARCH, "{}" + " | count() > 0".repeat(500), "more than 32 stages"),
        query(INSTANT, "{} | rate() by (" + fields(200) + ")", "more than 32 fields"),
        query(SEARCH, "{ " + fields(1_500, " || ") + " }", "characters of SQL="),
        query(SEARCH, "{ name =~ `((a{0,100}){0,100}){0,100}` }", "too complex"),
        query(SEARCH, "{ name =~ `(x{1000}){1000}` }", "too complex"),
        query(SEARCH, "{ name =~ `(a` }", "line 1, column 11: not a regular expression"),
        query(SEARCH, "{ name =~ `(?=a)` }", "not a regular expression"),
        query("/api/metrics/query_range?step=1ns&", "{} | rate()", "too many samples"));
  }

  private static Arguments query(String path, String query, String problem) {
    return Arguments.of(path, query, problem);
  }

  private static String fields(int count) {
    return IntStream.range(0, count).mapToObj(i -> ".a" + i).collect(Collectors.joining(", "));
  }

  private static String fields(int count, String operator) {
    return IntStream.range(0, count)
        .mapToObj(i -> ".a" + i + " = " + i)
        .collect(Collectors.joining(operator));
  }

  @ParameterizedTest
  @MethodSource
  void refused(String path, String query, String problem) throws Exception {
    HttpResponse<byte[]> response = ask(path, query);
    assertThat(response.statusCode()).as(text(response)).isIn(400, 422);
    assertThat(text(response)).contains(problem);
    assertThat(text(response).length()).isLessThan(200_000);
  }

  static Stream<Arguments> answered() {
    return Stream.of(
        Arguments.of(SEARCH, "{ name =~ `(a+)+$` }"),
        Arguments.of(SEARCH, "{ name =~ `(.*)*(.*)*(.*)*x` }"),
        Arguments.of(SEARCH, "{ 2" + " ^ 9".repeat(90) + " = .a }"),
        Arguments.of(SEARCH, "{ .a = 1 }" + " && { .b = 2 }".repeat(30)),
        Arguments.of(SEARCH, "{ .a = 1 }" + " &~ { .b = 2 }".repeat(10)),
        Arguments.of(SEARCH, "{}" + " | by(name)".repeat(10)),
        Arguments.of(SEARCH, "({}" + " | by(name)".repeat(10) + ") && {}"),
        Arguments.of(RANGE, "({} | rate())" + " + ({} | rate())".repeat(14)),
        Arguments.of(SEARCH, "{} | count()" + " + count()".repeat(80) + " > 1"),
        Arguments.of(INSTANT, "{} | compare({ status = error }, 1000000000)"),
        Arguments.of(RANGE, "{} | rate() by (span:id) | topk(1000000000)"),
        Arguments.of(RANGE, "{} | quantile_over_time(duration" + ", .5".repeat(1_000) + ")"));
  }

  @ParameterizedTest
  @MethodSource
  void answered(String path, String query) throws Exception {
    HttpResponse<byte[]> response = ask(path, query);
    assertThat(response.statusCode()).as(text(response)).isEqualTo(200);
  }

  @Test
  void manySeriesAreCut() throws Exception {
    HttpResponse<byte[]> response = ask(RANGE, "{} | rate() by (span:id, trace:id, duration)");
    assertThat(response.statusCode()).isEqualTo(200);
    var answer = RecordedSearch.JSON.readTree(response.body());
    assertThat(answer.get("series")).hasSize(1_000);
    assertThat(answer.get("status").asText()).isEqualTo("PARTIAL");
    assertThat(answer.get("message").asText()).contains("more than 1000 series");
  }

  @Test
  void textBeyondTheRequestLineIsRefused() throws Exception {
    HttpResponse<byte[]> response = ask(SEARCH, "a".repeat(2_000_000));
    assertThat(response.statusCode()).isIn(400, 414, 431);
  }

  private static HttpResponse<byte[]> ask(String path, String query) throws Exception {
    long begin = System.nanoTime();
    HttpResponse<byte[]> response =
        api.get(path + "start=1795214280&end=1795215300&q=" + encoded(query), "application/json");
    assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(BOUND);
    return response;
  }
}
