package io.headspan.collector.sampling;

import io.headspan.storage.Tier;
import java.time.Duration;
import java.util.Optional;

/// How the sampler samples.
///
/// @param policies YAML that [SamplingPolicies#parse] reads; empty if everything is kept
/// @param decisionWait how long after its last span a trace is decided
/// @param decisionWaitAfterRoot how long after its last span it is decided if its root has ended
///   and nothing of it is open
/// @param recentWindow how long every span stays in the recent tier
/// @param copyWait how long after a decision to keep a trace it may be copied to the kept tier
/// @param copiedSpans so many kept spans are copied without waiting for more; they are in the
///   store's memory then
/// @param linkedTraces whether traces that are linked to kept ones are kept with them
public record SamplerConfig(
    Optional<String> policies,
    Duration decisionWait,
    Duration decisionWaitAfterRoot,
    Duration recentWindow,
    Duration copyWait,
    long copiedSpans,
    boolean linkedTraces) {
  private static final String KEEP_ALL = "[{name: always_sample, type: always_sample}]";

  /// Where spans go that come in.
  public Tier tier() {
    return policies.isPresent() ? Tier.RECENT : Tier.KEPT;
  }

  /// Policies for what is recent: without any, what came while there were some is all kept.
  String policiesOrAll() {
    return policies.orElse(KEEP_ALL);
  }
}
