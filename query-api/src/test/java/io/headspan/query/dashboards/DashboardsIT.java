package io.headspan.query.dashboards;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.headspan.query.RunningApi;
import io.headspan.query.ShopTraffic;
import io.headspan.query.TestHttp;
import io.headspan.storage.SqlQuery;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/// Every TraceQL query of every panel, as Grafana would send it, against what was sent.
class DashboardsIT {
  private static final Path GRAFANA = Path.of("..", "grafana-dashboards").toAbsolutePath();
  private static final long START_SECONDS = 1_795_200_000;
  private static final int MINUTES = 20;
  private static final long END_SECONDS = START_SECONDS + MINUTES * 60;
  private static final long STEP_SECONDS = 60;
  private static final long NS_PER_SECOND = 1_000_000_000;
  private static final int MOST_TRACES = 20;

  /// Sums of doubles depend on the order of their addends.
  private static final double ROUNDING = 1e-9;

  /// What the sketches promise, and a little for values that lie between two of theirs.
  private static final double QUANTILE_ERROR = 0.011;

  private static final Map<String, String> VARIABLES =
      Map.of(
          "${functions:regex}", ".*",
          "$function", "gateway",
          "$tenant", "shop",
          "$node", "node-1",
          "$price", "0.0000166667",
          "$request", "0.0000002");

  @TempDir static Path directory;

  private static RunningApi api;
  private static List<SentSpans.SentSpan> sent;

  @BeforeAll
  static void start() throws IOException {
    List<ExportTraceServiceRequest> requests =
        new ShopTraffic(11, START_SECONDS * NS_PER_SECOND, MINUTES, 30).requests();
    sent = SentSpans.of(requests);
    api = RunningApi.start(directory, requests);
    decide();
  }

  /// Writes down what a sampler would, of each trace by its id: one in four was not kept.
  private static void decide() {
    Map<String, String> policies = new TreeMap<>();
    sent.forEach(span ->
        policies.computeIfAbsent(
            span.traceId(),
            id ->
                switch (Integer.parseInt(id.substring(28), 16) % 4) {
                  case 0 -> "";
                  case 1 -> "errors";
                  default -> "rest";
                }));
    String rows =
        policies.entrySet().stream()
            .map(trace ->
                "(%1$d, %1$d, unhex('%2$s'), %3$s, 0)"
                    .formatted(
                        END_SECONDS * 1_000,
                        trace.getKey(),
                        trace.getValue().isEmpty()
                            ? "0, []"
                            : "1, ['" + trace.getValue() + "', 'another']"))
            .collect(Collectors.joining(","));
    api.forgetDecisions();
    api.store()
        .query(
            SqlQuery.of(
                "INSERT INTO decisions (batch, decided, trace_id, kept, policies, threshold) VALUES "
                    + rows),
            row -> row.text(0));
    sent.forEach(span -> {
      String policy = policies.get(span.traceId());
      if (policy != null && !policy.isEmpty()) {
        span.fields().put("span.headspan.sampling.policy", policy);
      }
    });
  }

  @AfterAll
  static void stop() {
    api.close();
  }

  @TestFactory
  Stream<DynamicTest> panelsShowWhatWasSent() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (JsonNode dashboard : dashboards()) {
      for (JsonNode panel : dashboard.get("panels")) {
        for (JsonNode target : panel.get("targets")) {
          if (target.at("/datasource/type").asText().equals("tempo")) {
            String name =
                "%s, %s, %s"
                    .formatted(
                        dashboard.get("title").asText(),
                        panel.get("title").asText(),
                        target.get("refId").asText());
            tests.add(DynamicTest.dynamicTest(name, () -> check(target)));
          }
        }
      }
    }
    assertThat(tests).hasSizeGreaterThan(50);
    return tests.stream();
  }

  /// Asked as Grafana does for a variable of a Tempo data source: which scope has the label, then
  /// for its values.
  @TestFactory
  Stream<DynamicTest> variablesOfferWhatWasSent() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (JsonNode dashboard : dashboards()) {
      for (JsonNode variable : dashboard.at("/templating/list")) {
        if (variable.get("type").asText().equals("query")) {
          assertThat(variable.at("/datasource/type").asText()).isEqualTo("tempo");
          assertThat(variable.at("/query/type").asInt()).as("values of a label").isEqualTo(1);
          tests.add(
              DynamicTest.dynamicTest(
                  dashboard.get("title").asText() + ", " + variable.get("name").asText(),
                  () -> checkVariable(variable.at("/query/label").asText())));
        }
      }
    }
    assertThat(tests).hasSize(4);
    return tests.stream();
  }

  private static void checkVariable(String label) throws Exception {
    String field = "";
    for (JsonNode scope : get("/api/v2/search/tags?limit=5000", "").get("scopes")) {
      for (JsonNode tag : scope.get("tags")) {
        if (field.isEmpty() && tag.asText().equals(label)) {
          field = scope.get("name").asText() + "." + label;
        }
      }
    }
    assertThat(field).isEqualTo("resource." + label);
    Set<String> offered = new TreeSet<>();
    get("/api/v2/search/tag/" + field + "/values?q=", "")
        .get("tagValues")
        .forEach(value -> offered.add(value.get("value").asText()));
    Set<String> known = new TreeSet<>();
    for (SentSpans.SentSpan span : sent) {
      span.field("resource." + label).ifPresent(value -> known.add(value.toString()));
    }
    assertThat(known).hasSizeGreaterThan(1);
    assertThat(offered).isEqualTo(known);
  }

  @Test
  void areAsTheirSourceSays() throws Exception {
    Process check =
        new ProcessBuilder("node", GRAFANA.resolve("dashboards.mjs").toString(), "--check")
            .redirectErrorStream(true)
            .start();
    String output = new String(check.getInputStream().readAllBytes(), UTF_8);
    assertThat(check.waitFor()).as(output).isZero();
  }

  @Test
  void fitTogether() throws IOException {
    Set<String> uids = new TreeSet<>();
    for (JsonNode dashboard : dashboards()) {
      assertThat(uids.add(dashboard.get("uid").asText())).isTrue();
      Set<Integer> ids = new TreeSet<>();
      for (JsonNode panel : dashboard.get("panels")) {
        assertThat(ids.add(panel.get("id").asInt())).isTrue();
        JsonNode place = panel.get("gridPos");
        assertThat(place.get("x").asInt() + place.get("w").asInt()).isLessThanOrEqualTo(24);
      }
    }
    assertThat(uids)
        .contains(
            "headspan-overview",
            "headspan-function",
            "headspan-tenant",
            "headspan-node",
            "headspan-interference",
            "headspan-health",
            "headspan-cost");
  }

  private static List<JsonNode> dashboards() throws IOException {
    List<JsonNode> dashboards = new ArrayList<>();
    try (Stream<Path> files = Files.list(GRAFANA.resolve("dashboards"))) {
      for (Path file : files.sorted().toList()) {
        dashboards.add(new ObjectMapper().readTree(file.toFile()));
      }
    }
    return dashboards;
  }

  private static void check(JsonNode target) throws Exception {
    String query = target.get("query").asText();
    for (Map.Entry<String, String> variable : VARIABLES.entrySet()) {
      query = query.replace(variable.getKey(), variable.getValue());
    }
    assertThat(query).as("every variable has a value").doesNotContain("$");
    if (!target.has("metricsQueryType")) {
      checkTraces(query);
    } else if (target.get("metricsQueryType").asText().equals("instant")) {
      checkSeries(query, "/api/metrics/query?q=", END_SECONDS - START_SECONDS, "");
    } else {
      assertThat(target.get("step").asText()).isEqualTo(STEP_SECONDS + "s");
      checkSeries(
          query, "/api/metrics/query_range?q=", STEP_SECONDS, "&step=" + STEP_SECONDS + "s");
    }
  }

  private static void checkTraces(String query) throws Exception {
    JsonNode answer =
        get("/api/search?limit=" + MOST_TRACES + "&spss=3&q=" + TestHttp.encoded(query), "");
    Set<String> found = new TreeSet<>();
    answer.get("traces").forEach(trace -> found.add(trace.get("traceID").asText()));
    Set<String> expected = truth(STEP_SECONDS).traces(query);
    assertThat(expected).as("the traffic has such traces").isNotEmpty();
    assertThat(found).hasSize(Math.min(MOST_TRACES, expected.size()));
    assertThat(expected).containsAll(found);
  }

  private static void checkSeries(String query, String path, long stepSeconds, String more)
      throws Exception {
    Map<String, double[]> expected = truth(stepSeconds).series(query);
    expected.values().removeIf(values -> !anyNumber(values));
    assertThat(expected).as("the traffic has what the panel shows").isNotEmpty();
    JsonNode answer = get(path + TestHttp.encoded(query), more);
    assertThat(answer.get("status").asText()).isEqualTo("COMPLETE");
    int intervals = (int) ((END_SECONDS - START_SECONDS) / stepSeconds);
    Map<String, double[]> shown = new TreeMap<>();
    for (JsonNode series : answer.get("series")) {
      double[] values = new double[intervals];
      Arrays.fill(values, Double.NaN);
      if (series.has("samples")) {
        for (JsonNode sample : series.get("samples")) {
          int interval =
              (int) ((sample.get("timestampMs").asLong() / 1000 - START_SECONDS) / stepSeconds) - 1;
          double value = sample.get("value").asDouble();
          if (interval >= 0) {
            values[interval] = value;
          } else {
            // The interval that ends where the range begins; nothing was sent in it.
            assertThat(value).isZero();
          }
        }
      } else {
        values[0] = series.get("value").asDouble();
      }
      if (anyNumber(values)) {
        shown.put(labels(series.get("labels")), values);
      }
    }
    assertThat(shown.keySet()).isEqualTo(expected.keySet());
    assertThat(shown.keySet())
        .as("who took nothing is no culprit")
        .noneMatch(labels -> labels.contains("span.headspan.culprit=nil"));
    double error = query.contains("quantile") ? QUANTILE_ERROR : ROUNDING;
    shown.forEach((labels, values) ->
        assertClose(labels, values, requireNonNull(expected.get(labels)), error));
  }

  private static PanelTruth truth(long stepSeconds) {
    return new PanelTruth(
        sent,
        START_SECONDS * NS_PER_SECOND,
        END_SECONDS * NS_PER_SECOND,
        stepSeconds * NS_PER_SECOND);
  }

  private static boolean anyNumber(double[] values) {
    return Arrays.stream(values).anyMatch(value -> !Double.isNaN(value));
  }

  private static void assertClose(String labels, double[] shown, double[] expected, double error) {
    for (int i = 0; i < expected.length; i++) {
      boolean bothMissing = Double.isNaN(shown[i]) && Double.isNaN(expected[i]);
      boolean close = Math.abs(shown[i] - expected[i]) <= error * Math.abs(expected[i]);
      assertThat(bothMissing || close)
          .as("%s, interval %d: shown %s, sent %s", labels, i, shown[i], expected[i])
          .isTrue();
    }
  }

  /// Labels as [PanelTruth] writes them; a series that is not grouped has only a name.
  private static String labels(JsonNode labels) {
    Map<String, String> grouped = new TreeMap<>();
    StringBuilder last = new StringBuilder();
    for (JsonNode label : labels) {
      String key = label.get("key").asText();
      JsonNode value = label.get("value").elements().next();
      if (key.equals("p") || key.equals("__bucket")) {
        last.append(' ').append(key).append('=').append(value.asDouble());
      } else if (!key.equals("__name__")) {
        grouped.put(key, value.asText());
      }
    }
    StringBuilder text = new StringBuilder();
    grouped.forEach((key, value) ->
        text.append(text.isEmpty() ? "" : " ").append(key).append('=').append(value));
    return text.append(last).toString();
  }

  private static JsonNode get(String path, String more) throws Exception {
    HttpResponse<byte[]> response =
        api.get(
            path + "&start=" + START_SECONDS + "&end=" + END_SECONDS + more, "application/json");
    assertThat(response.statusCode()).as(TestHttp.text(response)).isEqualTo(200);
    return new ObjectMapper().readTree(response.body());
  }
}
