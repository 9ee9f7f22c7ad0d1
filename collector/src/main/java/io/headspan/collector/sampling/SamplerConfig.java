package io.headspan.collector.sampling;

import java.time.Duration;

/// How the sampler samples.
///
/// @param policies YAML that [SamplingPolicies#parse] reads
/// @param decisionWait how long after its last span a trace is decided
/// @param decisionWaitAfterRoot how long after its last span it is decided if its root has ended
///   and nothing of it is open
/// @param recentWindow how long every span stays in the recent tier
public record SamplerConfig(
    String policies, Duration decisionWait, Duration decisionWaitAfterRoot, Duration recentWindow) {
  /// Policies that keep everything.
  public static final String KEEP_ALL = "[{name: always_sample, type: always_sample}]";
}
