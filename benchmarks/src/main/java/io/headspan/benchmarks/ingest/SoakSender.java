package io.headspan.benchmarks.ingest;

import io.headspan.agent.export.CollectorChannel;
import io.headspan.agent.export.ExportSettings;
import io.headspan.agent.export.SpanExporter;
import io.headspan.agent.ledger.Ledger;
import io.headspan.agent.ledger.TenantCounts;
import io.headspan.loadgen.spans.SyntheticSpans;
import io.headspan.wire.SpanBatch;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/// Spans at a fixed rate for as long as wanted, made as they are sent: a few agents' exporters,
/// each fed by a thread of its own. Batches are held until they are acknowledged, and only so many:
/// a receiver that is slower makes the sender late, which [#acknowledged()] shows, and no larger.
final class SoakSender implements AutoCloseable {
  private static final String TENANT = "soak";
  private static final int SPANS_TO_CALIBRATE = 50_000;
  private static final int HELD_BATCHES_MAX = 16;
  private static final long QUEUE_BYTES = 256L << 20;
  private static final int QUEUE_BATCHES = 1_000;
  private static final int IN_FLIGHT = 8;
  private static final Duration ACKNOWLEDGE_TIMEOUT = Duration.ofSeconds(30);
  private static final Duration NEVER = Duration.ofDays(1);

  private final int batchSpans;
  private final Ledger ledger = new Ledger();
  private final List<SpanExporter> exporters = new ArrayList<>();
  private final ExecutorService threads;
  private final List<Future<?>> running = new ArrayList<>();
  private volatile boolean finishing;

  /// Begins to send.
  ///
  /// @param streams agents
  /// @param batchSpans spans in a batch
  /// @param spansPerSecond of all agents together
  /// @param startNs when the first spans start, ns since the Unix epoch
  SoakSender(
      String host, int port, int streams, int batchSpans, double spansPerSecond, long startNs) {
    this.batchSpans = batchSpans;
    threads = Executors.newFixedThreadPool(streams);
    double ofStream = spansPerSecond / streams;
    double tracesPerSecond = ofStream / spansOfTrace();
    for (int i = 0; i < streams; i++) {
      SpanExporter exporter =
          SpanExporter.start(
              new ExportSettings(
                  host,
                  port,
                  "soak-" + i,
                  String.valueOf(startNs),
                  QUEUE_BYTES,
                  QUEUE_BATCHES,
                  IN_FLIGHT,
                  ACKNOWLEDGE_TIMEOUT,
                  NEVER,
                  true),
              CollectorChannel.open(host, port, null),
              ledger,
              null);
      exporters.add(exporter);
      SyntheticSpans spans = new SyntheticSpans(1, startNs + i, startNs, tracesPerSecond);
      running.add(threads.submit(() -> feed(exporter, spans, ofStream)));
    }
  }

  /// Spans of a trace, on the average.
  private static double spansOfTrace() {
    SpanBatch batch = new SyntheticSpans(1, 0).next(SPANS_TO_CALIBRATE);
    long traces = 0;
    for (int row = 0; row < batch.size(); row++) {
      if (batch.parentSpanId(row) == 0) {
        traces++;
      }
    }
    return (double) batch.size() / traces;
  }

  private void feed(SpanExporter exporter, SyntheticSpans spans, double spansPerSecond) {
    double batchNs = TimeUnit.SECONDS.toNanos(1) * batchSpans / spansPerSecond;
    long startNs = System.nanoTime();
    for (long number = 1; !finishing; number++) {
      SpanBatch batch = spans.next(batchSpans);
      long dueNs = startNs + (long) (number * batchNs);
      while (!finishing
          && (System.nanoTime() < dueNs || exporter.heldBatches() >= HELD_BATCHES_MAX)) {
        LockSupport.parkNanos(
            Math.max(TimeUnit.MILLISECONDS.toNanos(2), dueNs - System.nanoTime()));
      }
      for (int i = 0; i < batchSpans; i++) {
        ledger.captured();
        ledger.batched(TENANT);
      }
      exporter.submit(batch, TenantCounts.of(Map.of(TENANT, batchSpans)));
    }
  }

  /// Spans that the receiver has stored.
  long acknowledged() {
    return ledger.acknowledged();
  }

  /// Spans that were given up: a receiver that refuses them.
  long dropped() {
    return ledger.snapshot().total().droppedTotal();
  }

  /// Throws what ended a feed, if one has ended.
  void check() throws InterruptedException {
    for (Future<?> each : running) {
      if (each.isDone()) {
        try {
          var _ = each.get();
        } catch (ExecutionException e) {
          throw new IllegalStateException("a sender has ended", e.getCause());
        }
      }
    }
  }

  /// Sends no more; what is held is waited for.
  ///
  /// @return whether all was acknowledged within `timeout`
  boolean finish(Duration timeout) throws InterruptedException {
    finishing = true;
    threads.shutdown();
    long deadlineNs = System.nanoTime() + timeout.toNanos();
    boolean ended = threads.awaitTermination(timeout.toMillis(), TimeUnit.MILLISECONDS);
    exporters.forEach(
        each -> each.close(Duration.ofNanos(Math.max(0, deadlineNs - System.nanoTime()))));
    return ended && dropped() == 0;
  }

  @Override
  public void close() {
    finishing = true;
    threads.shutdownNow();
    exporters.forEach(SpanExporter::close);
  }
}
