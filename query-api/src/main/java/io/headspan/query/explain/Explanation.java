package io.headspan.query.explain;

import io.headspan.query.traceql.TimeRange;
import java.util.List;
import java.util.Optional;

/// What the added latency of a function consists of.
///
/// @param tenant whose function it is; "" if nobody's
/// @param p99 of the invocations between the 98.5th and the 99.5th percentile
/// @param mean of all invocations
/// @param retries repeated failed calls per invocation, in the range
/// @param baselineRetries the same in the baseline
/// @param notes what the reader should know about these numbers
record Explanation(
    String service,
    String tenant,
    TimeRange range,
    Baseline baseline,
    Summary now,
    Summary before,
    Difference p99,
    Difference mean,
    double retries,
    double baselineRetries,
    List<Counterfactual> counterfactuals,
    List<String> notes) {
  /// The statistic that the answer is about: the tail if it rose, else the mean if that did.
  Optional<Counterfactual.Statistic> leading() {
    if (p99.isSlower()) {
      return Optional.of(Counterfactual.Statistic.P99);
    }
    return mean.isSlower() ? Optional.of(Counterfactual.Statistic.MEAN) : Optional.empty();
  }

  Difference difference(Counterfactual.Statistic statistic) {
    return switch (statistic) {
      case P99 -> p99;
      case MEAN -> mean;
    };
  }

  /// The first cause, if there is one that is more than chance.
  Optional<Component> verdict() {
    return leading().flatMap(statistic -> difference(statistic).culprits().stream().findFirst());
  }

  Optional<Counterfactual> counterfactual(Counterfactual.Statistic statistic, String culprit) {
    return counterfactuals.stream()
        .filter(each -> each.statistic() == statistic && each.culprit().equals(culprit))
        .findFirst();
  }
}
