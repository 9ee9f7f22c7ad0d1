package io.headspan.query.tempo;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.headspan.query.RecordedSpans;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import java.util.zip.GZIPInputStream;

/// Recorded requests and answers, and how an answer of ours is compared with one.
final class RecordedSearch {
  static final ObjectMapper JSON = new ObjectMapper();

  /// Sums of floats depend on the order of their addends; Tempo's has none.
  private static final MathContext FLOAT_DIGITS = new MathContext(12);

  private RecordedSearch() {}

  /// All recorded requests.
  static List<JsonNode> lines() throws IOException {
    List<JsonNode> lines = new ArrayList<>();
    try (BufferedReader reader =
        new BufferedReader(
            new InputStreamReader(
                new GZIPInputStream(RecordedSpans.resource("expected.jsonl.gz")),
                StandardCharsets.UTF_8))) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        lines.add(JSON.readTree(line));
      }
    }
    return lines;
  }

  /// Traces by id, in a form that is equal where answers are: order does not count, and of our
  /// answer only what the recorded one says too.
  static Map<String, String> canonical(JsonNode traces, JsonNode like) {
    Map<String, JsonNode> examples = new TreeMap<>();
    like.forEach(trace -> examples.put(trace.get("traceID").asText(), trace));
    Map<String, String> canonical = new TreeMap<>();
    for (JsonNode trace : traces) {
      String id = trace.get("traceID").asText();
      canonical.put(id, canonicalTrace(trace, examples.getOrDefault(id, trace)));
    }
    return canonical;
  }

  /// The spansets of each trace of an answer, by trace id: each as the sorted ids of its spans.
  static Map<String, List<String>> spanIds(JsonNode answer) {
    Map<String, List<String>> found = new TreeMap<>();
    for (JsonNode trace : answer.get("traces")) {
      List<String> sets = new ArrayList<>();
      for (JsonNode set : trace.get("spanSets")) {
        sets.add(
            stream(set.get("spans"))
                .map(span -> span.get("spanID").asText())
                .sorted()
                .toList()
                .toString());
      }
      sets.sort(null);
      found.put(trace.get("traceID").asText(), sets);
    }
    return found;
  }

  private static String canonicalTrace(JsonNode trace, JsonNode example) {
    ObjectNode kept = JSON.createObjectNode();
    example
        .fieldNames()
        .forEachRemaining(name -> {
          if (!name.equals("spanSets") && trace.has(name)) {
            kept.set(name, trace.get(name));
          }
        });
    boolean attributes = withAttributes(example);
    String sets =
        stream(trace.get("spanSets"))
            .map(set -> canonicalSet(set, attributes))
            .sorted()
            .collect(Collectors.joining("; "));
    return sorted(kept) + " " + sets;
  }

  private static boolean withAttributes(JsonNode trace) {
    return stream(trace.get("spanSets"))
        .flatMap(set -> stream(set.get("spans")))
        .anyMatch(span -> span.isObject() && span.size() == 2);
  }

  private static String canonicalSet(JsonNode set, boolean attributes) {
    String spans =
        stream(set.get("spans"))
            .map(span ->
                span.isTextual()
                    ? span.asText()
                    : span.get("spanID").asText()
                        + (attributes ? canonicalAttributes(span.get("attributes")) : ""))
            .sorted()
            .collect(Collectors.joining(","));
    return set.get("matched").asInt() + canonicalAttributes(set.get("attributes")) + spans;
  }

  private static String canonicalAttributes(JsonNode attributes) {
    return stream(attributes)
        .filter(attribute -> !isAbsentLink(attribute))
        .map(attribute ->
            attribute.get("key").asText() + "=" + canonicalValue(attribute.get("value")))
        .sorted()
        .collect(Collectors.joining(",", "[", "]"));
  }

  private static boolean isAbsentLink(JsonNode attribute) {
    return attribute.get("key").asText().startsWith("link:")
        && attribute.get("value").path("stringValue").asText("x").isEmpty();
  }

  static String canonicalValue(JsonNode value) {
    JsonNode real = value.get("doubleValue");
    return real != null && real.isNumber()
        ? "double " + new BigDecimal(real.asText()).round(FLOAT_DIGITS).stripTrailingZeros()
        : value.toString();
  }

  private static String sorted(JsonNode node) {
    if (!node.isObject()) {
      return node.toString();
    }
    Map<String, String> fields = new TreeMap<>();
    node.properties().forEach(field -> fields.put(field.getKey(), sorted(field.getValue())));
    return fields.toString();
  }

  static java.util.stream.Stream<JsonNode> stream(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false);
  }
}
