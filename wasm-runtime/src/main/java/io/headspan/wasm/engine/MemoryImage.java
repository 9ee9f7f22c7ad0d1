package io.headspan.wasm.engine;

/// A memory's content at one moment, in pages of 4 KiB that nobody writes to any more.
///
/// @param pages one per 4 KiB, all-zero ones being [PagedMemory#ZERO_PAGE]
record MemoryImage(byte[][] pages, int wasmPages) {}
