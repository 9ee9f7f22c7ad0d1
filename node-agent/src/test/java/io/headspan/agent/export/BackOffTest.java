package io.headspan.agent.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class BackOffTest {
  private static final long MS = 1_000_000;

  private final BackOff backOff =
      new BackOff(Duration.ofMillis(100), Duration.ofSeconds(5), new SplittableRandom(7));

  @Test
  void doublesUpToItsBound() {
    long wholeMillis = 100;
    for (int failure = 0; failure < 20; failure++) {
      assertThat(backOff.failed())
          .as("wait %d", failure)
          .isBetween(wholeMillis / 2 * MS, wholeMillis * MS);
      wholeMillis = Math.min(2 * wholeMillis, 5_000);
    }
  }

  @Test
  void isNotInStep() {
    long[] waits =
        LongStream.range(0, 1_000)
            .map(_ -> {
              backOff.succeeded();
              return backOff.failed();
            })
            .toArray();
    assertThat(LongStream.of(waits).distinct().count()).isGreaterThan(900);
    assertThat(LongStream.of(waits).average().orElseThrow()).isBetween(73.0 * MS, 77.0 * MS);
  }

  @Test
  void beginsAnewAfterASuccess() {
    for (int failure = 0; failure < 10; failure++) {
      assertThat(backOff.failed()).isPositive();
    }
    backOff.succeeded();
    assertThat(backOff.failed()).isBetween(50 * MS, 100 * MS);
  }

  @Test
  void refusesABoundBelowTheFirstWait() {
    assertThatThrownBy(() ->
            new BackOff(Duration.ofSeconds(2), Duration.ofSeconds(1), new SplittableRandom(1)))
        .hasMessage("bad waits: first=PT2S, most=PT1S");
  }
}
