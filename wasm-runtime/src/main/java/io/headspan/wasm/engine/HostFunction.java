package io.headspan.wasm.engine;

import io.headspan.wasm.module.Signature;

/// A function of the host that guests may import.
///
/// @param module the module name that guests import it from
/// @param <C> what it gets of the invocation that calls it
public record HostFunction<C>(String module, String name, Signature signature, Body<C> body) {

  /// What it does. Runs on the guest's thread and stack: it must not block past an interrupt, and
  /// must leave everything outside `context` alone, for the stack may overflow at any point in it.
  public interface Body<C> {
    /// Runs it.
    ///
    /// @param arguments raw values; not kept after the call
    /// @return the raw result, ignored if the signature has none
    long call(C context, GuestMemory memory, long[] arguments);
  }
}
