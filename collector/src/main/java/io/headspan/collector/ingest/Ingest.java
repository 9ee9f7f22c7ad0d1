package io.headspan.collector.ingest;

import io.headspan.storage.StoreException;
import io.headspan.wire.LogBatch;
import io.headspan.wire.MetricBatch;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.signal.NodeReport;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Inserts batches into the store, a few at a time, each as one block under its own deduplication
/// token. Batches of several senders are never put together: the store knows a block by one token,
/// so a replay that meets other neighbours would be taken for new.
///
/// A batch that the store cannot take now is tried again while its sender waits, for about half a
/// second; after that the sender is told to come again. Nothing is kept here for later.
///
/// Thread-safe.
public final class Ingest implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(Ingest.class);

  private static final long LOG_INTERVAL_NS = TimeUnit.SECONDS.toNanos(10);
  private static final long[] RETRY_AFTER_MILLIS = {100, 400};

  private final Store store;
  private final StoreMonitor monitor;
  private final IngestMetrics metrics;
  private final StoredListener listener;
  private final ExecutorService inserters;
  private final AtomicLong lastLogNs = new AtomicLong(System.nanoTime() - LOG_INTERVAL_NS);
  private volatile boolean closing;

  /// @param inserters how many inserts go on at the same time
  public Ingest(
      Store store,
      StoreMonitor monitor,
      IngestMetrics metrics,
      StoredListener listener,
      int inserters) {
    this.store = store;
    this.monitor = monitor;
    this.metrics = metrics;
    this.listener = listener;
    this.inserters =
        Executors.newFixedThreadPool(
            inserters, Thread.ofPlatform().name("collector-insert-", 0).daemon().factory());
  }

  /// Stores a batch and says what became of it: once, in an inserter's thread, or in the caller's
  /// if there is nothing to store or the collector is closing.
  ///
  /// @param token see [DeduplicationToken]
  /// @param askFirst whether the batch may have been stored so long ago that the store has
  ///   forgotten its token: then the store is asked for the spans, and does not store them again
  /// @param omitted what was left out of the batch
  /// @param whenDone must not block
  public void insert(
      Protocol protocol,
      SpanBatch batch,
      String token,
      boolean askFirst,
      List<Omission> omitted,
      Consumer<InsertOutcome> whenDone) {
    Consumer<InsertOutcome> counting =
        outcome -> {
          omitted.forEach(each -> metrics.omitted(protocol, each));
          whenDone.accept(counted(protocol, batch, outcome));
        };
    if (batch.size() == 0) {
      counting.accept(new InsertOutcome.Stored());
      return;
    }
    try {
      inserters.execute(
          () -> counting.accept(insert(() -> insert(batch, token, askFirst), token, batch.size())));
    } catch (RejectedExecutionException e) {
      counting.accept(new InsertOutcome.Unavailable("the collector is closing"));
    }
  }

  /// Stores log records and says what became of them, as [#insert] does.
  ///
  /// @param token see [DeduplicationToken]
  /// @param omitted what was left out of the batch
  /// @param whenDone must not block
  public void insert(
      Protocol protocol,
      LogBatch batch,
      String token,
      List<Omission> omitted,
      Consumer<InsertOutcome> whenDone) {
    insert(
        protocol,
        RecordSignal.LOGS,
        batch.size(),
        token,
        () -> store.insert(batch, token),
        omitted,
        whenDone);
  }

  /// Stores data points and says what became of them, as [#insert] does.
  ///
  /// @param token see [DeduplicationToken]
  /// @param omitted what was left out of the batch
  /// @param whenDone must not block
  public void insert(
      Protocol protocol,
      MetricBatch batch,
      String token,
      List<Omission> omitted,
      Consumer<InsertOutcome> whenDone) {
    insert(
        protocol,
        RecordSignal.METRICS,
        batch.size(),
        token,
        () -> store.insert(batch, token),
        omitted,
        whenDone);
  }

  private void insert(
      Protocol protocol,
      RecordSignal signal,
      int count,
      String token,
      Runnable insertion,
      List<Omission> omitted,
      Consumer<InsertOutcome> whenDone) {
    Consumer<InsertOutcome> counting =
        outcome -> {
          omitted.forEach(each -> metrics.omitted(protocol, each));
          metrics.recordsDone(protocol, signal, count, outcome);
          whenDone.accept(outcome);
        };
    if (count == 0) {
      counting.accept(new InsertOutcome.Stored());
      return;
    }
    try {
      inserters.execute(() -> counting.accept(insert(insertion, token, count)));
    } catch (RejectedExecutionException e) {
      counting.accept(new InsertOutcome.Unavailable("the collector is closing"));
    }
  }

  /// Stores a report about a node and says what became of it, as [#insert] does.
  ///
  /// @param token see [DeduplicationToken]
  /// @param whenDone must not block
  public void insert(NodeReport report, String token, Consumer<InsertOutcome> whenDone) {
    int rows = report.signal().size();
    try {
      inserters.execute(() ->
          whenDone.accept(counted(report, insert(() -> store.insert(report, token), token, rows))));
    } catch (RejectedExecutionException e) {
      whenDone.accept(counted(report, new InsertOutcome.Unavailable("the collector is closing")));
    }
  }

  /// Lets what is under way end, for at most `timeout`, then gives it up as unavailable.
  public void close(Duration timeout) {
    inserters.shutdown();
    try {
      if (!inserters.awaitTermination(timeout.toNanos(), TimeUnit.NANOSECONDS)) {
        closing = true;
        inserters.shutdownNow();
        logger.warn("inserts did not end in time: timeout={}", timeout);
      }
    } catch (InterruptedException e) {
      closing = true;
      inserters.shutdownNow();
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    close(Duration.ZERO);
  }

  private void insert(SpanBatch batch, String token, boolean askFirst) {
    if (askFirst && store.isStored(batch)) {
      metrics.replayKnown();
      return;
    }
    store.insert(batch, token);
    tell(() -> listener.stored(batch));
  }

  /// The store has it, and its sender is told so, whatever comes of who listens.
  private void tell(Runnable telling) {
    try {
      telling.run();
    } catch (RuntimeException e) {
      if (mayLog()) {
        logger.error("what was stored is missing in the metrics of spans", e);
      }
    }
  }

  /// @param insertion ends when the store has it
  private InsertOutcome insert(Runnable insertion, String token, int rows) {
    long start = System.nanoTime();
    for (int attempt = 0; ; attempt++) {
      Optional<String> notReady = monitor.notReadyReason();
      if (notReady.isPresent()) {
        return new InsertOutcome.Unavailable("store not ready: " + notReady.get());
      }
      try {
        insertion.run();
        metrics.inserted(Duration.ofNanos(System.nanoTime() - start));
        return new InsertOutcome.Stored();
      } catch (StoreException e) {
        String reason = String.valueOf(e.getMessage());
        switch (e.kind()) {
          case REJECTED -> {
            if (mayLog()) {
              logger.warn("the store rejected a batch: token={}, rows={}", token, rows, e);
            }
            return new InsertOutcome.Rejected(reason);
          }
          case UNAVAILABLE, LIMIT_EXCEEDED, PROTOCOL -> {
            monitor.suspect();
            if (attempt == RETRY_AFTER_MILLIS.length || closing || !pause(attempt)) {
              return new InsertOutcome.Unavailable(reason);
            }
            metrics.insertRetried();
          }
        }
      } catch (OutOfMemoryError e) {
        logger.error("no memory to insert a batch: token={}, rows={}", token, rows, e);
        return new InsertOutcome.Unavailable("the collector is out of memory");
      } catch (RuntimeException e) {
        // A fault of this program: the batch may be what provokes it, so it must not come again.
        if (mayLog()) {
          logger.error("cannot insert a batch: token={}, rows={}", token, rows, e);
        }
        return new InsertOutcome.Rejected("internal error of the collector: " + e);
      }
    }
  }

  private InsertOutcome counted(NodeReport report, InsertOutcome outcome) {
    switch (outcome) {
      case InsertOutcome.Stored() -> {
        metrics.signalStored(report.signal());
        tell(() -> listener.stored(report));
      }
      case InsertOutcome.Unavailable _ -> metrics.signalRejected(Rejection.STORE_UNAVAILABLE);
      case InsertOutcome.Rejected _ -> metrics.signalRejected(Rejection.STORE_REJECTED);
    }
    return outcome;
  }

  private InsertOutcome counted(Protocol protocol, SpanBatch batch, InsertOutcome outcome) {
    switch (outcome) {
      case InsertOutcome.Stored() -> metrics.stored(protocol, batch.size());
      case InsertOutcome.Unavailable _ ->
          metrics.batchRejected(protocol, Rejection.STORE_UNAVAILABLE, batch.size());
      case InsertOutcome.Rejected _ ->
          metrics.batchRejected(protocol, Rejection.STORE_REJECTED, batch.size());
    }
    return outcome;
  }

  /// Every batch of a sender may fail: one line in a while is enough, the rest is in the metrics.
  private boolean mayLog() {
    long now = System.nanoTime();
    long last = lastLogNs.get();
    return now - last >= LOG_INTERVAL_NS && lastLogNs.compareAndSet(last, now);
  }

  private static boolean pause(int attempt) {
    try {
      Thread.sleep(RETRY_AFTER_MILLIS[attempt]);
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }
}
