package io.headspan.wasm.host;

import io.headspan.wasm.engine.ExportedFunction;
import io.headspan.wasm.engine.GuestExit;
import io.headspan.wasm.engine.GuestInstance;
import io.headspan.wasm.engine.GuestModule;
import io.headspan.wasm.engine.GuestTrap;
import io.headspan.wasm.module.ModuleException;
import io.headspan.wasm.module.ModuleProblem;
import io.headspan.wasm.module.Signature;
import java.util.Optional;

/// The two shapes that a function can have, told apart by what the module exports. Part of the
/// stable interface, see `docs/wasm-functions.md`.
public sealed interface FunctionKind {
  /// The name in answers: `command` or `reactor`.
  String label();

  /// What to run once, when the module is deployed.
  Optional<ExportedFunction> initialiser();

  /// Runs an instance to its end.
  ///
  /// @return the response; one that does not come from the guest's exit code
  /// @throws GuestExit if the guest exited with another code than 0
  /// @throws GuestTrap if it was ended
  GuestResponse run(GuestInstance instance, Invocation invocation);

  /// The kind that a module's exports make it.
  ///
  /// @throws ModuleException `NO_ENTRY_POINT`
  static FunctionKind of(GuestModule<?> module) {
    Optional<ExportedFunction> handle = module.function("headspan_handle");
    if (handle.isPresent()) {
      Optional<ExportedFunction> allocate = module.function("headspan_alloc");
      if (allocate.isEmpty()) {
        throw new ModuleException(
            ModuleProblem.NO_ENTRY_POINT,
            "the module exports headspan_handle but not headspan_alloc(size: i32) -> i32, which the"
                + " request's memory is asked from");
      }
      return new Reactor(
          checked(allocate.get(), "i>i"),
          checked(handle.get(), "ii>l"),
          module.function("_initialize").map(f -> checked(f, ">")));
    }
    return module
        .function("_start")
        .map(start -> new Command(checked(start, ">")))
        .orElseThrow(() ->
            new ModuleException(
                ModuleProblem.NO_ENTRY_POINT,
                "the module has no entry point: it exports neither _start (a WASI command) nor"
                    + " headspan_handle and headspan_alloc (a reactor)"));
  }

  private static ExportedFunction checked(ExportedFunction function, String signature) {
    if (!function.signature().equals(Signature.of(signature))) {
      throw new ModuleException(
          ModuleProblem.NO_ENTRY_POINT,
          "an entry point has another signature than it should: export="
              + function.name()
              + ", signature="
              + function.signature()
              + ", expected="
              + Signature.of(signature));
    }
    return function;
  }

  /// A program of WASI preview 1: request on standard input, response on standard output, the rest
  /// in environment variables.
  record Command(ExportedFunction start) implements FunctionKind {
    @Override
    public String label() {
      return "command";
    }

    @Override
    public Optional<ExportedFunction> initialiser() {
      return Optional.empty();
    }

    @Override
    public GuestResponse run(GuestInstance instance, Invocation invocation) {
      try {
        instance.call(start);
      } catch (GuestExit exit) {
        if (exit.code() != 0) {
          throw exit;
        }
      }
      return invocation.response();
    }
  }

  /// A library that is called: the host asks `headspan_alloc` for room, writes the request's body
  /// there, and `headspan_handle(address, length)` gives back where the response's body is, address
  /// in the upper and length in the lower half of an i64.
  record Reactor(
      ExportedFunction allocate, ExportedFunction handle, Optional<ExportedFunction> initialiser)
      implements FunctionKind {
    @Override
    public String label() {
      return "reactor";
    }

    @Override
    public GuestResponse run(GuestInstance instance, Invocation invocation) {
      byte[] body = invocation.request().body();
      int address = 0;
      if (body.length > 0) {
        address = (int) instance.call(allocate, body.length);
        if (address == 0) {
          throw Invocation.protocol(
              "headspan_alloc gave no memory for the request: sizeBytes=" + body.length);
        }
        instance.memory().write(address, body, 0, body.length);
      }
      long answer = instance.call(handle, address, body.length);
      int length = (int) answer;
      instance.memory().checkRange((int) (answer >>> 32), length);
      int at = invocation.growOutput(length);
      instance.memory().read((int) (answer >>> 32), invocation.output(), at, length);
      return invocation.response();
    }
  }
}
