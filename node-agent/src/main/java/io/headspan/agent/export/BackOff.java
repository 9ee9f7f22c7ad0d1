package io.headspan.agent.export;

import java.time.Duration;
import java.util.random.RandomGenerator;

/// How long to wait before the next try: twice as long each time, up to a bound, and of each time
/// the second half by chance, so that many agents do not come back in step. Not thread-safe.
public final class BackOff {
  private final long firstNs;
  private final long mostNs;
  private final RandomGenerator random;
  private long nextNs;

  /// @param first the first wait is between half of this and this
  /// @param most no wait is longer
  public BackOff(Duration first, Duration most, RandomGenerator random) {
    firstNs = first.toNanos();
    mostNs = most.toNanos();
    if (firstNs < 2 || mostNs < firstNs) {
      throw new IllegalArgumentException("bad waits: first=" + first + ", most=" + most);
    }
    this.random = random;
    nextNs = firstNs;
  }

  /// The wait after one more failure, ns.
  public long failed() {
    long wholeNs = nextNs;
    nextNs = wholeNs > mostNs / 2 ? mostNs : 2 * wholeNs;
    return wholeNs / 2 + random.nextLong(wholeNs - wholeNs / 2 + 1);
  }

  /// After a success the next wait is a first one again.
  public void succeeded() {
    nextNs = firstNs;
  }
}
