package io.headspan.query.traceql;

/// The intervals of time series. Each excludes its start and includes its end, which stands for it.
///
/// @param firstEndNs end of the first interval, ns since the Unix epoch
/// @param stepNs length of an interval
/// @param count how many
/// @param isInstant whether it is one interval whose value is the answer
public record TimeGrid(long firstEndNs, long stepNs, int count, boolean isInstant) {
  /// Most intervals of an answer, as in Prometheus.
  public static final int MAX_COUNT = 11_000;

  public TimeGrid {
    if (stepNs < 1 || count < 1 || count > MAX_COUNT) {
      throw new IllegalArgumentException("no grid: stepNs=" + stepNs + ", count=" + count);
    }
  }

  /// One interval.
  public static TimeGrid instant(long startNs, long endNs) {
    return new TimeGrid(endNs, Math.max(1, endNs - startNs), 1, true);
  }

  /// The end of an interval.
  public long endNs(int index) {
    return firstEndNs + index * stepNs;
  }

  /// The spans that lie in one of the intervals.
  TimeRange range() {
    return new TimeRange(firstEndNs - stepNs + 1, endNs(count - 1));
  }
}
