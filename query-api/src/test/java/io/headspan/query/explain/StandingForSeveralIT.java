package io.headspan.query.explain;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.headspan.query.RunningApi;
import io.headspan.query.TestHttp;
import io.headspan.query.explain.MadeSpans.Function;
import io.headspan.query.explain.MadeSpans.Times;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A function of which a sampler let every slow invocation through and one in four of the quick
/// ones: what is said of it is what would be said of all of them.
class StandingForSeveralIT {
  private static final long NOON_NS =
      Instant.parse("2026-11-20T12:00:00Z").getEpochSecond() * 1_000_000_000L;
  private static final long MINUTE_NS = 60_000_000_000L;
  private static final String RANGE = "from=2026-11-20T12:00:00Z&to=2026-11-20T12:10:00Z";

  /// In each of the two ranges; a tenth of them are slow.
  private static final int INVOCATIONS = 2_000;

  private static final double QUICK_MS = 5;

  /// Before noon, and after.
  private static final double[] SLOW_MS = {8, 40};

  @TempDir static Path directory;
  private static RunningApi api;
  private static final MadeSpans spans = new MadeSpans();

  @BeforeAll
  static void start() throws Exception {
    for (int side = 0; side < 2; side++) {
      int quick = 0;
      for (int i = 0; i < INVOCATIONS; i++) {
        boolean slow = i % 10 == 0;
        if (slow || quick++ % 4 == 0) {
          spans.traceState(slow ? "" : "ot=th:c");
          long startNs = NOON_NS + (side == 0 ? -9 : 1) * MINUTE_NS + i * 200_000_000L;
          served(startNs, slow ? SLOW_MS[side] : QUICK_MS);
        }
      }
    }
    api = RunningApi.start(directory, spans.requests());
  }

  /// An invocation that waits for another function, all but 2 ms.
  private static void served(long startNs, double durationMs) {
    long traceId = spans.newId();
    Function shop = new Function("acme", "shop", "1");
    double calledMs = durationMs - 2;
    long served =
        spans.served(
            shop, traceId, 0, startNs, new Times(durationMs, 0, 2, 0, 0, calledMs), Map.of());
    long called =
        spans.called(shop, traceId, served, startNs + 1_000_000, calledMs, durationMs > 20);
    spans.served(
        new Function("acme", "stock", "1"),
        traceId,
        called,
        startNs + 1_000_000,
        new Times(calledMs, 0, calledMs, 0, 0, 0),
        Map.of());
  }

  @AfterAll
  static void stop() {
    if (api != null) {
      api.close();
    }
  }

  private static JsonNode json(String path) throws Exception {
    HttpResponse<byte[]> response = api.get(path, "application/json");
    assertThat(response.statusCode()).as(TestHttp.text(response)).isEqualTo(200);
    return new ObjectMapper().readTree(response.body());
  }

  /// Of all that were, let through or not.
  private static double meanMs(int side) {
    return 0.9 * QUICK_MS + 0.1 * SLOW_MS[side];
  }

  @Test
  void explains() throws Exception {
    JsonNode answer = json("/api/headspan/v1/explain?service=shop&" + RANGE);
    for (int side = 0; side < 2; side++) {
      JsonNode summary = answer.get(side == 0 ? "baseline" : "range");
      assertThat(summary.get("invocations").asInt()).isEqualTo(INVOCATIONS);
      assertThat(summary.get("p50Ms").asDouble()).isEqualTo(QUICK_MS);
      assertThat(summary.get("p95Ms").asDouble()).isEqualTo(SLOW_MS[side]);
      assertThat(summary.get("meanMs").asDouble()).isCloseTo(meanMs(side), within(1e-6));
    }
    JsonNode mean = answer.get("mean");
    assertThat(mean.get("addedMs").asDouble()).isCloseTo(3.2, within(1e-6));
    JsonNode first = mean.at("/components/0");
    assertThat(first.get("service").asText()).as("%s", mean).isEqualTo("stock");
    // The slow ones fail, which they did not do before: 0.1 * (40 - 2).
    assertThat(first.get("kind").asText()).isEqualTo("failed-call");
    assertThat(first.get("addedMs").asDouble()).isCloseTo(3.8, within(1e-6));
    assertThat(first.get("lowMs").asDouble()).isBetween(2.0, 3.8);
  }

  @Test
  void compares() throws Exception {
    JsonNode answer = json("/api/headspan/v1/compare?service=shop&" + RANGE);
    for (String place : new String[] {"/total", "/operations/0"}) {
      for (int side = 0; side < 2; side++) {
        JsonNode summary = answer.at(place + (side == 0 ? "/baseline" : "/now"));
        assertThat(summary.get("invocations").asInt()).isEqualTo(INVOCATIONS);
        assertThat(summary.get("meanMs").asDouble()).isCloseTo(meanMs(side), within(1e-6));
        assertThat(summary.get("p50Ms").asDouble()).isEqualTo(QUICK_MS);
        assertThat(summary.get("blockedMs").asDouble()).isCloseTo(meanMs(side) - 2, within(1e-6));
      }
    }
  }

  @Test
  void drawsTheServiceGraph() throws Exception {
    JsonNode edge = json("/api/headspan/v1/service-graph?" + RANGE).at("/edges/0");
    assertThat(edge.get("callee").asText()).isEqualTo("stock");
    assertThat(edge.get("calls").asInt()).isEqualTo(INVOCATIONS);
    assertThat(edge.get("errors").asInt()).isEqualTo(INVOCATIONS / 10);
    assertThat(edge.get("p50Ms").asDouble()).isCloseTo(QUICK_MS - 2, within(0.03));
    assertThat(edge.get("p95Ms").asDouble()).isCloseTo(SLOW_MS[1] - 2, within(0.4));
  }

  @Test
  void countsForTheDayAndTheBill() throws Exception {
    String range = "=" + NOON_NS / 1_000_000_000L + "&end=" + (NOON_NS / 1_000_000_000L + 599);
    JsonNode shop = json("/api/headspan/v1/functions?start" + range).at("/functions/0");
    assertThat(shop.get("service").asText()).isEqualTo("shop");
    assertThat(shop.get("count").asInt()).isEqualTo(INVOCATIONS);
    assertThat(shop.get("p50Ms").asDouble()).isCloseTo(QUICK_MS, within(0.06));
    assertThat(shop.get("p95Ms").asDouble()).isCloseTo(SLOW_MS[1], within(0.4));
    JsonNode usage = json("/api/headspan/v1/usage?" + RANGE).at("/usage/0");
    assertThat(usage.get("invocations").asInt()).isEqualTo(INVOCATIONS);
    assertThat(usage.get("durationSeconds").asDouble())
        .isCloseTo(INVOCATIONS * meanMs(1) / 1e3, within(1e-6));
  }

  @Test
  void tellsJaegerOfAllCalls() throws Exception {
    long endMs = NOON_NS / 1_000_000 + 600_000;
    JsonNode call = json("/api/dependencies?lookback=600000&endTs=" + endMs).at("/data/0");
    assertThat(call.get("parent").asText()).isEqualTo("shop");
    assertThat(call.get("callCount").asInt()).isEqualTo(INVOCATIONS);
  }
}
