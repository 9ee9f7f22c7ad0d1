package io.headspan.query.jaeger;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.JsonFormat;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.TracesData;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;

/// Traces in the JSON of OTLP, which is protobuf's with ids in hex and enums as numbers.
final class OtlpJson {
  private static final JsonFormat.Printer PRINTER =
      JsonFormat.printer().omittingInsignificantWhitespace().printingEnumsAsInts();
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final List<String> IDS = List.of("traceId", "spanId", "parentSpanId");

  private OtlpJson() {}

  /// The answer of version 3: one message of what would be a stream.
  static HttpResponse response(List<TracesData> traces) {
    ObjectNode answer = JSON.createObjectNode();
    ArrayNode resources = answer.putObject("result").putArray("resourceSpans");
    try {
      for (TracesData trace : traces) {
        for (ResourceSpans resource : trace.getResourceSpansList()) {
          JsonNode node = JSON.readTree(PRINTER.print(resource));
          hexIds(node);
          resources.add(node);
        }
      }
      return HttpResponse.of(HttpStatus.OK, MediaType.JSON, JSON.writeValueAsBytes(answer));
    } catch (InvalidProtocolBufferException | JsonProcessingException e) {
      throw new IllegalStateException("trace has no JSON form", e);
    }
  }

  private static void hexIds(JsonNode resource) {
    for (JsonNode scope : resource.path("scopeSpans")) {
      for (JsonNode span : scope.path("spans")) {
        hexIdsOf(span);
        span.path("links").forEach(OtlpJson::hexIdsOf);
      }
    }
  }

  private static void hexIdsOf(JsonNode node) {
    for (String name : IDS) {
      if (node.has(name)) {
        byte[] id = Base64.getDecoder().decode(node.get(name).asText());
        ((ObjectNode) node).put(name, HexFormat.of().formatHex(id));
      }
    }
  }
}
