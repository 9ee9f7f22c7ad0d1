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
            sides.band().whole(),
            sides.bandBefore().whole(),
            ENOUGH_FOR_BAND,
            hasTail(nowSummary) && hasTail(beforeSummary)),
        Difference.between(sides.all().whole(), sides.allBefore().whole(), ENOUGH_FOR_MEAN, true),
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
  private record Sides(
      DeepSample all, DeepSample allBefore, DeepSample band, DeepSample bandBefore) {
    Sides withColdStarts() {
      return new Sides(
          coldStarts(all, all),
          coldStarts(allBefore, allBefore),
          coldStarts(band, all),
          coldStarts(bandBefore, allBefore));
    }

    private static DeepSample coldStarts(DeepSample sample, DeepSample typical) {
      return sample.map((role, each) -> each.withColdStarts(typical.role(role)));
    }

    /// What a new version's code takes longer than the baseline is the version's doing, except for
    /// what the versions of the baseline take longer now too. So it is with the functions that were
    /// called.
    ///
    /// @param own the new versions of the function itself
    Sides withVersions(Set<String> own) {
      return new Sides(
          all.map((role, sample) -> withVersions(own, role, sample, allBefore.role(role))),
          allBefore,
          band.map((role, sample) ->
              withVersions(
                  own,
                  role,
                  sample,
                  bandBefore.role(role).size() >= ENOUGH_FOR_BAND
                      ? bandBefore.role(role)
                      : allBefore.role(role))),
          bandBefore);
    }

    /// @param usual what to compare the new versions with
    private Sample withVersions(Set<String> own, List<Cause> role, Sample sample, Sample usual) {
      Sample now = all.role(role);
      Sample before = allBefore.role(role);
      Set<String> versions = role.equals(DeepSample.OWN) ? own : newVersions(now, before);
      if (versions.isEmpty() || before.size() < ENOUGH_FOR_MEAN) {
        return sample;
      }
      Map<Cause, Double> expected = usual.means(_ -> true);
      shift(now, before, versions).forEach((cause, ns) -> expected.merge(cause, ns, Double::sum));
      Sample changed = sample;
      for (String version : versions) {
        changed = changed.withVersion(version, expected);
      }
      return changed;
    }

    /// What those versions that are not new take longer than the baseline.
    private static Map<Cause, Double> shift(Sample now, Sample before, Set<String> versions) {
      Map<Cause, Double> shift = new HashMap<>();
      if (now.count(invocation -> !versions.contains(invocation.version())) >= ENOUGH_FOR_MEAN) {
        Map<Cause, Double> usual = before.means(_ -> true);
        Map<Cause, Double> others =
            now.means(invocation -> !versions.contains(invocation.version()));
        for (Cause cause : List.of(Cause.CPU, Cause.BLOCKED, Cause.REST)) {
          shift.put(cause, others.getOrDefault(cause, 0.0) - usual.getOrDefault(cause, 0.0));
        }
      }
      return shift;
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

  private static Set<String> newVersions(Sample now, Sample before) {
    Map<String, Double> known = before.versions();
    double all = before.weights().sum();
    return now.versions().keySet().stream()
        .filter(version -> known.getOrDefault(version, 0.0) < RARE * all)
        .collect(Collectors.toSet());
  }

  private static double retries(DeepSample sample) {
    return sample.role(DeepSample.OWN).mean(Invocation::retries);
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
