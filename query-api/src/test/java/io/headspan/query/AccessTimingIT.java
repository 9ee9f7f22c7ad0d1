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
/// is large, and takes many times as long to whoever may see it.
class AccessTimingIT {
  private static final String BRAVO = "bravo-token";
  private static final String OPERATOR = "operator-token";
  private static final long NOON_NS = 1_795_176_000L * 1_000_000_000L;
  private static final int LARGE_SPANS = 4_000;
  private static final int SMALL_TRACES = 500;
  private static final int WARM_UP = 8;
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

  private static double millis(String token, String path, int status) throws Exception {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + guarded.port() + path))
            .header("Authorization", "Bearer " + token)
            .build();
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
    double[] ofAnother = new double[ROUNDS];
    double[] ofNone = new double[ROUNDS];
    for (int round = -WARM_UP; round < ROUNDS; round++) {
      double another = millis(BRAVO, path.formatted(large), status);
      double absent = millis(BRAVO, path.formatted(none), status);
      if (round >= 0) {
        ofAnother[round] = another;
        ofNone[round] = absent;
      }
    }
    System.out.printf(
        "timing: %s: another's %.1f ms, none %.1f ms%n", path, median(ofAnother), median(ofNone));
    assertThat(median(ofAnother)).as(path).isLessThan(2 * median(ofNone) + MS_MORE);
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
