package io.headspan.wire.otlp;

import com.google.protobuf.ByteString;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.Utf8Table;
import io.headspan.wire.WireException;
import io.opentelemetry.proto.common.v1.InstrumentationScope;
import io.opentelemetry.proto.resource.v1.Resource;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import io.opentelemetry.proto.trace.v1.Status;
import io.opentelemetry.proto.trace.v1.TracesData;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/// A [SpanBatch] to OTLP messages: a ResourceSpans per resource and a ScopeSpans per scope, in the
/// batch's order, empty ones too. An id of zero is left out, as OTLP writes an absent one.
public final class OtlpEncoder {
  private final SpanBatch batch;
  private final OtlpAttributes attributes;

  private OtlpEncoder(SpanBatch batch) {
    this.batch = batch;
    attributes = new OtlpAttributes(batch.table());
  }

  /// Encodes all of `batch`.
  ///
  /// @throws WireException if a map or slice of the batch is not CBOR as
  ///   [io.headspan.wire.CborReader] reads it
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

  /// Resource `row` of a batch, without its schema URL.
  public static Resource resource(SpanBatch batch, int row) {
    return new OtlpEncoder(batch).resourceOf(row);
  }

  /// Scope `row` of a batch, without its schema URL.
  public static InstrumentationScope scope(SpanBatch batch, int row) {
    return new OtlpEncoder(batch).scopeOf(row);
  }

  private Resource resourceOf(int row) {
    Resource.Builder resource =
        Resource.newBuilder().setDroppedAttributesCount(batch.resourceDroppedAttributes(row));
    attributes.each(batch.resourceAttributes(), row, resource::addAttributes);
    return resource.build();
  }

  private ResourceSpans.Builder resource(int row) {
    return ResourceSpans.newBuilder()
        .setResource(resourceOf(row))
        .setSchemaUrl(batch.text(batch.resourceSchemaUrl(row)));
  }

  private InstrumentationScope scopeOf(int row) {
    InstrumentationScope.Builder scope =
        InstrumentationScope.newBuilder()
            .setName(batch.text(batch.scopeName(row)))
            .setVersion(batch.text(batch.scopeVersion(row)))
            .setDroppedAttributesCount(batch.scopeDroppedAttributes(row));
    attributes.each(batch.scopeAttributes(), row, scope::addAttributes);
    return scope.build();
  }

  private ScopeSpans.Builder scope(int row) {
    return ScopeSpans.newBuilder()
        .setScope(scopeOf(row))
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
    attributes.each(batch.spanAttributes(), row, span::addAttributes);
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
    attributes.each(batch.eventAttributes(), row, event::addAttributes);
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
    attributes.each(batch.linkAttributes(), row, link::addAttributes);
    return link.build();
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
