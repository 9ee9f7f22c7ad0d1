package io.headspan.wire;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.ArrayValue;
import io.opentelemetry.proto.common.v1.InstrumentationScope;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.common.v1.KeyValueList;
import io.opentelemetry.proto.resource.v1.Resource;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import io.opentelemetry.proto.trace.v1.Status;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Spans without what carries no meaning, to compare two batches: each span with its resource and
/// scope, its attributes, events and links in a fixed order, absent messages like default ones; and
/// how often each occurs.
public final class SpanMultiset {
  private static final Comparator<MessageLite> BY_BYTES =
      Comparator.comparing(
          MessageLite::toByteString, ByteString.unsignedLexicographicalComparator());
  private static final Comparator<KeyValue> BY_KEY =
      Comparator.comparing(KeyValue::getKey).thenComparing(BY_BYTES);

  /// A span with what it belongs to.
  public record Item(
      Span span,
      Resource resource,
      String resourceSchemaUrl,
      InstrumentationScope scope,
      String scopeSchemaUrl) {}

  private SpanMultiset() {}

  /// The spans, with how often each occurs.
  public static Map<Item, Integer> of(List<ResourceSpans> resourceSpans) {
    Map<Item, Integer> spans = new HashMap<>();
    for (ResourceSpans resource : resourceSpans) {
      Resource normalResource = normal(resource.getResource());
      for (ScopeSpans scope : resource.getScopeSpansList()) {
        InstrumentationScope normalScope = normal(scope.getScope());
        for (Span span : scope.getSpansList()) {
          Item item =
              new Item(
                  normal(span),
                  normalResource,
                  resource.getSchemaUrl(),
                  normalScope,
                  scope.getSchemaUrl());
          spans.merge(item, 1, Integer::sum);
        }
      }
    }
    return spans;
  }

  private static Resource normal(Resource resource) {
    return resource.toBuilder()
        .clearAttributes()
        .addAllAttributes(sorted(resource.getAttributesList()))
        .build();
  }

  private static InstrumentationScope normal(InstrumentationScope scope) {
    return scope.toBuilder()
        .clearAttributes()
        .addAllAttributes(sorted(scope.getAttributesList()))
        .build();
  }

  private static Span normal(Span span) {
    Span.Builder normal =
        span.toBuilder()
            .clearAttributes()
            .clearEvents()
            .clearLinks()
            .addAllAttributes(sorted(span.getAttributesList()));
    span.getEventsList().stream()
        .map(event ->
            event.toBuilder()
                .clearAttributes()
                .addAllAttributes(sorted(event.getAttributesList()))
                .build())
        .sorted(BY_BYTES)
        .forEach(normal::addEvents);
    span.getLinksList().stream()
        .map(link ->
            link.toBuilder()
                .clearAttributes()
                .addAllAttributes(sorted(link.getAttributesList()))
                .build())
        .sorted(BY_BYTES)
        .forEach(normal::addLinks);
    if (span.getStatus().equals(Status.getDefaultInstance())) {
      normal.clearStatus();
    }
    return normal.build();
  }

  private static List<KeyValue> sorted(List<KeyValue> attributes) {
    return attributes.stream()
        .map(entry ->
            entry.getValue().hasKvlistValue() || entry.getValue().hasArrayValue()
                ? entry.toBuilder().setValue(normal(entry.getValue())).build()
                : entry)
        .sorted(BY_KEY)
        .toList();
  }

  private static AnyValue normal(AnyValue value) {
    return switch (value.getValueCase()) {
      case KVLIST_VALUE ->
          AnyValue.newBuilder()
              .setKvlistValue(
                  KeyValueList.newBuilder()
                      .addAllValues(sorted(value.getKvlistValue().getValuesList())))
              .build();
      case ARRAY_VALUE ->
          AnyValue.newBuilder()
              .setArrayValue(
                  ArrayValue.newBuilder()
                      .addAllValues(
                          value.getArrayValue().getValuesList().stream()
                              .map(SpanMultiset::normal)
                              .toList()))
              .build();
      case STRING_VALUE,
          BOOL_VALUE,
          INT_VALUE,
          DOUBLE_VALUE,
          BYTES_VALUE,
          STRING_VALUE_STRINDEX,
          VALUE_NOT_SET ->
          value;
    };
  }
}
