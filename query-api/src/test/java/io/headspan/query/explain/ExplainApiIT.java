package io.headspan.query.explain;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.headspan.query.RunningApi;
import io.headspan.query.TestHttp;
import io.headspan.query.explain.MadeSpans.Function;
import io.headspan.query.explain.MadeSpans.Times;
import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.NodeSignal;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Functions that became slow at noon, each of another cause, of which the spans were made so that
/// the answer is known.
class ExplainApiIT {
  private static final Instant NOON = Instant.parse("2026-11-20T12:00:00Z");
  private static final long NOON_NS = NOON.getEpochSecond() * 1_000_000_000L;
  private static final long MINUTE_NS = 60_000_000_000L;
  private static final int INVOCATIONS = 1500;
  private static final Times USUAL = new Times(5, 0.2, 3, 0, 0, 1.5);

  @TempDir static Path directory;
  private static RunningApi api;
  private static final MadeSpans spans = new MadeSpans();
  private static final Random random = new Random(7);

  @BeforeAll
  static void start() throws Exception {
    for (String service :
        new String[] {"victim", "released", "cold", "caller", "limited", "retrier", "same"}) {
      Function old = new Function("acme", service, "1");
      for (int i = 0; i < INVOCATIONS; i++) {
        invocation(old, before(i), USUAL, Map.of(), 1);
        now(service, i);
      }
    }
    for (int i = 0; i < 12; i++) {
      invocation(new Function("acme", "seldom", "1"), before(i * 100), USUAL, Map.of(), 1);
      invocation(new Function("acme", "seldom", "1"), after(i * 100), USUAL, Map.of(), 1);
    }
    invocation(new Function("bravo", "shared", "1"), after(0), USUAL, Map.of(), 1);
    invocation(new Function("acme", "shared", "1"), after(0), USUAL, Map.of(), 1);
    api = RunningApi.start(directory, spans.requests());
    for (int report = 0; report < 3; report++) {
      api.store().insert(matrix(report), "matrix-" + report);
    }
  }

  @AfterAll
  static void stop() {
    if (api != null) {
      api.close();
    }
  }

  /// What an agent tells of 20 s.
  private static NodeReport matrix(int number) {
    long endNs = NOON_NS + 10_000_000_000L + number * 20_000_000_000L;
    return new NodeReport(
        "agent",
        "boot",
        number,
        "host",
        endNs,
        20_000_000_000L,
        new NodeSignal.Interference(
            List.of(
                new NodeSignal.Interference.Cell("acme", "bravo", 20_000_000, 2),
                new NodeSignal.Interference.Cell("acme", "charlie", 10_000_000, 1))));
  }

  private static long before(int i) {
    return NOON_NS - 9 * MINUTE_NS + i * 350_000_000L;
  }

  private static long after(int i) {
    return before(i) + 10 * MINUTE_NS;
  }

  /// One in ten is slow for the service's reason, by 30 ms.
  private static void now(String service, int i) {
    Function old = new Function("acme", service, "1");
    boolean slow = i % 10 == 0;
    switch (service) {
      case "victim" ->
          invocation(
              old,
              after(i),
              slow ? new Times(35, 20.2, 3, 30, 0, 1.5) : USUAL,
              slow
                  ? Map.of(
                      "headspan.culprit",
                      i % 150 == 0 ? "charlie" : "bravo",
                      "headspan.culprit_ns",
                      30_000_000L)
                  : Map.of(),
              1);
      case "released" ->
          invocation(
              new Function("acme", service, i % 2 == 0 ? "2" : "1"),
              after(i),
              slow ? new Times(35, 0.2, 28, 0, 0, 6.5) : USUAL,
              Map.of(),
              1);
      case "cold" ->
          invocation(
              old,
              after(i),
              slow ? new Times(35, 25.2, 8, 0, 0, 1.5) : USUAL,
              slow ? Map.of("faas.coldstart", true) : Map.of(),
              1);
      case "caller" ->
          invocation(
              old,
              after(i),
              slow ? new Times(35, 0.2, 3, 0, 0, 31.5) : USUAL,
              Map.of(),
              slow ? 31 : 1);
      case "limited" ->
          invocation(old, after(i), slow ? new Times(35, 0.2, 3, 0, 30, 1.5) : USUAL, Map.of(), 1);
      case "retrier" -> {
        long trace = spans.newId();
        long id =
            spans.served(old, trace, 0, after(i), new Times(25, 0.2, 3, 0, 0, 21.5), Map.of());
        callCatalogue(old, trace, id, after(i) + MadeSpans.ns(0.5), 20, true);
        callCatalogue(old, trace, id, after(i) + MadeSpans.ns(21), 1, false);
      }
      default -> invocation(old, after(i), USUAL, Map.of(), 1);
    }
  }

  /// An invocation with a call that another function serves.
  private static void invocation(
      Function function, long startNs, Times times, Map<String, Object> attributes, double callMs) {
    double noise = random.nextDouble() * 0.05;
    Times noisy =
        new Times(
            times.duration() + noise,
            times.queue(),
            times.cpu() + noise,
            times.stolen(),
            times.throttled(),
            times.blocked());
    long trace = spans.newId();
    long id = spans.served(function, trace, 0, startNs, noisy, attributes);
    callCatalogue(function, trace, id, startNs + MadeSpans.ns(0.5), callMs, false);
  }

  private static void callCatalogue(
      Function caller, long trace, long parent, long startNs, double ms, boolean failed) {
    long call = spans.called(caller, trace, parent, startNs, ms, failed);
    spans.served(
        new Function("acme", "catalogue", "1"),
        trace,
        call,
        startNs + MadeSpans.ns(0.1),
        new Times(ms - 0.1, 0, 0.1, 0, 0, ms - 0.3),
        Map.of());
  }

  private static HttpResponse<byte[]> get(String parameters) throws Exception {
    return api.get("/api/headspan/v1/explain?" + parameters, "application/json");
  }

  private static JsonNode explain(String service) throws Exception {
    return explain(service, "");
  }

  private static JsonNode explain(String service, String more) throws Exception {
    HttpResponse<byte[]> response =
        get(
            "service=%s&from=2026-11-20T12:00:00Z&to=2026-11-20T12:10:00Z%s"
                .formatted(service, more));
    assertThat(response.statusCode()).as(TestHttp.text(response)).isEqualTo(200);
    return new ObjectMapper().readTree(response.body());
  }

  private static void assertAddsUp(JsonNode difference) {
    double added =
        StreamSupport.stream(difference.get("components").spliterator(), false)
                .mapToDouble(component -> component.get("addedMs").asDouble())
                .sum()
            + difference.get("residual").get("addedMs").asDouble();
    assertThat(difference.get("sufficient").asBoolean()).isTrue();
    assertThat(added).isCloseTo(difference.get("addedMs").asDouble(), within(1e-9));
  }

  private static JsonNode assertNamed(JsonNode answer, String kind, double addedMs) {
    assertThat(answer.at("/verdict/state").asText()).isEqualTo("explained");
    assertThat(answer.at("/verdict/statistic").asText()).isEqualTo("p99");
    assertThat(answer.at("/verdict/kind").asText()).as("%s", answer).isEqualTo(kind);
    assertAddsUp(answer.get("p99"));
    assertAddsUp(answer.get("mean"));
    JsonNode first = answer.at("/p99/components/0");
    assertThat(first.get("kind").asText()).isEqualTo(kind);
    assertThat(first.get("addedMs").asDouble())
        .as("%s", first)
        .isCloseTo(addedMs, within(addedMs / 5));
    assertThat(first.get("exemplars")).isNotEmpty();
    assertThat(answer.at("/range/invocations").asInt()).isEqualTo(INVOCATIONS);
    assertThat(answer.at("/baseline/invocations").asInt()).isEqualTo(INVOCATIONS);
    return first;
  }

  @Test
  void namesTheNeighbourAndSaysWhatWouldBeWithoutIt() throws Exception {
    JsonNode answer = explain("victim");
    JsonNode first = assertNamed(answer, "stolen", 28);
    assertThat(first.get("culprit").asText()).isEqualTo("bravo");
    JsonNode without = answer.at("/counterfactuals/0");
    assertThat(without.get("culprit").asText()).isEqualTo("bravo");
    assertThat(without.get("statistic").asText()).isEqualTo("p99");
    assertThat(without.get("nowMs").asDouble()).isCloseTo(35, within(0.1));
    // Those of charlie are fewer than 1 % of all.
    assertThat(without.get("withoutMs").asDouble()).isCloseTo(5, within(0.1));
    JsonNode mean = answer.at("/counterfactuals/1");
    assertThat(mean.get("statistic").asText()).isEqualTo("mean");
    assertThat(mean.get("withoutMs").asDouble()).isCloseTo(5.2, within(0.1));
    assertThat(answer.get("sentence").asText())
        .startsWith("p99 of victim is 35 ms, 30 ms more than in the 10 min before: ")
        .contains("of the rise is CPU time taken by tenant bravo")
        .endsWith("; without tenant bravo p99 would be 5.0 ms or less.");
  }

  @Test
  void namesTheVersion() throws Exception {
    assertThat(assertNamed(explain("released"), "version", 30).get("version").asText())
        .isEqualTo("2");
  }

  @Test
  void namesColdStarts() throws Exception {
    JsonNode answer = explain("cold");
    assertNamed(answer, "cold-start", 30);
    assertThat(answer.at("/range/coldStarts").asInt()).isEqualTo(INVOCATIONS / 10);
  }

  @Test
  void namesTheCalledFunction() throws Exception {
    JsonNode first = assertNamed(explain("caller"), "call", 30);
    assertThat(first.get("service").asText()).isEqualTo("catalogue");
    assertThat(first.get("operation").asText()).isEqualTo("GET /item");
  }

  @Test
  void namesRetries() throws Exception {
    JsonNode answer = explain("retrier");
    assertThat(assertNamed(answer, "retry", 20).get("service").asText()).isEqualTo("catalogue");
    assertThat(answer.at("/range/retriesPerInvocation").asDouble()).isEqualTo(1);
    assertThat(answer.at("/baseline/retriesPerInvocation").asDouble()).isZero();
  }

  @Test
  void namesTheFunctionsOwnQuota() throws Exception {
    assertNamed(explain("limited"), "throttled", 30);
  }

  @Test
  void comparesWithAnotherVersion() throws Exception {
    JsonNode answer = explain("released", "&baseline=1");
    assertThat(answer.at("/baseline/kind").asText()).isEqualTo("version");
    assertThat(answer.at("/baseline/invocations").asInt()).isEqualTo(INVOCATIONS / 2);
    assertThat(answer.at("/verdict/kind").asText()).as("%s", answer).isEqualTo("version");
  }

  @Test
  void comparesWithAnotherRange() throws Exception {
    JsonNode answer = explain("limited", "&baseline=2026-11-20T12:00:00Z/2026-11-20T12:10:00Z");
    assertThat(answer.at("/baseline/kind").asText()).isEqualTo("range");
    assertThat(answer.at("/verdict/state").asText()).isEqualTo("not slower");
  }

  @Test
  void saysThatNothingChanged() throws Exception {
    JsonNode answer = explain("same");
    assertThat(answer.at("/verdict/state").asText()).isEqualTo("not slower");
    assertThat(answer.get("sentence").asText())
        .isEqualTo("same is not slower than in the 10 min before: p99 is 5.0 ms against 5.0 ms.");
  }

  @Test
  void saysWhenThereIsTooLittleToTell() throws Exception {
    JsonNode answer = explain("seldom");
    assertThat(answer.at("/verdict/state").asText()).isEqualTo("insufficient evidence");
    assertThat(answer.at("/p99/sufficient").asBoolean()).isFalse();
    assertThat(answer.at("/p99/components").isMissingNode()).isTrue();
    assertThat(answer.get("sentence").asText())
        .isEqualTo(
            "Insufficient evidence about seldom: 12 invocations, 12 in the baseline; 30 of each are needed.");
    assertThat(explain("nosuch").at("/range/invocations").asInt()).isZero();
  }

  @Test
  void asksForTheTenantWhereSeveralHaveTheFunction() throws Exception {
    HttpResponse<byte[]> response =
        get("service=shared&from=2026-11-20T12:00:00Z&to=2026-11-20T12:10:00Z");
    assertThat(response.statusCode()).isEqualTo(400);
    assertThat(TestHttp.text(response)).contains("tenants=acme,bravo");
    assertThat(explain("shared", "&tenant=bravo").at("/range/invocations").asInt()).isEqualTo(1);
  }

  @Test
  void refusesWhatItCannotRead() throws Exception {
    assertThat(get("").statusCode()).isEqualTo(400);
    assertThat(get("service=a&baseline=x/y").statusCode()).isEqualTo(400);
    assertThat(get("service=a&from=2&to=1").statusCode()).isEqualTo(400);
  }

  private static JsonNode json(String path) throws Exception {
    HttpResponse<byte[]> response = api.get(path, "application/json");
    assertThat(response.statusCode()).as(TestHttp.text(response)).isEqualTo(200);
    return new ObjectMapper().readTree(response.body());
  }

  private static final String RANGE = "from=2026-11-20T12:00:00Z&to=2026-11-20T12:10:00Z";

  @Test
  void comparesOperations() throws Exception {
    JsonNode answer = json("/api/headspan/v1/compare?service=limited&" + RANGE);
    for (String place : new String[] {"/total", "/operations/0"}) {
      JsonNode now = answer.at(place + "/now");
      assertThat(now.get("invocations").asInt()).isEqualTo(INVOCATIONS);
      assertThat(now.get("throttledMs").asDouble()).isCloseTo(3, within(0.01));
      assertThat(now.get("p99Ms").asDouble()).isCloseTo(35, within(0.1));
      JsonNode baseline = answer.at(place + "/baseline");
      assertThat(baseline.get("invocations").asInt()).isEqualTo(INVOCATIONS);
      assertThat(baseline.get("throttledMs").asDouble()).isZero();
      assertThat(baseline.get("p99Ms").asDouble()).isCloseTo(5, within(0.1));
    }
    assertThat(answer.at("/operations/0/operation").asText()).isEqualTo("GET /");
    JsonNode nothing = json("/api/headspan/v1/compare?service=nosuch&" + RANGE);
    assertThat(nothing.get("operations")).isEmpty();
    assertThat(nothing.get("total")).isEmpty();
  }

  @Test
  void drawsTheServiceGraph() throws Exception {
    JsonNode edges = json("/api/headspan/v1/service-graph?" + RANGE).get("edges");
    JsonNode caller =
        StreamSupport.stream(edges.spliterator(), false)
            .filter(edge -> edge.get("caller").asText().equals("caller"))
            .findFirst()
            .orElseThrow();
    assertThat(caller.get("callee").asText()).isEqualTo("catalogue");
    assertThat(caller.get("calleeKind").asText()).isEqualTo("service");
    assertThat(caller.get("calleeTenant").asText()).isEqualTo("acme");
    assertThat(caller.get("calls").asInt()).isEqualTo(INVOCATIONS);
    assertThat(caller.get("p50Ms").asDouble()).isCloseTo(1, within(0.02));
    assertThat(caller.get("p99Ms").asDouble()).isCloseTo(31, within(0.4));
    assertThat(edges).hasSize(10);
  }

  @Test
  void walksTheCriticalPath() throws Exception {
    String trace = explain("caller").at("/p99/components/0/exemplars/0").asText();
    JsonNode answer = json("/api/headspan/v1/traces/" + trace + "/critical-path");
    double sum =
        StreamSupport.stream(answer.get("segments").spliterator(), false)
            .mapToDouble(segment -> segment.get("selfMs").asDouble())
            .sum();
    assertThat(sum).isCloseTo(answer.get("durationMs").asDouble(), within(1e-6));
    // The caller, its call, who served it, and the caller again.
    assertThat(answer.get("segments")).hasSize(4);
    JsonNode longest = answer.at("/spans/0");
    assertThat(longest.get("service").asText()).isEqualTo("catalogue");
    assertThat(longest.get("kind").asText()).isEqualTo("server");
    assertThat(longest.get("onPathMs").asDouble()).isCloseTo(30.9, within(0.01));
    assertThat(longest.get("blockedMs").asDouble()).isCloseTo(30.7, within(0.01));
    assertThat(api.get("/api/headspan/v1/traces/abc/critical-path", "*/*").statusCode())
        .isEqualTo(404);
  }

  @Test
  void saysWhoWaitedForWhomOverTime() throws Exception {
    String range = "&from=2026-11-20T12:00:00Z&to=2026-11-20T12:01:00Z";
    JsonNode answer = json("/api/headspan/v1/neighbours?step=30s" + range);
    assertThat(answer.get("stepMs").asDouble()).isEqualTo(30_000);
    JsonNode first = answer.at("/pairs/0");
    assertThat(first.get("victim").asText()).isEqualTo("acme");
    assertThat(first.get("culprit").asText()).isEqualTo("bravo");
    assertThat(first.get("waitMs").asDouble()).isEqualTo(60);
    assertThat(first.get("waits").asInt()).isEqualTo(6);
    assertThat(first.get("series").toString())
        .isEqualTo(
            "[{\"time\":\"2026-11-20T12:00:00Z\",\"waitMs\":40.0},"
                + "{\"time\":\"2026-11-20T12:00:30Z\",\"waitMs\":20.0}]");
    assertThat(answer.at("/victims/0/lostMs").asDouble()).isEqualTo(90);
    assertThat(answer.at("/culprits/1/tenant").asText()).isEqualTo("charlie");
    assertThat(answer.at("/culprits/1/takenMs").asDouble()).isEqualTo(30);
    assertThat(json("/api/headspan/v1/neighbours?step=30s&culprit=charlie" + range).get("pairs"))
        .hasSize(1);
    assertThat(api.get("/api/headspan/v1/neighbours?step=1ms" + range, "*/*").statusCode())
        .isEqualTo(400);
  }
}
