package io.headspan.collector.ingest;

/// What became of a batch.
public sealed interface InsertOutcome {
  /// The store has it.
  record Stored() implements InsertOutcome {}

  /// The store does not have it, or did not say so; the sender should send it again.
  ///
  /// @param reason what to tell the sender
  record Unavailable(String reason) implements InsertOutcome {}

  /// The store of a region does not have its part of it, while that of another region is there; the
  /// sender should send it again, and need not hold back other batches meanwhile.
  ///
  /// @param reason what to tell the sender
  record RegionAway(String reason) implements InsertOutcome {}

  /// The store will never have it.
  ///
  /// @param reason what to tell the sender
  record Rejected(String reason) implements InsertOutcome {}
}
