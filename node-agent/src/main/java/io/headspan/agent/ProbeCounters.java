package io.headspan.agent;

import io.headspan.agent.ledger.DropReason;
import io.headspan.agent.ledger.Ledger;
import io.headspan.agent.probe.http.HttpCounter;
import io.headspan.agent.probe.http.HttpProbe;
import io.headspan.agent.probe.lifecycle.LifecycleProbe;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/// The counters of the probes, read from the kernel at most once a second however many of them are
/// asked for, and still there after the probes are closed. Any thread.
final class ProbeCounters {
  private static final long READ_EVERY_NS = TimeUnit.SECONDS.toNanos(1);

  private static final Set<HttpCounter> UNASSEMBLED =
      EnumSet.of(
          HttpCounter.PIPELINED,
          HttpCounter.LOST_TAILS,
          HttpCounter.HTTP2_STREAMS_LOST,
          HttpCounter.FAILED_RECORDS);

  /// Each says that an exchange may be missing which was there.
  private static final Set<HttpCounter> LOSSES = lossCounters();

  private final HttpProbe http;
  private final LifecycleProbe lifecycle;
  private Map<HttpCounter, Long> httpCounts;
  private long losses;
  private long lifecycleDropped;
  private long readNs;
  private boolean closed;

  private static Set<HttpCounter> lossCounters() {
    Set<HttpCounter> losses = EnumSet.copyOf(UNASSEMBLED);
    losses.addAll(
        EnumSet.of(
            HttpCounter.STORAGE_FAILED,
            HttpCounter.EXCHANGE_DROPPED,
            HttpCounter.TAIL_DROPPED,
            HttpCounter.REQUEST_LOST,
            HttpCounter.BYTES_DROPPED,
            HttpCounter.TRANSCRIPT_LOST,
            HttpCounter.TRANSCRIPT_TOO_LONG,
            HttpCounter.HTTP2_BYTES_MISSING,
            HttpCounter.HTTP2_MALFORMED,
            HttpCounter.PIPELINE_BYTES_MISSING,
            HttpCounter.PIPELINE_UNREADABLE,
            HttpCounter.TRANSCRIPTS_FORGOTTEN));
    return losses;
  }

  ProbeCounters(HttpProbe http, LifecycleProbe lifecycle) {
    this.http = http;
    this.lifecycle = lifecycle;
    httpCounts = http.statistics();
    lifecycleDropped = lifecycle.droppedEvents();
    readNs = System.nanoTime();
  }

  synchronized long http(HttpCounter counter) {
    read(READ_EVERY_NS);
    return httpCounts.getOrDefault(counter, 0L);
  }

  synchronized long lifecycleDropped() {
    read(READ_EVERY_NS);
    return lifecycleDropped;
  }

  /// Tells the ledger what was captured and lost before anybody could look at it.
  synchronized void tell(Ledger ledger) {
    read(READ_EVERY_NS);
    ledger.lost(DropReason.RING_FULL, httpCounts.getOrDefault(HttpCounter.EXCHANGE_DROPPED, 0L));
    long unassembled = 0;
    for (HttpCounter counter : UNASSEMBLED) {
      unassembled += httpCounts.getOrDefault(counter, 0L);
    }
    ledger.lost(DropReason.UNASSEMBLED, unassembled);
  }

  /// How often exchanges may have been lost.
  synchronized long losses() {
    read(READ_EVERY_NS);
    return losses;
  }

  /// Reads a last time; to be called before the probes are closed.
  synchronized void close() {
    read(0);
    closed = true;
  }

  private void read(long everyNs) {
    long nowNs = System.nanoTime();
    if (!closed && nowNs - readNs >= everyNs) {
      readNs = nowNs;
      httpCounts = http.statistics();
      losses = LOSSES.stream().mapToLong(counter -> httpCounts.getOrDefault(counter, 0L)).sum();
      lifecycleDropped = lifecycle.droppedEvents();
    }
  }
}
