package io.headspan.collector.ingest;

import io.headspan.storage.StoreException;
import io.headspan.wire.LogBatch;
import io.headspan.wire.MetricBatch;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.signal.NodeReport;
import java.time.Duration;
import java.util.BitSet;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Inserts batches into the store, some at a time, each as one block under its own deduplication
/// token. Batches of several senders are never put together here: the store knows a block by one
/// token, so a replay that meets other neighbours would be taken for new. The embedded store puts
/// together what waits there, and knows each by its own token.
///
/// A batch that the store cannot take now is tried again while its sender waits, for about half a
/// second; after that the sender is told to come again. Nothing is kept here for later.
///
/// Where tenants are stored in several regions, a batch is stored in the parts that each region has
/// of it, and its sender is told when the last of them is. A part that is stored is not inserted
/// again when the batch comes again because of the others.
///
/// Thread-safe.
public final class Ingest implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(Ingest.class);

  private static final long LOG_INTERVAL_NS = TimeUnit.SECONDS.toNanos(10);
  private static final int STORED_PARTS_MAX = 20_000;
  private static final long[] RETRY_AFTER_MILLIS = {100, 400};

  private final Regions regions;
  private final IngestMetrics metrics;
  private final StoredListener listener;
  private final AtomicLong lastLogNs = new AtomicLong(System.nanoTime() - LOG_INTERVAL_NS);
  private volatile boolean closing;

  /// Parts of batches that their stores have while other stores do not have theirs yet. What is
  /// forgotten here is known to the store.
  private final Map<String, Boolean> storedParts =
      Collections.synchronizedMap(
          new LinkedHashMap<>() {
            private static final long serialVersionUID = 1;

            @Override
            protected boolean removeEldestEntry(Map.Entry<String, Boolean> eldest) {
              return size() > STORED_PARTS_MAX;
            }
          });

  /// @param regions where batches go; closed with this
  public Ingest(Regions regions, IngestMetrics metrics, StoredListener listener) {
    this.regions = regions;
    this.metrics = metrics;
    this.listener = listener;
  }

  /// Stores a batch and says what became of it: once, in an inserter's thread, or in the caller's
  /// if there is nothing to store or the collector is closing.
  ///
  /// @param token see [DeduplicationToken]
  /// @param oldReplay how long ago the batch was made, if it may have been stored so long ago that
  ///   the store has forgotten its token: then, unless the store surely knows it, it is asked for
  ///   the spans, and does not store them again
  /// @param omitted what was left out of the batch, which is stored with it
  /// @param whenDone must not block
  public void insert(
      Protocol protocol,
      SpanBatch batch,
      String token,
      Optional<Duration> oldReplay,
      List<Omission> omitted,
      Consumer<InsertOutcome> whenDone) {
    insert(
        regions.split(() -> new SpanRecords(batch), batch, batch.size(), token, omitted),
        part -> insert(part, oldReplay),
        outcome -> {
          omitted.forEach(each -> metrics.omitted(protocol, each));
          whenDone.accept(counted(protocol, batch, outcome));
        });
  }

  /// Stores log records and says what became of them, as [#insert] does.
  ///
  /// @param token see [DeduplicationToken]
  /// @param omitted what was left out of the batch, which is stored with it
  /// @param whenDone must not block
  public void insert(
      Protocol protocol,
      LogBatch batch,
      String token,
      List<Omission> omitted,
      Consumer<InsertOutcome> whenDone) {
    insert(
        regions.split(() -> ListedRecords.of(batch), batch, batch.size(), token, omitted),
        part -> part.region().store().insert(part.batch(), part.token()),
        outcome -> {
          omitted.forEach(each -> metrics.omitted(protocol, each));
          metrics.recordsDone(protocol, RecordSignal.LOGS, batch.size(), outcome);
          whenDone.accept(outcome);
        });
  }

  /// Stores data points and says what became of them, as [#insert] does.
  ///
  /// @param token see [DeduplicationToken]
  /// @param omitted what was left out of the batch, which is stored with it
  /// @param whenDone must not block
  public void insert(
      Protocol protocol,
      MetricBatch batch,
      String token,
      List<Omission> omitted,
      Consumer<InsertOutcome> whenDone) {
    insert(
        regions.split(() -> ListedRecords.of(batch), batch, batch.size(), token, omitted),
        part -> part.region().store().insert(part.batch(), part.token()),
        outcome -> {
          omitted.forEach(each -> metrics.omitted(protocol, each));
          metrics.recordsDone(protocol, RecordSignal.METRICS, batch.size(), outcome);
          whenDone.accept(outcome);
        });
  }

  /// Stores a report about a node and says what became of it, as [#insert] does.
  ///
  /// @param token see [DeduplicationToken]
  /// @param whenDone must not block
  public void insert(NodeReport report, String token, Consumer<InsertOutcome> whenDone) {
    insert(
        regions.split(report, token),
        part -> part.region().store().insert(part.batch(), part.token()),
        outcome -> whenDone.accept(counted(report, outcome)));
  }

  private <T> void insert(
      List<Regions.Part<T>> parts,
      Consumer<Regions.Part<T>> insertion,
      Consumer<InsertOutcome> whenDone) {
    if (parts.isEmpty()) {
      whenDone.accept(new InsertOutcome.Stored());
      return;
    }
    JoinedOutcome joined =
        new JoinedOutcome(parts.size(), outcome -> whenDone.accept(placed(outcome)));
    for (Regions.Part<T> part : parts) {
      String key = part.region().name() + "/" + part.token();
      if (!part.isWhole() && storedParts.containsKey(key)) {
        joined.add(new InsertOutcome.Stored());
        continue;
      }
      try {
        part.region()
            .execute(() -> {
              InsertOutcome outcome =
                  insert(part.region(), () -> store(part, insertion), part.token(), part.size());
              if (!part.isWhole() && outcome instanceof InsertOutcome.Stored) {
                storedParts.put(key, true);
              }
              joined.add(outcome);
            });
      } catch (RejectedExecutionException e) {
        joined.add(
            new InsertOutcome.Unavailable(
                part.region().isClosing()
                    ? "the collector is closing"
                    : "too much waits for the store: region=" + part.region().name()));
      }
    }
  }

  /// What is said of a region that is away is that, as long as another one is there.
  private InsertOutcome placed(InsertOutcome outcome) {
    return outcome instanceof InsertOutcome.Unavailable(String reason)
            && !closing
            && !regions.isOne()
            && regions.isAnyReady()
        ? new InsertOutcome.RegionAway(reason)
        : outcome;
  }

  /// First the records: if it ends in between, they are the same when they come again, and what is
  /// left out of them is decided by then as it is now.
  private static <T> void store(Regions.Part<T> part, Consumer<Regions.Part<T>> insertion) {
    if (part.size() > 0 || part.omitted().isEmpty()) {
      insertion.accept(part);
    }
    if (!part.omitted().isEmpty()) {
      part.region().store().insert(part.omitted(), part.token() + "/left-out");
    }
  }

  /// Lets what is under way end, for at most `timeout`, then gives it up as unavailable.
  public void close(Duration timeout) {
    closing = true;
    regions.close(timeout);
  }

  @Override
  public void close() {
    close(Duration.ZERO);
  }

  /// Of a store among others it is asked for each tenant by itself: one that has moved there since
  /// the batch was first sent is not there yet, whoever else is.
  private void insert(Regions.Part<SpanBatch> part, Optional<Duration> oldReplay) {
    Store store = part.region().store();
    if (oldReplay.isEmpty() || regions.isOne()) {
      // While its token is known it is inserted again, whatever is there of it: the first time may
      // have been cut off between the spans and what is made of them.
      boolean askFirst = oldReplay.isPresent() && !store.knowsTokens(oldReplay.get());
      insert(store, part.batch(), part.token(), askFirst);
      return;
    }
    SpanRecords records = new SpanRecords(part.batch());
    for (int tenant = 0; tenant < records.tenants().size(); tenant++) {
      BitSet members = new BitSet();
      for (int i = 0; i < records.size(); i++) {
        members.set(i, records.tenant(i) == tenant);
      }
      if (!members.isEmpty()) {
        insert(
            store,
            records.excerpt(members),
            part.token() + Regions.partName(records, members),
            true);
      }
    }
  }

  private void insert(Store store, SpanBatch batch, String token, boolean askFirst) {
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
  private InsertOutcome insert(Region region, Runnable insertion, String token, int rows) {
    StoreMonitor monitor = region.monitor();
    String where = region.name().isEmpty() ? "" : ", region=" + region.name();
    long start = System.nanoTime();
    for (int attempt = 0; ; attempt++) {
      Optional<String> notReady = monitor.notReadyReason();
      if (notReady.isPresent()) {
        return new InsertOutcome.Unavailable("store not ready: " + notReady.get() + where);
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
      case InsertOutcome.Unavailable _, InsertOutcome.RegionAway _ ->
          metrics.signalRejected(Rejection.STORE_UNAVAILABLE);
      case InsertOutcome.Rejected _ -> metrics.signalRejected(Rejection.STORE_REJECTED);
    }
    return outcome;
  }

  private InsertOutcome counted(Protocol protocol, SpanBatch batch, InsertOutcome outcome) {
    switch (outcome) {
      case InsertOutcome.Stored() -> metrics.stored(protocol, batch.size());
      case InsertOutcome.Unavailable _, InsertOutcome.RegionAway _ ->
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
