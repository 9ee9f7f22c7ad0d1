package io.headspan.wire.otlp;

import com.google.protobuf.ByteString;
import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.CborReader;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.Utf8Table;
import io.headspan.wire.WireException;
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
import io.opentelemetry.proto.trace.v1.TracesData;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// A [SpanBatch] to OTLP messages: a ResourceSpans per resource and a ScopeSpans per scope, in the
/// batch's order, empty ones too. An id of zero is left out, as OTLP writes an absent one.
public final class OtlpEncoder {
  private final SpanBatch batch;
  private final Utf8Table table;
  private final CborReader cbor = new CborReader();

  private OtlpEncoder(SpanBatch batch) {
    this.batch = batch;
    table = batch.table();
  }

  /// Encodes all of `batch`.
  ///
  /// @throws WireException if a map or slice of the batch is not CBOR as [CborReader] reads it
  public static TracesData encode(SpanBatch batch) {
    return new OtlpEncoder(batch).traces();
  }

  private TracesData traces() {
    List<ScopeSpans.Builder> scopes = new ArrayList<>(batch.scopes());
    for (int scope = 0; scope < batch.scopes(); scope++) {
      scopes.add(scope(scope));
    }
    for (int row = 0; row < batch.size(); row++) {
      scopes.get(batch.scope(row)).addSpans(span(row));
    }
    List<ResourceSpans.Builder> resources = new ArrayList<>(batch.resources());
    for (int resource = 0; resource < batch.resources(); resource++) {
      resources.add(resource(resource));
    }
    for (int scope = 0; scope < batch.scopes(); scope++) {
      resources.get(batch.scopeResource(scope)).addScopeSpans(scopes.get(scope));
    }
    TracesData.Builder traces = TracesData.newBuilder();
    for (ResourceSpans.Builder resource : resources) {
      traces.addResourceSpans(resource);
    }
    return traces.build();
  }

  private ResourceSpans.Builder resource(int row) {
    Resource.Builder resource =
        Resource.newBuilder().setDroppedAttributesCount(batch.resourceDroppedAttributes(row));
    attributes(batch.resourceAttributes(), row, resource::addAttributes);
    return ResourceSpans.newBuilder()
        .setResource(resource)
        .setSchemaUrl(batch.text(batch.resourceSchemaUrl(row)));
  }

  private ScopeSpans.Builder scope(int row) {
    InstrumentationScope.Builder scope =
        InstrumentationScope.newBuilder()
            .setName(batch.text(batch.scopeName(row)))
            .setVersion(batch.text(batch.scopeVersion(row)))
            .setDroppedAttributesCount(batch.scopeDroppedAttributes(row));
    attributes(batch.scopeAttributes(), row, scope::addAttributes);
    return ScopeSpans.newBuilder()
        .setScope(scope)
        .setSchemaUrl(batch.text(batch.scopeSchemaUrl(row)));
  }

  private Span span(int row) {
    Span.Builder span =
        Span.newBuilder()
            .setTraceId(traceId(batch.traceIdHigh(row), batch.traceIdLow(row)))
            .setSpanId(spanId(batch.spanId(row)))
            .setParentSpanId(spanId(batch.parentSpanId(row)))
            .setTraceState(batch.text(batch.traceState(row)))
            .setFlags(batch.flags(row))
            .setName(batch.text(batch.name(row)))
            .setKindValue(batch.kind(row))
            .setStartTimeUnixNano(batch.startNs(row))
            .setEndTimeUnixNano(batch.startNs(row) + batch.durationNs(row))
            .setDroppedAttributesCount(batch.droppedAttributes(row))
            .setDroppedEventsCount(batch.droppedEvents(row))
            .setDroppedLinksCount(batch.droppedLinks(row));
    if (batch.statusCode(row) != 0 || batch.statusMessage(row) != Utf8Table.EMPTY) {
      span.setStatus(
          Status.newBuilder()
              .setCodeValue(batch.statusCode(row))
              .setMessage(batch.text(batch.statusMessage(row))));
    }
    attributes(batch.spanAttributes(), row, span::addAttributes);
    for (int event = batch.eventBegin(row); event < batch.eventEnd(row); event++) {
      span.addEvents(event(event));
    }
    for (int link = batch.linkBegin(row); link < batch.linkEnd(row); link++) {
      span.addLinks(link(link));
    }
    return span.build();
  }

  private Span.Event event(int row) {
    Span.Event.Builder event =
        Span.Event.newBuilder()
            .setTimeUnixNano(batch.eventTimeNs(row))
            .setName(batch.text(batch.eventName(row)))
            .setDroppedAttributesCount(batch.eventDroppedAttributes(row));
    attributes(batch.eventAttributes(), row, event::addAttributes);
    return event.build();
  }

  private Span.Link link(int row) {
    Span.Link.Builder link =
        Span.Link.newBuilder()
            .setTraceId(traceId(batch.linkTraceIdHigh(row), batch.linkTraceIdLow(row)))
            .setSpanId(spanId(batch.linkSpanId(row)))
            .setTraceState(batch.text(batch.linkTraceState(row)))
            .setFlags(batch.linkFlags(row))
            .setDroppedAttributesCount(batch.linkDroppedAttributes(row));
    attributes(batch.linkAttributes(), row, link::addAttributes);
    return link.build();
  }

  private void attributes(Attributes from, int owner, Consumer<KeyValue> to) {
    for (int row = from.begin(owner); row < from.end(owner); row++) {
      to.accept(
          KeyValue.newBuilder()
              .setKey(batch.text(from.key(row)))
              .setValue(value(from, row))
              .build());
    }
  }

  private AnyValue value(Attributes from, int row) {
    AnyValue.Builder value = AnyValue.newBuilder();
    int id = (int) from.value(row);
    switch (from.type(row)) {
      case AttributeType.EMPTY -> {}
      case AttributeType.STRING -> value.setStringValue(table.string(id));
      case AttributeType.INT -> value.setIntValue(from.value(row));
      case AttributeType.DOUBLE -> value.setDoubleValue(from.doubleValue(row));
      case AttributeType.BOOL -> value.setBoolValue(from.value(row) != 0);
      case AttributeType.BYTES ->
          value.setBytesValue(
              ByteString.copyFrom(table.backing(), table.offset(id), table.length(id)));
      case AttributeType.MAP, AttributeType.SLICE -> {
        cbor.reset(table, id);
        AnyValue container = value(cbor.next());
        if (cbor.next() != CborReader.Token.DONE) {
          throw new IllegalStateException("container did not end");
        }
        return container;
      }
      default -> throw new IllegalStateException("unknown attribute type: type=" + from.type(row));
    }
    return value.build();
  }

  private AnyValue value(CborReader.Token token) {
    AnyValue.Builder value = AnyValue.newBuilder();
    switch (token) {
      case TEXT -> value.setStringValue(cbor.text());
      case BYTES ->
          value.setBytesValue(
              ByteString.copyFrom(cbor.valueArray(), cbor.valueOffset(), cbor.valueLength()));
      case INT -> value.setIntValue(cbor.integer());
      case DOUBLE -> value.setDoubleValue(cbor.real());
      case BOOL -> value.setBoolValue(cbor.bool());
      case NULL -> {}
      case ARRAY_BEGIN -> {
        ArrayValue.Builder array = ArrayValue.newBuilder();
        CborReader.Token element;
        while ((element = cbor.next()) != CborReader.Token.END) {
          array.addValues(value(element));
        }
        value.setArrayValue(array);
      }
      case MAP_BEGIN -> {
        KeyValueList.Builder map = KeyValueList.newBuilder();
        while (cbor.next() != CborReader.Token.END) {
          KeyValue.Builder entry = KeyValue.newBuilder().setKey(cbor.text());
          map.addValues(entry.setValue(value(cbor.next())));
        }
        value.setKvlistValue(map);
      }
      case END, DONE -> throw new IllegalStateException("unexpected token: token=" + token);
    }
    return value.build();
  }

  private static ByteString traceId(long high, long low) {
    if ((high | low) == 0) {
      return ByteString.EMPTY;
    }
    return ByteString.copyFrom(ByteBuffer.allocate(16).putLong(high).putLong(low).flip());
  }

  private static ByteString spanId(long id) {
    if (id == 0) {
      return ByteString.EMPTY;
    }
    return ByteString.copyFrom(ByteBuffer.allocate(8).putLong(id).flip());
  }
}
