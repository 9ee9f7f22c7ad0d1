package io.headspan.collector.edge;

import java.time.Duration;

/// How much of something may still come: grows with time up to a burst, and shrinks by what comes.
/// As long as anything is left, a whole batch may come, however large, and what is then too much is
/// owed: so no batch is too large for ever, and the rate holds in the long run. Guarded by its
/// owner.
final class Allowance {
  private static final double NS_PER_SECOND = 1e9;

  private final double perSecond;
  private final double most;
  private double left;
  private long atNs;

  /// @param perSecond 0 for as much as comes
  Allowance(double perSecond, Duration burst, long nowNs) {
    this.perSecond = perSecond;
    most = Math.max(1, perSecond * burst.toNanos() / NS_PER_SECOND);
    left = most;
    atNs = nowNs;
  }

  /// When something may come, ns from now; 0 if it may now.
  ///
  /// @param nowNs of a clock that never goes back
  long waitNs(long nowNs) {
    if (perSecond == 0) {
      return 0;
    }
    left = Math.min(most, left + perSecond * (nowNs - atNs) / NS_PER_SECOND);
    atNs = nowNs;
    return left > 0 ? 0 : (long) Math.ceil(-left / perSecond * NS_PER_SECOND) + 1;
  }

  /// Something comes.
  void take(double amount) {
    left -= amount;
  }

  /// Whether one that is made anew would be the same.
  boolean isFull() {
    return perSecond == 0 || left >= most;
  }
}
