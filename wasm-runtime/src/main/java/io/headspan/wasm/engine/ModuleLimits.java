package io.headspan.wasm.engine;

/// What a module may be.
///
/// @param memoryPages the most memory that an instance may have, in pages of 64 KiB. A module that
///   declares a larger maximum, or none, is run with this one: `memory.grow` beyond it gives -1.
public record ModuleLimits(int memoryPages) {
  /// Chicory addresses memory by `int`, so 2 GiB less one page.
  public static final int MEMORY_PAGES_MAX = 32_767;

  /// Entries of all tables of an instance together, also after `table.grow`; 4 bytes each.
  static final int TABLE_ENTRIES_MAX = 1 << 17;

  /// Each is an object in every instance. Compilers make less than a hundred.
  static final int GLOBALS_MAX = 4_096;

  /// Keeps the cost of an instance, which grows with them, in microseconds.
  static final int TABLES_MAX = 16;

  /// Copied by reference into every instance.
  static final int SEGMENTS_MAX = 10_000;

  /// Linking an instance compares each import with each. All that can be imported are fewer.
  static final int IMPORTS_MAX = 128;

  /// The compiler looks at every function once for each type.
  static final long TYPES_TIMES_FUNCTIONS_MAX = 100_000_000;

  public ModuleLimits {
    if (memoryPages < 1 || memoryPages > MEMORY_PAGES_MAX) {
      throw new IllegalArgumentException(
          "memory limit out of range: pages=" + memoryPages + ", max=" + MEMORY_PAGES_MAX);
    }
  }
}
