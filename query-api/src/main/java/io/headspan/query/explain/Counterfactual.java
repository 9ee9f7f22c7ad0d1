package io.headspan.query.explain;

/// What a latency would have been, had one culprit taken nothing. What it took is taken off each
/// invocation of which it took most; that others queued behind these is not, nor what it took where
/// somebody else took more, so the culprit's true part is no smaller.
///
/// @param bound of the culprit's part
/// @param withoutNs the latency without it
/// @param lowNs lower end of the 95 % interval of `withoutNs`
/// @param highNs its upper end
record Counterfactual(
    String culprit,
    Statistic statistic,
    Bound bound,
    double nowNs,
    double withoutNs,
    double lowNs,
    double highNs) {
  enum Statistic {
    P99("p99"),
    MEAN("mean");

    private final String id;

    Statistic(String id) {
      this.id = id;
    }

    String id() {
      return id;
    }
  }

  /// How the culprit's true part is to what is said of it.
  enum Bound {
    /// No smaller: the latency without it is what is said, or less.
    LOWER("lower"),
    /// Either: some agent said who took most and not how much, so that what others took is taken
    /// off too.
    NONE("none");

    private final String id;

    Bound(String id) {
      this.id = id;
    }

    String id() {
      return id;
    }
  }
}
