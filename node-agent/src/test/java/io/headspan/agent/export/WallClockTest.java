package io.headspan.agent.export;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import org.junit.jupiter.api.Test;

class WallClockTest {
  private static final long SECOND = 1_000_000_000L;

  private long monotonicNs = 5 * SECOND;
  private long offsetNs = 1_700_000_000L * SECOND;
  private final WallClock clock = new WallClock(() -> monotonicNs, this::wall);

  @Test
  void translatesTimes() {
    assertThat(clock.epochNs(monotonicNs + 7)).isEqualTo(offsetNs + monotonicNs + 7);
  }

  @Test
  void makesUpASmallDifferenceSlowly() {
    offsetNs -= 20_000_000;
    long before = clock.epochNs(0);
    pass(10);
    assertThat(before - clock.epochNs(0)).isEqualTo(5_000_000);
    pass(10);
    pass(10);
    pass(10);
    pass(10);
    assertThat(clock.epochNs(0)).isEqualTo(offsetNs);
  }

  @Test
  void followsAtOnceWhenTheClockWasSet() {
    offsetNs += 3600 * SECOND;
    pass(10);
    assertThat(clock.epochNs(0)).isEqualTo(offsetNs);
    offsetNs -= SECOND;
    pass(10);
    assertThat(clock.epochNs(0)).isEqualTo(offsetNs);
  }

  @Test
  void doesNotMeasureAllTheTime() {
    offsetNs += 3600 * SECOND;
    pass(9);
    assertThat(clock.epochNs(0)).isNotEqualTo(offsetNs);
  }

  private void pass(long seconds) {
    monotonicNs += seconds * SECOND;
    clock.follow(monotonicNs);
  }

  private Instant wall() {
    return Instant.ofEpochSecond(0, offsetNs + monotonicNs);
  }
}
