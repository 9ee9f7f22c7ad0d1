package io.headspan.agent.invocation;

import java.time.Duration;

/// How long and how much a [Correlator] keeps.
///
/// @param patience how long an exchange waits for the reports that its parent rests on, and how
///   long a reported exchange is remembered for those that come after it
/// @param waitingMax most exchanges waiting at a time
/// @param rememberedMax most reported exchanges remembered at a time
public record CorrelationLimits(Duration patience, int waitingMax, int rememberedMax) {
  public static final CorrelationLimits DEFAULT =
      new CorrelationLimits(Duration.ofSeconds(10), 50_000, 100_000);

  public CorrelationLimits {
    if (patience.isNegative() || waitingMax < 1 || rememberedMax < 1) {
      throw new IllegalArgumentException(
          "limits must be positive: patience="
              + patience
              + ", waitingMax="
              + waitingMax
              + ", rememberedMax="
              + rememberedMax);
    }
  }
}
