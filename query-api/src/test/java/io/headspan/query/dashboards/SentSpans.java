package io.headspan.query.dashboards;

import com.google.protobuf.ByteString;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// Spans as they were sent, with their fields by the names that TraceQL gives them.
final class SentSpans {
  /// One of them. Numbers are `Number`, the rest is text or boolean.
  record SentSpan(String traceId, long startNs, long durationNs, Map<String, Object> fields) {
    Optional<Object> field(String name) {
      return Optional.ofNullable(fields.get(name));
    }
  }

  private SentSpans() {}

  static List<SentSpan> of(List<ExportTraceServiceRequest> requests) {
    List<SentSpan> spans = new ArrayList<>();
    for (ExportTraceServiceRequest request : requests) {
      for (ResourceSpans resource : request.getResourceSpansList()) {
        for (ScopeSpans scope : resource.getScopeSpansList()) {
          for (Span span : scope.getSpansList()) {
            spans.add(read(resource, span));
          }
        }
      }
    }
    return spans;
  }

  private static SentSpan read(ResourceSpans resource, Span span) {
    long durationNs = span.getEndTimeUnixNano() - span.getStartTimeUnixNano();
    Map<String, Object> fields = new HashMap<>();
    fields.put("name", span.getName());
    fields.put("kind", word(span.getKind().name(), "SPAN_KIND_"));
    fields.put("status", word(span.getStatus().getCode().name(), "STATUS_CODE_"));
    fields.put("duration", durationNs);
    put(fields, "resource.", resource.getResource().getAttributesList());
    put(fields, "span.", span.getAttributesList());
    return new SentSpan(hex(span.getTraceId()), span.getStartTimeUnixNano(), durationNs, fields);
  }

  private static String word(String name, String prefix) {
    return name.substring(prefix.length()).toLowerCase(Locale.ROOT);
  }

  private static void put(Map<String, Object> fields, String scope, List<KeyValue> attributes) {
    for (KeyValue attribute : attributes) {
      AnyValue value = attribute.getValue();
      Object read =
          switch (value.getValueCase()) {
            case STRING_VALUE -> value.getStringValue();
            case INT_VALUE -> value.getIntValue();
            case DOUBLE_VALUE -> value.getDoubleValue();
            case BOOL_VALUE -> value.getBoolValue();
            default -> throw new IllegalArgumentException("no such value is sent: " + attribute);
          };
      fields.put(scope + attribute.getKey(), read);
    }
  }

  private static String hex(ByteString id) {
    return HexFormat.of().formatHex(id.toByteArray());
  }
}
