package io.headspan.agent;

import io.headspan.agent.probe.http.HttpCounter;
import io.headspan.agent.probe.http.HttpProbe;
import io.headspan.agent.probe.lifecycle.LifecycleProbe;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/// The counters of the probes, read from the kernel at most once a second however many of them are
/// asked for, and still there after the probes are closed. Any thread.
final class ProbeCounters {
  private static final long READ_EVERY_NS = TimeUnit.SECONDS.toNanos(1);

  private final HttpProbe http;
  private final LifecycleProbe lifecycle;
  private Map<HttpCounter, Long> httpCounts;
  private long lifecycleDropped;
  private long readNs;
  private boolean closed;

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
      lifecycleDropped = lifecycle.droppedEvents();
    }
  }
}
