package io.headspan.launcher;

import io.headspan.wire.AttributeType;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.Utf8Table;

/// Builds traces for tests, a span a call.
final class Spans {
  private final SpanBatch.Builder builder = new SpanBatch.Builder();

  Spans server(long id, long parent, String tenant, String service, String runtime) {
    return span((byte) 2, id, parent, tenant, service, runtime);
  }

  Spans client(long id, long parent, String tenant, String service) {
    return span((byte) 3, id, parent, tenant, service, "container");
  }

  SpanBatch build() {
    return builder.build();
  }

  private Spans span(
      byte kind, long id, long parent, String tenant, String service, String runtime) {
    Utf8Table table = builder.table();
    int resource = builder.addResource();
    text(resource, "service.name", service);
    text(resource, "headspan.tenant", tenant);
    text(resource, "headspan.runtime", runtime);
    int span = builder.addSpan(builder.addScope(resource));
    builder.kind(span, kind);
    builder.spanId(span, id);
    builder.parentSpanId(span, parent);
    builder.startNs(span, id);
    builder.durationNs(span, 1_500_000);
    builder.name(span, table.intern("GET /" + service));
    builder
        .spanAttributes()
        .add(span, table.intern("http.response.status_code"), AttributeType.INT, 200);
    return this;
  }

  private void text(int resource, String key, String value) {
    Utf8Table table = builder.table();
    builder
        .resourceAttributes()
        .add(resource, table.intern(key), AttributeType.STRING, table.intern(value));
  }
}
