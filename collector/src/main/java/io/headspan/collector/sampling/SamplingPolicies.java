package io.headspan.collector.sampling;

import io.headspan.storage.Decision;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.LongSupplier;
import java.util.stream.Stream;

/// Policies in their order, and what they decide together about a trace, as the `tail_sampling`
/// processor of the OpenTelemetry Collector does. Not thread-safe, since policies with a rate keep
/// count.
public final class SamplingPolicies {
  record Named(String name, Policy policy) {}

  /// What one policy says about a trace.
  public record Vote(String policy, PolicyDecision decision) {}

  /// What becomes of a trace.
  ///
  /// @param votes of all policies, in their order
  /// @param probability with which traces are kept for which the same conditions hold; NaN if
  ///   nobody knows
  public record Verdict(boolean kept, List<Vote> votes, double probability) {
    public Verdict {
      votes = List.copyOf(votes);
    }

    /// The names of the policies that kept it, in order; none if it is not kept.
    public List<String> policies() {
      return kept
          ? votes.stream().filter(vote -> vote.decision().isSampled()).map(Vote::policy).toList()
          : List.of();
    }

    /// The threshold of `ot=th` that goes with the probability.
    long threshold() {
      return Double.isNaN(probability)
          ? Decision.UNKNOWN
          : Math.round((1 - Math.clamp(probability, 0, 1)) * Decision.LIMIT);
    }
  }

  private final List<Named> policies;

  SamplingPolicies(List<Named> policies) {
    this.policies = List.copyOf(policies);
  }

  /// Reads the processor's YAML: its configuration, or the list of policies alone.
  ///
  /// @param epochSecond the clock of policies with a rate
  /// @throws SamplingException if it is not understood; it names the policy
  public static SamplingPolicies parse(String yaml, LongSupplier epochSecond) {
    return parse(yaml, epochSecond, 1);
  }

  /// The same for who decides about some of all traces only: what policies let through per second
  /// is as much less.
  ///
  /// @param share of all traces, above 0 and up to 1
  static SamplingPolicies parse(String yaml, LongSupplier epochSecond, double share) {
    return new SamplingPolicies(new PolicyReader(epochSecond, share).read(yaml));
  }

  /// Reads the YAML and throws it away.
  ///
  /// @throws SamplingException if it is not understood
  public static void check(String yaml) {
    var _ = parse(yaml, () -> 0);
  }

  /// Whether a policy looks at how large a trace is.
  boolean needSize() {
    return parts().anyMatch(Policy.BytesLimiting.class::isInstance);
  }

  /// Whether a policy looks at whose a trace is.
  boolean needTenant() {
    return parts().anyMatch(each -> each instanceof Policy.KeyedRate rate && rate.needsTenant());
  }

  /// What all policies ask of a trace's spans, each once.
  List<Policy.Condition> conditions() {
    return parts()
        .filter(Policy.Condition.class::isInstance)
        .map(Policy.Condition.class::cast)
        .distinct()
        .toList();
  }

  private Stream<Policy> parts() {
    return policies.stream().flatMap(each -> each.policy().parts());
  }

  /// Decides about a trace. What is dropped is not kept; then an inverted policy that matches
  /// vetoes; then one policy for it is enough; an inverted one that does not match keeps only what
  /// no other policy leaves out.
  Verdict decide(TraceFacts trace) {
    Set<PolicyDecision> decisions = EnumSet.noneOf(PolicyDecision.class);
    List<Vote> votes = new ArrayList<>();
    double probability = 0;
    for (Named each : policies) {
      PolicyDecision decision = each.policy().decide(trace);
      decisions.add(decision);
      votes.add(new Vote(each.name(), decision));
      double own = each.policy().probability(trace, decision);
      // One that is sure settles it. Hashes with one salt agree, so the most probable decides; what
      // is not known leaves all in doubt.
      if (own == 1 || probability == 1) {
        probability = 1;
      } else if (Double.isNaN(own) || Double.isNaN(probability)) {
        probability = Double.NaN;
      } else {
        probability = Math.max(probability, own);
      }
    }
    boolean kept =
        !decisions.contains(PolicyDecision.DROPPED)
            && !decisions.contains(PolicyDecision.INVERT_NOT_SAMPLED)
            && (decisions.contains(PolicyDecision.SAMPLED)
                || (decisions.contains(PolicyDecision.INVERT_SAMPLED)
                    && !decisions.contains(PolicyDecision.NOT_SAMPLED)));
    return new Verdict(kept, votes, probability);
  }
}
