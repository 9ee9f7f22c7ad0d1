package io.headspan.query.slo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.headspan.query.RunningApi;
import io.headspan.query.ShopTraffic;
import io.headspan.query.TestHttp;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.Span;
import io.opentelemetry.proto.trace.v1.Status;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;

/// Alerts as Grafana would evaluate them: their queries are asked, their comparison is made here.
class BurnRateAlertsIT {
  private static final long START_SECONDS = 1_795_200_000;
  private static final int MINUTES = 20;
  private static final long NS_PER_SECOND = 1_000_000_000;
  private static final long NS_PER_MS = 1_000_000;

  /// In the minutes 12 to 15 of the traffic a neighbour is noisy.
  private static final long QUIET_SECONDS = START_SECONDS + 11 * 60;

  private static final long NOISY_SECONDS = START_SECONDS + 16 * 60;

  @TempDir static Path directory;

  private static List<ExportTraceServiceRequest> sent;
  private static RunningApi api;

  @BeforeAll
  static void start() throws Exception {
    sent = new ShopTraffic(5, START_SECONDS * NS_PER_SECOND, MINUTES, 40).requests();
    api = RunningApi.start(directory.resolve("store"), sent);
  }

  @AfterAll
  static void stop() {
    api.close();
  }

  @Test
  void fireWhileTheBudgetBurnsAndNotBefore() throws Exception {
    JsonNode alert = rules("latency: {within: 100ms, objective: 99}").get(0);
    Predicate<Span> slow =
        span -> span.getEndTimeUnixNano() - span.getStartTimeUnixNano() > 100 * NS_PER_MS;
    double limit = 14.4 * 0.01;
    assertThat(value(alert, "A", NOISY_SECONDS))
        .isCloseTo(badShare(slow, NOISY_SECONDS - 3600, NOISY_SECONDS), within(1e-9))
        .isGreaterThan(limit);
    assertThat(value(alert, "B", NOISY_SECONDS))
        .isCloseTo(badShare(slow, NOISY_SECONDS - 300, NOISY_SECONDS), within(1e-9));
    assertThat(value(alert, "B", QUIET_SECONDS))
        .isCloseTo(badShare(slow, QUIET_SECONDS - 300, QUIET_SECONDS), within(1e-9));
    assertThat(fires(alert, NOISY_SECONDS)).isTrue();
    assertThat(fires(alert, QUIET_SECONDS)).isFalse();
  }

  @Test
  void countFailures() throws Exception {
    JsonNode alert = rules("errors: {objective: 99.9}").get(0);
    long end = START_SECONDS + MINUTES * 60;
    assertThat(value(alert, "A", end))
        .isPositive()
        .isCloseTo(
            badShare(
                span -> span.getStatus().getCode() == Status.StatusCode.STATUS_CODE_ERROR,
                end - 3600,
                end),
            within(1e-9));
  }

  @Test
  void haveIdsOfTheirOwnThatStay() throws Exception {
    JsonNode rules = rules("errors: {objective: 99.9}");
    assertThat(rules.findValuesAsText("uid")).hasSize(4).doesNotHaveDuplicates();
    assertThat(rules.findValuesAsText("uid")).allMatch(uid -> uid.matches("[a-z0-9-]{1,40}"));
    assertThat(rules("errors: {objective: 99.9}").findValuesAsText("uid"))
        .isEqualTo(rules.findValuesAsText("uid"));
  }

  private static JsonNode rules(String objective) throws Exception {
    Path file =
        Files.writeString(
            directory.resolve("slo.yaml"),
            """
            slos:
              - name: checkout
                function: gateway
                tenant: shop
                %s
            """
                .formatted(objective));
    String yaml = BurnRateAlerts.yaml(Objectives.read(file));
    JsonNode root =
        new ObjectMapper()
            .valueToTree(new Load(LoadSettings.builder().build()).loadFromString(yaml));
    return root.at("/groups/0/rules");
  }

  private static JsonNode data(JsonNode rule, String refId) {
    for (JsonNode each : rule.get("data")) {
      if (each.get("refId").asText().equals(refId)) {
        return each;
      }
    }
    throw new AssertionError("no such part: refId=" + refId);
  }

  /// What a query gives at a time; 0 for nothing.
  private static double value(JsonNode rule, String refId, long nowSeconds) throws Exception {
    JsonNode data = data(rule, refId);
    int from = data.at("/relativeTimeRange/from").asInt();
    String query = data.at("/model/query").asText();
    HttpResponse<byte[]> response =
        api.get(
            "/api/metrics/query?q=%s&start=%d&end=%d"
                .formatted(TestHttp.encoded(query), nowSeconds - from, nowSeconds),
            "application/json");
    assertThat(response.statusCode()).as(TestHttp.text(response)).isEqualTo(200);
    JsonNode series = new ObjectMapper().readTree(response.body()).get("series");
    assertThat(series.size()).isLessThanOrEqualTo(1);
    return series.isEmpty() ? 0 : series.get(0).get("value").asDouble();
  }

  /// Evaluates `$C > x && $D > x`, of which C and D are the values of A and B.
  private static boolean fires(JsonNode rule, long nowSeconds) throws Exception {
    String[] sides = data(rule, "E").at("/model/expression").asText().split(" && ");
    assertThat(sides).hasSize(2);
    return value(rule, "A", nowSeconds) > Double.parseDouble(sides[0].substring("$C > ".length()))
        && value(rule, "B", nowSeconds) > Double.parseDouble(sides[1].substring("$D > ".length()));
  }

  private static double badShare(Predicate<Span> bad, long fromSeconds, long toSeconds) {
    List<Span> invocations =
        sent.stream()
            .flatMap(request -> request.getResourceSpansList().stream())
            .filter(BurnRateAlertsIT::isGateway)
            .flatMap(resource -> resource.getScopeSpansList().stream())
            .flatMap(scope -> scope.getSpansList().stream())
            .filter(span -> span.getKind() == Span.SpanKind.SPAN_KIND_SERVER)
            .filter(span ->
                span.getStartTimeUnixNano() > fromSeconds * NS_PER_SECOND
                    && span.getStartTimeUnixNano() <= toSeconds * NS_PER_SECOND)
            .toList();
    return (double) invocations.stream().filter(bad).count() / invocations.size();
  }

  private static boolean isGateway(ResourceSpans resource) {
    return resource.getResource().getAttributesList().stream()
        .anyMatch(attribute -> attribute.getValue().getStringValue().equals("gateway"));
  }
}
