package io.headspan.query.explain;

import com.google.protobuf.ByteString;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import io.opentelemetry.proto.trace.v1.TracesData;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/// A span of one trace.
///
/// @param spanId 16 hex digits
/// @param parentId 16 hex digits; "" for a root
/// @param account what `headspan.…_ns` attributes it has, by the name without prefix and suffix
/// @param culprit who took most of what was stolen; "" if nobody did
record TraceSpan(
    String spanId,
    String parentId,
    String tenant,
    String service,
    String operation,
    Span.SpanKind kind,
    boolean failed,
    long startNs,
    long durationNs,
    Map<String, Long> account,
    String culprit) {
  static final List<String> ACCOUNTS = List.of("cpu", "queue", "stolen", "throttled", "blocked");

  long endNs() {
    return startNs + durationNs;
  }

  static List<TraceSpan> of(TracesData trace) {
    List<TraceSpan> spans = new ArrayList<>();
    for (ResourceSpans resource : trace.getResourceSpansList()) {
      Map<String, AnyValue> names = attributes(resource.getResource().getAttributesList());
      for (ScopeSpans scope : resource.getScopeSpansList()) {
        for (Span span : scope.getSpansList()) {
          spans.add(of(names, span));
        }
      }
    }
    return spans;
  }

  private static TraceSpan of(Map<String, AnyValue> names, Span span) {
    Map<String, AnyValue> attributes = attributes(span.getAttributesList());
    Map<String, Long> account = new HashMap<>();
    for (String name : ACCOUNTS) {
      AnyValue value = attributes.get("headspan." + name + "_ns");
      if (value != null) {
        account.put(name, value.getIntValue());
      }
    }
    return new TraceSpan(
        hex(span.getSpanId()),
        hex(span.getParentSpanId()),
        text(names, "headspan.tenant"),
        text(names, "service.name"),
        span.getName(),
        span.getKind(),
        span.getStatus().getCodeValue() == 2,
        span.getStartTimeUnixNano(),
        Math.max(0, span.getEndTimeUnixNano() - span.getStartTimeUnixNano()),
        account,
        text(attributes, "headspan.culprit"));
  }

  private static Map<String, AnyValue> attributes(List<KeyValue> list) {
    Map<String, AnyValue> attributes = new HashMap<>();
    list.forEach(attribute -> attributes.put(attribute.getKey(), attribute.getValue()));
    return attributes;
  }

  private static String text(Map<String, AnyValue> attributes, String key) {
    return attributes.getOrDefault(key, AnyValue.getDefaultInstance()).getStringValue();
  }

  private static String hex(ByteString id) {
    return HexFormat.of().formatHex(id.toByteArray());
  }
}
