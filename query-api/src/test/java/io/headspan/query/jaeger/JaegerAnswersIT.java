package io.headspan.query.jaeger;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.headspan.query.ExpectedDifferences;
import io.headspan.query.RecordedApi;
import io.headspan.query.RunningApi;
import io.headspan.query.TestHttp;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.StreamSupport;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/// Every recorded request to Jaeger 2, asked of ours over HTTP: the recorded spans came through the
/// collector. The lines that are answered otherwise are exactly those of
/// `jaeger/expected-differences.txt`, each with its reason.
@ExtendWith(RecordedApi.class)
class JaegerAnswersIT {
  private static final ObjectMapper JSON = new ObjectMapper();

  @Test
  void everyLineIsAnsweredAsRecorded(RunningApi api) throws Exception {
    Map<String, String> differences = new TreeMap<>();
    for (JsonNode line : lines()) {
      String difference = difference(api, line);
      if (!difference.isEmpty()) {
        differences.put(line.get("request").asText(), difference);
      }
    }
    ExpectedDifferences.of("/jaeger/expected-differences.txt").assertExactly(differences);
  }

  private static List<JsonNode> lines() throws IOException {
    List<JsonNode> lines = new ArrayList<>();
    try (BufferedReader reader =
        new BufferedReader(
            new InputStreamReader(
                new GZIPInputStream(
                    Objects.requireNonNull(
                        JaegerAnswersIT.class.getResourceAsStream("/jaeger/expected.jsonl.gz"))),
                StandardCharsets.UTF_8))) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        lines.add(JSON.readTree(line));
      }
    }
    return lines;
  }

  /// What is different; "" if nothing is.
  private static String difference(RunningApi api, JsonNode line)
      throws IOException, InterruptedException {
    HttpResponse<byte[]> response =
        api.get("/jaeger" + line.get("request").asText(), "application/json");
    int status = line.get("status").asInt();
    if (response.statusCode() != status) {
      return response.statusCode() + " " + TestHttp.text(response);
    }
    JsonNode recorded = line.get("answer");
    if (recorded.isTextual()) {
      return "";
    }
    if (!response.headers().firstValue("content-type").orElse("").startsWith("application/json")) {
      return "no JSON: " + TestHttp.text(response);
    }
    String ours = canonical(JSON.readTree(response.body()));
    String want = canonical(recorded);
    return ours.equals(want) ? "" : around(ours, want);
  }

  /// The first place where two texts differ.
  private static String around(String ours, String recorded) {
    int at = 0;
    while (at < Math.min(ours.length(), recorded.length())
        && ours.charAt(at) == recorded.charAt(at)) {
      at++;
    }
    int from = Math.max(0, at - 200);
    return "\n  ours     …%s\n  recorded …%s"
        .formatted(
            ours.substring(from, Math.min(ours.length(), at + 200)),
            recorded.substring(from, Math.min(recorded.length(), at + 200)));
  }

  /// Arrays have no order and the names of processes no meaning; of errors only the code counts.
  private static String canonical(JsonNode node) {
    if (node instanceof ObjectNode object) {
      if (object.has("spans") && object.has("processes")) {
        return canonical(withProcesses(object));
      }
      Map<String, String> fields = new TreeMap<>();
      object
          .properties()
          .forEach(
              field -> fields.put(field.getKey(), canonical(field.getKey(), field.getValue())));
      return fields.toString();
    }
    if (node.isArray()) {
      List<String> elements = new ArrayList<>();
      node.forEach(element -> elements.add(canonical(element)));
      elements.sort(null);
      return elements.toString();
    }
    return node.isNumber()
        ? node.decimalValue().stripTrailingZeros().toPlainString()
        : node.toString();
  }

  private static String canonical(String key, JsonNode value) {
    return switch (key) {
      case "msg", "message" -> "…";
      // Jaeger adds the same warning again each time it reads a span from memory.
      case "warnings" ->
          value.isNull()
              ? "null"
              : StreamSupport.stream(value.spliterator(), false).distinct().toList().toString();
      default -> canonical(value);
    };
  }

  /// A trace whose spans hold their processes.
  private static ObjectNode withProcesses(ObjectNode trace) {
    ObjectNode changed = trace.deepCopy();
    JsonNode processes = changed.remove("processes");
    for (JsonNode span : changed.get("spans")) {
      ((ObjectNode) span).set("process", processes.get(span.get("processID").asText()));
      ((ObjectNode) span).remove("processID");
    }
    return changed;
  }
}
