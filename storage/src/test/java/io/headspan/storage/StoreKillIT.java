package io.headspan.storage;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.storage.embedded.StoreProcess;
import io.headspan.wire.SpanBatch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What the spans and the rollups hold after the embedded store was killed: every acknowledged
/// batch once. `-Dheadspan.kills=N` kills it more often than CI has time for.
final class StoreKillIT {
  private static final int KILLS = Integer.getInteger("headspan.kills", 5);
  private static final int WRITERS = 4;
  private static final int SPANS = 120;

  /// Those of them that stand for two, and go through views of their own.
  private static final int SAMPLED = 12;

  private static final byte SERVER = 2;
  private static final Duration LIMIT = Duration.ofMinutes(2);
  private static final long PAUSE_NS = 5_000_000;

  /// The last second of a day, so that every batch has spans of two days: two parts in each table.
  private static final long START_NS =
      Instant.parse("2026-01-31T23:59:59.999999000Z").getEpochSecond() * 1_000_000_000L
          + 999_999_000L;

  @TempDir private Path directory;
  private StoreProcess process;
  private SpanStore store;

  /// Where batches go.
  private volatile Tier tier = Tier.KEPT;

  @BeforeEach
  void start() {
    process = StoreProcess.start(directory);
    store = SpanStore.connect(process.address());
    store.migrate();
  }

  @AfterEach
  void stop() {
    store.close();
    process.close();
  }

  @ParameterizedTest
  @EnumSource(Tier.class)
  void knowsReplaysAfterItsNextStart(Tier into) {
    tier = into;
    store.insert(batch(1), "token-1", tier);

    killAndStart();
    store.insert(batch(1), "token-1", tier);

    assertHolds(1);
    killAndStart();
    store.insert(batch(1), "token-1", tier);
    store.insert(batch(2), "token-2", tier);
    assertHolds(2);
  }

  /// A kill between the engine's announcement of a block and the renaming of its part, when its
  /// token was not yet noted as stored.
  @ParameterizedTest
  @EnumSource(Tier.class)
  void storesWhatItHadOnlyAnnounced(Tier into) throws IOException {
    tier = into;
    store.insert(batch(1), "token-1", tier);
    Path spans =
        Path.of(
            store
                .query(
                    SqlQuery.of(
                        "SELECT data_paths[1] FROM system.tables"
                            + " WHERE database = currentDatabase() AND name = 'trace_summary'"),
                    row -> row.text(0))
                .getFirst());
    process.kill();
    try (Stream<Path> noted = Files.list(directory.resolve("inserts"))) {
      for (Path each : noted.filter(file -> file.toString().endsWith(".tokens")).toList()) {
        Files.delete(each);
      }
    }
    try (Stream<Path> parts = Files.list(directory.resolve(spans))) {
      for (Path part :
          parts.filter(each -> each.getFileName().toString().startsWith("20260131_")).toList()) {
        Files.move(part, part.resolveSibling("tmp_insert_" + part.getFileName()));
      }
    }
    restart();

    store.insert(batch(1), "token-1", tier);

    assertHolds(1);
  }

  /// Of spans that are kept at once; with a sampler behind it ChaosIT of the system tests does the
  /// same, with collectors before it.
  @Test
  void holdsEveryBatchOnceWheneverItIsKilled() throws Exception {
    tier = Tier.KEPT;
    Random random = new Random(7);
    AtomicInteger next = new AtomicInteger();
    AtomicInteger acknowledged = new AtomicInteger();
    for (int kill = 0; kill < KILLS; kill++) {
      try (Writers writers = new Writers(next, acknowledged)) {
        int before = acknowledged.get();
        writers.await(() -> acknowledged.get() >= before + WRITERS);
        LockSupport.parkNanos(random.nextLong(150_000_000));
        process.kill();
        restart();
        writers.finish();
      }
      assertHolds(acknowledged.get());
    }
  }

  private void killAndStart() {
    process.kill();
    restart();
  }

  private void restart() {
    String listen = process.address().host() + ":" + process.address().port();
    process =
        StoreProcess.start(
            Map.of("HEADSPAN_STORE_LISTEN", listen, "HEADSPAN_STORE_PATH", directory.toString()));
  }

  private void assertHolds(long batches) {
    assertThat(
            List.of(
                number("SELECT count() FROM spans"),
                number("SELECT uniqExact(trace_id, span_id) FROM spans"),
                number("SELECT sum(spans) FROM trace_summary")))
        .containsOnly(batches * SPANS);
    assertThat(
            List.of(
                number("SELECT sum(invocations) FROM latency_minute"),
                number("SELECT sum(invocations) FROM latency_slots WHERE seconds = 60"),
                number("SELECT sum(invocations) FROM latency_slots WHERE seconds = 3600")))
        .containsOnly(batches * (SPANS + SAMPLED));
  }

  private long number(String sql) {
    return store.query(SqlQuery.of(sql), row -> row.integer(0)).getFirst();
  }

  /// Batch `number`, the same each time it is asked for.
  private static SpanBatch batch(int number) {
    SpanBatch.Builder batch = new SpanBatch.Builder(SPANS);
    int resource = batch.addResource();
    int scope = batch.addScope(resource);
    for (int span = 0; span < SPANS; span++) {
      int row = batch.addSpan(scope);
      batch.startNs(row, START_NS + 20L * span);
      batch.durationNs(row, 1_000_000L + span);
      batch.traceIdHigh(row, number);
      batch.traceIdLow(row, 1 + span % 30);
      batch.spanId(row, 1 + span);
      batch.kind(row, SERVER);
      if (span % (SPANS / SAMPLED) == 0) {
        batch.traceState(row, batch.table().intern("ot=th:8"));
      }
      batch.name(row, batch.table().intern("operation " + span % 7));
    }
    return batch.build();
  }

  /// Senders that repeat each batch until it is acknowledged.
  private final class Writers implements AutoCloseable {
    private final ExecutorService threads = Executors.newFixedThreadPool(WRITERS);
    private final List<Future<?>> running = new ArrayList<>();
    private volatile boolean finishing;

    Writers(AtomicInteger next, AtomicInteger acknowledged) {
      for (int i = 0; i < WRITERS; i++) {
        running.add(
            threads.submit(() -> {
              while (!finishing) {
                int number = next.incrementAndGet();
                insert(number);
                var _ = acknowledged.incrementAndGet();
              }
            }));
      }
    }

    void await(java.util.function.BooleanSupplier condition) {
      long deadline = System.nanoTime() + LIMIT.toNanos();
      while (!condition.getAsBoolean()) {
        assertThat(running).allMatch(each -> each.state() == Future.State.RUNNING);
        assertThat(System.nanoTime()).isLessThan(deadline);
        LockSupport.parkNanos(PAUSE_NS);
      }
    }

    void finish() throws Exception {
      finishing = true;
      for (Future<?> each : running) {
        var _ = each.get(LIMIT.toSeconds(), TimeUnit.SECONDS);
      }
    }

    @Override
    public void close() {
      finishing = true;
      threads.shutdownNow();
    }

    private void insert(int number) {
      while (!Thread.currentThread().isInterrupted()) {
        try {
          store.insert(batch(number), "token-" + number, tier);
          return;
        } catch (StoreException e) {
          assertThat(e.kind()).isEqualTo(StoreException.Kind.UNAVAILABLE);
          LockSupport.parkNanos(PAUSE_NS);
        }
      }
    }
  }
}
