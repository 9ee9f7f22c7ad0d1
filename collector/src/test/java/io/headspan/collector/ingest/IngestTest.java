package io.headspan.collector.ingest;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.collector.Await;
import io.headspan.loadgen.spans.SyntheticSpans;
import io.headspan.storage.StoreException;
import io.headspan.storage.StoreException.Kind;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.NodeSignal;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class IngestTest {
  private static final SpanBatch BATCH = new SyntheticSpans(1, 1_795_000_000_000_000_000L).next(7);

  /// How long ago a replay was made that the store may have forgotten.
  private static final Optional<Duration> OLD = Optional.of(Duration.ofMinutes(2));

  private final FakeStore store = new FakeStore();
  private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
  private final StoreMonitor monitor = StoreMonitor.start(store);
  private final Regions regions = Regions.of(Region.only(store, monitor, 2));
  private volatile boolean listenerFails;
  private final Queue<Object> told = new ConcurrentLinkedQueue<>();
  private final Ingest ingest =
      new Ingest(
          regions,
          new IngestMetrics(registry, new InFlight(1000), regions),
          new StoredListener() {
            @Override
            public void stored(SpanBatch batch) {
              told.add(batch);
              if (listenerFails) {
                throw new IllegalStateException("the listener has a fault");
              }
            }

            @Override
            public void stored(NodeReport report) {
              told.add(report);
            }
          });

  @BeforeEach
  void awaitStore() {
    Await.until("ready", () -> monitor.notReadyReason().isEmpty());
  }

  @AfterEach
  void close() {
    store.letGo();
    ingest.close(Duration.ofSeconds(5));
    monitor.close();
  }

  @Test
  void storesABatchUnderItsToken() {
    assertThat(insert("a/b/1")).isEqualTo(new InsertOutcome.Stored());

    assertThat(store.batches()).containsOnlyKeys("a/b/1");
    assertThat(count("spans.stored")).isEqualTo(7);
    assertThat(count("batches.stored")).isEqualTo(1);
    assertThat(registry.get("headspan.collector.insert").timer().count()).isEqualTo(1);
  }

  @Test
  void asksNothingOfTheStoreForAnEmptyBatch() {
    CompletableFuture<InsertOutcome> outcome = new CompletableFuture<>();

    ingest.insert(
        Protocol.OTAP,
        new SpanBatch.Builder().build(),
        "a/b/1",
        Optional.empty(),
        List.of(),
        outcome::complete);

    assertThat(outcome).isCompletedWithValue(new InsertOutcome.Stored());
    assertThat(store.calls()).isEmpty();
  }

  @Test
  void doesNotStoreAnOldReplayThatTheStoreHas() {
    assertThat(get(start("a/b/1"))).isEqualTo(new InsertOutcome.Stored());
    CompletableFuture<InsertOutcome> replay = new CompletableFuture<>();
    ingest.insert(Protocol.OTAP, BATCH, "a/b/1", OLD, List.of(), replay::complete);
    assertThat(get(replay)).isEqualTo(new InsertOutcome.Stored());
    assertThat(store.calls()).containsExactly("a/b/1", "asked");
    assertThat(told).containsExactly(BATCH);
  }

  @Test
  void insertsAnOldReplayAgainWhileItsTokenIsKnown() {
    assertThat(insert("a/b/1")).isEqualTo(new InsertOutcome.Stored());
    store.knowTokensFor(Duration.ofHours(1));
    CompletableFuture<InsertOutcome> replay = new CompletableFuture<>();
    ingest.insert(Protocol.OTAP, BATCH, "a/b/1", OLD, List.of(), replay::complete);
    assertThat(get(replay)).isEqualTo(new InsertOutcome.Stored());
    assertThat(store.calls())
        .as("what is there of it may not be all")
        .containsExactly("a/b/1", "a/b/1");
  }

  @Test
  void saysThatABatchIsStoredThoughItsListenerFails() {
    listenerFails = true;
    assertThat(insert("a/b/1")).isEqualTo(new InsertOutcome.Stored());
    assertThat(told).containsExactly(BATCH);
    assertThat(store.calls()).containsExactly("a/b/1");
  }

  @Test
  void storesAnOldReplayThatTheStoreDoesNotHave() {
    CompletableFuture<InsertOutcome> replay = new CompletableFuture<>();
    ingest.insert(Protocol.OTAP, BATCH, "a/b/1", OLD, List.of(), replay::complete);
    assertThat(get(replay)).isEqualTo(new InsertOutcome.Stored());
    assertThat(store.calls()).containsExactly("asked", "a/b/1");
  }

  @Test
  void storesReportsAboutNodes() {
    NodeReport report = new NodeReport("a", "b", 1, "h", 5, 0, new NodeSignal.Ledger(List.of()));
    store.failNext(new StoreException(Kind.UNAVAILABLE, "too many parts"));
    CompletableFuture<InsertOutcome> outcome = new CompletableFuture<>();
    ingest.insert(report, "signal/a/b/1", outcome::complete);
    assertThat(get(outcome)).isEqualTo(new InsertOutcome.Stored());
    assertThat(store.reports()).containsEntry("signal/a/b/1", report);
    assertThat(told).containsExactly(report);
  }

  @Test
  void triesAgainWithTheSameTokenWhileTheSenderWaits() {
    store.failNext(new StoreException(Kind.UNAVAILABLE, "too many parts"));
    store.failNext(new StoreException(Kind.PROTOCOL, "not ClickHouse"));

    assertThat(insert("a/b/1")).isEqualTo(new InsertOutcome.Stored());

    assertThat(store.calls()).containsExactly("a/b/1", "a/b/1", "a/b/1");
    assertThat(count("insert.retries")).isEqualTo(2);
  }

  @Test
  void givesUpAfterThreeTriesAndSaysWhy() {
    for (int i = 0; i < 3; i++) {
      store.failNext(new StoreException(Kind.UNAVAILABLE, "too many parts"));
    }

    assertThat(insert("a/b/1")).isEqualTo(new InsertOutcome.Unavailable("too many parts"));

    assertThat(rejected("store_unavailable")).isEqualTo(7);
    assertThat(store.batches()).isEmpty();
  }

  @Test
  void doesNotRepeatWhatTheStoreRejects() {
    store.failNext(new StoreException(Kind.REJECTED, "bad data"));

    assertThat(insert("a/b/1")).isEqualTo(new InsertOutcome.Rejected("bad data"));

    assertThat(store.calls()).hasSize(1);
    assertThat(rejected("store_rejected")).isEqualTo(7);
  }

  @Test
  void survivesAFaultOfItsOwn() {
    store.failNext(new IllegalStateException("a bug"));

    assertThat(insert("a/b/1"))
        .isEqualTo(
            new InsertOutcome.Rejected(
                "internal error of the collector: java.lang.IllegalStateException: a bug"));
    assertThat(insert("a/b/2")).isEqualTo(new InsertOutcome.Stored());
  }

  @Test
  void doesNotTryAStoreThatIsKnownToBeAway() {
    store.setAway(true);
    monitor.suspect();
    Await.until("not ready", () -> monitor.notReadyReason().isPresent());

    assertThat(insert("a/b/1"))
        .isInstanceOfSatisfying(
            InsertOutcome.Unavailable.class,
            outcome -> assertThat(outcome.reason()).startsWith("store not ready: "));
    assertThat(store.calls()).isEmpty();
  }

  @Test
  void insertsAFewAtATime() {
    store.hold();
    List<CompletableFuture<InsertOutcome>> outcomes =
        List.of(start("a/b/1"), start("a/b/2"), start("a/b/3"));

    Await.until("two inserts", () -> store.waiting() == 2);
    assertThat(store.calls()).hasSize(2);
    store.letGo();

    for (CompletableFuture<InsertOutcome> outcome : outcomes) {
      assertThat(get(outcome)).isEqualTo(new InsertOutcome.Stored());
    }
  }

  @Test
  void answersUnavailableAfterClose() {
    ingest.close(Duration.ofSeconds(5));

    assertThat(insert("a/b/1"))
        .isEqualTo(new InsertOutcome.Unavailable("the collector is closing"));
  }

  private InsertOutcome insert(String token) {
    return get(start(token));
  }

  private CompletableFuture<InsertOutcome> start(String token) {
    CompletableFuture<InsertOutcome> outcome = new CompletableFuture<>();
    ingest.insert(Protocol.OTAP, BATCH, token, Optional.empty(), List.of(), outcome::complete);
    return outcome;
  }

  private static InsertOutcome get(CompletableFuture<InsertOutcome> outcome) {
    return outcome.orTimeout(20, TimeUnit.SECONDS).join();
  }

  private double count(String name) {
    return registry.get("headspan.collector." + name).counters().stream()
        .mapToDouble(counter -> counter.count())
        .sum();
  }

  private double rejected(String reason) {
    return registry
        .get("headspan.collector.spans.rejected")
        .tag("reason", reason)
        .tag("protocol", "otap")
        .counter()
        .count();
  }
}
