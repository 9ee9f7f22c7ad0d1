package io.headspan.wasm.engine;

import java.util.Locale;

/// Why a guest was ended.
public enum TrapKind {
  /// It ran an `unreachable` instruction; what `abort` and a failed assertion compile to.
  UNREACHABLE,
  /// It, or a pointer that it gave to a host function, left its memory.
  MEMORY_OUT_OF_BOUNDS,
  /// It left a table, or called an empty entry of one.
  TABLE_OUT_OF_BOUNDS,
  /// It called a function through a table with another signature.
  INDIRECT_CALL_TYPE,
  /// It divided an integer by zero.
  DIVIDE_BY_ZERO,
  /// An integer division, or a conversion to an integer, has no result in its type.
  INTEGER_OVERFLOW,
  /// It nested calls deeper than its stack.
  STACK_OVERFLOW,
  /// It used an atomic instruction at an address that is not a multiple of its size.
  UNALIGNED_ATOMIC,
  /// It threw an exception and did not catch it.
  UNCAUGHT_EXCEPTION,
  /// All guests together hold as much memory as the executor allows.
  MEMORY_BUDGET,
  /// Its answer is larger than allowed.
  RESPONSE_TOO_LARGE,
  /// It broke a rule of the interface between guest and host.
  PROTOCOL,
  /// Its thread was interrupted: the deadline, or the caller has gone.
  INTERRUPTED,
  /// The engine failed in a way that it should not.
  ENGINE;

  /// The name in answers and metrics.
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
