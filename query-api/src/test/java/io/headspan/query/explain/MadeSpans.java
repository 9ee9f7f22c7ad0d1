package io.headspan.query.explain;

import com.google.protobuf.ByteString;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.resource.v1.Resource;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import io.opentelemetry.proto.trace.v1.Status;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Spans as an agent would send them, with accounts that a test chose.
public final class MadeSpans {
  private static final long NS_PER_MS = 1_000_000;
  private static final int SPANS_PER_REQUEST = 5000;

  private final List<ResourceSpans> spans = new ArrayList<>();
  private long lastId;
  private String traceState = "";

  /// What became of an invocation's time, in ms.
  public record Times(
      double duration, double queue, double cpu, double stolen, double throttled, double blocked) {}

  /// A function as the platform names it.
  public record Function(String tenant, String service, String version) {}

  /// A new id, for traces and spans.
  public long newId() {
    return ++lastId;
  }

  /// Makes the next id the one after `id`.
  public void nextId(long id) {
    lastId = id;
  }

  /// Gives the spans that follow a tracestate.
  public void traceState(String state) {
    traceState = state;
  }

  /// Adds an invocation and returns its span id.
  ///
  /// @param attributes more of them: `String`, `Long` or `Boolean`
  public long served(
      Function function,
      long traceId,
      long parentId,
      long startNs,
      Times times,
      Map<String, Object> attributes) {
    Span.Builder span =
        span(traceId, parentId, startNs, times.duration())
            .setName("GET /")
            .setKind(Span.SpanKind.SPAN_KIND_SERVER)
            .addAttributes(attribute("headspan.queue_ns", ns(times.queue())))
            .addAttributes(attribute("headspan.cpu_ns", ns(times.cpu())))
            .addAttributes(attribute("headspan.stolen_ns", ns(times.stolen())))
            .addAttributes(attribute("headspan.throttled_ns", ns(times.throttled())))
            .addAttributes(attribute("headspan.blocked_ns", ns(times.blocked())))
            .addAttributes(attribute("headspan.scope", "thread"));
    attributes.forEach((key, value) -> span.addAttributes(attribute(key, value)));
    return add(function, span);
  }

  /// Adds a call and returns its span id.
  public long called(
      Function function,
      long traceId,
      long parentId,
      long startNs,
      double durationMs,
      boolean failed) {
    return called(function, traceId, parentId, startNs, durationMs, failed ? "" : null);
  }

  /// Adds a call and returns its span id.
  ///
  /// @param error with which type of error it failed, "" if with none; null if it did not fail
  public long called(
      Function function,
      long traceId,
      long parentId,
      long startNs,
      double durationMs,
      @Nullable String error) {
    Span.Builder span =
        span(traceId, parentId, startNs, durationMs)
            .setName("GET /item")
            .setKind(Span.SpanKind.SPAN_KIND_CLIENT)
            .setStatus(Status.newBuilder().setCodeValue(error == null ? 0 : 2));
    if (error != null && !error.isEmpty()) {
      span.addAttributes(attribute("error.type", error));
    }
    return add(function, span);
  }

  private Span.Builder span(long traceId, long parentId, long startNs, double durationMs) {
    Span.Builder span =
        Span.newBuilder()
            .setTraceId(
                ByteString.copyFrom(
                    ByteBuffer.allocate(16).putLong(0x1234).putLong(traceId).flip()))
            .setSpanId(id(newId()))
            .setTraceState(traceState)
            .setStartTimeUnixNano(startNs)
            .setEndTimeUnixNano(startNs + ns(durationMs));
    return parentId == 0 ? span : span.setParentSpanId(id(parentId));
  }

  private long add(Function function, Span.Builder span) {
    spans.add(
        ResourceSpans.newBuilder()
            .setResource(
                Resource.newBuilder()
                    .addAttributes(attribute("headspan.tenant", function.tenant()))
                    .addAttributes(attribute("headspan.runtime", "container"))
                    .addAttributes(attribute("service.name", function.service()))
                    .addAttributes(attribute("service.version", function.version())))
            .addScopeSpans(ScopeSpans.newBuilder().addSpans(span))
            .build());
    return span.getSpanId().asReadOnlyByteBuffer().getLong();
  }

  /// Everything that was added.
  public List<ExportTraceServiceRequest> requests() {
    List<ExportTraceServiceRequest> requests = new ArrayList<>();
    for (int from = 0; from < spans.size(); from += SPANS_PER_REQUEST) {
      requests.add(
          ExportTraceServiceRequest.newBuilder()
              .addAllResourceSpans(
                  spans.subList(from, Math.min(spans.size(), from + SPANS_PER_REQUEST)))
              .build());
    }
    return requests;
  }

  static long ns(double ms) {
    return Math.round(ms * NS_PER_MS);
  }

  private static ByteString id(long value) {
    return ByteString.copyFrom(ByteBuffer.allocate(8).putLong(value).flip());
  }

  private static KeyValue attribute(String key, Object value) {
    AnyValue.Builder any = AnyValue.newBuilder();
    switch (value) {
      case String text -> any.setStringValue(text);
      case Long number -> any.setIntValue(number);
      case Boolean flag -> any.setBoolValue(flag);
      default -> throw new IllegalArgumentException("attribute of no known type: key=" + key);
    }
    return KeyValue.newBuilder().setKey(key).setValue(any).build();
  }
}
