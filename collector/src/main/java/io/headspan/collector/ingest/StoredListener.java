package io.headspan.collector.ingest;

import io.headspan.wire.SpanBatch;
import io.headspan.wire.signal.NodeReport;

/// Is told what the store has, once, in the thread that stored it. Any thread.
public interface StoredListener {
  /// Is told nothing.
  StoredListener NONE =
      new StoredListener() {
        @Override
        public void stored(SpanBatch batch) {}

        @Override
        public void stored(NodeReport report) {}
      };

  /// The store has a batch, and did not have it before as far as is known here.
  void stored(SpanBatch batch);

  /// The store has a report.
  void stored(NodeReport report);
}
