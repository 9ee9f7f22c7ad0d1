package io.headspan.wasm;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/// Waits for what another thread brings about.
final class Await {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private Await() {}

  static void until(String what, BooleanSupplier condition) {
    long giveUpNs = System.nanoTime() + PATIENCE.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > giveUpNs) {
        throw new AssertionError("did not come true in " + PATIENCE + ": " + what);
      }
      LockSupport.parkNanos(2_000_000);
    }
  }
}
