package io.headspan.query.explain;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;

/// Some invocations with their accounts.
///
/// @param accounts of each of `invocations`, in their order
record Sample(List<Invocation> invocations, List<Map<Cause, Double>> accounts) {
  /// The fewest invocations whose mean stands for something.
  private static final int ENOUGH_FOR_A_TYPE = 10;

  int size() {
    return invocations.size();
  }

  /// The mean of each cause over those invocations; a cause that is absent is 0 there.
  Map<Cause, Double> means(Predicate<Invocation> which) {
    Map<Cause, Double> sums = new HashMap<>();
    double weights = 0;
    for (int i = 0; i < size(); i++) {
      if (which.test(invocations.get(i))) {
        double weight = invocations.get(i).weight();
        weights += weight;
        accounts.get(i).forEach((cause, ns) -> sums.merge(cause, weight * ns, Double::sum));
      }
    }
    double divisor = weights == 0 ? 1 : weights;
    sums.replaceAll((_, ns) -> ns / divisor);
    return sums;
  }

  /// The mean of something of each invocation; 0 if there are none.
  double mean(ToDoubleFunction<Invocation> value) {
    double sum = 0;
    for (int i = 0; i < size(); i++) {
      sum += invocations.get(i).weight() * value.applyAsDouble(invocations.get(i));
    }
    double weights = weights().sum();
    return weights == 0 ? 0 : sum / weights;
  }

  /// The same, with the time of calls that are not `told` apart as that of all calls to the
  /// service.
  Sample telling(Set<Cause> told) {
    return mapped(
        _ -> true,
        account -> {
          Map<Cause, Double> changed = new HashMap<>();
          account.forEach((cause, ns) ->
              changed.merge(told.contains(cause) ? cause : cause.ofService(), ns, Double::sum));
          return changed;
        });
  }

  /// How many each stands for.
  DoubleStream weights() {
    return invocations.stream().mapToDouble(Invocation::weight);
  }

  /// How many invocations of each version they stand for.
  Map<String, Double> versions() {
    return invocations.stream()
        .collect(
            Collectors.groupingBy(
                Invocation::version, Collectors.summingDouble(Invocation::weight)));
  }

  long count(Predicate<Invocation> which) {
    return invocations.stream().filter(which).count();
  }

  Set<Cause> causes() {
    Set<Cause> causes = new HashSet<>();
    accounts.forEach(account -> causes.addAll(account.keySet()));
    return causes;
  }

  /// The same, with what first invocations of an instance took longer than warm ones of `typical`
  /// as their cold start.
  Sample withColdStarts(Sample typical) {
    Predicate<Invocation> warm = invocation -> !invocation.coldStart();
    if (typical.count(warm) < ENOUGH_FOR_A_TYPE) {
      return this;
    }
    Map<Cause, Double> usual = typical.means(warm);
    return mapped(
        Invocation::coldStart,
        account -> {
          Map<Cause, Double> changed = new HashMap<>(account);
          double excessNs = 0;
          for (Cause cause : List.of(Cause.CPU, Cause.QUEUE, Cause.BLOCKED, Cause.REST)) {
            double ns = changed.getOrDefault(cause, 0.0);
            double usualNs = Math.max(0, usual.getOrDefault(cause, 0.0));
            if (ns > usualNs) {
              excessNs += ns - usualNs;
              changed.put(cause, usualNs);
            }
          }
          changed.put(Cause.COLD_START, excessNs);
          return changed;
        });
  }

  /// The same, with what the function's own code took longer than `usual` in one version as that
  /// version's doing.
  Sample withVersion(String version, Map<Cause, Double> usual) {
    return mapped(
        invocation -> invocation.version().equals(version),
        account -> {
          Map<Cause, Double> changed = new HashMap<>(account);
          double excessNs = 0;
          for (Cause cause : List.of(Cause.CPU, Cause.BLOCKED, Cause.REST)) {
            double usualNs = usual.getOrDefault(cause, 0.0);
            excessNs += changed.getOrDefault(cause, 0.0) - usualNs;
            changed.put(cause, usualNs);
          }
          changed.put(Cause.version(version), excessNs);
          return changed;
        });
  }

  @FunctionalInterface
  private interface Change {
    Map<Cause, Double> apply(Map<Cause, Double> account);
  }

  private Sample mapped(Predicate<Invocation> which, Change change) {
    List<Map<Cause, Double>> changed = new ArrayList<>(size());
    for (int i = 0; i < size(); i++) {
      Map<Cause, Double> account = accounts.get(i);
      changed.add(which.test(invocations.get(i)) ? change.apply(account) : account);
    }
    return new Sample(invocations, changed);
  }
}
