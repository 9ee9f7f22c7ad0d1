package io.headspan.wasm;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.wasm.engine.ChicoryEngine;
import io.headspan.wasm.engine.PageBudget;
import io.headspan.wasm.host.GuestRequest;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class GuestWorkersTest {
  private static final WasmConfig CONFIG =
      WasmConfig.from(
          Map.of("HEADSPAN_WASM_THREADS", "1", "HEADSPAN_WASM_TENANT_INVOCATIONS", "200"));

  private final GuestWorkers workers = new GuestWorkers(CONFIG, Clock.systemUTC());
  private final PageBudget memory = new PageBudget(CONFIG.memoryTotalBytes());
  private final Functions functions =
      new Functions(
          CONFIG,
          new ChicoryEngine(),
          Clock.systemUTC(),
          memory,
          new SimpleMeterRegistry(),
          workers.timer());

  @AfterEach
  void close() {
    workers.close();
  }

  @Test
  void aDeadlineNeverHitsTheNextInvocation() throws Exception {
    DeployedFunction loop = deploy("loop", TestModules.infiniteLoop(), Duration.ofMillis(1));
    DeployedFunction upper = deploy("upper", ExampleModules.upperCase(), Duration.ofSeconds(20));
    for (int round = 0; round < 20; round++) {
      List<InvocationTask> tasks = new ArrayList<>();
      for (int i = 0; i < 5; i++) {
        // Each loop is one that waited for less than its deadline, or one that is turned away.
        tasks.add(submit(loop));
        tasks.add(submit(upper));
      }
      for (InvocationTask task : tasks) {
        InvocationResult result = task.result().get(30, TimeUnit.SECONDS);
        if (task.function().equals(upper)) {
          assertThat(result).isInstanceOf(InvocationResult.Answered.class);
        } else {
          assertThat(result)
              .isIn(
                  new InvocationResult.DeadlineExceeded(Duration.ofMillis(1)),
                  new InvocationResult.Rejected(Rejection.WAITED_TOO_LONG));
        }
      }
    }
  }

  @Test
  void aDeadlineNearTheEndOfAnInvocationIsOneOrTheOther() throws Exception {
    // Sleeps about as long as it may, so that the alarm and the end race.
    DeployedFunction sleep = deploy("sleep", TestModules.sleep(1_900_000), Duration.ofMillis(2));
    DeployedFunction upper = deploy("upper", ExampleModules.upperCase(), Duration.ofSeconds(20));
    for (int i = 0; i < 200; i++) {
      InvocationResult slept = submit(sleep).result().get(30, TimeUnit.SECONDS);
      assertThat(slept)
          .isInstanceOfAny(
              InvocationResult.Answered.class, InvocationResult.DeadlineExceeded.class);
      assertThat(submit(upper).result().get(30, TimeUnit.SECONDS))
          .isInstanceOf(InvocationResult.Answered.class);
    }
  }

  @Test
  void aRunawayEndsSoonAfterItsDeadline() throws Exception {
    DeployedFunction loop = deploy("loop", TestModules.infiniteLoop(), Duration.ofMillis(50));
    long bestNs = Long.MAX_VALUE;
    for (int i = 0; i < 10; i++) {
      long beforeNs = System.nanoTime();
      assertThat(submit(loop).result().get(30, TimeUnit.SECONDS))
          .isInstanceOf(InvocationResult.DeadlineExceeded.class);
      bestNs = Math.min(bestNs, System.nanoTime() - beforeNs);
    }
    // The best of ten: the others may have waited for a processor that something else had.
    assertThat(Duration.ofNanos(bestNs)).isBetween(Duration.ofMillis(50), Duration.ofMillis(65));
  }

  @Test
  void givesAllMemoryBack() throws Exception {
    DeployedFunction hog = deploy("hog", TestModules.memoryHog(1_024), Duration.ofSeconds(20));
    assertThat(submit(hog).result().get(30, TimeUnit.SECONDS))
        .isInstanceOf(InvocationResult.Answered.class);
    assertThat(memory.usedBytes()).isZero();
  }

  private InvocationTask submit(DeployedFunction function) {
    InvocationTask task =
        new InvocationTask(
            function,
            new GuestRequest(
                "acme",
                function.info().function().name(),
                "1",
                "POST",
                "/",
                "",
                "",
                Optional.empty(),
                "body".getBytes(StandardCharsets.US_ASCII)),
            memory);
    workers.submit(task);
    return task;
  }

  private DeployedFunction deploy(String name, byte[] module, Duration deadline) {
    FunctionName function = new FunctionName("acme", name);
    functions.deploy(
        new Deployment(
            function, Optional.of("1"), module, Optional.of(deadline), OptionalInt.empty()));
    return functions.find(function).orElseThrow();
  }
}
