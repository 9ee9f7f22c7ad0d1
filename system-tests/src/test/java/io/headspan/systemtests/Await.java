package io.headspan.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/// Waiting for what other processes do.
final class Await {
  private static final Duration WITHIN = Duration.ofSeconds(90);
  private static final Duration STEP = Duration.ofMillis(100);

  private Await() {}

  static void until(String what, BooleanSupplier condition) {
    until(what, () -> "", condition);
  }

  /// @param state what to say when it is too late
  static void until(String what, Supplier<Object> state, BooleanSupplier condition) {
    long deadlineNs = System.nanoTime() + WITHIN.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - deadlineNs > 0) {
        assertThat(false).as("%s within %s; %s", what, WITHIN, state.get()).isTrue();
      }
      LockSupport.parkNanos(STEP.toNanos());
    }
  }
}
