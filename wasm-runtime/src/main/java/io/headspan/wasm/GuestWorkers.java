package io.headspan.wasm;

import io.headspan.wasm.engine.TrapKind;
import io.headspan.wasm.host.InvocationSource;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The threads that guests run on, and the line before them.
///
/// Platform threads with a stack of a fixed size, never an event loop: a guest may compute until
/// its deadline, and its calls are frames on this stack. First come, first served; a tenant can
/// hold only so many places, so that one cannot fill the line for all. (Shares by deficit round
/// robin will take the place of the queue.)
final class GuestWorkers implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(GuestWorkers.class);
  private static final Duration STOP_PATIENCE = Duration.ofSeconds(5);

  private final int tenantInvocations;
  private final ThreadPoolExecutor threads;
  private final ScheduledThreadPoolExecutor timer;
  private final ThreadLocal<InvocationSource> sources;
  private final ConcurrentHashMap<String, Integer> tenants = new ConcurrentHashMap<>();
  private final Set<InvocationTask> open = ConcurrentHashMap.newKeySet();

  GuestWorkers(WasmConfig config, Clock clock) {
    this.tenantInvocations = config.tenantInvocations();
    ThreadFactory guestThreads =
        Thread.ofPlatform()
            .name("wasm-guest-", 0)
            .stackSize(config.stackBytes())
            .daemon(true)
            .factory();
    this.threads =
        new ThreadPoolExecutor(
            config.threads(),
            config.threads(),
            0,
            TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(config.queueLength()),
            guestThreads);
    this.timer =
        new ScheduledThreadPoolExecutor(
            1, Thread.ofPlatform().name("wasm-deadline").daemon(true).factory());
    timer.setRemoveOnCancelPolicy(true);
    SecureRandom random = new SecureRandom();
    this.sources =
        ThreadLocal.withInitial(
            () -> new InvocationSource(clock, random, config.responseBytesMax()));
  }

  /// Runs the task, or rejects it at once. Never blocks.
  void submit(InvocationTask task) {
    if (!enter(task.tenant())) {
      task.reject(Rejection.TENANT_LIMIT);
      return;
    }
    open.add(task);
    try {
      threads.execute(() -> run(task));
    } catch (RejectedExecutionException e) {
      leave(task);
      task.reject(threads.isShutdown() ? Rejection.STOPPING : Rejection.QUEUE_FULL);
    }
  }

  int running() {
    return threads.getActiveCount();
  }

  int waiting() {
    return threads.getQueue().size();
  }

  ScheduledThreadPoolExecutor timer() {
    return timer;
  }

  /// Ends what runs and rejects what waits.
  @Override
  public void close() {
    threads.shutdown();
    open.forEach(InvocationTask::executorIsStopping);
    try {
      if (!threads.awaitTermination(STOP_PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
        logger.warn("guests did not end when interrupted: running={}", running());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    timer.shutdownNow();
  }

  private void run(InvocationTask task) {
    InvocationTask.Ending ending;
    try {
      ending = task.run(sources.get(), timer);
    } catch (RuntimeException | StackOverflowError | OutOfMemoryError e) {
      // Not the guest's doing, so the log has it; the thread goes on with the next invocation.
      logger.warn("invocation failed in the executor: function={}", task.function().info(), e);
      ending =
          InvocationTask.Ending.notRun(
              new InvocationResult.Trapped(TrapKind.ENGINE, "the executor failed: " + e));
    }
    leave(task);
    // After leaving: a caller that has its answer finds its place free.
    task.finish(ending);
  }

  private boolean enter(String tenant) {
    if (tenants.merge(tenant, 1, Integer::sum) > tenantInvocations) {
      release(tenant);
      return false;
    }
    return true;
  }

  private void leave(InvocationTask task) {
    open.remove(task);
    release(task.tenant());
  }

  private void release(String tenant) {
    tenants.computeIfPresent(tenant, (_, count) -> count == 1 ? null : count - 1);
  }
}
