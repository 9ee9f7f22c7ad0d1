package io.headspan.collector;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/// Waits for a condition that another thread brings about.
public final class Await {
  private static final Duration DEADLINE = Duration.ofSeconds(60);
  private static final Duration BETWEEN_LOOKS = Duration.ofMillis(2);

  private Await() {}

  /// Returns when `condition` holds.
  ///
  /// @throws AssertionError if it does not hold within a minute
  public static void until(String what, BooleanSupplier condition) {
    until(what, DEADLINE, condition);
  }

  /// Returns when `condition` holds.
  ///
  /// @throws AssertionError if it does not hold within `timeout`
  public static void until(String what, Duration timeout, BooleanSupplier condition) {
    long deadline = System.nanoTime() + timeout.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("not within " + timeout + ": " + what);
      }
      LockSupport.parkNanos(BETWEEN_LOOKS.toNanos());
    }
  }
}
