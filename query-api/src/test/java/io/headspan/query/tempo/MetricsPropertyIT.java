package io.headspan.query.tempo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.headspan.query.RandomTraces;
import io.headspan.query.RunningApi;
import io.headspan.query.TestHttp;
import io.headspan.query.traceql.MemoryMetrics;
import io.headspan.query.traceql.TimeGrid;
import io.headspan.storage.SqlQuery;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/// Random metrics queries over random traces give the series that an evaluation in memory gives,
/// where every span stands for itself and where spans stand for several.
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class MetricsPropertyIT {
  private static final long SEED = Long.getLong("headspan.seed", 20261122);
  private static final int TRACES = 80;
  private static final int QUERIES = Integer.getInteger("headspan.queries", 60);
  private static final long START_S = 1_795_215_000;
  private static final long STEP_S = 20;

  /// How far a quantile may be from the true one.
  private static final double QUANTILE_ERROR = 0.01;

  @TempDir static Path directory;

  private static List<ExportTraceServiceRequest> traces;
  private static RunningApi api;

  @BeforeAll
  static void start() throws Exception {
    traces = new RandomTraces(SEED).next(TRACES, START_S * 1_000_000_000);
    api = RunningApi.start(directory, traces);
  }

  @AfterAll
  static void stop() {
    api.close();
  }

  @Test
  @Order(1)
  void seriesAgreeWithAnEvaluationInMemory() throws Exception {
    assertAgreement(new MemoryMetrics(traces, _ -> 1), SEED);
  }

  @Test
  @Order(2)
  void countsWhatSpansStandFor() throws Exception {
    assumeTrue(
        System.getProperty("headspan.tier", "kept").equals("kept"),
        "only kept spans can be made to stand for several");
    api.store()
        .query(
            SqlQuery.of(
                    "ALTER TABLE kept_spans UPDATE adjusted_count = if(kind=4,0,1.5*kind) WHERE 1")
                .setting("mutations_sync", "2"),
            row -> row.text(0));
    assertAgreement(
        new MemoryMetrics(
            traces, span -> span.span().getKindValue() == 4 ? 0 : 1.5 * span.span().getKindValue()),
        SEED + 1);
  }

  private static void assertAgreement(MemoryMetrics memory, long seed) throws Exception {
    TimeGrid grid =
        new TimeGrid(
            START_S * 1_000_000_000, STEP_S * 1_000_000_000, (int) (80 / STEP_S) + 1, false);
    List<String> differences = new ArrayList<>();
    int telling = 0;
    for (String query : MemoryMetrics.randomQueries(seed, QUERIES, START_S * 1_000_000_000)) {
      HttpResponse<byte[]> response =
          api.get(
              "/api/metrics/query_range?step="
                  + STEP_S
                  + "&start="
                  + START_S
                  + "&end="
                  + (START_S + 80)
                  + "&q="
                  + TestHttp.encoded(query),
              "application/json");
      assertThat(response.statusCode()).as(query + ": " + TestHttp.text(response)).isEqualTo(200);
      Map<String, double[]> want = memory.series(query, grid);
      Map<String, double[]> got = series(RecordedSearch.JSON.readTree(response.body()), grid);
      if (want.size() > 1) {
        telling++;
      }
      String difference = difference(got, want, query.contains("quantile") ? QUANTILE_ERROR : 1e-9);
      if (!difference.isEmpty()) {
        differences.add(query + ": " + difference);
      }
    }
    assertThat(differences).as("seed %d", seed).isEmpty();
    assertThat(telling).as("queries with several series").isGreaterThan(QUERIES / 4);
  }

  private static String difference(
      Map<String, double[]> got, Map<String, double[]> want, double error) {
    if (!got.keySet().equals(want.keySet())) {
      return "got=" + got.keySet() + ", want=" + want.keySet();
    }
    for (Map.Entry<String, double[]> series : want.entrySet()) {
      double[] values = Objects.requireNonNull(got.get(series.getKey()), series.getKey());
      for (int i = 0; i < values.length; i++) {
        double wanted = series.getValue()[i];
        boolean equal =
            Double.isFinite(wanted)
                ? Math.abs(values[i] - wanted) <= error * Math.abs(wanted)
                : !Double.isFinite(values[i]);
        if (!equal) {
          return series.getKey()
              + ": got="
              + Arrays.toString(values)
              + ", want="
              + Arrays.toString(series.getValue());
        }
      }
    }
    return "";
  }

  private static Map<String, double[]> series(JsonNode answer, TimeGrid grid) {
    Map<String, double[]> found = new TreeMap<>();
    for (JsonNode series : answer.get("series")) {
      List<String> labels = new ArrayList<>();
      for (JsonNode label : series.get("labels")) {
        JsonNode value = label.get("value");
        labels.add(
            label.get("key").asText()
                + "="
                + switch (value.fieldNames().next()) {
                  case "stringValue" -> "String:" + value.get("stringValue").asText();
                  case "intValue" -> "Long:" + value.get("intValue").asText();
                  case "doubleValue" -> "Double:" + value.get("doubleValue").asDouble();
                  case "boolValue" -> "Boolean:" + value.get("boolValue").asBoolean();
                  default -> throw new IllegalArgumentException("unknown value: " + value);
                });
      }
      double[] values = new double[grid.count()];
      Arrays.fill(values, Double.NaN);
      for (JsonNode sample : series.get("samples")) {
        long endMs = Long.parseLong(sample.get("timestampMs").asText());
        values[(int) ((endMs - START_S * 1_000) / (STEP_S * 1_000))] =
            sample.get("value").asDouble();
      }
      found.put(String.join(",", labels), values);
    }
    return found;
  }
}
