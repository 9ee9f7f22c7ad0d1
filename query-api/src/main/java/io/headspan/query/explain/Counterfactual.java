package io.headspan.query.explain;

/// What a latency would have been, had one culprit taken nothing. What it took is taken off each
/// invocation; that others queued behind these is not, so the culprit's true part is no smaller.
///
/// @param withoutNs the latency without it
/// @param lowNs lower end of the 95 % interval of `withoutNs`
/// @param highNs its upper end
record Counterfactual(
    String culprit,
    Statistic statistic,
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
}
