package io.headspan.query;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.query.explain.MadeSpans;
import io.headspan.query.explain.MadeSpans.Function;
import io.headspan.query.explain.MadeSpans.Times;
import io.headspan.wire.access.Tokens;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Whether a tenant can tell by the clock that an id is that of another tenant's trace: that trace
/// is large, and takes many times as long to whoever may see it. And whether that another tenant
/// has a value or a name that is asked for.
class AccessTimingIT {
  private static final String BRAVO = "bravo-token";
  private static final String OPERATOR = "operator-token";
  private static final long NOON_NS = 1_795_176_000L * 1_000_000_000L;
  private static final int LARGE_SPANS = 4_000;
  private static final int SMALL_TRACES = 500;
  private static final int WARM_UP = 8;
  private static final String SECONDS =
      "=" + NOON_NS / 1_000_000_000L + "&end=" + (NOON_NS / 1_000_000_000L + 600);
  private static final int ROUNDS = 25;

  /// What a look at the spans that are left out may take, beside the noise of two medians.
  private static final double MS_MORE = 8;

  @TempDir private static Path directory;
  private static RunningApi api;
  private static QueryApi guarded;
  private static HttpClient client;
  private static String large;
  private static String none;

  @BeforeAll
  static void start() throws Exception {
    MadeSpans spans = new MadeSpans();
    Times times = new Times(1, 0, 1, 0, 0, 0);
    Function acme = new Function("acme", "acme-shop", "1");
    Function bravo = new Function("bravo", "bravo-shop", "1");
    long trace = spans.newId();
    long root = spans.served(acme, trace, 0, NOON_NS, times, Map.of());
    for (int i = 1; i < LARGE_SPANS; i++) {
      var _ = spans.served(acme, trace, root, NOON_NS + i, times, Map.of("item", "i" + i));
    }
    large = "0000000000001234%016x".formatted(trace);
    for (int i = 0; i < SMALL_TRACES; i++) {
      var _ = spans.served(bravo, spans.newId(), 0, NOON_NS + i, times, Map.of());
    }
    none = "0000000000001234%016x".formatted(spans.newId() + 1_000_000);
    api = RunningApi.start(directory.resolve("store"), spans.requests());
    Path tokens =
        Files.writeString(
            directory.resolve("tokens.yaml"),
            """
            pseudonym_key: a secret of the platform
            tokens:
              - {name: bravo, role: tenant, tenants: bravo, requests_per_second: 10000, sha256: %s}
              - {name: oncall, role: operator, requests_per_second: 10000, sha256: %s}
            """
                .formatted(Tokens.hash(BRAVO), Tokens.hash(OPERATOR)));
    guarded =
        QueryApi.start(
            api.config(
                Map.of(
                    "HEADSPAN_QUERY_TOKENS", tokens.toString(),
                    "HEADSPAN_QUERY_AUDIT", directory.resolve("audit").toString())));
    client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  }

  @AfterAll
  static void stop() {
    client.close();
    guarded.close();
    api.close();
  }

  private static HttpRequest request(String token, String path) {
    return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + guarded.port() + path))
        .header("Authorization", "Bearer " + token)
        .build();
  }

  private static String body(String token, String path) throws Exception {
    return client.send(request(token, path), HttpResponse.BodyHandlers.ofString()).body();
  }

  private static double millis(String token, String path, int status) throws Exception {
    HttpRequest request = request(token, path);
    long startNs = System.nanoTime();
    HttpResponse<byte[]> answer = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
    double took = (System.nanoTime() - startNs) / 1e6;
    assertThat(answer.statusCode()).as(path).isEqualTo(status);
    return took;
  }

  private static double median(double[] values) {
    return Arrays.stream(values).sorted().toArray()[values.length / 2];
  }

  @ParameterizedTest
  @CsvSource({
    "/api/traces/%s, 404",
    "/api/v2/traces/%s, 200",
    "/jaeger/api/traces/%s, 404",
    "/api/v3/traces/%s, 404",
    "/api/headspan/v1/traces/%s/critical-path, 404",
    "/api/headspan/v1/traces/%s/logs, 200",
    "/api/headspan/v1/traces/%s/decisions, 200"
  })
  void anothersTraceTakesAsLongAsNone(String path, int status) throws Exception {
    assertAsLong(path.formatted(large), path.formatted(none), status);
  }

  /// All of it is the other tenant's, of which there is eight times as much as of one's own.
  @ParameterizedTest
  @CsvSource(
      delimiter = ' ',
      value = {
        "/api/search?q={span.item=`%s`}&start i17 i-none 200",
        "/api/search?q={resource.service.name=`%s`}&start acme-shop none-shop 200",
        "/api/v2/search/tag/span.%s/values?start item none 200",
        "/api/v2/search/tag/span.item/values?q={resource.service.name=`%s`}&start acme-shop none-shop 200",
        "/api/v2/search/tags?scope=span&q={resource.service.name=`%s`}&start acme-shop none-shop 200",
        "/api/metrics/query_range?q={span.item=`%s`}|rate()&step=60s&start i17 i-none 200",
        "/api/metrics/query?q={resource.service.name=`%s`}|quantile_over_time(duration,.5)&start acme-shop none-shop 200"
      })
  void whatAnotherHasTakesAsLongAsWhatNobodyHas(
      String path, String another, String absent, int status) throws Exception {
    String ofAnother = escaped(path.formatted(another) + SECONDS);
    String ofNone = escaped(path.formatted(absent) + SECONDS);
    assertThat(body(OPERATOR, ofAnother))
        .as("what may be told by the clock")
        .isNotEqualTo(body(OPERATOR, ofNone).replace(absent, another));
    assertAsLong(ofAnother, ofNone, status);
  }

  private static String escaped(String path) {
    return path.replace("{", "%7B").replace("}", "%7D").replace("`", "%60").replace("|", "%7C");
  }

  private static void assertAsLong(String anothers, String nobodys, int status) throws Exception {
    double[] ofAnother = new double[ROUNDS];
    double[] ofNone = new double[ROUNDS];
    for (int round = -WARM_UP; round < ROUNDS; round++) {
      double another = millis(BRAVO, anothers, status);
      double absent = millis(BRAVO, nobodys, status);
      if (round >= 0) {
        ofAnother[round] = another;
        ofNone[round] = absent;
      }
    }
    System.out.printf(
        "timing: %s: another's %.1f ms, none %.1f ms%n",
        anothers, median(ofAnother), median(ofNone));
    assertThat(median(ofAnother)).as(anothers).isLessThan(2 * median(ofNone) + MS_MORE);
  }

  @Test
  void whoeverMaySeeItWaits() throws Exception {
    double[] seen = new double[ROUNDS / 4];
    double[] ofNone = new double[ROUNDS / 4];
    for (int round = 0; round < seen.length; round++) {
      seen[round] = millis(OPERATOR, "/api/v2/traces/" + large, 200);
      ofNone[round] = millis(OPERATOR, "/api/v2/traces/" + none, 200);
    }
    assertThat(median(seen)).isGreaterThan(2 * median(ofNone) + MS_MORE);
  }
}
