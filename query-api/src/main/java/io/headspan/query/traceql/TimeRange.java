package io.headspan.query.traceql;

/// The spans a query may see: those that start within it.
///
/// @param fromNs ns since the Unix epoch, included
/// @param toNs ns since the Unix epoch, included
public record TimeRange(long fromNs, long toNs) {
  public TimeRange {
    if (fromNs > toNs) {
      throw new IllegalArgumentException("empty time range: fromNs=" + fromNs + ", toNs=" + toNs);
    }
  }
}
