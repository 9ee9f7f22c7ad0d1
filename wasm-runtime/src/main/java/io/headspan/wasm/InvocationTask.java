package io.headspan.wasm;

import io.headspan.wasm.engine.GuestExit;
import io.headspan.wasm.engine.GuestInstance;
import io.headspan.wasm.engine.GuestMemory;
import io.headspan.wasm.engine.GuestTrap;
import io.headspan.wasm.engine.PageAllowance;
import io.headspan.wasm.engine.PageBudget;
import io.headspan.wasm.engine.TrapKind;
import io.headspan.wasm.host.GuestRequest;
import io.headspan.wasm.host.Invocation;
import io.headspan.wasm.host.InvocationSource;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One invocation, from its arrival to its result.
///
/// Whoever wants it to end early ([#stop]: the deadline's timer, the caller's connection, the
/// executor) interrupts the thread that runs the guest, whose code looks at the interrupt flag in
/// every loop and call. The lock makes sure that this never hits the thread after the guest is
/// done, when it may be running another.
final class InvocationTask {
  private static final Logger logger = LoggerFactory.getLogger(InvocationTask.class);
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  /// Functions with a shorter deadline may wait this long all the same: their deadline says what
  /// they need, not what their caller bears.
  private static final Duration PATIENCE = Duration.ofSeconds(1);

  private enum Stop {
    DEADLINE,
    CALLER_GONE,
    EXECUTOR_STOPPING
  }

  /// How it ended and what it used.
  record Ending(InvocationResult result, Metering metering) {
    static Ending notRun(InvocationResult result) {
      return new Ending(result, Metering.NOT_RUN);
    }
  }

  private record GuestRun(InvocationResult result, int pages, long writtenBytes) {}

  private final DeployedFunction function;
  private final GuestRequest request;
  private final PageBudget memory;
  private final long arrivedNs = System.nanoTime();
  private final CompletableFuture<InvocationResult> result = new CompletableFuture<>();

  private final Object lock = new Object();
  private @Nullable Thread runner;
  private @Nullable Stop stop;

  InvocationTask(DeployedFunction function, GuestRequest request, PageBudget memory) {
    this.function = function;
    this.request = request;
    this.memory = memory;
  }

  /// Completed on the thread that ran the guest, never exceptionally.
  CompletableFuture<InvocationResult> result() {
    return result;
  }

  DeployedFunction function() {
    return function;
  }

  String tenant() {
    return request.tenant();
  }

  void reject(Rejection rejection) {
    finish(Ending.notRun(new InvocationResult.Rejected(rejection)));
  }

  /// Counts it and tells the caller.
  void finish(Ending ending) {
    function.metrics().record(ending.result(), ending.metering());
    result.complete(ending.result());
  }

  void callerIsGone() {
    stop(Stop.CALLER_GONE);
  }

  void executorIsStopping() {
    stop(Stop.EXECUTOR_STOPPING);
  }

  /// Runs the guest on this thread.
  ///
  /// @param timer ends it at its deadline
  Ending run(InvocationSource invocations, ScheduledExecutorService timer) {
    long startedNs = System.nanoTime();
    Duration deadline = function.info().deadline();
    if (startedNs - arrivedNs > Math.max(deadline.toNanos(), PATIENCE.toNanos())) {
      return Ending.notRun(new InvocationResult.Rejected(Rejection.WAITED_TOO_LONG));
    }
    long cpuBeforeNs = THREADS.getCurrentThreadCpuTime();
    Invocation invocation = invocations.open(request);
    Stop before = begin();
    if (before != null) {
      return Ending.notRun(stopped(before));
    }
    Future<?> alarm =
        timer.schedule(() -> stop(Stop.DEADLINE), deadline.toNanos(), TimeUnit.NANOSECONDS);
    GuestRun run;
    Stop during;
    try {
      run = runGuest(invocation);
    } finally {
      alarm.cancel(false);
      during = end();
    }
    InvocationResult result = run.result();
    if (during != null
        && result instanceof InvocationResult.Trapped trapped
        && trapped.kind() == TrapKind.INTERRUPTED) {
      result = stopped(during);
    }
    logFailure(result, invocation);
    return new Ending(
        result,
        new Metering(
            true,
            startedNs - arrivedNs,
            System.nanoTime() - startedNs,
            THREADS.getCurrentThreadCpuTime() - cpuBeforeNs,
            run.pages(),
            run.writtenBytes(),
            invocation.hostCalls()));
  }

  private GuestRun runGuest(Invocation invocation) {
    try (PageAllowance allowance = memory.open()) {
      GuestInstance instance = function.image().newInstance(invocation, allowance);
      InvocationResult result;
      try {
        result = new InvocationResult.Answered(function.kind().run(instance, invocation));
      } catch (GuestExit e) {
        result = new InvocationResult.Exited(e.code());
      } catch (GuestTrap e) {
        result = new InvocationResult.Trapped(e.kind(), e.getMessage());
      }
      GuestMemory used = instance.memory();
      return new GuestRun(result, used.pages(), used.residentBytes());
    }
  }

  private void stop(Stop reason) {
    synchronized (lock) {
      if (stop == null) {
        stop = reason;
      }
      if (runner != null) {
        runner.interrupt();
      }
    }
  }

  private @Nullable Stop begin() {
    synchronized (lock) {
      if (stop == null) {
        runner = Thread.currentThread();
      }
      return stop;
    }
  }

  private @Nullable Stop end() {
    synchronized (lock) {
      runner = null;
      // Whatever interrupt was meant for this invocation must not reach the next one.
      boolean wasInterrupted = Thread.interrupted();
      return wasInterrupted ? stop : null;
    }
  }

  private InvocationResult stopped(Stop reason) {
    return switch (reason) {
      case DEADLINE -> new InvocationResult.DeadlineExceeded(function.info().deadline());
      case CALLER_GONE -> new InvocationResult.Cancelled();
      case EXECUTOR_STOPPING -> new InvocationResult.Rejected(Rejection.STOPPING);
    };
  }

  /// For whoever debugs a function; its error output is never sent to callers.
  private void logFailure(InvocationResult result, Invocation invocation) {
    if (!(result instanceof InvocationResult.Answered) && logger.isDebugEnabled()) {
      logger.debug(
          "invocation failed: function={}, version={}, result={}, standard error={}",
          function.info().function(),
          function.info().version(),
          result,
          invocation.errorOutput());
    }
  }
}
