package io.headspan.agent.export;

import io.headspan.agent.ledger.DropReason;
import io.headspan.agent.spool.Spool;
import io.headspan.agent.spool.SpoolException;
import io.headspan.agent.spool.SpooledBatch;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otap.OtapException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Moves batches from memory to the spool: the oldest ones when memory is half full, and all when
/// the collector has not acknowledged anything for some time, so that an agent that is killed then
/// loses little. Batches leave memory when they are durable. One thread of its own, so that a slow
/// disk stops neither capturing nor sending.
///
/// If the spool cannot be written, batches stay in memory, which is bounded; it is tried again
/// after a pause.
final class Spooler {
  private static final Logger LOG = LoggerFactory.getLogger(Spooler.class);

  private static final Duration RETRY_FIRST = Duration.ofMillis(200);
  private static final Duration RETRY_MOST = Duration.ofSeconds(5);
  private static final long ROUND_BYTES = 1 << 20;
  private static final long LOG_EVERY_NS = TimeUnit.MINUTES.toNanos(1);

  private final ReentrantLock lock;
  private final Condition changed;
  private final BatchQueue queue;
  private final Spool spool;
  private final long patienceNs;

  /// Memory of the batches between two syncs; on disk they are smaller.
  private final long roundBytes;

  private final Thread thread;
  private final BackOff backOff = new BackOff(RETRY_FIRST, RETRY_MOST, ThreadLocalRandom.current());
  private long retryNs = System.nanoTime();
  private long progressNs = System.nanoTime();
  private boolean stopped;
  private long loggedNs = System.nanoTime() - LOG_EVERY_NS;
  private long failures;

  /// @param lock guards `queue`; `changed` is its condition
  /// @param patience how long the collector may acknowledge nothing
  Spooler(ReentrantLock lock, Condition changed, BatchQueue queue, Spool spool, Duration patience) {
    this.lock = lock;
    this.changed = changed;
    this.queue = queue;
    this.spool = spool;
    patienceNs = patience.toNanos();
    // A round never fills the segments there are, so no segment that goes holds some of it.
    roundBytes = Math.min(ROUND_BYTES, spool.segmentBytes());
    thread = Thread.ofPlatform().daemon().name("headspan-spool").unstarted(this::run);
  }

  void start() {
    thread.start();
  }

  /// The collector has acknowledged something. Under the lock.
  void progressed() {
    progressNs = System.nanoTime();
  }

  /// There is nothing to acknowledge, nor left of what was too much. Under the lock.
  void caughtUp() {
    progressed();
    queue.overflowBecauseOf(DropReason.SPOOL_FAILED);
  }

  /// Whether the collector has not acknowledged anything for too long. Under the lock.
  boolean isCollectorAway() {
    return !queue.isEmpty() && System.nanoTime() - progressNs >= patienceNs;
  }

  /// How often the spool could not be written. Under the lock.
  long failures() {
    return failures;
  }

  boolean isRunning() {
    return thread.isAlive();
  }

  /// Ends the thread, then spools all that is left in memory. What cannot be spooled stays there.
  void close() {
    lock.lock();
    try {
      stopped = true;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    lock.lock();
    try {
      releaseAll();
      int spooled = 1;
      while (spooled > 0) {
        spooled = spoolRound(true);
      }
      releaseAll();
    } finally {
      lock.unlock();
    }
  }

  private void run() {
    lock.lock();
    try {
      while (!stopped) {
        if (queue.hasReleases()) {
          releaseAll();
        } else {
          long waitNs = spool();
          if (waitNs > 0) {
            var _ = changed.awaitNanos(waitNs);
          }
        }
      }
    } catch (InterruptedException e) {
      // Nobody interrupts this thread but a JVM in its end.
      Thread.currentThread().interrupt();
    } catch (RuntimeException | Error e) {
      LOG.error("Spooling ended, batches are kept in memory only", e);
    } finally {
      lock.unlock();
    }
  }

  /// Spools what has to be spooled; else gives how long to wait, ns.
  private long spool() {
    long nowNs = System.nanoTime();
    boolean away = isCollectorAway();
    if (!queue.hasResident() || !(away || queue.isHalfFull())) {
      return queue.hasResident() && !away ? progressNs + patienceNs - nowNs : Long.MAX_VALUE;
    }
    if (retryNs - nowNs > 0) {
      return retryNs - nowNs;
    }
    long failuresBefore = failures;
    int spooled = spoolRound(away);
    if (failures > failuresBefore) {
      retryNs = System.nanoTime() + backOff.failed();
      return 0;
    }
    backOff.succeeded();
    if (spooled > 0) {
      return 0;
    }
    // All is under way, which changes, or becomes what has to be spooled too.
    return away ? Long.MAX_VALUE : progressNs + patienceNs - nowNs;
  }

  /// Picks some batches, the oldest, and spools them.
  ///
  /// @return how many of them are done with
  private int spoolRound(boolean all) {
    List<Outgoing> picked = queue.startSpooling(all, roundBytes);
    if (picked.isEmpty()) {
      return 0;
    }
    int done = spool(picked);
    picked.forEach(queue::notSpooled);
    return done;
  }

  /// Appends `batches` and syncs them. Gives up the lock meanwhile.
  ///
  /// @return how many of them are done with
  private int spool(List<Outgoing> batches) {
    List<@Nullable SpanBatch> contents = new ArrayList<>();
    for (Outgoing each : batches) {
      contents.add(each.batch);
    }
    List<@Nullable SpooledBatch> written = new ArrayList<>();
    List<SpooledBatch> gone = new ArrayList<>();
    List<Outgoing> unencodable = new ArrayList<>();
    SpoolException failure = null;
    int done = 0;
    lock.unlock();
    try {
      while (done < batches.size()) {
        SpanBatch content = contents.get(done);
        Outgoing outgoing = batches.get(done);
        SpooledBatch onDisk = null;
        if (content != null) {
          try {
            byte[] payload = SpoolCodec.encode(content);
            gone.addAll(spool.makeRoom(payload.length));
            onDisk =
                spool.append(
                    outgoing.bootId,
                    outgoing.sequence,
                    outgoing.madeMillis,
                    outgoing.spans,
                    payload);
          } catch (OtapException e) {
            LOG.error("A batch cannot be encoded: spans={}", outgoing.spans.total(), e);
            unencodable.add(outgoing);
          }
        }
        written.add(onDisk);
        done++;
      }
    } catch (SpoolException e) {
      failure = e;
    } finally {
      lock.lock();
    }
    // Told in this order: nothing of this round is in a segment that went.
    queue.lostFromSpool(gone);
    unencodable.forEach(each -> queue.drop(each, DropReason.REJECTED));
    if (!sync()) {
      written.stream().filter(Objects::nonNull).forEach(queue::unwritten);
      return 0;
    }
    for (int i = 0; i < done; i++) {
      SpooledBatch onDisk = written.get(i);
      if (onDisk != null) {
        queue.spooled(batches.get(i), onDisk);
      }
    }
    if (failure != null) {
      failed(failure);
    } else if (!queue.hasResident()) {
      // Until then what had gathered is still why there is no memory.
      queue.overflowBecauseOf(DropReason.SPOOL_FAILED);
    }
    changed.signalAll();
    return done;
  }

  private boolean sync() {
    SpoolException failure = null;
    lock.unlock();
    try {
      spool.sync();
    } catch (SpoolException e) {
      failure = e;
    } finally {
      lock.lock();
    }
    if (failure != null) {
      failed(failure);
    }
    return failure == null;
  }

  private void releaseAll() {
    List<BatchQueue.Release> releases = queue.takeReleases();
    List<SpoolException> failed = new ArrayList<>();
    lock.unlock();
    try {
      for (BatchQueue.Release each : releases) {
        try {
          spool.release(each.batch());
        } catch (SpoolException e) {
          // It will be sent again after a restart, and stored once all the same.
          failed.add(e);
        }
      }
    } finally {
      lock.lock();
    }
    releases.forEach(queue::released);
    failed.forEach(this::failed);
    if (!releases.isEmpty()) {
      changed.signalAll();
    }
  }

  /// One line a minute, however often it fails.
  private void failed(SpoolException failure) {
    failures++;
    boolean full = failure.kind() == SpoolException.Kind.DISK_FULL;
    queue.overflowBecauseOf(full ? DropReason.DISK_FULL : DropReason.SPOOL_FAILED);
    long nowNs = System.nanoTime();
    if (nowNs - loggedNs >= LOG_EVERY_NS) {
      loggedNs = nowNs;
      LOG.warn(
          "Batches cannot be spooled and stay in memory: held={} batches, failures={}, {}",
          queue.residentBatches(),
          failures,
          failure.getMessage());
    }
  }

  /// Null unless a spool is given.
  static @Nullable Spooler of(
      ReentrantLock lock,
      Condition changed,
      BatchQueue queue,
      @Nullable Spool spool,
      ExportSettings settings) {
    return spool == null ? null : new Spooler(lock, changed, queue, spool, settings.spoolAfter());
  }
}
