package io.headspan.collector.ingest;

import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A store with what inserts into it: threads of its own, so that a store which is slow or hangs
/// keeps only those waiting that want to go there. Thread-safe.
public final class Region implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(Region.class);

  /// What waits for a store among others: its share of what is in flight has to be bounded, else a
  /// store that hangs would come to own all of it.
  private static final int WAITING_MAX = 64;

  private final String name;
  private final Store store;
  private final StoreMonitor monitor;
  private final ExecutorService inserters;

  /// The only store that there is: what waits for it is bounded by what is in flight.
  public static Region only(Store store, StoreMonitor monitor, int inserters) {
    return new Region("", store, monitor, inserters, Integer.MAX_VALUE);
  }

  /// One of several stores.
  ///
  /// @param name "" for the collector's own
  public static Region amongOthers(String name, Store store, StoreMonitor monitor, int inserters) {
    return new Region(name, store, monitor, inserters, WAITING_MAX);
  }

  private Region(String name, Store store, StoreMonitor monitor, int inserters, int waitingMax) {
    this.name = name;
    this.store = store;
    this.monitor = monitor;
    String threads = "collector-insert-" + (name.isEmpty() ? "" : name + "-");
    this.inserters =
        new ThreadPoolExecutor(
            inserters,
            inserters,
            0,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(waitingMax),
            Thread.ofPlatform().name(threads, 0).daemon().factory());
  }

  /// Its name; "" for the collector's own store.
  public String name() {
    return name;
  }

  Store store() {
    return store;
  }

  /// Knows whether the store is there.
  public StoreMonitor monitor() {
    return monitor;
  }

  /// Runs an insert.
  ///
  /// @throws java.util.concurrent.RejectedExecutionException if too much waits, or it is closing
  void execute(Runnable insert) {
    inserters.execute(insert);
  }

  boolean isClosing() {
    return inserters.isShutdown();
  }

  /// Lets what is under way end, for at most `timeout`, then interrupts it.
  void close(Duration timeout) {
    inserters.shutdown();
    try {
      if (!inserters.awaitTermination(timeout.toNanos(), TimeUnit.NANOSECONDS)) {
        inserters.shutdownNow();
        logger.warn("inserts did not end in time: timeout={}", timeout);
      }
    } catch (InterruptedException e) {
      inserters.shutdownNow();
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    close(Duration.ZERO);
  }
}
