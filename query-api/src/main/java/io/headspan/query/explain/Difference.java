package io.headspan.query.explain;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/// A mean latency in a range against that in a baseline, taken apart by cause. The components and
/// the rest add up to the difference exactly.
///
/// @param components what took longer first
/// @param rest what no cause accounts for
/// @param total the whole latency, as if it were one cause
/// @param fewest the fewest invocations of each side that are evidence
/// @param isOfEnough whether both sides were chosen from invocations enough to choose them
record Difference(
    long nowCount,
    long baselineCount,
    List<Component> components,
    Component rest,
    Component total,
    long fewest,
    boolean isOfEnough) {
  /// 97.5th percentile of the normal distribution.
  private static final double Z95 = 1.96;

  private static final int EXEMPLARS = 3;

  /// The most causes that are told apart; calls beyond are told of by service.
  static final int CAUSES = 200;

  /// Below this part of the latency a difference is not worth a sentence.
  private static final double WORTH_TELLING = 0.02;

  static Difference between(Sample allNow, Sample allBefore, long fewest, boolean isOfEnough) {
    Set<Cause> told = largest(allNow, allBefore);
    Sample now = allNow.telling(told);
    Sample baseline = allBefore.telling(told);
    Set<Cause> causes = new HashSet<>(now.causes());
    causes.addAll(baseline.causes());
    causes.remove(Cause.REST);
    List<Component> components = new ArrayList<>();
    for (Cause cause : causes) {
      components.add(component(cause, now, values(now, cause), baseline, values(baseline, cause)));
    }
    components.sort(
        Comparator.comparingDouble(Component::addedNs)
            .reversed()
            .thenComparing(component -> component.cause().toString()));
    return new Difference(
        now.size(),
        baseline.size(),
        List.copyOf(components),
        component(Cause.REST, now, values(now, Cause.REST), baseline, values(baseline, Cause.REST)),
        component(Cause.REST, now, durations(now), baseline, durations(baseline)),
        fewest,
        isOfEnough);
  }

  /// Those that are told apart: operations of SDKs, and with them causes, may be without number.
  private static Set<Cause> largest(Sample now, Sample baseline) {
    Map<Cause, Double> most = now.means(_ -> true);
    baseline.means(_ -> true).forEach((cause, ns) -> most.merge(cause, ns, Math::max));
    return most.entrySet().stream()
        .sorted(
            Map.Entry.<Cause, Double>comparingByValue(Comparator.reverseOrder())
                .thenComparing(each -> each.getKey().toString()))
        .limit(CAUSES)
        .map(Map.Entry::getKey)
        .collect(Collectors.toSet());
  }

  private static double[] values(Sample sample, Cause cause) {
    return sample.accounts().stream()
        .mapToDouble(account -> account.getOrDefault(cause, 0.0))
        .toArray();
  }

  private static double[] durations(Sample sample) {
    return sample.invocations().stream().mapToDouble(Invocation::durationNs).toArray();
  }

  private static Component component(
      Cause cause, Sample now, double[] values, Sample baseline, double[] baselineValues) {
    double[] weights = now.weights().toArray();
    double[] baselineWeights = baseline.weights().toArray();
    double nowNs = mean(values, weights);
    double baselineNs = mean(baselineValues, baselineWeights);
    double errorNs =
        Math.sqrt(
            squaredErrorOfMean(values, weights, nowNs)
                + squaredErrorOfMean(baselineValues, baselineWeights, baselineNs));
    double addedNs = nowNs - baselineNs;
    return new Component(
        cause,
        nowNs,
        baselineNs,
        addedNs - Z95 * errorNs,
        addedNs + Z95 * errorNs,
        exemplars(now, values));
  }

  private static List<String> exemplars(Sample sample, double[] values) {
    return IntStream.range(0, values.length)
        .filter(i -> values[i] > 0)
        .boxed()
        .sorted(Comparator.comparingDouble((Integer i) -> values[i]).reversed())
        .map(i -> sample.invocations().get(i).traceId())
        .distinct()
        .limit(EXEMPLARS)
        .toList();
  }

  private static double mean(double[] values, double[] weights) {
    double sum = 0;
    for (int i = 0; i < values.length; i++) {
      sum += weights[i] * values[i];
    }
    return values.length == 0 ? 0 : sum / DoubleStream.of(weights).sum();
  }

  private static double squaredErrorOfMean(double[] values, double[] weights, double mean) {
    if (values.length < 2) {
      return 0;
    }
    double squares = 0;
    for (int i = 0; i < values.length; i++) {
      double deviation = weights[i] * (values[i] - mean);
      squares += deviation * deviation;
    }
    double weight = DoubleStream.of(weights).sum();
    return squares / weight / weight * values.length / (values.length - 1);
  }

  /// Whether both sides have invocations enough to tell.
  boolean isEnough() {
    return isOfEnough && nowCount >= fewest && baselineCount >= fewest;
  }

  /// Whether the latency rose, by more than chance and by enough to speak of.
  boolean isSlower() {
    return isEnough() && total.lowNs() > 0 && total.addedNs() > WORTH_TELLING * total.baselineNs();
  }

  /// A cause's part of what was added; 1 is all of it.
  double share(Component component) {
    return component.addedNs() / total.addedNs();
  }

  /// The causes that surely added to the latency, the largest first.
  List<Component> culprits() {
    return components.stream().filter(component -> component.lowNs() > 0).toList();
  }
}
