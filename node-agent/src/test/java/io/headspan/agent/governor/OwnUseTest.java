package io.headspan.agent.governor;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.time.Duration;
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
    assertThat(new OwnUse(false, System.nanoTime()).measure(System.nanoTime()).memoryBytes())
        .isGreaterThan(1 << 20);
  }

  @Test
  void countsTheWholeProcessIfTheAgentIsAloneThere() throws InterruptedException {
    long nowNs = System.nanoTime();
    OwnUse use = new OwnUse(true, nowNs);
    use.measure(nowNs + OwnUse.COMPILING_NS);
    long cpuNs = spin(Duration.ofMillis(200));
    double cores = use.measure(nowNs + 2 * OwnUse.COMPILING_NS).cores();
    assertThat(cores * OwnUse.COMPILING_NS).isGreaterThanOrEqualTo((double) cpuNs);
  }

  @Test
  void doesNotCountWhatIsCompiledAtTheStart() {
    long nowNs = System.nanoTime();
    OwnUse use = new OwnUse(true, nowNs);
    spin(Duration.ofMillis(200));
    assertThat(use.measure(nowNs + OwnUse.COMPILING_NS - 1).cores()).isZero();
  }

  /// Uses so much time of a thread that is not called as the agent's are; returns how much.
  private static long spin(Duration cpuTime) {
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    long beganNs = threads.getCurrentThreadCpuTime();
    while (threads.getCurrentThreadCpuTime() - beganNs < cpuTime.toNanos()) {
      Thread.onSpinWait();
    }
    return cpuTime.toNanos();
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
    OwnUse use = new OwnUse(false, System.nanoTime());
    assertThat(ended.await(500, TimeUnit.MILLISECONDS)).as("half a second of use").isFalse();
    double cores = use.measure(System.nanoTime()).cores();
    ended.countDown();
    busy.join();
    return cores;
  }
}
