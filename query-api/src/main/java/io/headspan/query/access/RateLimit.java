package io.headspan.query.access;

/// Lets so many requests through per second, and twice as many at once after a pause. Thread-safe.
final class RateLimit {
  private static final double NS_PER_SECOND = 1e9;

  private final double perSecond;
  private final double most;
  private double left;
  private long atNs;

  RateLimit(double perSecond, long nowNs) {
    this.perSecond = perSecond;
    most = Math.max(1, 2 * perSecond);
    left = most;
    atNs = nowNs;
  }

  /// @param nowNs of a clock that never goes back
  synchronized boolean lets(long nowNs) {
    left = Math.min(most, left + perSecond * (nowNs - atNs) / NS_PER_SECOND);
    atNs = nowNs;
    if (left < 1) {
      return false;
    }
    left--;
    return true;
  }
}
