package io.headspan.wasm.engine;

/// One instance, for one invocation and one thread.
public interface GuestInstance {
  /// Calls an exported function. An interrupt of the thread ends it.
  ///
  /// @param arguments one raw value per parameter; floats as their bits
  /// @return the raw value of the first result, 0 if there is none
  /// @throws GuestTrap if the guest did something that ends it, or the thread was interrupted
  /// @throws GuestExit if it asked to end
  long call(ExportedFunction function, long... arguments);

  GuestMemory memory();
}
