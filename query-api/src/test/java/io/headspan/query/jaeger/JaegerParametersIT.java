package io.headspan.query.jaeger;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.headspan.query.RecordedApi;
import io.headspan.query.RunningApi;
import io.headspan.query.TestHttp;
import java.net.http.HttpResponse;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Map;
import java.util.function.Predicate;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What each parameter of Jaeger's API means, over the recorded spans.
@ExtendWith(RecordedApi.class)
class JaegerParametersIT {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String TIMES = "&limit=2000&start=1795214300000000&end=1795215300000000";
  private static final String TRACE = "00000000000008d8d9b065f001e7a937";

  private static RunningApi api;

  @BeforeAll
  static void start(RunningApi recorded) {
    api = recorded;
  }

  private static JsonNode json(String path, int status) throws Exception {
    HttpResponse<byte[]> response = api.get("/jaeger" + path, "application/json");
    assertThat(response.statusCode()).as(path + " " + TestHttp.text(response)).isEqualTo(status);
    return JSON.readTree(response.body());
  }

  private static JsonNode data(String parameters) throws Exception {
    return json("/api/traces?service=catalog" + TIMES + parameters, 200).get("data");
  }

  private static JsonNode tagged(String key, String value) throws Exception {
    return data("&tags=" + TestHttp.encoded(JSON.writeValueAsString(Map.of(key, value))));
  }

  /// That every trace has a span of the service for which `condition` holds, and some were found.
  private static void assertEach(JsonNode traces, Predicate<JsonNode> condition) {
    assertThat(traces).isNotEmpty();
    for (JsonNode trace : traces) {
      assertThat(
              StreamSupport.stream(trace.get("spans").spliterator(), false)
                  .filter(span ->
                      trace
                          .get("processes")
                          .get(span.get("processID").asText())
                          .get("serviceName")
                          .asText()
                          .equals("catalog"))
                  .anyMatch(condition))
          .as(trace.get("traceID").asText())
          .isTrue();
    }
  }

  private static boolean has(JsonNode span, String key, String value) {
    return StreamSupport.stream(span.get("tags").spliterator(), false)
        .anyMatch(
            tag -> tag.get("key").asText().equals(key) && tag.get("value").asText().equals(value));
  }

  @Test
  void tagsMayBeFieldsOfSpans() throws Exception {
    assertEach(tagged("error", "true"), span -> has(span, "error", "true"));
    assertEach(tagged("error", "0"), span -> !has(span, "error", "true"));
    assertThat(tagged("error", "perhaps")).isEmpty();
    assertEach(tagged("span.kind", "CLIENT"), span -> has(span, "span.kind", "client"));
    assertEach(tagged("span.status", "error"), span -> has(span, "error", "true"));
    assertEach(
        tagged("scope.name", "http-server"), span -> has(span, "otel.scope.name", "http-server"));
    assertThat(tagged("scope.version", "nosuch")).isEmpty();
  }

  @Test
  void tagsMayBeOfResourcesScopesAndLinks() throws Exception {
    int inAll = data("").size();
    int here = tagged("resource.cloud.region", "eu-west-1").size();
    assertThat(here).isBetween(1, inAll - 1);
    assertThat(tagged("cloud.region", "eu-west-1").size()).isGreaterThanOrEqualTo(here);
    assertThat(tagged("resource.db.system.name", "redis")).isEmpty();
    assertThat(tagged("lang", "java")).isNotEmpty();
    assertThat(tagged("link.type", "follows")).isNotEmpty();
  }

  @Test
  void valuesAreComparedAsTheyAreWritten() throws Exception {
    assertThat(tagged("http.response.status_code", "500")).isNotEmpty();
    assertThat(tagged("http.response.status_code", "0500")).isEmpty();
    assertThat(tagged("http.response.status_code", "500.0")).isEmpty();
  }

  @Test
  void aDurationOfZeroIsNoBound() throws Exception {
    assertThat(data("&maxDuration=0s")).hasSameSizeAs(data(""));
    json("/api/traces?service=redis&minDuration=2s&maxDuration=1s", 400);
    json("/api/traces?service=redis&minDuration=2", 400);
  }

  @Test
  void aRangeThatEndsBeforeItBeginsHasNothing() throws Exception {
    assertThat(
            json("/api/traces?service=redis&start=1795215300000000&end=1795214300000000", 200)
                .get("data"))
        .isEmpty();
  }

  @Test
  void tagsHaveToBeTexts() throws Exception {
    json("/api/traces?service=redis&tags=" + TestHttp.encoded("{\"a\":1}"), 400);
    json("/api/traces?service=redis&tags=" + TestHttp.encoded("[]"), 400);
    json("/api/traces?service=redis&tag=a", 400);
    assertThat(json("/api/traces?service=catalog&tag=lang:java" + TIMES, 200).get("data"))
        .isNotEmpty();
  }

  @Test
  void saysWhichOfSeveralTracesThereAreNot() throws Exception {
    JsonNode answer = json("/api/traces?traceID=" + TRACE + "&traceID=0000abc", 200);
    assertThat(answer.get("data")).hasSize(1);
    assertThat(answer.get("errors")).hasSize(1);
    assertThat(answer.get("errors").get(0).get("traceID").asText()).isEqualTo("0000000000000abc");
    json("/api/traces?traceID=xyz", 400);
  }

  @Test
  void findsATraceByItsIdInBase64() throws Exception {
    String id = Base64.getUrlEncoder().encodeToString(HexFormat.of().parseHex(TRACE));
    assertThat(json("/api/traces/" + TestHttp.encoded(id), 200).get("data")).hasSize(1);
    json("/api/v3/traces/" + TestHttp.encoded(id), 200);
  }

  @ParameterizedTest
  @CsvSource({
    "/api/traces/00000000000008d8d9b065f001e7a937?start=x,400",
    "/api/traces/00000000000008d8d9b065f001e7a937?raw=maybe,400",
    "/api/v3/traces/00000000000008d8d9b065f001e7a937?startTime=x,400",
    "/api/v3/traces/00000000000008d8d9b065f001e7a937?end_time=x,400",
    "/api/v3/traces/0123456789abcdef0123456789abcdef,404",
    "/api/v3/traces?query.service_name=redis,400",
    "/api/dependencies?lookback=-1,500",
  })
  void refusesWhatCannotBeRead(String path, int status) throws Exception {
    JsonNode answer = json(path, status);
    assertThat(answer.has("errors") || answer.has("error")).isTrue();
  }

  @Test
  void version3TakesBothSpellings() throws Exception {
    String range =
        "query.startTimeMin=2026-11-20T22:38:20Z&query.startTimeMax=2026-11-20T22:55:00Z";
    JsonNode camel = json("/api/v3/traces?query.serviceName=payment&" + range, 200);
    JsonNode snake =
        json(
            "/api/v3/traces?query.service_name=payment&query.start_time_min=2026-11-20T22:38:20Z"
                + "&query.start_time_max=2026-11-20T22:55:00Z",
            200);
    assertThat(camel).isEqualTo(snake);
    assertThat(camel.get("result").get("resourceSpans")).isNotEmpty();
    json("/api/v3/traces?query.serviceName=nosuch&" + range, 404);
  }

  @Test
  void version3LeavesOutWhatIsEmpty() throws Exception {
    assertThat(json("/api/v3/operations?service=nosuch", 200)).isEmpty();
    assertThat(json("/api/v3/operations?service=redis&spanKind=client", 200).get("operations"))
        .hasSize(3);
    for (JsonNode operation : json("/api/v3/operations?service=redis", 200).get("operations")) {
      assertThat(operation.get("spanKind").asText()).isNotEmpty();
    }
    assertThat(json("/api/services/nosuch/operations", 200).get("data").isNull()).isTrue();
    assertThat(json("/api/operations?service=nosuch", 200).get("data")).isEmpty();
  }

  @Test
  void callsAreThoseOfWholeTraces() throws Exception {
    JsonNode all = json("/api/dependencies?endTs=1795215300000&lookback=3600000", 200).get("data");
    JsonNode ofPayment =
        json("/api/dependencies?endTs=1795215300000&lookback=3600000&service=payment", 200)
            .get("data");
    assertThat(ofPayment).hasSize(1);
    assertThat(all).contains(ofPayment.get(0));
    long half = 0;
    for (JsonNode call :
        json("/api/dependencies?endTs=1795214800000&lookback=500000", 200).get("data")) {
      half += call.get("callCount").asLong();
    }
    long whole = 0;
    for (JsonNode call : all) {
      whole += call.get("callCount").asLong();
    }
    assertThat(half).isBetween(1L, whole - 1);
  }
}
