package io.headspan.agent.governor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/// With a clock of its own, a measurement a second.
class GovernorTest {
  private static final long SECOND_NS = TimeUnit.SECONDS.toNanos(1);
  private static final Use OVER = new Use(1.5, 0);
  private static final Use WITHIN = new Use(0.8, 0);
  private static final Use IDLE = new Use(0.01, 0);

  private long nowNs = Long.MAX_VALUE - 5; // the clock may wrap
  private final Governor governor = new Governor(new Budget(1, 1 << 20), nowNs);

  @Test
  void aShortPeakCostsNothing() {
    pass(OVER, 3);
    pass(WITHIN, 1);
    pass(OVER, 3);
    assertThat(governor.level()).isEqualTo(DetailLevel.FULL);
  }

  @Test
  void lowersOneLevelAtATimeUntilItIsEnough() {
    pass(OVER, 4);
    assertThat(governor.level()).isEqualTo(DetailLevel.NO_TIME_ACCOUNTS);
    pass(OVER, 4);
    assertThat(governor.level()).isEqualTo(DetailLevel.NO_CALLS);
    pass(WITHIN, 600);
    assertThat(governor.level()).as("no room for more").isEqualTo(DetailLevel.NO_CALLS);
    pass(OVER, 100);
    assertThat(governor.level()).as("no lower than the lowest").isEqualTo(DetailLevel.SAMPLED_16);
  }

  @Test
  void raisesStepByStepWhenThereIsRoom() {
    pass(OVER, 8);
    pass(IDLE, 20);
    assertThat(governor.level()).isEqualTo(DetailLevel.NO_CALLS);
    pass(IDLE, 1);
    assertThat(governor.level()).isEqualTo(DetailLevel.NO_TIME_ACCOUNTS);
    pass(IDLE, 21);
    assertThat(governor.level()).isEqualTo(DetailLevel.FULL);
    pass(IDLE, 1_000);
    assertThat(governor.level()).isEqualTo(DetailLevel.FULL);
  }

  @Test
  void memoryCountsLikeProcessors() {
    pass(new Use(0, 2 << 20), 4);
    assertThat(governor.level()).isEqualTo(DetailLevel.NO_TIME_ACCOUNTS);
    pass(new Use(0, 1 << 19), 21);
    assertThat(governor.level()).isEqualTo(DetailLevel.FULL);
  }

  @Test
  void withoutABudgetThereIsAlwaysRoom() {
    Governor free = new Governor(new Budget(0, 0), 0);
    for (int second = 0; second < 100; second++) {
      assertThat(free.decide(new Use(64, 1L << 40), second * SECOND_NS))
          .isEqualTo(DetailLevel.FULL);
    }
  }

  /// A load that fits without some detail and does not with it: changes get rarer and rarer.
  @Test
  void doesNotSwing() {
    int changes = 0;
    int changesInTheLastHour = 0;
    DetailLevel before = governor.level();
    for (int second = 0; second < 4 * 3600; second++) {
      DetailLevel now = decide(before == DetailLevel.FULL ? OVER : IDLE);
      if (now != before) {
        changes++;
        changesInTheLastHour += second >= 3 * 3600 ? 1 : 0;
      }
      before = now;
    }
    assertThat(changes).isLessThan(70);
    assertThat(changesInTheLastHour).isBetween(2, 14);
  }

  @Test
  void forgetsOldSwingsInPeace() {
    for (int i = 0; i < 6; i++) {
      pass(OVER, 4);
      pass(IDLE, 700);
    }
    pass(IDLE, 1_900);
    pass(OVER, 4);
    pass(IDLE, 21);
    assertThat(governor.level()).isEqualTo(DetailLevel.FULL);
  }

  private void pass(Use use, int seconds) {
    for (int i = 0; i < seconds; i++) {
      decide(use);
    }
  }

  private DetailLevel decide(Use use) {
    nowNs += SECOND_NS;
    return governor.decide(use, nowNs);
  }
}
