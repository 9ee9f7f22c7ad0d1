package io.headspan.query;

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
import java.util.Random;

/// Small traces with everything that can be wrong with a tree: several roots, parents that never
/// came, spans that are their own ancestors. Spans have an attribute `n` or none, events `attempt`.
public final class RandomTraces {
  private static final int MAX_SPANS = 14;

  private final Random random;

  public RandomTraces(long seed) {
    random = new Random(seed);
  }

  /// Traces within a minute of `startNs`, one per request.
  public List<ExportTraceServiceRequest> next(int count, long startNs) {
    return next(count, startNs, 60_000_000_000L, 1_000);
  }

  /// Traces that begin within a time, one per request.
  ///
  /// @param stepNs between the starts of a trace's spans
  public List<ExportTraceServiceRequest> next(int count, long startNs, long withinNs, long stepNs) {
    List<ExportTraceServiceRequest> requests = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      long beginNs = startNs + random.nextLong(withinNs);
      requests.add(trace(1 + random.nextInt(MAX_SPANS), beginNs, stepNs));
    }
    return requests;
  }

  /// A trace of that many spans.
  ///
  /// @param stepNs between the starts of its spans
  public ExportTraceServiceRequest trace(int spans, long startNs, long stepNs) {
    ByteString traceId =
        ByteString.copyFrom(
            ByteBuffer.allocate(16)
                .putLong(random.nextLong())
                .putLong(random.nextLong() | 1)
                .flip());
    List<ByteString> ids = new ArrayList<>();
    for (int i = 0; i < spans; i++) {
      ids.add(id(random.nextLong() | 1));
    }
    ExportTraceServiceRequest.Builder request = ExportTraceServiceRequest.newBuilder();
    for (int i = 0; i < spans; i++) {
      request.addResourceSpans(
          ResourceSpans.newBuilder()
              .setResource(
                  Resource.newBuilder()
                      .addAttributes(text("service.name", "s" + random.nextInt(3))))
              .addScopeSpans(
                  ScopeSpans.newBuilder().addSpans(span(startNs + i * stepNs, traceId, ids, i))));
    }
    return request.build();
  }

  private Span span(long startNs, ByteString traceId, List<ByteString> ids, int index) {
    Span.Builder span =
        Span.newBuilder()
            .setTraceId(traceId)
            .setSpanId(ids.get(index))
            .setName(String.valueOf((char) ('a' + random.nextInt(3))))
            .setKindValue(1 + random.nextInt(5))
            .setStartTimeUnixNano(startNs)
            .setEndTimeUnixNano(startNs + random.nextLong(50_000_000))
            .setStatus(Status.newBuilder().setCodeValue(random.nextInt(3)));
    if (random.nextInt(3) > 0) {
      span.addAttributes(
          KeyValue.newBuilder()
              .setKey("n")
              .setValue(AnyValue.newBuilder().setIntValue(random.nextInt(6))));
    }
    for (int events = random.nextInt(3); events > 0; events--) {
      span.addEvents(event(startNs + random.nextLong(1_000_000)));
    }
    switch (random.nextInt(20)) {
      // The parent never came.
      case 0 -> span.setParentSpanId(id(random.nextLong() | 1));
      // Any other, also a later one: there may be cycles.
      case 1 -> span.setParentSpanId(ids.get(random.nextInt(ids.size())));
      // One more root.
      case 2 -> {}
      default -> {
        if (index > 0) {
          span.setParentSpanId(ids.get(random.nextInt(index)));
        }
      }
    }
    return span.build();
  }

  private Span.Event event(long timeNs) {
    Span.Event.Builder event =
        Span.Event.newBuilder().setTimeUnixNano(timeNs).setName("e" + random.nextInt(2));
    if (random.nextBoolean()) {
      event.addAttributes(
          KeyValue.newBuilder()
              .setKey("attempt")
              .setValue(AnyValue.newBuilder().setIntValue(random.nextInt(4))));
    }
    return event.build();
  }

  private static ByteString id(long value) {
    return ByteString.copyFrom(ByteBuffer.allocate(8).putLong(value).flip());
  }

  private static KeyValue text(String key, String value) {
    return KeyValue.newBuilder()
        .setKey(key)
        .setValue(AnyValue.newBuilder().setStringValue(value))
        .build();
  }
}
