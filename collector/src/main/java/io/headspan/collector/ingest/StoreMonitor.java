package io.headspan.collector.ingest;

import io.headspan.storage.StoreException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Knows whether the store is there. A thread of its own brings the schema up to date as soon as
/// the store answers, asks every second whether it still does, and starts again when it does not: a
/// store that comes back, even an empty one, is used again without anybody's doing.
///
/// Not ready from the start. Thread-safe.
public final class StoreMonitor implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(StoreMonitor.class);

  private static final Duration WHEN_READY = Duration.ofSeconds(1);
  private static final Duration FIRST_RETRY = Duration.ofMillis(100);
  private static final Duration LAST_RETRY = Duration.ofMillis(500);
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);

  private final Store store;
  private final Thread thread;
  private final Semaphore wakeUps = new Semaphore(0);
  private volatile @Nullable String notReadyReason = "the store was not asked yet";
  private volatile boolean closed;

  /// Starts watching.
  public static StoreMonitor start(Store store) {
    StoreMonitor monitor = new StoreMonitor(store);
    monitor.thread.start();
    return monitor;
  }

  private StoreMonitor(Store store) {
    this.store = store;
    thread = Thread.ofPlatform().name("collector-store-monitor").daemon().unstarted(this::watch);
  }

  /// Why the store cannot be used now; empty if it can.
  public Optional<String> notReadyReason() {
    return closed ? Optional.of("the collector is closing") : Optional.ofNullable(notReadyReason);
  }

  /// An insert failed: asks the store now instead of within a second.
  void suspect() {
    wakeUps.release();
  }

  /// Stops watching; the store counts as not ready from now on.
  @Override
  public void close() {
    closed = true;
    thread.interrupt();
    try {
      if (!thread.join(CLOSE_TIMEOUT)) {
        logger.warn("the store monitor did not end within {}", CLOSE_TIMEOUT);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void watch() {
    Duration retry = FIRST_RETRY;
    try {
      while (!closed) {
        if (check()) {
          retry = FIRST_RETRY;
          await(WHEN_READY);
        } else {
          await(retry);
          retry = min(retry.multipliedBy(2), LAST_RETRY);
        }
      }
    } catch (InterruptedException e) {
      if (!closed) {
        throw new IllegalStateException("the store monitor was interrupted, but not closed", e);
      }
    }
  }

  private boolean check() {
    String before = notReadyReason;
    String now = ask(before == null);
    notReadyReason = now;
    if (closed) {
      return false;
    }
    if (now == null) {
      if (before != null) {
        logger.info("the store is ready");
      }
    } else if (!now.equals(before)) {
      logger.warn("the store is not ready: {}", now);
    }
    return now == null;
  }

  /// Null if the store can be used, else why not.
  private @Nullable String ask(boolean wasReady) {
    try {
      if (wasReady) {
        return store.isReady() ? null : "the store does not answer";
      }
      store.migrate();
      return null;
    } catch (StoreException e) {
      return String.valueOf(e.getMessage());
    } catch (RuntimeException e) {
      logger.error("cannot tell whether the store is ready", e);
      return "internal error of the collector: " + e;
    }
  }

  private void await(Duration time) throws InterruptedException {
    if (wakeUps.tryAcquire(time.toNanos(), TimeUnit.NANOSECONDS)) {
      wakeUps.drainPermits();
    }
  }

  private static Duration min(Duration a, Duration b) {
    return a.compareTo(b) < 0 ? a : b;
  }
}
