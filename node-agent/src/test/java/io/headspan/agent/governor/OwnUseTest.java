package io.headspan.agent.governor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class OwnUseTest {
  @Test
  void countsTheAgentsOwnThreadsOnly() throws InterruptedException {
    double own = coresOf(OwnUse.THREADS + "busy");
    double foreign = coresOf("busy");
    assertThat(own).isGreaterThan(0.1);
    assertThat(foreign).isLessThan(own / 4);
  }

  @Test
  void knowsOfMemoryOutsideOfTheHeap() {
    assertThat(new OwnUse(System.nanoTime()).measure(System.nanoTime()).memoryBytes())
        .isGreaterThan(1 << 20);
  }

  private static double coresOf(String threadName) throws InterruptedException {
    CountDownLatch running = new CountDownLatch(1);
    CountDownLatch ended = new CountDownLatch(1);
    Thread busy =
        Thread.ofPlatform()
            .daemon()
            .name(threadName)
            .start(() -> {
              running.countDown();
              while (ended.getCount() > 0) {
                Thread.onSpinWait();
              }
            });
    running.await();
    OwnUse use = new OwnUse(System.nanoTime());
    assertThat(ended.await(500, TimeUnit.MILLISECONDS)).as("half a second of use").isFalse();
    double cores = use.measure(System.nanoTime()).cores();
    ended.countDown();
    busy.join();
    return cores;
  }
}
