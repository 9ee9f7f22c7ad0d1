package io.headspan.wasm.engine;

import io.headspan.wasm.module.Signature;
import java.util.List;
import java.util.Optional;

/// Runs one export of a module that imports nothing but `test.fail`.
final class EngineRun {
  static final HostLibrary<String> LIBRARY =
      new HostLibrary<>(
          List.of(
              new HostFunction<>(
                  "test",
                  "context_length",
                  Signature.of("i>i"),
                  (context, memory, arguments) -> context.length() + arguments[0])));

  private EngineRun() {}

  static GuestModule<String> compile(byte[] binary) {
    return new ChicoryEngine().compile(binary, LIBRARY, new ModuleLimits(64));
  }

  static GuestImage<String> image(byte[] binary) {
    return compile(binary).initialise("first", Optional.empty(), new PageBudget(1 << 24).open());
  }

  static long run(byte[] binary, String export, long... arguments) {
    GuestModule<String> module = compile(binary);
    GuestInstance instance =
        module
            .initialise("first", Optional.empty(), new PageBudget(1 << 24).open())
            .newInstance("context", new PageBudget(1 << 24).open());
    return instance.call(module.function(export).orElseThrow(), arguments);
  }
}
