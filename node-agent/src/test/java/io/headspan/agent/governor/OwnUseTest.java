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
    long endNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(800);
    Thread busy =
        Thread.ofPlatform()
            .daemon()
            .name(threadName)
            .start(() -> {
              running.countDown();
              while (System.nanoTime() - endNs < 0) {
                Thread.onSpinWait();
              }
            });
    running.await();
    OwnUse use = new OwnUse(System.nanoTime());
    Use used = null;
    while (System.nanoTime() - endNs < -TimeUnit.MILLISECONDS.toNanos(100)) {
      Thread.onSpinWait();
      if (System.nanoTime() - endNs > -TimeUnit.MILLISECONDS.toNanos(200)) {
        used = use.measure(System.nanoTime());
        break;
      }
    }
    busy.join();
    assertThat(used).isNotNull();
    return used.cores();
  }
}
