package io.headspan.wasm;

import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/// Changes of the deployed functions, one after another. Compiling takes a processor for a while;
/// two at once would only take it from the guests.
final class DeployQueue implements AutoCloseable {
  private static final int WAITING_MAX = 16;

  private final Functions functions;
  private final ThreadPoolExecutor thread =
      new ThreadPoolExecutor(
          1,
          1,
          0,
          TimeUnit.SECONDS,
          new ArrayBlockingQueue<>(WAITING_MAX),
          Thread.ofPlatform().name("wasm-deployments").daemon(true).factory());
  private volatile Runnable onChange = () -> {};

  DeployQueue(Functions functions) {
    this.functions = functions;
  }

  /// What to run after each change, on the queue's thread.
  void onChange(Runnable action) {
    onChange = action;
  }

  CompletableFuture<FunctionInfo> deploy(Deployment deployment) {
    return submit(() -> functions.deploy(deployment));
  }

  CompletableFuture<Boolean> undeploy(FunctionName function) {
    return submit(() -> functions.undeploy(function));
  }

  /// Refuses those that wait and interrupts the one that is made.
  @Override
  public void close() {
    for (Runnable waiting : thread.shutdownNow()) {
      ((Change<?>) waiting).refuse("the executor is stopping");
    }
  }

  private <T> CompletableFuture<T> submit(Supplier<T> make) {
    Change<T> change = new Change<>(make);
    try {
      thread.execute(change);
    } catch (RejectedExecutionException e) {
      change.refuse(
          thread.isShutdown()
              ? "the executor is stopping"
              : "too many deployments are waiting: limit=" + WAITING_MAX + "; try again");
    }
    return change.result;
  }

  private final class Change<T> implements Runnable {
    private final Supplier<T> make;
    private final CompletableFuture<T> result = new CompletableFuture<>();

    Change(Supplier<T> make) {
      this.make = make;
    }

    @Override
    public void run() {
      try {
        T made = make.get();
        onChange.run();
        result.complete(made);
      } catch (RuntimeException | Error e) {
        result.completeExceptionally(e);
      }
    }

    void refuse(String reason) {
      result.completeExceptionally(new DeployException(DeployException.Kind.BUSY, reason));
    }
  }
}
