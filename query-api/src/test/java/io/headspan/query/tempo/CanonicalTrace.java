package io.headspan.query.tempo;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// A trace in JSON as a sorted list of spans, each with its resource and scope: equal for traces
/// that say the same, however they group and order it.
final class CanonicalTrace {
  private CanonicalTrace() {}

  static List<String> of(JsonNode resourceSpans) {
    List<String> spans = new ArrayList<>();
    for (JsonNode resource : resourceSpans) {
      for (JsonNode scope : resource.get("scopeSpans")) {
        for (JsonNode span : scope.get("spans")) {
          spans.add(
              canonical(span)
                  + canonical(resource.path("resource"))
                  + canonical(scope.path("scope"))
                  + resource.path("schemaUrl")
                  + scope.path("schemaUrl"));
        }
      }
    }
    Collections.sort(spans);
    return spans;
  }

  /// The id of the trace in hex.
  static String firstTraceId(JsonNode resourceSpans) {
    String base64 =
        resourceSpans.get(0).get("scopeSpans").get(0).get("spans").get(0).get("traceId").asText();
    return HexFormat.of().formatHex(Base64.getDecoder().decode(base64));
  }

  /// Fields and attributes have no order; the values of an array have.
  private static String canonical(JsonNode node) {
    if (node.isObject()) {
      Map<String, String> fields = new TreeMap<>();
      node.properties()
          .forEach(field -> {
            if (field.getKey().equals("attributes")) {
              List<String> attributes = new ArrayList<>();
              field.getValue().forEach(attribute -> attributes.add(canonical(attribute)));
              Collections.sort(attributes);
              fields.put(field.getKey(), attributes.toString());
            } else {
              fields.put(field.getKey(), canonical(field.getValue()));
            }
          });
      return fields.toString();
    }
    if (node.isArray()) {
      List<String> elements = new ArrayList<>();
      node.forEach(element -> elements.add(canonical(element)));
      return elements.toString();
    }
    return node.toString();
  }
}
