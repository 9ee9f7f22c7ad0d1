package io.headspan.agent;

import io.headspan.agent.export.ArrowCollector;
import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;

/// A span that reached a collector, with its resource, for reading.
///
/// @param traceId its last 8 bytes
/// @param kind 2 for an invocation, 3 for a call
record CapturedSpan(
    String name,
    int kind,
    long traceId,
    long spanId,
    long parentSpanId,
    long durationNs,
    int status,
    Map<String, Object> attributes,
    Map<String, Object> resource) {

  /// Waits up to 30 s for `count` such spans and gives all there are then.
  static List<CapturedSpan> await(
      ArrowCollector collector, Predicate<CapturedSpan> which, int count) {
    long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    List<CapturedSpan> spans = read(collector, which);
    while (spans.size() < count && System.nanoTime() - deadlineNs < 0) {
      LockSupport.parkNanos(10_000_000);
      spans = read(collector, which);
    }
    return spans;
  }

  private static List<CapturedSpan> read(ArrowCollector collector, Predicate<CapturedSpan> which) {
    List<CapturedSpan> spans = new ArrayList<>();
    for (SpanBatch batch : collector.batches()) {
      for (int row = 0; row < batch.size(); row++) {
        CapturedSpan span = read(batch, row);
        if (which.test(span)) {
          spans.add(span);
        }
      }
    }
    return spans;
  }

  private static CapturedSpan read(SpanBatch batch, int row) {
    return new CapturedSpan(
        batch.text(batch.name(row)),
        batch.kind(row),
        batch.traceIdLow(row),
        batch.spanId(row),
        batch.parentSpanId(row),
        batch.durationNs(row),
        batch.statusCode(row),
        attributes(batch, batch.spanAttributes(), row),
        attributes(batch, batch.resourceAttributes(), batch.scopeResource(batch.scope(row))));
  }

  private static Map<String, Object> attributes(SpanBatch batch, Attributes from, int owner) {
    Map<String, Object> attributes = new HashMap<>();
    for (int row = from.begin(owner); row < from.end(owner); row++) {
      attributes.put(
          batch.text(from.key(row)),
          from.type(row) == AttributeType.STRING
              ? batch.text((int) from.value(row))
              : (Object) from.value(row));
    }
    return attributes;
  }
}
