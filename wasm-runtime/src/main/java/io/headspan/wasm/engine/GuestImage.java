package io.headspan.wasm.engine;

/// The state that every instance of a deployed module begins with. Immutable and shared by all of
/// its instances, which copy a 4 KiB page of it only when they write to that page.
///
/// @param <C> what host functions get of the invocation that calls them
public interface GuestImage<C> {
  /// A new instance in the image's state. Costs microseconds, whatever the size of the memory.
  ///
  /// @param context given to every host function that the instance calls
  /// @param allowance pays for the pages that the instance writes
  GuestInstance newInstance(C context, PageAllowance allowance);

  /// The memory at the beginning, in WebAssembly pages of 64 KiB.
  int initialPages();
}
