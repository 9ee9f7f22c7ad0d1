package io.headspan.collector.ingest;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.collector.Await;
import io.headspan.wire.AttributeType;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.NodeSignal;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Two stores, one of them away or hanging.
class RegionsTest {
  private final FakeStore own = new FakeStore();
  private final FakeStore us = new FakeStore();
  private final StoreMonitor ownMonitor = StoreMonitor.start(own);
  private final StoreMonitor usMonitor = StoreMonitor.start(us);
  private final Map<String, String> placed = new ConcurrentHashMap<>(Map.of("acme", "us"));
  private final List<SpanBatch> told = Collections.synchronizedList(new ArrayList<>());
  private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
  private final Regions regions =
      new Regions(
          List.of(
              Region.amongOthers("", own, ownMonitor, 2),
              Region.amongOthers("us", us, usMonitor, 2)),
          tenant -> placed.getOrDefault(tenant, ""));
  private final Ingest ingest =
      new Ingest(
          regions,
          new IngestMetrics(registry, new InFlight(1000), regions),
          new StoredListener() {
            @Override
            public void stored(SpanBatch batch) {
              told.add(batch);
            }

            @Override
            public void stored(NodeReport report) {}
          });

  @BeforeEach
  void ready() {
    Await.until(
        "ready",
        () -> ownMonitor.notReadyReason().isEmpty() && usMonitor.notReadyReason().isEmpty());
  }

  @AfterEach
  void close() {
    own.letGo();
    us.letGo();
    ingest.close(Duration.ofSeconds(5));
    ownMonitor.close();
    usMonitor.close();
  }

  @Test
  void eachRegionGetsItsPartAndTheBatchIsStoredWhenBothHaveTheirs() {
    us.hold();
    CompletableFuture<InsertOutcome> outcome = insert("a/b/1", spans("acme", "bravo", "", "acme"));
    Await.until("the first part", () -> own.spans() == 2 && us.waiting() == 1);
    assertThat(outcome).isNotDone();
    us.letGo();
    assertThat(await(outcome)).isEqualTo(new InsertOutcome.Stored());
    assertThat(us.spans()).isEqualTo(2);
    assertThat(us.calls()).singleElement().asString().startsWith("a/b/1/part/");
    assertThat(own.calls()).singleElement().asString().startsWith("a/b/1/part/");
    assertThat(own.calls()).isNotEqualTo(us.calls());
  }

  @Test
  void aBatchOfOneRegionKeepsItsName() {
    assertThat(await(insert("a/b/1", spans("acme")))).isEqualTo(new InsertOutcome.Stored());
    assertThat(await(insert("a/b/2", spans("bravo", "")))).isEqualTo(new InsertOutcome.Stored());
    assertThat(us.calls()).containsExactly("a/b/1");
    assertThat(own.calls()).containsExactly("a/b/2");
  }

  @Test
  void aRegionThatIsAwayStopsNoOtherAndLosesNothing() {
    us.setAway(true);
    for (int i = 0; i < 3; i++) {
      assertThat(await(insert("a/b/1", spans("acme", "bravo"))))
          .isInstanceOfSatisfying(
              InsertOutcome.RegionAway.class,
              each -> assertThat(each.reason()).contains("region=us"));
    }
    assertThat(await(insert("a/b/2", spans("acme")))).isInstanceOf(InsertOutcome.RegionAway.class);
    assertThat(await(insert("a/b/3", spans("bravo")))).isEqualTo(new InsertOutcome.Stored());
    assertThat(own.spans()).isEqualTo(2);
    assertThat(own.calls()).as("a part that is stored is not inserted again").hasSize(2);
    assertThat(told).hasSize(2);
    us.setAway(false);
    Await.until("back", () -> usMonitor.notReadyReason().isEmpty());
    assertThat(await(insert("a/b/1", spans("acme", "bravo"))))
        .isEqualTo(new InsertOutcome.Stored());
    assertThat(await(insert("a/b/2", spans("acme")))).isEqualTo(new InsertOutcome.Stored());
    assertThat(us.spans()).isEqualTo(2);
    assertThat(own.spans()).isEqualTo(2);
    assertThat(told).hasSize(4);
  }

  @Test
  void whenAllAreAwayNoneIsSaidToBe() {
    us.setAway(true);
    own.setAway(true);
    Await.until(
        "both away",
        () -> usMonitor.notReadyReason().isPresent() && ownMonitor.notReadyReason().isPresent());
    assertThat(await(insert("a/b/1", spans("acme", "bravo"))))
        .isInstanceOf(InsertOutcome.Unavailable.class);
  }

  @Test
  void aRegionThatHangsKeepsABoundedNumberWaiting() {
    us.hold();
    List<CompletableFuture<InsertOutcome>> outcomes = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      outcomes.add(insert("a/b/" + i, spans("acme")));
    }
    assertThat(outcomes.stream().filter(CompletableFuture::isDone).count())
        .isGreaterThanOrEqualTo(200 - 64 - 2);
    assertThat(await(outcomes.getLast()))
        .isEqualTo(new InsertOutcome.RegionAway("too much waits for the store: region=us"));
    assertThat(await(insert("a/c/1", spans("bravo")))).isEqualTo(new InsertOutcome.Stored());
  }

  @Test
  void aTenantThatMovesIsStoredWhereItIsThen() {
    us.setAway(true);
    assertThat(await(insert("a/b/1", spans("acme", "bravo"))))
        .isInstanceOf(InsertOutcome.RegionAway.class);
    placed.put("acme", "");
    assertThat(await(insert("a/b/1", spans("acme", "bravo"))))
        .isEqualTo(new InsertOutcome.Stored());
    // Bravo's comes under the whole batch's name now; the store of a real region is asked for it.
    assertThat(tenants(own)).contains("acme", "bravo");
  }

  @Test
  void whatIsLeftOutIsWrittenWhereItsTenantIs() {
    Omission acme = new Omission("agent", "acme", Omission.Kind.SPANS, Rejection.RATE_LIMITED, 7);
    Omission bravo = new Omission("agent", "bravo", Omission.Kind.SPANS, Rejection.TOO_LARGE, 1);
    CompletableFuture<InsertOutcome> outcome = new CompletableFuture<>();
    ingest.insert(
        Protocol.OTAP,
        spans("bravo"),
        "a/b/1",
        Optional.empty(),
        List.of(acme, bravo),
        outcome::complete);
    assertThat(await(outcome)).isEqualTo(new InsertOutcome.Stored());
    assertThat(us.omissions()).containsExactly(Map.entry("a/b/1/left-out", List.of(acme)));
    assertThat(own.omissions()).containsExactly(Map.entry("a/b/1/left-out", List.of(bravo)));
    assertThat(us.batches()).isEmpty();
    assertThat(
            registry
                .get("headspan.collector.left.out")
                .tags("tenant", "acme", "reason", "rate_limited", "signal", "traces")
                .counter()
                .count())
        .isEqualTo(7);
  }

  @Test
  void reportsAboutNodesAreSplitToo() {
    NodeReport report =
        new NodeReport(
            "agent",
            "boot",
            1,
            "node",
            1,
            1,
            new NodeSignal.Interference(
                List.of(
                    new NodeSignal.Interference.Cell("acme", "bravo", 1, 1),
                    new NodeSignal.Interference.Cell("bravo", "acme", 2, 1),
                    new NodeSignal.Interference.Cell("", "acme", 3, 1))));
    CompletableFuture<InsertOutcome> outcome = new CompletableFuture<>();
    ingest.insert(report, "signal/agent/boot/1", outcome::complete);
    assertThat(await(outcome)).isEqualTo(new InsertOutcome.Stored());
    assertThat(us.reports().values())
        .extracting(NodeReport::signal)
        .containsExactly(
            new NodeSignal.Interference(
                List.of(new NodeSignal.Interference.Cell("acme", "bravo", 1, 1))));
    assertThat(own.reports().values().iterator().next().signal().size()).isEqualTo(2);
  }

  private static List<String> tenants(FakeStore store) {
    return store.batches().values().stream()
        .flatMap(batch -> new SpanRecords(batch).tenants().stream())
        .distinct()
        .toList();
  }

  private CompletableFuture<InsertOutcome> insert(String token, SpanBatch batch) {
    CompletableFuture<InsertOutcome> outcome = new CompletableFuture<>();
    ingest.insert(Protocol.OTAP, batch, token, Optional.empty(), List.of(), outcome::complete);
    return outcome;
  }

  private static InsertOutcome await(CompletableFuture<InsertOutcome> outcome) {
    return outcome.orTimeout(20, TimeUnit.SECONDS).join();
  }

  private static SpanBatch spans(String... tenants) {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    for (String tenant : tenants) {
      int resource = builder.addResource();
      builder
          .resourceAttributes()
          .add(
              resource,
              builder.table().intern("headspan.tenant"),
              AttributeType.STRING,
              builder.table().intern(tenant));
      var _ = builder.addSpan(builder.addScope(resource));
    }
    return builder.build();
  }
}
