package io.headspan.agent.probe.sched;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class ThrottleClockTest {
  @Test
  void takesTheBestThatTheKernelHas() {
    assertThat(of("throttled_clock_pelt_time", "throttled_clock_self_time"))
        .isEqualTo(ThrottleClock.RUN_QUEUE);
    assertThat(of("throttled_clock", "throttled_clock_pelt_time"))
        .isEqualTo(ThrottleClock.LOAD_AVERAGE);
    assertThat(of("throttled_clock_task", "throttled_clock_task_time"))
        .isEqualTo(ThrottleClock.TASK);
    assertThat(of("rq", "not_throttled_clock_self_time")).isEqualTo(ThrottleClock.NONE);
  }

  private static ThrottleClock of(String... names) {
    String text = "\0" + String.join("\0", names) + "\0";
    return ThrottleClock.of(text.getBytes(StandardCharsets.ISO_8859_1));
  }
}
