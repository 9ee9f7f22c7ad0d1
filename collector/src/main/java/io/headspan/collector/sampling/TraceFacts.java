package io.headspan.collector.sampling;

/// What policies can know of a trace: either all its spans, or what the store says of them.
sealed interface TraceFacts permits SampledTrace, StoredTrace {
  long traceIdHigh();

  long traceIdLow();

  /// How many spans it has.
  long spans();

  /// About how large it is, uncompressed.
  long sizeBytes();

  /// Whose it is: the tenant of the first span that has one, "" if none has.
  String tenant();

  /// The service of its root, "" without one.
  String rootService();

  /// The operation of its root, "" without one.
  String rootOperation();

  /// Whether a condition on its spans holds.
  boolean holds(Policy.Condition condition);
}
