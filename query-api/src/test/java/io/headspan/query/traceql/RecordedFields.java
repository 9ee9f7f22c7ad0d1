package io.headspan.query.traceql;

import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/// Filters evaluated over spans in memory.
public final class RecordedFields {
  private final List<SpanFields> spans;

  private RecordedFields(List<SpanFields> spans) {
    this.spans = spans;
  }

  /// The spans of recorded requests.
  ///
  /// @param traces one trace each
  public static RecordedFields of(List<ExportTraceServiceRequest> traces) {
    List<SpanFields> spans = new ArrayList<>();
    traces.forEach(trace -> addTrace(trace, spans));
    return new RecordedFields(spans);
  }

  public static List<String> randomFilters(long seed, int count) {
    RandomFilters filters = new RandomFilters(seed);
    return Stream.generate(filters::next).limit(count).toList();
  }

  public int size() {
    return spans.size();
  }

  /// The spans, as trace id/span id, that a query of one filter matches.
  public Set<String> matching(String query) {
    SpansetExpression.Filter filter =
        (SpansetExpression.Filter) TraceQl.parse(query).pipeline().stages().getFirst();
    Set<String> ids = new TreeSet<>();
    for (SpanFields fields : spans) {
      if (fields.test(filter.condition())) {
        HexFormat hex = HexFormat.of();
        ids.add(
            hex.formatHex(fields.span().getTraceId().toByteArray())
                + "/"
                + hex.formatHex(fields.span().getSpanId().toByteArray()));
      }
    }
    return ids;
  }

  private static void addTrace(ExportTraceServiceRequest trace, List<SpanFields> spans) {
    String rootName = "";
    String rootService = SpanSource.NO_ROOT;
    long rootStart = -1;
    long first = Long.MAX_VALUE;
    long last = 0;
    for (ResourceSpans resource : trace.getResourceSpansList()) {
      for (ScopeSpans scope : resource.getScopeSpansList()) {
        for (Span span : scope.getSpansList()) {
          first = Math.min(first, span.getStartTimeUnixNano());
          last = Math.max(last, span.getEndTimeUnixNano());
          if (span.getParentSpanId().isEmpty() && span.getStartTimeUnixNano() > rootStart) {
            rootStart = span.getStartTimeUnixNano();
            rootName = span.getName();
            rootService = serviceName(resource.getResource().getAttributesList());
          }
        }
      }
    }
    for (ResourceSpans resource : trace.getResourceSpansList()) {
      for (ScopeSpans scope : resource.getScopeSpansList()) {
        for (Span span : scope.getSpansList()) {
          spans.add(
              new SpanFields(
                  resource.getResource(),
                  scope.getScope(),
                  span,
                  rootName,
                  rootService,
                  last - first));
        }
      }
    }
  }

  private static String serviceName(List<KeyValue> attributes) {
    return attributes.stream()
        .filter(attribute -> attribute.getKey().equals("service.name"))
        .map(attribute -> attribute.getValue().getStringValue())
        .findFirst()
        .orElse("");
  }
}
