package io.headspan.collector.sampling;

import io.headspan.wire.AttributeType;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.TraceContext;

/// Makes batches of spans that say no more than a test needs; what is set stays until it is set
/// anew.
final class TraceBuilder {
  private static final long ID_HIGH = 0x4ead59a4ead59a4eL;
  private static final byte SERVER = 2;
  private static final byte CLIENT = 3;

  private final SpanBatch.Builder batch = new SpanBatch.Builder();
  private int scope = -1;
  private int span = -1;
  private long nextSpanId = 1;

  /// The id of a trace as the store shows it.
  static String id(long trace) {
    return TraceContext.hexId(ID_HIGH) + TraceContext.hexId(trace);
  }

  static String id(SpanBatch trace) {
    return TraceContext.hexId(trace.traceIdHigh(0)) + TraceContext.hexId(trace.traceIdLow(0));
  }

  /// The spans that follow are of this origin.
  TraceBuilder from(String tenant, String service, String version) {
    int resource = batch.addResource();
    resourceText(resource, "headspan.tenant", tenant);
    resourceText(resource, "service.name", service);
    resourceText(resource, "service.version", version);
    scope = batch.addScope(resource);
    return this;
  }

  private void resourceText(int resource, String key, String value) {
    if (value.isEmpty()) {
      return;
    }
    batch
        .resourceAttributes()
        .add(
            resource, batch.table().intern(key), AttributeType.STRING, batch.table().intern(value));
  }

  /// One more span, a root until [#parent] says otherwise.
  TraceBuilder span(long trace, String operation, long startNs, long durationNs) {
    if (scope < 0) {
      scope = batch.addScope(batch.addResource());
    }
    span = batch.addSpan(scope);
    batch.traceIdHigh(span, ID_HIGH);
    batch.traceIdLow(span, trace);
    batch.spanId(span, nextSpanId++);
    batch.kind(span, SERVER);
    batch.name(span, batch.table().intern(operation));
    batch.startNs(span, startNs);
    batch.durationNs(span, durationNs);
    return this;
  }

  TraceBuilder spanId(long id) {
    batch.spanId(span, id);
    return this;
  }

  TraceBuilder parent(long id) {
    batch.parentSpanId(span, id);
    return this;
  }

  TraceBuilder failed() {
    batch.statusCode(span, (byte) 2);
    return this;
  }

  TraceBuilder state(String state) {
    batch.traceState(span, batch.table().intern(state));
    return this;
  }

  TraceBuilder link(long trace) {
    int link = batch.addLink(span);
    batch.linkTraceIdHigh(link, ID_HIGH);
    batch.linkTraceIdLow(link, trace);
    batch.linkSpanId(link, 1);
    return this;
  }

  TraceBuilder client() {
    batch.kind(span, CLIENT);
    return this;
  }

  /// It has not ended yet.
  TraceBuilder open() {
    batch.spanAttributes().add(span, batch.table().intern("headspan.open"), AttributeType.BOOL, 1);
    return this;
  }

  SpanBatch build() {
    return batch.build();
  }
}
