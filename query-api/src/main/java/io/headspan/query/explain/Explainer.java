package io.headspan.query.explain;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/// Compares a function's invocations in a range with those of a baseline.
final class Explainer {
  private static final long ENOUGH_FOR_MEAN = 30;
  private static final long ENOUGH_FOR_BAND = 10;

  /// A version with a smaller part of the baseline than this is new in the range.
  private static final double RARE = 0.01;

  private final InvocationReader reader;

  Explainer(InvocationReader reader) {
    this.reader = reader;
  }

  Explanation explain(ComparisonRequest asked) {
    InvocationReader.Source now = reader.source(asked.now());
    InvocationReader.Source before = asked.before(now);
    Summary nowSummary = reader.summary(now);
    Summary beforeSummary = reader.summary(before);
    Sides sides =
        new Sides(
                reader.sample(now, nowSummary),
                reader.sample(before, beforeSummary),
                reader.band(now, nowSummary),
                reader.band(before, beforeSummary))
            .withColdStarts()
            .withVersions(newVersions(nowSummary, beforeSummary));
    return new Explanation(
        asked.service(),
        now.scope().tenant().orElse(""),
        asked.range(),
        asked.baseline(),
        nowSummary,
        beforeSummary,
        Difference.between(
            sides.band(),
            sides.bandBefore(),
            ENOUGH_FOR_BAND,
            hasTail(nowSummary) && hasTail(beforeSummary)),
        Difference.between(sides.all(), sides.allBefore(), ENOUGH_FOR_MEAN, true),
        retries(sides.all()),
        retries(sides.allBefore()),
        reader.counterfactuals(now),
        notes(now, nowSummary, beforeSummary));
  }

  /// Whether there are enough for a 99th percentile. Of a few equal latencies all would be in the
  /// band around it.
  private static boolean hasTail(Summary summary) {
    return summary.worth() >= InvocationReader.MIN_FOR_P99;
  }

  /// The samples of a range and its baseline.
  private record Sides(Sample all, Sample allBefore, Sample band, Sample bandBefore) {
    Sides withColdStarts() {
      return new Sides(
          all.withColdStarts(all),
          allBefore.withColdStarts(allBefore),
          band.withColdStarts(all),
          bandBefore.withColdStarts(allBefore));
    }

    /// What a new version's code takes longer than the baseline is the version's doing, except for
    /// what the versions of the baseline take longer now too.
    Sides withVersions(Set<String> versions) {
      if (versions.isEmpty() || allBefore.size() < ENOUGH_FOR_MEAN) {
        return this;
      }
      Map<Cause, Double> usual = allBefore.means(_ -> true);
      Map<Cause, Double> shift = new HashMap<>();
      if (all.count(invocation -> !versions.contains(invocation.version())) >= ENOUGH_FOR_MEAN) {
        Map<Cause, Double> others =
            all.means(invocation -> !versions.contains(invocation.version()));
        for (Cause cause : List.of(Cause.CPU, Cause.BLOCKED, Cause.REST)) {
          shift.put(cause, others.getOrDefault(cause, 0.0) - usual.getOrDefault(cause, 0.0));
        }
      }
      Sample changed = all;
      Sample changedBand = band;
      for (String version : versions) {
        changed = changed.withVersion(version, plus(usual, shift));
        changedBand = changedBand.withVersion(version, plus(bandBefore.means(_ -> true), shift));
      }
      return new Sides(changed, allBefore, changedBand, bandBefore);
    }

    private static Map<Cause, Double> plus(Map<Cause, Double> usual, Map<Cause, Double> shift) {
      Map<Cause, Double> sum = new HashMap<>(usual);
      shift.forEach((cause, ns) -> sum.merge(cause, ns, Double::sum));
      return sum;
    }
  }

  private static Set<String> newVersions(Summary now, Summary before) {
    if (before.invocations() == 0) {
      return Set.of();
    }
    return now.versions().stream()
        .map(Summary.VersionCount::version)
        .filter(version -> before.count(version) < RARE * before.invocations())
        .collect(Collectors.toSet());
  }

  private static double retries(Sample sample) {
    return sample.mean(account ->
        account.keySet().stream().filter(cause -> cause.kind() == Cause.Kind.RETRY).count());
  }

  private static List<String> notes(InvocationReader.Source source, Summary now, Summary before) {
    List<String> notes = new ArrayList<>();
    if (source.ofSdk()) {
      notes.add(
          "no agent saw these invocations: the spans are the function's own, and what is no call is unexplained");
    } else if (now.measured() < now.invocations()) {
      notes.add(
          "%d of %d invocations have no time account"
              .formatted(now.invocations() - now.measured(), now.invocations()));
    }
    if (before.invocations() == 0) {
      notes.add("the baseline has no invocations; choose another with baseline=from/to");
    }
    return notes;
  }
}
