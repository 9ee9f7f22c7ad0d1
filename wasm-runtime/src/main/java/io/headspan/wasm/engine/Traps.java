package io.headspan.wasm.engine;

import com.dylibso.chicory.runtime.ChicoryInterruptedException;
import com.dylibso.chicory.runtime.WasmException;
import com.dylibso.chicory.wasm.ChicoryException;

/// What Chicory throws, in our terms. It tells traps apart by message only; TrapsTest provokes each
/// of them, so that an engine update that words one differently is noticed.
final class Traps {
  private Traps() {}

  static GuestTrap translate(Throwable thrown) {
    return switch (thrown) {
      case GuestTrap trap -> trap;
      case ChicoryInterruptedException _ ->
          new GuestTrap(TrapKind.INTERRUPTED, "the guest was interrupted");
      case StackOverflowError _ -> stackOverflow();
      case WasmException _ ->
          new GuestTrap(TrapKind.UNCAUGHT_EXCEPTION, "the guest threw and did not catch");
      case OutOfMemoryError e ->
          new GuestTrap(TrapKind.MEMORY_BUDGET, "the executor is out of memory: " + e.getMessage());
      case ChicoryException e -> byMessage(e);
      default -> new GuestTrap(TrapKind.ENGINE, "the engine failed: " + thrown);
    };
  }

  private static GuestTrap byMessage(ChicoryException e) {
    String message = String.valueOf(e.getMessage());
    if (e.getCause() instanceof StackOverflowError) {
      return stackOverflow();
    }
    return new GuestTrap(kind(message), message);
  }

  private static TrapKind kind(String message) {
    if (message.contains("unreachable")) {
      return TrapKind.UNREACHABLE;
    }
    if (message.contains("divide by zero")) {
      return TrapKind.DIVIDE_BY_ZERO;
    }
    if (message.contains("integer overflow") || message.contains("conversion to integer")) {
      return TrapKind.INTEGER_OVERFLOW;
    }
    if (message.contains("call type mismatch")) {
      return TrapKind.INDIRECT_CALL_TYPE;
    }
    if (message.contains("out of bounds table")
        || message.contains("undefined element")
        || message.contains("uninitialized element")
        || message.contains("null function reference")
        || message.contains("null reference")) {
      return TrapKind.TABLE_OUT_OF_BOUNDS;
    }
    if (message.contains("out of bounds memory")) {
      return TrapKind.MEMORY_OUT_OF_BOUNDS;
    }
    if (message.contains("unaligned atomic")) {
      return TrapKind.UNALIGNED_ATOMIC;
    }
    return TrapKind.ENGINE;
  }

  private static GuestTrap stackOverflow() {
    return new GuestTrap(TrapKind.STACK_OVERFLOW, "calls are nested deeper than the guest's stack");
  }
}
