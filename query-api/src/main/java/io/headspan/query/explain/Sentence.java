package io.headspan.query.explain;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// Says what an explanation found as an engineer would.
final class Sentence {
  private static final double NS_PER_MS = 1e6;

  /// From here on a part is worth a mention of its own.
  private static final double MENTIONED = 0.1;

  private Sentence() {}

  static String of(Explanation explanation) {
    String sentence =
        explanation
            .leading()
            .map(statistic -> slower(explanation, statistic))
            .orElseGet(() -> notSlower(explanation));
    String first = sentence.startsWith("the ") ? "T" + sentence.substring(1) : sentence;
    return first + errors(explanation);
  }

  private static String slower(Explanation explanation, Counterfactual.Statistic statistic) {
    Difference difference = explanation.difference(statistic);
    StringBuilder text =
        new StringBuilder(
            "%s of %s is %s, %s more than %s"
                .formatted(
                    name(statistic),
                    explanation.service(),
                    milliseconds(shown(explanation.now(), statistic)),
                    milliseconds(difference.total().addedNs()),
                    baseline(explanation.baseline())));
    List<Component> causes = difference.culprits();
    if (causes.isEmpty() || difference.rest().addedNs() > causes.getFirst().addedNs()) {
      return text.append("; most of the rise is unexplained")
          .append(also(difference, 0))
          .append('.')
          .toString();
    }
    Component first = causes.getFirst();
    text.append(
        ": %s of the rise is %s".formatted(percent(difference.share(first)), first.cause().text()));
    text.append(also(difference, 1));
    if (first.cause().kind() == Cause.Kind.STOLEN) {
      Optional<Counterfactual> without =
          explanation.counterfactual(statistic, first.cause().subject());
      without.ifPresent(each ->
          text.append(
              "; without %s %s would be %s"
                  .formatted(first.cause().culprit(), name(statistic), without(each))));
    }
    return text.append('.').toString();
  }

  private static String without(Counterfactual each) {
    return switch (each.bound()) {
      case LOWER -> milliseconds(each.withoutNs()) + " or less";
      case NONE -> "about " + milliseconds(each.withoutNs());
    };
  }

  private static String also(Difference difference, int skip) {
    List<String> others = new ArrayList<>();
    for (Component component : difference.culprits().stream().skip(skip).toList()) {
      if (difference.share(component) >= MENTIONED) {
        others.add(percent(difference.share(component)) + " " + component.cause().text());
      }
    }
    return others.isEmpty() ? "" : ", " + String.join(", ", others);
  }

  private static String notSlower(Explanation explanation) {
    Difference mean = explanation.mean();
    if (!mean.isEnough()) {
      return "Insufficient evidence about %s: %d invocations, %d in the baseline; %d of each are needed."
          .formatted(explanation.service(), mean.nowCount(), mean.baselineCount(), mean.fewest());
    }
    String p99 =
        explanation.p99().isEnough()
            ? "p99 is "
                + milliseconds(explanation.now().p99Ns())
                + " against "
                + milliseconds(explanation.before().p99Ns())
            : "the mean is "
                + milliseconds(mean.total().nowNs())
                + " against "
                + milliseconds(mean.total().baselineNs());
    return "%s is not slower than %s: %s."
        .formatted(explanation.service(), baseline(explanation.baseline()), p99);
  }

  private static String errors(Explanation explanation) {
    double now = explanation.now().errorRate();
    double before = explanation.before().errorRate();
    boolean rose = explanation.now().errors() >= 5 && now > 2 * before;
    return rose
        ? " %s of its invocations fail, against %s before.".formatted(percent(now), percent(before))
        : "";
  }

  private static double shown(Summary now, Counterfactual.Statistic statistic) {
    return switch (statistic) {
      case P99 -> now.p99Ns();
      case MEAN -> now.meanNs();
    };
  }

  private static String name(Counterfactual.Statistic statistic) {
    return switch (statistic) {
      case P99 -> "p99";
      case MEAN -> "the mean latency";
    };
  }

  private static String baseline(Baseline baseline) {
    return switch (baseline) {
      case Baseline.Before(var range) ->
          "in the %s before".formatted(seconds(range.toNs() - range.fromNs()));
      case Baseline.Chosen _ -> "in the baseline";
      case Baseline.OfVersion(var version, _) -> "version " + version;
    };
  }

  private static String seconds(long ns) {
    long seconds = Math.round(ns / 1e9);
    return seconds % 60 == 0 ? seconds / 60 + " min" : seconds + " s";
  }

  private static String milliseconds(double ns) {
    double ms = ns / NS_PER_MS;
    return String.format(Locale.ROOT, Math.abs(ms) < 10 ? "%.1f ms" : "%.0f ms", ms);
  }

  private static String percent(double share) {
    return Math.round(100 * share) + " %";
  }
}
