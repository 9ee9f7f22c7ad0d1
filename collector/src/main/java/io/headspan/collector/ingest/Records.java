package io.headspan.collector.ingest;

import java.util.BitSet;
import java.util.List;

/// A batch of any signal as far as it is looked at before it is stored: whose its spans, log
/// records or data points are, how large they are, and how to take some of them. Not thread-safe.
///
/// @param <T> the batch
public interface Records<T> {
  /// The batch itself.
  T batch();

  Omission.Kind kind();

  /// Number of records.
  int size();

  /// The tenants that records are of, "" for none; each once.
  List<String> tenants();

  /// Index of a record's tenant in [#tenants()].
  int tenant(int record);

  /// Number of a record's own attributes.
  int attributes(int record);

  /// Bytes of the longest value of a record's own attributes.
  int longestValueBytes(int record);

  /// Bytes of a record, without those of what it shares with others; about.
  long bytes(int record);

  /// Some of the records as a batch of their own.
  T excerpt(BitSet records);
}
