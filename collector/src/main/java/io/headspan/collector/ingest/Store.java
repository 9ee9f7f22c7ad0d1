package io.headspan.collector.ingest;

import io.headspan.wire.LogBatch;
import io.headspan.wire.MetricBatch;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.signal.NodeReport;
import java.time.Duration;
import java.util.List;

/// What ingest needs of the store; [io.headspan.storage.SpanStore] has the promises.
public interface Store {
  /// Brings the schema up to date.
  ///
  /// @throws io.headspan.storage.StoreException if that fails
  void migrate();

  /// Stores a batch once; returns when the store has it.
  ///
  /// @throws io.headspan.storage.StoreException if it does not
  void insert(SpanBatch batch, String deduplicationToken);

  /// Stores log records once; returns when the store has them.
  ///
  /// @throws io.headspan.storage.StoreException if it does not
  void insert(LogBatch batch, String deduplicationToken);

  /// Stores data points once; returns when the store has them.
  ///
  /// @throws io.headspan.storage.StoreException if it does not
  void insert(MetricBatch batch, String deduplicationToken);

  /// Whether the store has the spans of a batch, under whatever token.
  ///
  /// @throws io.headspan.storage.StoreException if it cannot say
  boolean isStored(SpanBatch batch);

  /// Whether the store surely knows the token of every batch that was inserted within `age`.
  ///
  /// @throws io.headspan.storage.StoreException if it cannot say
  boolean knowsTokens(Duration age);

  /// Stores a report about a node once; returns when the store has it.
  ///
  /// @throws io.headspan.storage.StoreException if it does not
  void insert(NodeReport report, String deduplicationToken);

  /// Stores once what was left out of a batch; returns when the store has it.
  ///
  /// @throws io.headspan.storage.StoreException if it does not
  void insert(List<Omission> omitted, String deduplicationToken);

  /// Whether the store answers and has the schema.
  boolean isReady();
}
