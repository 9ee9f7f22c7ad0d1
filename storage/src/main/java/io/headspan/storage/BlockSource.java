package io.headspan.storage;

import java.util.function.Consumer;

/// Where SELECTs find rows. Thread-safe.
@FunctionalInterface
interface BlockSource {
  /// Runs a SELECT and gives each block of its result to `blocks`.
  ///
  /// @throws StoreException of kind PROTOCOL also if a column has a type that is not read
  void select(SqlQuery sql, Consumer<NativeBlock> blocks);
}
