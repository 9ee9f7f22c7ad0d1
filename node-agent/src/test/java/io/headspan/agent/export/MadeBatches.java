package io.headspan.agent.export;

import io.headspan.agent.ledger.Ledger;
import io.headspan.agent.ledger.TenantCounts;
import io.headspan.wire.AttributeType;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.Utf8Table;
import java.util.Map;

/// Batches for tests, of spans whose ids count up.
final class MadeBatches {
  private static final String TENANT = "shop";

  private final Ledger ledger;
  private final int spansPerBatch;
  private long nextSpanId;

  MadeBatches(Ledger ledger, int spansPerBatch, long firstSpanId) {
    this.ledger = ledger;
    this.spansPerBatch = spansPerBatch;
    nextSpanId = firstSpanId;
  }

  /// Makes one, as the ledger sees it when it was captured, and hands it over.
  void submit(SpanExporter exporter) {
    for (int i = 0; i < spansPerBatch; i++) {
      ledger.captured();
      ledger.batched(i % 2 == 0 ? TENANT : null);
    }
    TenantCounts spans =
        TenantCounts.of(
            Map.of(TENANT, (spansPerBatch + 1) / 2, Ledger.NO_TENANT, spansPerBatch / 2));
    exporter.submit(batch(), spans);
  }

  /// The id that the next span will have.
  long nextSpanId() {
    return nextSpanId;
  }

  private SpanBatch batch() {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    Utf8Table table = builder.table();
    int resource = builder.addResource();
    builder
        .resourceAttributes()
        .add(
            resource, table.intern("service.name"), AttributeType.STRING, table.intern("checkout"));
    int scope = builder.addScope(resource);
    for (int i = 0; i < spansPerBatch; i++) {
      int span = builder.addSpan(scope);
      builder.spanId(span, nextSpanId);
      builder.traceIdLow(span, 7);
      builder.startNs(span, 1_000_000L * nextSpanId);
      builder.name(span, table.intern("GET /orders/{id}"));
      builder.kind(span, (byte) 2);
      builder
          .spanAttributes()
          .add(
              span,
              table.intern("url.path"),
              AttributeType.STRING,
              table.intern("/orders/" + nextSpanId));
      nextSpanId++;
    }
    return builder.build();
  }
}
