package io.headspan.collector;

import io.headspan.storage.Retention;
import io.headspan.storage.SpanStore;
import io.headspan.storage.StoreException;
import java.time.Duration;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Has a store let go of what is older than its tenants want, once the store is there and then each
/// hour. Several collectors on one store do it several times, which changes nothing.
final class Expirer implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(Expirer.class);

  private static final Duration EVERY = Duration.ofHours(1);
  private static final Duration RETRY = Duration.ofMinutes(1);
  private static final Duration LOOK = Duration.ofSeconds(1);
  private static final Duration STOP_LIMIT = Duration.ofSeconds(5);

  private final SpanStore store;
  private final Supplier<Retention> retention;
  private final BooleanSupplier storeIsReady;
  private final CountDownLatch closed = new CountDownLatch(1);
  private final Thread thread;

  /// @param retention as it is at the time
  static Expirer start(
      SpanStore store, Supplier<Retention> retention, BooleanSupplier storeIsReady) {
    Expirer expirer = new Expirer(store, retention, storeIsReady);
    expirer.thread.start();
    return expirer;
  }

  private Expirer(SpanStore store, Supplier<Retention> retention, BooleanSupplier storeIsReady) {
    this.store = store;
    this.retention = retention;
    this.storeIsReady = storeIsReady;
    thread = Thread.ofPlatform().name("collector-expirer").daemon().unstarted(this::work);
  }

  private void work() {
    try {
      Duration pause = LOOK;
      while (!closed.await(pause.toMillis(), TimeUnit.MILLISECONDS)) {
        pause = storeIsReady.getAsBoolean() ? expire() : LOOK;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// How long to wait until the next time.
  private Duration expire() {
    try {
      List<String> gone = store.expire(retention.get(), LocalDate.now(ZoneOffset.UTC));
      gone.forEach(each -> logger.info("expired: {}", each));
      return EVERY;
    } catch (StoreException e) {
      logger.warn("what is too old cannot be removed, trying again: reason={}", e.getMessage());
      return RETRY;
    }
  }

  @Override
  public void close() {
    closed.countDown();
    try {
      if (!thread.join(STOP_LIMIT)) {
        logger.warn("removing what is too old did not end within {}", STOP_LIMIT);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
