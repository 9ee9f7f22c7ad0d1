package io.headspan.query.tempo;

import static io.headspan.query.TestHttp.encoded;
import static io.headspan.query.TestHttp.text;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.headspan.query.ExpectedDifferences;
import io.headspan.query.RecordedApi;
import io.headspan.query.RecordedSpans;
import io.headspan.query.RunningApi;
import io.headspan.query.traceql.RecordedFields;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/// Every recorded request to Tempo, asked of ours over HTTP: the recorded spans came through the
/// collector. The lines that are answered otherwise are exactly those of
/// `traceql/expected-differences.txt`, each with its reason.
@ExtendWith(RecordedApi.class)
class RecordedAnswersIT {
  private static final String JSON = "application/json";

  @Test
  void everyLineIsAnsweredAsRecorded(RunningApi api) throws Exception {
    Map<String, String> differences = new TreeMap<>();
    RecordedFields fields = RecordedFields.of(RecordedSpans.requests());
    for (JsonNode line : RecordedSearch.lines()) {
      String difference = difference(api, fields, line);
      if (!difference.isEmpty()) {
        differences.put(line.get("id").asText(), difference);
      }
    }
    ExpectedDifferences.of("/traceql/expected-differences.txt").assertExactly(differences);
  }

  /// What is different; "" if nothing is.
  private static String difference(RunningApi api, RecordedFields fields, JsonNode line)
      throws IOException, InterruptedException {
    HttpResponse<byte[]> response = api.get(path(line), JSON);
    int status = line.get("status").asInt();
    if (response.statusCode() != status) {
      return path(line) + ": " + response.statusCode() + " " + text(response);
    }
    if (status != 200) {
      return text(response).isBlank() ? "an error without a text" : "";
    }
    JsonNode ours = RecordedSearch.JSON.readTree(response.body());
    return switch (line.get("kind").asText()) {
      case "search" ->
          firstDifference(
              RecordedSearch.canonical(ours.get("traces"), line.get("traces")),
              RecordedSearch.canonical(line.get("traces"), line.get("traces")));
      case "query_range", "query" -> RecordedSeries.difference(ours.get("series"), line, fields);
      case "tags" -> firstDifference(scopes(ours.get("scopes")), scopes(line.get("scopes")));
      case "tag_values" -> {
        List<String> got = sorted(ours.get("tagValues"));
        List<String> want = sorted(line.get("values"));
        yield got.equals(want) ? "" : "ours " + got + ", recorded " + want;
      }
      default -> throw new IllegalArgumentException("unknown kind: " + line.get("kind"));
    };
  }

  private static String path(JsonNode line) {
    String range = "&start=" + line.get("start").asLong() + "&end=" + line.get("end").asLong();
    String query = "q=" + encoded(line.path("q").asText());
    return switch (line.get("kind").asText()) {
      case "search" -> "/api/search?limit=2000&spss=1000&" + query + range;
      case "query_range" ->
          "/api/metrics/query_range?step=" + line.get("step").asText() + "&" + query + range;
      case "query" -> "/api/metrics/query?" + query + range;
      case "tags" -> "/api/v2/search/tags?scope=" + line.get("scope").asText() + range;
      case "tag_values" ->
          "/api/v2/search/tag/" + encoded(line.get("tag").asText()) + "/values?" + query + range;
      default -> throw new IllegalArgumentException("unknown kind: " + line.get("kind"));
    };
  }

  private static Map<String, String> scopes(JsonNode scopes) {
    Map<String, String> byName = new TreeMap<>();
    scopes.forEach(
        scope -> byName.put(scope.get("name").asText(), sorted(scope.get("tags")).toString()));
    return byName;
  }

  private static List<String> sorted(JsonNode array) {
    List<String> elements = new ArrayList<>();
    array.forEach(element -> elements.add(element.toString()));
    elements.sort(null);
    return elements;
  }

  static String firstDifference(Map<String, String> got, Map<String, String> want) {
    Set<String> keys = new TreeSet<>(want.keySet());
    keys.addAll(got.keySet());
    for (String key : keys) {
      String ours = got.getOrDefault(key, "absent");
      String recorded = want.getOrDefault(key, "absent");
      if (!ours.equals(recorded)) {
        return key + "\n  ours     " + ours + "\n  recorded " + recorded;
      }
    }
    return "";
  }

  @Test
  void thereAreLinesOfEachKind() throws Exception {
    assertThat(RecordedSearch.lines().stream().map(line -> line.get("kind").asText()).distinct())
        .containsExactlyInAnyOrder("search", "query_range", "query", "tags", "tag_values");
  }
}
