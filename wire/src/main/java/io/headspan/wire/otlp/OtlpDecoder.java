package io.headspan.wire.otlp;

import com.google.protobuf.ByteString;
import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.CborReader;
import io.headspan.wire.CborWriter;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.Utf8Table;
import io.headspan.wire.WireException;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.InstrumentationScope;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.resource.v1.Resource;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.List;

/// OTLP messages to a [SpanBatch], in the order they were sent. Everything a span says is kept; of
/// a resource, entity references are not. A value that only profiles may hold
/// (`string_value_strindex`) counts as empty, as its specification asks.
public final class OtlpDecoder {
  private static final int TRACE_ID_BYTES = 16;
  private static final int SPAN_ID_BYTES = 8;
  private static final int NAME_IN_MESSAGE = 100;
  private static final VarHandle BIG_ENDIAN_LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

  private final SpanBatch.Builder batch = new SpanBatch.Builder();
  private final Utf8Table table = batch.table();
  private final CborWriter cbor = new CborWriter();
  private final byte[] id = new byte[TRACE_ID_BYTES];

  private OtlpDecoder() {}

  /// Decodes a request of the trace service.
  ///
  /// @throws WireException if an id is missing or has the wrong length, or a value is nested too
  ///   deeply; the message names the span
  public static SpanBatch decode(ExportTraceServiceRequest request) {
    return decode(request.getResourceSpansList());
  }

  /// Decodes spans grouped by resource, as trace data and requests hold them.
  ///
  /// @throws WireException as for a request
  public static SpanBatch decode(List<ResourceSpans> resourceSpans) {
    OtlpDecoder decoder = new OtlpDecoder();
    for (ResourceSpans one : resourceSpans) {
      decoder.resource(one);
    }
    return decoder.batch.build();
  }

  private void resource(ResourceSpans resourceSpans) {
    int resource = batch.addResource();
    Resource message = resourceSpans.getResource();
    batch.resourceSchemaUrl(resource, table.intern(resourceSpans.getSchemaUrl()));
    batch.resourceDroppedAttributes(resource, message.getDroppedAttributesCount());
    attributes(batch.resourceAttributes(), resource, message.getAttributesList());
    for (ScopeSpans scopeSpans : resourceSpans.getScopeSpansList()) {
      scope(resource, scopeSpans);
    }
  }

  private void scope(int resource, ScopeSpans scopeSpans) {
    int scope = batch.addScope(resource);
    InstrumentationScope message = scopeSpans.getScope();
    batch.scopeName(scope, table.intern(message.getName()));
    batch.scopeVersion(scope, table.intern(message.getVersion()));
    batch.scopeSchemaUrl(scope, table.intern(scopeSpans.getSchemaUrl()));
    batch.scopeDroppedAttributes(scope, message.getDroppedAttributesCount());
    attributes(batch.scopeAttributes(), scope, message.getAttributesList());
    for (Span span : scopeSpans.getSpansList()) {
      span(scope, span);
    }
  }

  private void span(int scope, Span span) {
    int row = batch.addSpan(scope);
    checkId(span, "trace id", span.getTraceId(), TRACE_ID_BYTES, false);
    batch.traceIdHigh(row, (long) BIG_ENDIAN_LONG.get(id, 0));
    batch.traceIdLow(row, (long) BIG_ENDIAN_LONG.get(id, Long.BYTES));
    checkId(span, "span id", span.getSpanId(), SPAN_ID_BYTES, false);
    batch.spanId(row, (long) BIG_ENDIAN_LONG.get(id, 0));
    checkId(span, "parent span id", span.getParentSpanId(), SPAN_ID_BYTES, true);
    batch.parentSpanId(row, (long) BIG_ENDIAN_LONG.get(id, 0));
    batch.traceState(row, table.intern(span.getTraceState()));
    batch.flags(row, span.getFlags());
    batch.name(row, table.intern(span.getName()));
    batch.kind(row, knownEnum(span.getKindValue()));
    batch.startNs(row, span.getStartTimeUnixNano());
    batch.durationNs(row, span.getEndTimeUnixNano() - span.getStartTimeUnixNano());
    batch.droppedAttributes(row, span.getDroppedAttributesCount());
    batch.droppedEvents(row, span.getDroppedEventsCount());
    batch.droppedLinks(row, span.getDroppedLinksCount());
    batch.statusCode(row, knownEnum(span.getStatus().getCodeValue()));
    batch.statusMessage(row, table.intern(span.getStatus().getMessage()));
    attributes(batch.spanAttributes(), row, span.getAttributesList());
    for (Span.Event event : span.getEventsList()) {
      int eventRow = batch.addEvent(row);
      batch.eventTimeNs(eventRow, event.getTimeUnixNano());
      batch.eventName(eventRow, table.intern(event.getName()));
      batch.eventDroppedAttributes(eventRow, event.getDroppedAttributesCount());
      attributes(batch.eventAttributes(), eventRow, event.getAttributesList());
    }
    for (Span.Link link : span.getLinksList()) {
      link(row, span, link);
    }
  }

  private void link(int row, Span span, Span.Link link) {
    int linkRow = batch.addLink(row);
    checkId(span, "linked trace id", link.getTraceId(), TRACE_ID_BYTES, true);
    batch.linkTraceIdHigh(linkRow, (long) BIG_ENDIAN_LONG.get(id, 0));
    batch.linkTraceIdLow(linkRow, (long) BIG_ENDIAN_LONG.get(id, Long.BYTES));
    checkId(span, "linked span id", link.getSpanId(), SPAN_ID_BYTES, true);
    batch.linkSpanId(linkRow, (long) BIG_ENDIAN_LONG.get(id, 0));
    batch.linkTraceState(linkRow, table.intern(link.getTraceState()));
    batch.linkFlags(linkRow, link.getFlags());
    batch.linkDroppedAttributes(linkRow, link.getDroppedAttributesCount());
    attributes(batch.linkAttributes(), linkRow, link.getAttributesList());
  }

  /// Copies an id into [#id], zeros if it is absent and may be.
  private void checkId(Span span, String what, ByteString bytes, int length, boolean optional) {
    if (bytes.size() == length) {
      bytes.copyTo(id, 0);
      return;
    }
    if (optional && bytes.isEmpty()) {
      BIG_ENDIAN_LONG.set(id, 0, 0L);
      BIG_ENDIAN_LONG.set(id, Long.BYTES, 0L);
      return;
    }
    throw new WireException(
        "bad span in OTLP data: name="
            + abbreviated(span.getName())
            + ", "
            + what
            + " bytes="
            + bytes.size()
            + ", expected="
            + length
            + "; send trace ids as 16 and span ids as 8 raw bytes (in JSON: 32 and 16 hex digits)");
  }

  private static String abbreviated(String name) {
    return name.length() <= NAME_IN_MESSAGE ? name : name.substring(0, NAME_IN_MESSAGE) + "…";
  }

  /// Enumerations are open in protobuf; what no byte holds was never assigned and counts as unset.
  private static byte knownEnum(int value) {
    return value >= 0 && value <= Byte.MAX_VALUE ? (byte) value : 0;
  }

  private void attributes(Attributes.Builder to, int owner, List<KeyValue> attributes) {
    for (KeyValue attribute : attributes) {
      int key = table.intern(attribute.getKey());
      AnyValue value = attribute.getValue();
      switch (value.getValueCase()) {
        case STRING_VALUE ->
            to.add(owner, key, AttributeType.STRING, table.intern(value.getStringValue()));
        case BOOL_VALUE -> to.add(owner, key, AttributeType.BOOL, value.getBoolValue() ? 1 : 0);
        case INT_VALUE -> to.add(owner, key, AttributeType.INT, value.getIntValue());
        case DOUBLE_VALUE ->
            to.add(
                owner,
                key,
                AttributeType.DOUBLE,
                Double.doubleToRawLongBits(value.getDoubleValue()));
        case BYTES_VALUE -> {
          byte[] bytes = value.getBytesValue().toByteArray();
          to.add(owner, key, AttributeType.BYTES, table.intern(bytes, 0, bytes.length));
        }
        case ARRAY_VALUE -> to.add(owner, key, AttributeType.SLICE, container(value));
        case KVLIST_VALUE -> to.add(owner, key, AttributeType.MAP, container(value));
        case STRING_VALUE_STRINDEX, VALUE_NOT_SET -> to.add(owner, key, AttributeType.EMPTY, 0);
      }
    }
  }

  private int container(AnyValue value) {
    cbor.reset();
    write(value, 0);
    return cbor.internInto(table);
  }

  private void write(AnyValue value, int depth) {
    if (depth > CborReader.MAX_DEPTH) {
      throw new WireException(
          "bad attribute in OTLP data: nesting deeper than "
              + CborReader.MAX_DEPTH
              + "; send flatter maps and arrays");
    }
    switch (value.getValueCase()) {
      case STRING_VALUE -> cbor.text(value.getStringValue());
      case BOOL_VALUE -> cbor.bool(value.getBoolValue());
      case INT_VALUE -> cbor.integer(value.getIntValue());
      case DOUBLE_VALUE -> cbor.real(value.getDoubleValue());
      case BYTES_VALUE -> {
        byte[] bytes = value.getBytesValue().toByteArray();
        cbor.bytes(bytes, 0, bytes.length);
      }
      case ARRAY_VALUE -> {
        cbor.beginArray();
        for (AnyValue element : value.getArrayValue().getValuesList()) {
          write(element, depth + 1);
        }
        cbor.end();
      }
      case KVLIST_VALUE -> {
        cbor.beginMap();
        for (KeyValue entry : value.getKvlistValue().getValuesList()) {
          cbor.text(entry.getKey());
          write(entry.getValue(), depth + 1);
        }
        cbor.end();
      }
      case STRING_VALUE_STRINDEX, VALUE_NOT_SET -> cbor.nothing();
    }
  }
}
