package io.headspan.query.jaeger;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.google.protobuf.ByteString;
import io.headspan.query.trace.Traces;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.InstrumentationScope;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.resource.v1.Resource;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import io.opentelemetry.proto.trace.v1.Status;
import java.io.IOException;
import java.io.StringWriter;
import java.util.Base64;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// A trace in the JSON of Jaeger's version 1: spans with tags, references and logs, times in µs,
/// and resources as processes.
final class JaegerJson {
  private static final JsonFactory FACTORY = new JsonFactory();
  private static final String SERVICE = "service.name";

  /// What Jaeger calls a service that did not say its name.
  private static final String NO_SERVICE = "OTLPResourceNoServiceName";

  private static final long NS_PER_US = 1_000;
  private static final String HIGH_IS_ZERO = "0".repeat(16);

  private final JsonGenerator json;
  private final Map<Resource, String> processes = new LinkedHashMap<>();
  private final Set<ByteString> spanIds = new HashSet<>();

  private JaegerJson(JsonGenerator json) {
    this.json = json;
  }

  static void write(JsonGenerator json, Traces.Found trace) throws IOException {
    new JaegerJson(json).trace(trace);
  }

  private void trace(Traces.Found trace) throws IOException {
    List<ResourceSpans> resources = trace.data().getResourceSpansList();
    for (ResourceSpans resource : resources) {
      resource
          .getScopeSpansList()
          .forEach(scope -> scope.getSpansList().forEach(span -> spanIds.add(span.getSpanId())));
    }
    json.writeStartObject();
    json.writeStringField(
        "traceID", traceId(hex(resources.getFirst().getScopeSpans(0).getSpans(0).getTraceId())));
    json.writeArrayFieldStart("spans");
    for (ResourceSpans resource : resources) {
      String process =
          processes.computeIfAbsent(resource.getResource(), _ -> "p" + (processes.size() + 1));
      for (ScopeSpans scope : resource.getScopeSpansList()) {
        for (Span span : scope.getSpansList()) {
          span(span, scope.getScope(), process);
        }
      }
    }
    json.writeEndArray();
    json.writeObjectFieldStart("processes");
    for (Map.Entry<Resource, String> process : processes.entrySet()) {
      json.writeFieldName(process.getValue());
      process(process.getKey());
    }
    json.writeEndObject();
    warnings(trace.isPartial() ? List.of(trace.problem()) : List.of());
    json.writeEndObject();
  }

  private void warnings(List<String> warnings) throws IOException {
    json.writeFieldName("warnings");
    if (warnings.isEmpty()) {
      json.writeNull();
    } else {
      json.writeArray(warnings.toArray(String[]::new), 0, warnings.size());
    }
  }

  private void process(Resource resource) throws IOException {
    String service = NO_SERVICE;
    json.writeStartObject();
    json.writeArrayFieldStart("tags");
    for (KeyValue attribute : resource.getAttributesList()) {
      if (attribute.getKey().equals(SERVICE)) {
        service = attribute.getValue().getStringValue();
      } else {
        tag(attribute.getKey(), attribute.getValue());
      }
    }
    json.writeEndArray();
    json.writeStringField("serviceName", service);
    json.writeEndObject();
  }

  private void span(Span span, InstrumentationScope scope, String process) throws IOException {
    json.writeStartObject();
    json.writeStringField("traceID", traceId(hex(span.getTraceId())));
    json.writeStringField("spanID", hex(span.getSpanId()));
    if (span.getFlags() != 0) {
      json.writeNumberField("flags", span.getFlags());
    }
    json.writeStringField("operationName", span.getName());
    references(span);
    json.writeNumberField("startTime", span.getStartTimeUnixNano() / NS_PER_US);
    json.writeNumberField(
        "duration", (span.getEndTimeUnixNano() - span.getStartTimeUnixNano()) / NS_PER_US);
    json.writeArrayFieldStart("tags");
    for (KeyValue attribute : span.getAttributesList()) {
      tag(attribute.getKey(), attribute.getValue());
    }
    ownTags(span, scope);
    json.writeEndArray();
    logs(span);
    json.writeStringField("processID", process);
    boolean orphan = !span.getParentSpanId().isEmpty() && !spanIds.contains(span.getParentSpanId());
    warnings(
        orphan
            ? List.of(
                "parent span ID="
                    + hex(span.getParentSpanId())
                    + " is not in the trace; skipping clock skew adjustment")
            : List.of());
    json.writeEndObject();
  }

  /// Tags of what OTLP has fields for.
  private void ownTags(Span span, InstrumentationScope scope) throws IOException {
    if (!scope.getName().isEmpty()) {
      text("otel.scope.name", scope.getName());
    }
    if (!scope.getVersion().isEmpty()) {
      text("otel.scope.version", scope.getVersion());
    }
    String kind = JaegerCatalogue.kind(span.getKindValue());
    if (!kind.isEmpty()) {
      text("span.kind", kind);
    }
    Status status = span.getStatus();
    switch (status.getCode()) {
      case STATUS_CODE_OK -> text("otel.status_code", "OK");
      case STATUS_CODE_ERROR -> {
        text("otel.status_code", "ERROR");
        tag("error", AnyValue.newBuilder().setBoolValue(true).build());
      }
      case STATUS_CODE_UNSET, UNRECOGNIZED -> {}
    }
    if (!status.getMessage().isEmpty()) {
      text("otel.status_description", status.getMessage());
    }
    if (!span.getTraceState().isEmpty()) {
      text("w3c.tracestate", span.getTraceState());
    }
  }

  /// A link to the parent stands for it.
  private void references(Span span) throws IOException {
    json.writeArrayFieldStart("references");
    boolean linked =
        span.getLinksList().stream()
            .anyMatch(link ->
                link.getTraceId().equals(span.getTraceId())
                    && link.getSpanId().equals(span.getParentSpanId()));
    if (!span.getParentSpanId().isEmpty() && !linked) {
      reference("CHILD_OF", span.getTraceId(), span.getParentSpanId());
    }
    for (Span.Link link : span.getLinksList()) {
      boolean child =
          link.getAttributesList().stream()
              .anyMatch(attribute ->
                  attribute.getKey().equals("opentracing.ref_type")
                      && attribute.getValue().getStringValue().equals("child_of"));
      reference(child ? "CHILD_OF" : "FOLLOWS_FROM", link.getTraceId(), link.getSpanId());
    }
    json.writeEndArray();
  }

  private void reference(String type, ByteString traceId, ByteString spanId) throws IOException {
    json.writeStartObject();
    json.writeStringField("refType", type);
    json.writeStringField("traceID", traceId(hex(traceId)));
    json.writeStringField("spanID", hex(spanId));
    json.writeEndObject();
  }

  private void logs(Span span) throws IOException {
    json.writeArrayFieldStart("logs");
    for (Span.Event event : span.getEventsList()) {
      json.writeStartObject();
      json.writeNumberField("timestamp", event.getTimeUnixNano() / NS_PER_US);
      json.writeArrayFieldStart("fields");
      if (!event.getName().isEmpty()) {
        text("event", event.getName());
      }
      for (KeyValue attribute : event.getAttributesList()) {
        tag(attribute.getKey(), attribute.getValue());
      }
      json.writeEndArray();
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private void text(String key, String value) throws IOException {
    tag(key, AnyValue.newBuilder().setStringValue(value).build());
  }

  private void tag(String key, AnyValue value) throws IOException {
    json.writeStartObject();
    json.writeStringField("key", key);
    switch (value.getValueCase()) {
      case BOOL_VALUE -> {
        json.writeStringField("type", "bool");
        json.writeBooleanField("value", value.getBoolValue());
      }
      case INT_VALUE -> {
        json.writeStringField("type", "int64");
        json.writeNumberField("value", value.getIntValue());
      }
      case DOUBLE_VALUE -> {
        json.writeStringField("type", "float64");
        json.writeFieldName("value");
        number(json, value.getDoubleValue());
      }
      case BYTES_VALUE -> {
        json.writeStringField("type", "binary");
        json.writeStringField(
            "value", Base64.getEncoder().encodeToString(value.getBytesValue().toByteArray()));
      }
      default -> {
        json.writeStringField("type", "string");
        json.writeStringField("value", asText(value));
      }
    }
    json.writeEndObject();
  }

  /// JSON has no words for what is not finite.
  private static void number(JsonGenerator json, double value) throws IOException {
    if (Double.isFinite(value)) {
      json.writeNumber(value);
    } else {
      json.writeString(Double.toString(value));
    }
  }

  /// A string as it is; an array or a map as JSON.
  private static String asText(AnyValue value) throws IOException {
    if (value.hasStringValue()) {
      return value.getStringValue();
    }
    if (value.getValueCase() == AnyValue.ValueCase.VALUE_NOT_SET) {
      return "";
    }
    StringWriter text = new StringWriter();
    try (JsonGenerator nested = FACTORY.createGenerator(text)) {
      plain(nested, value);
    }
    return text.toString();
  }

  private static void plain(JsonGenerator json, AnyValue value) throws IOException {
    switch (value.getValueCase()) {
      case BOOL_VALUE -> json.writeBoolean(value.getBoolValue());
      case INT_VALUE -> json.writeNumber(value.getIntValue());
      case DOUBLE_VALUE -> number(json, value.getDoubleValue());
      case STRING_VALUE -> json.writeString(value.getStringValue());
      case BYTES_VALUE -> json.writeBinary(value.getBytesValue().toByteArray());
      case ARRAY_VALUE -> {
        json.writeStartArray();
        for (AnyValue element : value.getArrayValue().getValuesList()) {
          plain(json, element);
        }
        json.writeEndArray();
      }
      case KVLIST_VALUE -> {
        json.writeStartObject();
        for (KeyValue entry : value.getKvlistValue().getValuesList()) {
          json.writeFieldName(entry.getKey());
          plain(json, entry.getValue());
        }
        json.writeEndObject();
      }
      default -> json.writeNull();
    }
  }

  /// An id of 32 digits as Jaeger writes it: one of 64 bits has 16.
  static String traceId(String id) {
    return id.startsWith(HIGH_IS_ZERO) ? id.substring(HIGH_IS_ZERO.length()) : id;
  }

  private static String hex(ByteString id) {
    return HexFormat.of().formatHex(id.toByteArray());
  }
}
