package io.headspan.collector.ingest;

import io.headspan.storage.StoreException;
import io.headspan.wire.LogBatch;
import io.headspan.wire.MetricBatch;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.signal.NodeReport;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.Semaphore;

/// A store in memory that can be away, slow, or fail on purpose. Keeps one batch per token.
public final class FakeStore implements Store {
  private final Map<String, SpanBatch> batches = new LinkedHashMap<>();
  private final Map<String, LogBatch> logs = new LinkedHashMap<>();
  private final Map<String, MetricBatch> metrics = new LinkedHashMap<>();
  private final Map<String, List<Omission>> omissions = new LinkedHashMap<>();
  private final Map<String, NodeReport> reports = new LinkedHashMap<>();
  private final Queue<RuntimeException> failures = new ArrayDeque<>();
  private final Semaphore permits = new Semaphore(0);
  private final List<String> calls = new ArrayList<>();
  private Duration known = Duration.ZERO;
  private boolean away;
  private boolean held;
  private int migrations;
  private int waiting;

  @Override
  public synchronized void migrate() {
    if (away) {
      throw new StoreException(StoreException.Kind.UNAVAILABLE, "store is away");
    }
    migrations++;
  }

  @Override
  public void insert(SpanBatch batch, String deduplicationToken) {
    boolean wait;
    synchronized (this) {
      calls.add(deduplicationToken);
      RuntimeException failure = failures.poll();
      if (failure != null) {
        throw failure;
      }
      if (away) {
        throw new StoreException(StoreException.Kind.UNAVAILABLE, "store is away");
      }
      wait = held;
      waiting += wait ? 1 : 0;
    }
    if (wait) {
      permits.acquireUninterruptibly();
    }
    synchronized (this) {
      waiting -= wait ? 1 : 0;
      batches.putIfAbsent(deduplicationToken, batch);
    }
  }

  @Override
  public synchronized void insert(LogBatch batch, String deduplicationToken) {
    takeRecords(deduplicationToken);
    logs.putIfAbsent(deduplicationToken, batch);
  }

  @Override
  public synchronized void insert(MetricBatch batch, String deduplicationToken) {
    takeRecords(deduplicationToken);
    metrics.putIfAbsent(deduplicationToken, batch);
  }

  private void takeRecords(String deduplicationToken) {
    calls.add(deduplicationToken);
    RuntimeException failure = failures.poll();
    if (failure != null) {
      throw failure;
    }
    if (away) {
      throw new StoreException(StoreException.Kind.UNAVAILABLE, "store is away");
    }
  }

  /// The log records stored, by token.
  public synchronized Map<String, LogBatch> logs() {
    return new LinkedHashMap<>(logs);
  }

  /// The data points stored, by token.
  public synchronized Map<String, MetricBatch> metrics() {
    return new LinkedHashMap<>(metrics);
  }

  @Override
  public synchronized boolean isStored(SpanBatch batch) {
    calls.add("asked");
    return batches.containsValue(batch);
  }

  @Override
  public synchronized boolean knowsTokens(Duration age) {
    return age.compareTo(known) < 0;
  }

  /// Of what was inserted within `age` it knows the tokens from now on; of nothing before.
  public synchronized void knowTokensFor(Duration age) {
    known = age;
  }

  @Override
  public synchronized void insert(NodeReport report, String deduplicationToken) {
    calls.add(deduplicationToken);
    RuntimeException failure = failures.poll();
    if (failure != null) {
      throw failure;
    }
    reports.putIfAbsent(deduplicationToken, report);
  }

  @Override
  public synchronized void insert(List<Omission> omitted, String deduplicationToken) {
    takeRecords(deduplicationToken);
    omissions.putIfAbsent(deduplicationToken, omitted);
  }

  /// What was left out of batches, by token.
  public synchronized Map<String, List<Omission>> omissions() {
    return new LinkedHashMap<>(omissions);
  }

  /// The reports about nodes, by token.
  public synchronized Map<String, NodeReport> reports() {
    return new LinkedHashMap<>(reports);
  }

  @Override
  public synchronized boolean isReady() {
    return !away;
  }

  /// Whether the store is away.
  public synchronized void setAway(boolean away) {
    this.away = away;
  }

  /// The next insert fails with this.
  public synchronized void failNext(RuntimeException failure) {
    failures.add(failure);
  }

  /// From now on inserts wait for [#letGo].
  public synchronized void hold() {
    held = true;
  }

  /// Lets every insert go on, those waiting and those to come.
  public synchronized void letGo() {
    held = false;
    permits.release(waiting);
  }

  /// Inserts that wait.
  public synchronized int waiting() {
    return waiting;
  }

  /// How often the schema was brought up to date.
  public synchronized int migrations() {
    return migrations;
  }

  /// Tokens of all inserts tried, in order.
  public synchronized List<String> calls() {
    return List.copyOf(calls);
  }

  /// The batches stored, by token.
  public synchronized Map<String, SpanBatch> batches() {
    return new LinkedHashMap<>(batches);
  }

  /// The only batch stored.
  public synchronized SpanBatch onlyBatch() {
    if (batches.size() != 1) {
      throw new AssertionError("expected one batch, stored: " + batches.keySet());
    }
    return batches.values().iterator().next();
  }

  /// Spans stored.
  public synchronized int spans() {
    return batches.values().stream().mapToInt(SpanBatch::size).sum();
  }
}
