package io.headspan.agent.invocation;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class SeenTracesTest {
  private final SeenTraces traces = new SeenTraces(100, 0);

  @Test
  void tellsWhatIsNewToAnInstance() {
    assertThat(traces.add(1, 7, 8, 0)).isTrue();
    assertThat(traces.add(1, 7, 8, 10)).isFalse();
    assertThat(traces.add(2, 7, 8, 10)).isTrue();
    assertThat(traces.add(1, 8, 7, 10)).isTrue();
  }

  @Test
  void remembersForTheTimeGivenAndAtMostTwice() {
    assertThat(traces.add(1, 7, 8, 99)).isTrue();
    assertThat(traces.add(1, 7, 8, 199)).isFalse();
    assertThat(traces.add(1, 7, 8, 1_000)).isTrue();
    assertThat(traces.add(1, 9, 9, 1_000)).isTrue();
    assertThat(traces.add(1, 7, 8, 1_099)).isFalse();
    assertThat(traces.add(1, 9, 9, 1_250)).isTrue();
  }

  @Test
  void forgetsNoneOfManyAndTakesFewForKnown() {
    SplittableRandom random = new SplittableRandom(5);
    int taken = 0;
    for (int i = 0; i < 200_000; i++) {
      taken += traces.add(3, 7, random.nextLong(), 1) ? 0 : 1;
    }
    assertThat(taken).isLessThan(200);
    random = new SplittableRandom(5);
    for (int i = 0; i < 200_000; i++) {
      assertThat(traces.add(3, 7, random.nextLong(), 99)).isFalse();
    }
  }
}
