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
import java.util.Random;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Functions that became slow at noon because of what happened to somebody whom they called, or
/// whom these called, of which the spans were made so that the answer is known.
class ExplainChainIT {
  private static final long NOON_NS =
      Instant.parse("2026-11-20T12:00:00Z").getEpochSecond() * 1_000_000_000L;
  private static final long MINUTE_NS = 60_000_000_000L;
  private static final int INVOCATIONS = 1500;

  /// By how much one in ten is slower after noon.
  private static final double SLOW_MS = 30;

  @TempDir static Path directory;
  private static RunningApi api;
  private static final MadeSpans spans = new MadeSpans();
  private static final Random random = new Random(11);

  @BeforeAll
  static void start() throws Exception {
    for (int i = 0; i < INVOCATIONS; i++) {
      for (boolean now : new boolean[] {false, true}) {
        long startNs = NOON_NS - 9 * MINUTE_NS + i * 350_000_000L + (now ? 10 * MINUTE_NS : 0);
        boolean slow = now && i % 10 == 0;
        robbedCallee(startNs, slow);
        coldTwoHopsAway(startNs, slow);
        slowVersion(startNs, now);
        failing(startNs, slow);
        twoCulprits(startNs, slow);
        undescribed(startNs, slow);
        olderAgent(startNs, slow);
      }
    }
    api = RunningApi.start(directory, spans.requests());
  }

  @AfterAll
  static void stop() {
    if (api != null) {
      api.close();
    }
  }

  private static Function function(String service) {
    return new Function("acme", service, "1");
  }

  /// No two are equal, or there would be no tail.
  private static double noise() {
    return random.nextDouble() * 0.05;
  }

  /// An invocation of 3 ms that calls for `calledMs`; returns the id of the call.
  private static long calls(
      String service,
      long trace,
      long parent,
      long startNs,
      double calledMs,
      @Nullable String error) {
    double cpuMs = 3 + noise();
    long id =
        spans.served(
            function(service),
            trace,
            parent,
            startNs,
            new Times(cpuMs + calledMs, 0, cpuMs, 0, 0, calledMs),
            Map.of());
    return spans.called(function(service), trace, id, startNs + MadeSpans.ns(1), calledMs, error);
  }

  private static void robbedCallee(long startNs, boolean slow) {
    long trace = spans.newId();
    double stolenMs = slow ? SLOW_MS : 0;
    long call = calls("robbed-shop", trace, 0, startNs, 4 + stolenMs, null);
    spans.served(
        function("robbed-catalog"),
        trace,
        call,
        // The callee's clock is ten minutes ahead.
        startNs + 9 * MINUTE_NS,
        new Times(3.5 + stolenMs, 0, 3.5, stolenMs, 0, 0),
        slow ? Map.of("headspan.culprit", "media", "headspan.culprit_ns", 30_000_000L) : Map.of());
  }

  private static void coldTwoHopsAway(long startNs, boolean slow) {
    long trace = spans.newId();
    double coldMs = slow ? SLOW_MS : 0;
    long toCart = calls("cold-shop", trace, 0, startNs, 9 + coldMs, null);
    long toStock = calls("cold-cart", trace, toCart, startNs + MadeSpans.ns(1.5), 5 + coldMs, null);
    spans.served(
        function("cold-stock"),
        trace,
        toStock,
        startNs + MadeSpans.ns(3),
        new Times(4 + coldMs, coldMs / 2, 4 + coldMs / 2, 0, 0, 0),
        slow ? Map.of("faas.coldstart", true) : Map.of());
  }

  /// Half of the calls go to a new version.
  private static void slowVersion(long startNs, boolean now) {
    long trace = spans.newId();
    boolean slow = now && random.nextBoolean();
    double codeMs = slow ? SLOW_MS : 0;
    long call = calls("version-shop", trace, 0, startNs, 4 + codeMs, null);
    spans.served(
        new Function("acme", "version-catalog", slow ? "2" : "1"),
        trace,
        call,
        startNs + MadeSpans.ns(1.2),
        new Times(3.5 + codeMs, 0, 3.5 + codeMs / 3, 0, 0, codeMs * 2 / 3),
        Map.of());
  }

  private static void failing(long startNs, boolean slow) {
    long trace = spans.newId();
    double hangMs = slow ? SLOW_MS : 0;
    long call =
        calls("failing-shop", trace, 0, startNs, 4 + hangMs, slow ? "connection_closed" : null);
    spans.served(
        function("failing-catalog"),
        trace,
        call,
        startNs + MadeSpans.ns(1.2),
        new Times(3.5 + hangMs, 0, 3.5, 0, 0, hangMs),
        Map.of());
  }

  /// Media takes 18 ms and batch 12.
  private static void twoCulprits(long startNs, boolean slow) {
    double stolenMs = slow ? SLOW_MS : 0;
    double cpuMs = 5 + noise();
    spans.served(
        function("two-culprits"),
        spans.newId(),
        0,
        startNs,
        new Times(cpuMs + stolenMs, 0, cpuMs, stolenMs, 0, 0),
        slow ? Map.of("headspan.culprit", "media", "headspan.culprit_ns", 18_000_000L) : Map.of());
  }

  /// It says who took most, and not how much.
  private static void olderAgent(long startNs, boolean slow) {
    double stolenMs = slow ? SLOW_MS : 0;
    double cpuMs = 5 + noise();
    spans.served(
        function("older-agent"),
        spans.newId(),
        0,
        startNs,
        new Times(cpuMs + stolenMs, 0, cpuMs, stolenMs, 0, 0),
        slow ? Map.of("headspan.culprit", "media") : Map.of());
  }

  /// Nobody tells of who served the calls.
  private static void undescribed(long startNs, boolean slow) {
    var _ = calls("lonely-shop", spans.newId(), 0, startNs, slow ? 4 + SLOW_MS : 4, null);
  }

  private static JsonNode explain(String service) throws Exception {
    HttpResponse<byte[]> response =
        api.get(
            "/api/headspan/v1/explain?service=%s&from=2026-11-20T12:00:00Z&to=2026-11-20T12:10:00Z"
                .formatted(service),
            "application/json");
    assertThat(response.statusCode()).as(TestHttp.text(response)).isEqualTo(200);
    JsonNode answer = new ObjectMapper().readTree(response.body());
    assertThat(answer.at("/verdict/state").asText()).as("%s", answer).isEqualTo("explained");
    assertThat(answer.at("/verdict/statistic").asText()).isEqualTo("p99");
    assertAddsUp(answer.get("p99"));
    assertAddsUp(answer.get("mean"));
    return answer;
  }

  private static void assertAddsUp(JsonNode difference) {
    for (String amount : new String[] {"nowMs", "baselineMs", "addedMs"}) {
      double sum =
          StreamSupport.stream(difference.get("components").spliterator(), false)
                  .mapToDouble(component -> component.get(amount).asDouble())
                  .sum()
              + difference.get("residual").get(amount).asDouble();
      assertThat(sum).as(amount).isCloseTo(difference.get(amount).asDouble(), within(1e-9));
    }
  }

  private static JsonNode first(JsonNode answer, double addedMs) {
    JsonNode first = answer.at("/p99/components/0");
    assertThat(first.get("addedMs").asDouble()).as("%s", first).isCloseTo(addedMs, within(1.0));
    assertThat(first.get("exemplars")).isNotEmpty();
    return first;
  }

  @Test
  void namesWhoRobbedTheCallee() throws Exception {
    JsonNode answer = explain("robbed-shop");
    JsonNode first = first(answer, SLOW_MS);
    assertThat(first.get("kind").asText()).isEqualTo("call");
    assertThat(first.get("service").asText()).isEqualTo("robbed-catalog");
    assertThat(first.get("within").toString())
        .isEqualTo("{\"kind\":\"stolen\",\"culprit\":\"media\"}");
    assertThat(answer.at("/verdict/within/culprit").asText()).isEqualTo("media");
    assertThat(answer.get("sentence").asText())
        .isEqualTo(
            "p99 of robbed-shop is 37 ms, 30 ms more than in the 10 min before: 100 % of the rise is CPU time taken from"
                + " robbed-catalog (GET /item) by tenant media.");
  }

  @Test
  void namesTheColdStartTwoHopsAwayAndTheWayToIt() throws Exception {
    JsonNode answer = explain("cold-shop");
    JsonNode first = first(answer, SLOW_MS);
    assertThat(first.get("service").asText()).isEqualTo("cold-cart");
    assertThat(first.get("within").toString())
        .isEqualTo(
            "{\"kind\":\"call\",\"service\":\"cold-stock\",\"operation\":\"GET /item\","
                + "\"within\":{\"kind\":\"cold-start\"}}");
    assertThat(answer.get("sentence").asText())
        .contains(
            "100 % of the rise is cold starts of cold-stock (GET /item), through cold-cart (GET /item)");
  }

  @Test
  void namesTheVersionOfTheCallee() throws Exception {
    JsonNode answer = explain("version-shop");
    JsonNode first = first(answer, SLOW_MS);
    assertThat(first.get("within").toString())
        .isEqualTo("{\"kind\":\"version\",\"version\":\"2\"}");
    assertThat(answer.get("sentence").asText())
        .contains("is version 2 of version-catalog (GET /item), whose code takes longer");
  }

  @Test
  void namesCallsThatFailed() throws Exception {
    JsonNode answer = explain("failing-shop");
    // The whole call: before, it did not fail.
    JsonNode first = first(answer, SLOW_MS + 4);
    assertThat(first.get("kind").asText()).isEqualTo("failed-call");
    assertThat(first.get("service").asText()).isEqualTo("failing-catalog");
    assertThat(first.get("error").asText()).isEqualTo("connection_closed");
    assertThat(first.has("within")).isFalse();
    assertThat(first.get("text").asText())
        .isEqualTo("failed calls to failing-catalog (GET /item): connection_closed");
    assertThat(answer.at("/range/retriesPerInvocation").asDouble()).isZero();
  }

  @Test
  void chargesACulpritWithWhatItTookAndNoMore() throws Exception {
    JsonNode answer = explain("two-culprits");
    assertThat(first(answer, 18).get("culprit").asText()).isEqualTo("media");
    JsonNode others = answer.at("/p99/components/1");
    assertThat(others.get("culprit").asText()).isEqualTo("{others}");
    assertThat(others.get("addedMs").asDouble()).isCloseTo(12, within(0.1));
    JsonNode without = answer.at("/counterfactuals/0");
    assertThat(without.get("culprit").asText()).isEqualTo("media");
    assertThat(without.get("bound").asText()).isEqualTo("lower");
    // Without media, batch takes its 12 ms all the same.
    assertThat(without.get("withoutMs").asDouble()).isCloseTo(17, within(0.1));
    assertThat(answer.get("sentence").asText())
        .endsWith("; without tenant media p99 would be 17 ms or less.");
  }

  @Test
  void saysThatItIsNoBoundWhereTheCulpritsPartIsNotKnown() throws Exception {
    JsonNode answer = explain("older-agent");
    JsonNode without = answer.at("/counterfactuals/0");
    assertThat(without.get("bound").asText()).isEqualTo("none");
    assertThat(without.get("withoutMs").asDouble()).isCloseTo(5, within(0.1));
    assertThat(answer.get("sentence").asText())
        .endsWith("; without tenant media p99 would be about 5.0 ms.");
  }

  @Test
  void aCallThatNobodyTellsOfStaysACall() throws Exception {
    JsonNode first = first(explain("lonely-shop"), SLOW_MS);
    assertThat(first.get("kind").asText()).isEqualTo("call");
    assertThat(first.has("within")).isFalse();
    assertThat(first.get("text").asText()).isEqualTo("calls to somebody unknown (GET /item)");
  }
}
