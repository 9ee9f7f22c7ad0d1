package io.headspan.query.tempo;

import static io.headspan.query.TestHttp.encoded;
import static io.headspan.query.TestHttp.text;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.headspan.query.RecordedApi;
import io.headspan.query.RunningApi;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The metrics endpoints over the recorded spans: shapes, exemplars, steps, arithmetic, compare,
/// and what one tenant sees.
@ExtendWith(RecordedApi.class)
class MetricsApiIT {
  private static final String TIMES = "&start=1795214280&end=1795215300";
  private static final int SPANS = 1842;

  private static RunningApi api;

  @BeforeAll
  static void start(RunningApi recorded) {
    api = recorded;
  }

  private static JsonNode range(String query, String more) throws Exception {
    return json("/api/metrics/query_range?q=" + encoded(query) + TIMES + more);
  }

  private static JsonNode instant(String query) throws Exception {
    return json("/api/metrics/query?q=" + encoded(query) + TIMES);
  }

  private static JsonNode json(String path) throws Exception {
    HttpResponse<byte[]> response = api.get(path, "application/json");
    assertThat(response.statusCode()).as(text(response)).isEqualTo(200);
    return RecordedSearch.JSON.readTree(response.body());
  }

  private static double value(String query) throws Exception {
    JsonNode series = instant(query).get("series");
    assertThat(series).as(query).hasSize(1);
    return series.get(0).get("value").asDouble();
  }

  private static List<String> names(JsonNode node) {
    List<String> names = new ArrayList<>();
    node.fieldNames().forEachRemaining(names::add);
    return names;
  }

  @Test
  void answersHoldExactlyTheFieldsGrafanaKnows() throws Exception {
    JsonNode answer = range("{} | rate() by (name)", "&step=60s&exemplars=5");
    assertThat(names(answer)).containsExactly("series", "metrics", "status", "message");
    JsonNode series = answer.get("series").get(0);
    assertThat(names(series)).containsExactly("labels", "promLabels", "samples", "exemplars");
    assertThat(names(series.get("samples").get(0))).containsExactly("timestampMs", "value");
    assertThat(series.get("promLabels").asText()).isEqualTo("{name=\"GET\"}");
    JsonNode one = instant("{} | rate()");
    assertThat(names(one)).containsExactly("series", "metrics", "status", "message");
    assertThat(names(one.get("series").get(0))).containsExactly("labels", "promLabels", "value");
  }

  @Test
  void exemplarsAreSpansOfTheSeries() throws Exception {
    JsonNode series =
        range("{ status = error } | max_over_time(duration) by (name)", "&step=60s&exemplars=30")
            .get("series");
    int exemplars = 0;
    for (JsonNode one : series) {
      String name = one.get("labels").get(0).get("value").get("stringValue").asText();
      for (JsonNode exemplar : one.get("exemplars")) {
        exemplars++;
        String id = exemplar.get("labels").get(0).get("value").get("stringValue").asText();
        double seconds = exemplar.get("value").asDouble();
        JsonNode found =
            json(
                "/api/search?q="
                    + encoded(
                        "{ trace:id = `%s` && status = error && name = `%s` }".formatted(id, name))
                    + TIMES);
        assertThat(
                StreamSupport.stream(
                        found.get("traces").get(0).get("spanSet").get("spans").spliterator(), false)
                    .mapToDouble(span -> span.get("durationNanos").asDouble() / 1e9)
                    .anyMatch(duration -> Math.abs(duration - seconds) < 1e-9))
            .as("a span of trace %s, %s, takes %f s", id, name, seconds)
            .isTrue();
      }
    }
    assertThat(exemplars).isBetween(5, 30);
    assertThat(range("{} | rate()", "&step=60s").get("series").get(0).get("exemplars")).isEmpty();
    assertThat(
            range("{} | rate() with(exemplars=3)", "&step=60s")
                .get("series")
                .get(0)
                .get("exemplars"))
        .hasSize(3);
  }

  @ParameterizedTest
  @CsvSource({"30s,35", "15,69", "1m,18", "5m,5", "1h,2", "0.5s,2041"})
  void stepsMayBeDurationsOrSeconds(String step, int samples) throws Exception {
    JsonNode series = range("{} | count_over_time()", "&step=" + step).get("series").get(0);
    assertThat(series.get("samples")).hasSize(samples);
    double sum = 0;
    for (JsonNode sample : series.get("samples")) {
      sum += sample.get("value").asDouble();
    }
    assertThat(sum).as("every span once").isEqualTo(SPANS);
  }

  @Test
  void stepIsChosenByTheRange() throws Exception {
    JsonNode samples = range("{} | rate()", "").get("series").get(0).get("samples");
    assertThat(
            samples.get(1).get("timestampMs").asLong() - samples.get(0).get("timestampMs").asLong())
        .isEqualTo(1_000);
  }

  @Test
  void calculatesWithSeries() throws Exception {
    double all = value("{} | count_over_time()");
    double errors = value("{ status = error } | count_over_time()");
    assertThat(all).isEqualTo(SPANS);
    assertThat(value("({ status = error } | rate()) / ({} | rate()) * 100"))
        .isCloseTo(100 * errors / all, org.assertj.core.data.Offset.offset(1e-9));
    assertThat(value("({} | count_over_time()) - ({ status = error } | count_over_time())"))
        .isEqualTo(all - errors);
    assertThat(value("2 * ({} | count_over_time()) + 1")).isEqualTo(2 * all + 1);
    JsonNode byService =
        instant(
                "({ status = error } | count_over_time() by (resource.service.name))"
                    + " / ({} | count_over_time() by (resource.service.name)) | topk(2)")
            .get("series");
    assertThat(byService).hasSize(2);
    for (JsonNode series : byService) {
      String service = series.get("labels").get(0).get("value").get("stringValue").asText();
      String mine = "{ resource.service.name = `" + service + "`";
      assertThat(series.get("value").asDouble())
          .isEqualTo(
              value(mine + " && status = error } | count_over_time()")
                  / value(mine + " } | count_over_time()"));
    }
    assertThat(instant("({} | rate()) / ({ false } | rate())").get("series")).isEmpty();
  }

  @Test
  void oneSeriesMeetsEachOfMany() throws Exception {
    String byService = "({} | rate() by (resource.service.name))";
    double shares = 0;
    for (JsonNode series : instant(byService + " / ({} | rate())").get("series")) {
      assertThat(series.get("labels")).hasSize(1);
      assertThat(series.get("labels").get(0).get("key").asText())
          .isEqualTo("resource.service.name");
      shares += series.get("value").asDouble();
    }
    assertThat(shares).isCloseTo(1, org.assertj.core.data.Offset.offset(1e-9));
    assertThat(instant("({} | rate()) / " + byService).get("series")).hasSize(8);
    assertThat(
            instant("({} | rate()) / ({} | count_over_time())")
                .get("series")
                .get(0)
                .get("labels")
                .get(0)
                .get("value")
                .get("stringValue")
                .asText())
        .isEqualTo("(rate / count_over_time)");
  }

  @Test
  void comparesTwoSelections() throws Exception {
    JsonNode series = instant("{} | compare({ status = error }, 3)").get("series");
    double errors = value("{ status = error } | count_over_time()");
    double selectedServices = 0;
    int services = 0;
    for (JsonNode one : series) {
      String kind = one.get("labels").get(0).get("value").get("stringValue").asText();
      JsonNode last = one.get("labels").get(one.get("labels").size() - 1);
      if (last.get("key").asText().equals("resource.service.name")) {
        String service = last.get("value").get("stringValue").asText();
        if (kind.equals("selection_total")) {
          assertThat(one.get("value").asDouble()).isEqualTo(errors);
        } else if (kind.equals("selection") && one.get("labels").size() == 2) {
          services++;
          selectedServices += one.get("value").asDouble();
          assertThat(one.get("value").asDouble())
              .isEqualTo(
                  value(
                      "{ status = error && resource.service.name = `"
                          + service
                          + "` } | count_over_time()"));
        }
      }
    }
    assertThat(services).isEqualTo(3);
    assertThat(selectedServices).isBetween(1.0, errors);
  }

  @Test
  void aTenantSeesItsSpans() throws Exception {
    String query = "/api/metrics/query?q=" + encoded("{} | count_over_time()") + TIMES;
    double acme = value("{ resource.headspan.tenant = `acme` } | count_over_time()");
    double infra = value("{ resource.headspan.tenant = `infra` } | count_over_time()");
    assertThat(asTenant(query, "acme")).isEqualTo(acme);
    assertThat(asTenant(query, "acme|infra")).isEqualTo(acme + infra);
    assertThat(asTenant(query, "x') OR (1=1")).isZero();
  }

  private static double asTenant(String path, String tenant) throws Exception {
    try (HttpClient client = HttpClient.newHttpClient()) {
      HttpResponse<byte[]> response =
          client.send(
              HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + api.port() + path))
                  .header("X-Scope-OrgID", tenant)
                  .build(),
              HttpResponse.BodyHandlers.ofByteArray());
      assertThat(response.statusCode()).as(text(response)).isEqualTo(200);
      return RecordedSearch.JSON
          .readTree(response.body())
          .get("series")
          .get(0)
          .get("value")
          .asDouble();
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\0',
      textBlock =
          """
          q=%7B%7D&step=60s|a metrics query ends in a metrics function
          q=rate()|a metrics function stands after a spanset
          step=60s|no query: q is missing
          q=%7B%7D%7Crate()&step=x|not a step: step=x
          q=%7B%7D%7Crate()&step=-1s|not a step: step=-1s
          q=%7B%7D%7Crate()&since=x|not a duration: since=x
          """)
  void badRequestsSayWhatIsWrong(String parameters, String problem) throws Exception {
    HttpResponse<byte[]> response =
        api.get("/api/metrics/query_range?" + parameters, "application/json");
    assertThat(response.statusCode()).as(text(response)).isEqualTo(400);
    assertThat(text(response)).contains(problem);
  }
}
