package io.headspan.storage;

/// What brings a store's schema up to date.
interface SchemaKeeper {
  /// As [SpanStore#migrate].
  void migrate();

  /// Whether the store has this version's schema.
  ///
  /// @throws StoreException if it does not answer
  boolean isCurrent();
}
