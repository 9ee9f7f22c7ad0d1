package io.headspan.wasm.engine;

import io.headspan.wasm.module.ModuleException;
import java.util.Optional;

/// A compiled module that no code of has run yet. Immutable.
///
/// @param <C> what host functions get of the invocation that calls them
public interface GuestModule<C> {
  /// An exported function by name.
  Optional<ExportedFunction> function(String name);

  /// Runs the start function and, if given, `initialiser` in a first instance and keeps its memory,
  /// globals and tables: every later instance begins in this state, without running them again.
  ///
  /// Guest code runs in this call, so call it on a guest thread with a deadline.
  ///
  /// @throws ModuleException if the data does not fit the memory, or the code traps
  GuestImage<C> initialise(
      C context, Optional<ExportedFunction> initialiser, PageAllowance allowance);
}
