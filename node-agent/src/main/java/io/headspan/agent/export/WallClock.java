package io.headspan.agent.export;

import java.time.Instant;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/// Wall-clock times for times of CLOCK_MONOTONIC. The two run at the same rate (NTP slews both), so
/// their difference is a constant until somebody sets the wall clock. It is measured again and
/// again; a small change is made up slowly, so that spans of one trace keep their order, a large
/// one at once. One thread.
final class WallClock {
  private static final long MEASURE_EVERY_NS = 10_000_000_000L;
  private static final int READINGS = 5;

  /// From here on a difference is not made up slowly: it would take too long.
  private static final long STEP_NS = 100_000_000L;

  /// One part in 2,000: as fast as NTP slews.
  private static final long SLEW_DIVISOR = 2_000;

  private final LongSupplier monotonic;
  private final Supplier<Instant> wall;
  private long offsetNs;
  private long measuredNs;

  /// @param monotonic CLOCK_MONOTONIC, ns
  WallClock(LongSupplier monotonic, Supplier<Instant> wall) {
    this.monotonic = monotonic;
    this.wall = wall;
    offsetNs = measure();
    measuredNs = monotonic.getAsLong();
  }

  /// ns since the Unix epoch at `monotonicNs`.
  long epochNs(long monotonicNs) {
    return monotonicNs + offsetNs;
  }

  /// Follows the wall clock; to be called now and then.
  void follow(long nowNs) {
    long elapsedNs = nowNs - measuredNs;
    if (elapsedNs < MEASURE_EVERY_NS) {
      return;
    }
    measuredNs = nowNs;
    long differenceNs = measure() - offsetNs;
    if (Math.abs(differenceNs) < STEP_NS) {
      long mostNs = elapsedNs / SLEW_DIVISOR;
      differenceNs = Math.clamp(differenceNs, -mostNs, mostNs);
    }
    offsetNs += differenceNs;
  }

  /// Wall clock minus CLOCK_MONOTONIC, by the reading that was interrupted least.
  private long measure() {
    long narrowestNs = Long.MAX_VALUE;
    long offsetNs = 0;
    for (int i = 0; i < READINGS; i++) {
      long beforeNs = monotonic.getAsLong();
      Instant now = wall.get();
      long afterNs = monotonic.getAsLong();
      if (afterNs - beforeNs < narrowestNs) {
        narrowestNs = afterNs - beforeNs;
        long epochNs = Math.addExact(now.getEpochSecond() * 1_000_000_000L, now.getNano());
        offsetNs = epochNs - (beforeNs + narrowestNs / 2);
      }
    }
    return offsetNs;
  }
}
