package io.headspan.wasm.engine;

import io.headspan.wasm.module.ModuleException;

/// Turns a WebAssembly binary into something to run. Thread-safe.
public interface WasmEngine {
  /// The engine's name and version.
  String version();

  /// Validates a module and compiles it to JVM bytecode, once for all of its instances.
  ///
  /// @param library everything that the module may import
  /// @param <C> what host functions get of the invocation that calls them
  /// @throws ModuleException if the module is refused; whatever else goes wrong inside the engine
  ///   on hostile bytes becomes one too
  <C> GuestModule<C> compile(byte[] binary, HostLibrary<C> library, ModuleLimits limits);
}
