package io.headspan.agent.export;

import io.headspan.agent.ledger.TenantCounts;
import io.headspan.wire.SpanBatch;

/// Takes batches.
@FunctionalInterface
public interface BatchSink {
  /// Takes a batch over.
  ///
  /// @param spans how many of it are of which tenant
  void accept(SpanBatch batch, TenantCounts spans);
}
