package io.headspan.collector.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.headspan.storage.Decision;
import io.headspan.storage.SpanStore;
import io.headspan.storage.SpanTiers;
import io.headspan.storage.SqlQuery;
import io.headspan.storage.Tier;
import io.headspan.storage.embedded.StoreProcess;
import io.headspan.wire.SpanBatch;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Traces in a store, decided there and moved from tier to tier. Each test but the first has a
/// database of its own.
class SamplerIT {
  private static final QuietTraces.Quiet AT_ONCE =
      new QuietTraces.Quiet(Duration.ZERO, Duration.ZERO);
  private static final String ERRORS =
      "[{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]";
  private static final String QUARTER =
      "[{name: p, type: probabilistic, probabilistic: {sampling_percentage: 25}}]";
  private static final String ALL = "[{name: all, type: always_sample}]";
  private static final int TRACES = 300;

  /// The hash of `probabilistic` says little of ids that differ in their last byte only.
  private static final long SPREAD = 0x9e3779b97f4a7c15L;

  /// No window closes while a test runs.
  private static final Duration LONG = Duration.ofHours(6);

  /// Some spans of now are in another window.
  private static final long HOUR_AGO_NS =
      TimeUnit.MILLISECONDS.toNanos(System.currentTimeMillis() - TimeUnit.HOURS.toMillis(1));

  private static final long MS = 1_000_000;

  @TempDir private static Path directory;
  private static StoreProcess process;
  private static SpanStore recorded;
  private static final AtomicInteger DATABASES = new AtomicInteger();

  private final List<SpanStore> opened = new ArrayList<>();

  @BeforeAll
  static void storeTraces() throws Exception {
    process = StoreProcess.start(directory);
    recorded = SpanStore.connect(process.address());
    recorded.migrate();
    recorded.insert(SamplingPoliciesTest.together(TRACES), "traces", Tier.RECENT);
  }

  @AfterAll
  static void stop() {
    recorded.close();
    process.close();
  }

  @AfterEach
  void closeStores() {
    opened.forEach(SpanStore::close);
  }

  static List<Arguments> recorded() throws Exception {
    return SamplingPoliciesTest.recorded();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("recorded")
  void theStoreSaysWhatTheProcessorSaid(String name, String yaml, Set<String> kept) {
    SamplingPolicies policies = SamplingPolicies.parse(yaml, () -> 0);
    QuietTraces quiet = new QuietTraces(recorded, Duration.ofHours(1), policies);

    List<StoredTrace> due =
        quiet.examine(quiet.find(recorded.tiers().nowMillis() + 1, 0, AT_ONCE, 1000));

    assertThat(due).describedAs(name).hasSize(TRACES);
    Set<String> keptHere = new TreeSet<>();
    for (StoredTrace trace : due) {
      if (policies.decide(trace).kept()) {
        keptHere.add(QuietTraces.id(trace));
      }
    }
    assertThat(keptHere).isEqualTo(kept);
  }

  @Test
  void copiesWhatIsKeptOnce() throws Exception {
    List<SpanBatch> traces = SamplingPoliciesTest.traces().subList(0, 100);
    SpanStore store = storeWith(List.of(SamplingPoliciesTest.together(100)));
    Sampler sampler = sampler(store, ERRORS, LONG);

    sampler.tick();
    sampler.tick();

    assertThat(
            texts(
                store, "SELECT DISTINCT lower(hex(trace_id)) FROM decisions WHERE kept ORDER BY 1"))
        .isNotEmpty()
        .containsExactlyElementsOf(failed(traces));
    assertThat(number(store, "SELECT count() FROM decisions")).isEqualTo(100);
    assertThat(number(store, "SELECT count() FROM kept_spans"))
        .isEqualTo(number(store, "SELECT uniqExact(trace_id, span_id) FROM kept_spans"))
        .isEqualTo(
            number(
                store,
                "SELECT count() FROM recent_spans WHERE trace_id IN"
                    + " (SELECT trace_id FROM decisions WHERE kept)"));
    // Whatever is copied, recent spans are read from the recent tier.
    assertThat(number(store, "SELECT count() FROM spans")).isEqualTo(spans(traces));
  }

  @Test
  void aClosedWindowIsReadFromTheKeptTier() throws Exception {
    List<SpanBatch> traces = SamplingPoliciesTest.traces().subList(0, 100);
    SpanStore store = storeWith(List.of(SamplingPoliciesTest.together(100)));
    // The traces are old, so without a recent window theirs are closed at once.
    Sampler sampler = sampler(store, ERRORS, Duration.ZERO);

    sampler.tick();

    assertThat(number(store, "SELECT count() FROM recent_spans")).isEqualTo(spans(traces));
    assertThat(number(store, "SELECT count() FROM spans"))
        .isPositive()
        .isEqualTo(number(store, "SELECT count() FROM kept_spans"));
    assertThat(texts(store, "SELECT DISTINCT lower(hex(trace_id)) FROM spans ORDER BY 1"))
        .containsExactlyElementsOf(failed(traces));
    assertThat(number(store, "SELECT sum(spans) FROM sampling_ledger")).isEqualTo(spans(traces));
    assertThat(number(store, "SELECT sum(spans) FROM sampling_ledger WHERE state = 'kept'"))
        .isEqualTo(number(store, "SELECT count() FROM kept_spans"));

    // What comes so late is decided too, and read from the kept tier from then on.
    SpanBatch late =
        new TraceBuilder().span(7, "late", traces.getFirst().startNs(0), MS).failed().build();
    store.insert(late, "late", Tier.RECENT);
    assertThat(number(store, "SELECT count() FROM spans WHERE operation = 'late'")).isZero();
    sampler.tick();
    assertThat(number(store, "SELECT count() FROM spans WHERE operation = 'late'")).isOne();
  }

  @Test
  void aLateSpanOfAKeptTraceIsCopiedToo() {
    SpanStore store =
        storeWith(List.of(new TraceBuilder().span(1, "root", HOUR_AGO_NS, MS).failed().build()));
    Sampler sampler = sampler(store, ERRORS, LONG);
    sampler.tick();

    store.insert(late(1).build(), "late", Tier.RECENT);
    sampler.tick();
    sampler.tick();

    assertThat(texts(store, "SELECT operation FROM kept_spans ORDER BY operation"))
        .containsExactly("late", "root");
    assertThat(store.tiers().decisions(TraceBuilder.id(1)))
        .extracting(SpanTiers.Recorded::kept, SpanTiers.Recorded::again, SpanTiers.Recorded::rows)
        .containsExactly(tuple(true, true, 2L), tuple(true, false, 1L));
  }

  @Test
  void aLateSpanOfADroppedTraceDecidesItAnew() {
    SpanStore store =
        storeWith(
            List.of(
                new TraceBuilder().span(1, "root", HOUR_AGO_NS, MS).build(),
                new TraceBuilder().span(2, "root", HOUR_AGO_NS, MS).build()));
    Sampler sampler = sampler(store, ERRORS, LONG);
    sampler.tick();
    assertThat(number(store, "SELECT count() FROM kept_spans")).isZero();

    store.insert(late(1).failed().build(), "late-1", Tier.RECENT);
    store.insert(late(2).build(), "late-2", Tier.RECENT);
    sampler.tick();
    sampler.tick();

    assertThat(texts(store, "SELECT operation FROM kept_spans ORDER BY operation"))
        .containsExactly("late", "root");
    assertThat(store.tiers().decisions(TraceBuilder.id(1)))
        .extracting(SpanTiers.Recorded::kept, SpanTiers.Recorded::policies)
        .containsExactly(tuple(true, "errors"), tuple(false, ""));
    assertThat(store.tiers().decisions(TraceBuilder.id(2)))
        .extracting(SpanTiers.Recorded::kept)
        .containsExactly(false, false);
  }

  @Test
  void keepsByHandWithoutCounting() {
    SpanStore store =
        storeWith(
            List.of(
                new TraceBuilder().span(1, "root", HOUR_AGO_NS, MS).build(),
                new TraceBuilder().span(2, "root", HOUR_AGO_NS, MS).failed().build(),
                new TraceBuilder().span(3, "root", HOUR_AGO_NS, MS).build()));
    Sampler sampler = sampler(store, ERRORS, LONG);
    sampler.tick();
    List<String> ids = List.of(TraceBuilder.id(1), TraceBuilder.id(2));

    assertThat(store.tiers().pin(ids)).isOne();
    assertThat(store.tiers().pin(ids)).isZero();
    // What comes late of it counts as little.
    store.insert(late(1).build(), "late", Tier.RECENT);
    sampler.tick();

    assertThat(keptSpans(store)).containsExactly("1 late 0", "1 root 0", "2 root 1");
  }

  @Test
  void pinsAndDecisionsOfOneSecondAreDifferentBatches() {
    SpanStore store =
        storeWith(List.of(new TraceBuilder().span(1, "root", HOUR_AGO_NS, MS).build()));
    Sampler sampler = sampler(store, ERRORS, LONG);
    sampler.tick();
    long second = store.tiers().nowMillis() / 1000;
    store.tiers().record(second * 1000 + 900, 0, List.of());

    store.tiers().pin(List.of(TraceBuilder.id(1)));

    long pin = number(store, "SELECT max(batch) FROM decisions WHERE kept");
    assertThat(pin % 1000).isGreaterThanOrEqualTo(900);
    assertThat(store.tiers().nextBatches(0).values()).allMatch(next -> next % 1000 < 900);
  }

  @Test
  void whatIsKeptOfManySaysOfHowMany() {
    TraceBuilder traces = new TraceBuilder();
    List<String> states =
        List.of(
            "", "vendor=th:8", "ot=th:8", "v=1,ot=rv:ab;th:8,w=2", "ot=rv:ab,v=1", "v=1, ot=th:8");
    for (int trace = 1; trace <= 200; trace++) {
      traces.span(trace * SPREAD, "root", HOUR_AGO_NS, MS).state(states.get(trace % states.size()));
    }
    SpanStore store = storeWith(List.of(traces.build()));

    sampler(store, QUARTER, LONG).tick();

    // Threshold 0xc = 3/4: each stands for four, or for eight if one of two had come.
    assertThat(weights(store))
        .isEqualTo(
            Map.of(
                "ot=th:c", "4",
                "ot=th:c,vendor=th:8", "4",
                "ot=th:e", "8",
                "ot=th:e;rv:ab,v=1,w=2", "8",
                "ot=th:c;rv:ab,v=1", "4",
                "ot=th:e,v=1", "8"));
    assertThat(
            texts(
                store,
                "SELECT DISTINCT toString(threshold) FROM decisions WHERE kept ORDER BY threshold"))
        .containsExactly(Long.toString(3L << 54));
  }

  @Test
  void whatIsKeptForSureStandsForWhatItCameWith() {
    SpanStore store = storeWith(List.of(weighted()));

    sampler(store, ALL, LONG).tick();

    assertThat(weights(store))
        .isEqualTo(
            Map.of("", "1", "ot=th:8", "2", "v=1,ot=rv:ab;th:8,w=2", "2", "v=1,ot=th:8,w=2", "2"));
  }

  @Test
  void whatARateKeptStandsForItself() {
    SpanStore store = storeWith(List.of(weighted()));

    sampler(
            store,
            "[{name: r, type: rate_limiting, rate_limiting: {spans_per_second: 1000}}]",
            LONG)
        .tick();

    assertThat(weights(store)).isEqualTo(Map.of("", "1", "ot=rv:ab,v=1,w=2", "1", "v=1,w=2", "1"));
  }

  @Test
  void theSecondSamplerIsIdle() {
    SpanStore store =
        storeWith(List.of(new TraceBuilder().span(1, "root", HOUR_AGO_NS, MS).failed().build()));
    SpanTiers tiers = store.tiers();
    long now = tiers.nowMillis();

    assertThat(tiers.lease("one", now, LONG)).isTrue();
    sampler(store, ALL, LONG).tick();
    assertThat(number(store, "SELECT count() FROM decisions")).isZero();

    // One that asks again stays; when its time is over the other one has it.
    assertThat(tiers.lease("other", now + 60_000, LONG)).isFalse();
    assertThat(tiers.lease("one", now + 70_000, LONG)).isTrue();
    assertThat(tiers.lease("other", now + 80_000 + LONG.toMillis(), LONG)).isTrue();
    assertThat(tiers.lease("one", now + 90_000 + LONG.toMillis(), LONG)).isFalse();
  }

  @Test
  void tracesThatAreLinkedToKeptOnesAreKept() {
    // 2 is kept by a policy: 1 links to it, it links to 3 and 4, and 4 links to 5.
    SpanStore store =
        storeWith(
            List.of(
                new TraceBuilder().span(1, "consumer", HOUR_AGO_NS, MS).link(2).build(),
                new TraceBuilder()
                    .span(2, "failed", HOUR_AGO_NS, MS)
                    .failed()
                    .link(3)
                    .link(4)
                    .link(2)
                    .build(),
                new TraceBuilder().span(4, "cause", HOUR_AGO_NS, MS).link(5).build(),
                new TraceBuilder().span(5, "too far", HOUR_AGO_NS, MS).build(),
                new TraceBuilder().span(6, "other", HOUR_AGO_NS, MS).link(7).build()));
    Sampler sampler = sampler(store, ERRORS, LONG);

    sampler.tick();
    sampler.keepLinked(store.tiers().nowMillis());
    sampler.tick();
    assertThat(keptSpans(store)).containsExactly("1 consumer 0", "2 failed 1", "4 cause 0");

    // What comes later: the trace that 2 is linked to, another that is linked to 2, and a span of
    // one that was kept for its link.
    store.insert(new TraceBuilder().span(3, "cause", HOUR_AGO_NS, MS).build(), "3", Tier.RECENT);
    store.insert(
        new TraceBuilder().span(8, "consumer", HOUR_AGO_NS, MS).link(2).build(), "8", Tier.RECENT);
    store.insert(late(4).build(), "late", Tier.RECENT);
    sampler.tick();
    sampler.keepLinked(store.tiers().nowMillis());
    sampler.tick();
    sampler.keepLinked(store.tiers().nowMillis());
    sampler.tick();

    assertThat(keptSpans(store))
        .containsExactly(
            "1 consumer 0", "2 failed 1", "3 cause 0", "4 cause 0", "4 late 0", "8 consumer 0");
    assertThat(store.tiers().decisions(TraceBuilder.id(3)))
        .extracting(SpanTiers.Recorded::kept, SpanTiers.Recorded::policies)
        .containsExactly(tuple(true, "headspan link"), tuple(false, ""));
  }

  @Test
  void whatAPolicyKeepsCountsThoughItIsLinked() {
    SpanStore store =
        storeWith(
            List.of(
                new TraceBuilder().span(1, "failed", HOUR_AGO_NS, MS).failed().link(2).build(),
                new TraceBuilder().span(2, "failed", HOUR_AGO_NS, MS).failed().build()));
    Sampler sampler = sampler(store, ERRORS, LONG);

    sampler.tick();
    sampler.keepLinked(store.tiers().nowMillis());
    sampler.tick();

    assertThat(keptSpans(store)).containsExactly("1 failed 1", "2 failed 1");
  }

  @Test
  void twoSamplersAtOnceStoreNothingTwice() throws Exception {
    SpanStore store = storeWith(List.of());
    Sampler one = sampler(store, ALL, LONG);
    Sampler other = sampler(store, ALL, LONG);
    one.tick();
    // What makes a second one idle is gone: both believe that they are the one.
    execute(store, "TRUNCATE TABLE sampler_lease");
    other.tick();

    try (ExecutorService executor = Executors.newFixedThreadPool(2)) {
      for (int round = 0; round < 8; round++) {
        for (int trace = 0; trace < 5; trace++) {
          long id = 1 + round * 5L + trace;
          store.insert(
              new TraceBuilder().span(id, "root", HOUR_AGO_NS, MS).build(),
              "trace-" + id,
              Tier.RECENT);
          // Of some traces of the round before one more span.
          if (round > 0 && trace < 2) {
            store.insert(late(id - 5).build(), "late-" + id, Tier.RECENT);
          }
        }
        Future<?> first = executor.submit(one::tick);
        Future<?> second = executor.submit(other::tick);
        first.get(1, TimeUnit.MINUTES);
        second.get(1, TimeUnit.MINUTES);
      }
    }
    // Whoever has the lease now.
    one.tick();
    other.tick();

    assertThat(number(store, "SELECT count() FROM kept_spans"))
        .isEqualTo(number(store, "SELECT uniqExact(trace_id, span_id) FROM kept_spans"))
        .isEqualTo(number(store, "SELECT count() FROM recent_spans"))
        .isEqualTo(8 * 5 + 7 * 2);
    assertThat(number(store, "SELECT count() - uniqExact(batch, trace_id) FROM decisions"))
        .isZero();
  }

  @Test
  void theNextOneFinishesWhatASamplerLeft() {
    SpanStore store =
        storeWith(
            List.of(
                new TraceBuilder().span(1, "root", HOUR_AGO_NS, MS).build(),
                new TraceBuilder().span(2, "root", HOUR_AGO_NS, MS).failed().build()));
    // As one that was killed between recording and copying leaves it.
    SamplingPolicies policies = SamplingPolicies.parse(ERRORS, () -> 0);
    QuietTraces quiet = new QuietTraces(store, LONG, policies);
    List<Decision> decisions = new ArrayList<>();
    long batch = 0;
    for (StoredTrace trace :
        quiet.examine(quiet.find(store.tiers().nowMillis() + 1, 0, AT_ONCE, 10))) {
      batch = trace.lastMillis() / 1000 * 1000;
      boolean kept = policies.decide(trace).kept();
      decisions.add(trace.decide(kept, kept ? List.of("errors") : List.of(), 0));
    }
    assertThat(decisions).hasSize(2);
    store.tiers().record(batch, store.tiers().nowMillis(), decisions);
    assertThat(number(store, "SELECT count() FROM kept_spans")).isZero();

    sampler(store, ERRORS, LONG).tick();

    assertThat(number(store, "SELECT count() FROM decisions")).isEqualTo(2);
    assertThat(texts(store, "SELECT lower(hex(trace_id)) FROM kept_spans"))
        .containsExactly(TraceBuilder.id(2));
    assertThat(store.tiers().uncopied(0)).isEmpty();
  }

  @Test
  void aCopyThatIsRepeatedStoresNothingTwice() {
    TraceBuilder one = new TraceBuilder();
    TraceBuilder other = new TraceBuilder();
    for (int trace = 1; trace <= 50; trace++) {
      // Of two days, so that the copy makes two parts.
      (trace % 2 == 0 ? one : other)
          .span(trace, "root", HOUR_AGO_NS, MS)
          .span(trace, "child", HOUR_AGO_NS - TimeUnit.DAYS.toNanos(1), MS)
          .parent(1);
    }
    SpanStore store = storeWith(List.of(one.build(), other.build()));
    sampler(store, ALL, LONG).tick();
    assertThat(number(store, "SELECT count() FROM kept_spans")).isEqualTo(100);

    // The rows come from other parts than the first time, and beside others.
    store.insert(new TraceBuilder().span(99, "x", HOUR_AGO_NS, MS).build(), "x", Tier.RECENT);
    execute(store, "OPTIMIZE TABLE recent_spans FINAL");
    // As one that was killed between copying and saying so leaves it.
    execute(store, "TRUNCATE TABLE decision_batches");
    List<Long> batches = store.tiers().uncopied(0);
    assertThat(batches).isNotEmpty();
    store.tiers().copy(batches);

    assertThat(store.tiers().uncopied(0)).isEmpty();
    assertThat(number(store, "SELECT count() FROM kept_spans")).isEqualTo(100);
    assertThat(number(store, "SELECT count() - uniqExact(batch) FROM decision_batches")).isZero();
  }

  @Test
  void batchesAreCopiedTogetherAndEachTraceOnce() {
    SpanStore store =
        storeWith(
            List.of(
                new TraceBuilder().span(1, "root", HOUR_AGO_NS, MS).failed().build(),
                new TraceBuilder().span(2, "root", HOUR_AGO_NS, MS).failed().build()));
    Sampler sampler = sampler(store, ERRORS, LONG, LONG, 200_000);
    sampler.tick();
    store.insert(late(1).build(), "late", Tier.RECENT);
    sampler.tick();
    sampler.tick();
    assertThat(number(store, "SELECT count() FROM kept_spans")).isZero();
    List<Long> batches = store.tiers().uncopied(0);
    assertThat(batches).hasSize(2);

    store.tiers().copy(batches);

    assertThat(number(store, "SELECT uniqExact(number) FROM tier_copies")).isOne();
    assertThat(keptSpans(store)).containsExactly("1 late 1", "1 root 1", "2 root 1");
    assertThat(store.tiers().uncopied(0)).isEmpty();
  }

  @Test
  void aTraceIsNotDecidedAnewWhenOneOfItsWindowsIsDropped() {
    SpanStore store =
        storeWith(
            List.of(
                new TraceBuilder().span(1, "root", HOUR_AGO_NS, MS).failed().build(),
                new TraceBuilder()
                    .span(1, "child", HOUR_AGO_NS + TimeUnit.MINUTES.toNanos(10), MS)
                    .parent(1)
                    .build()));
    Sampler sampler = sampler(store, ERRORS, LONG);
    sampler.tick();
    assertThat(number(store, "SELECT uniqExact(window) FROM trace_arrivals")).isEqualTo(2);
    assertThat(number(store, "SELECT max(rows) FROM decisions")).isEqualTo(2);

    String first = texts(store, "SELECT toString(min(window)) FROM trace_arrivals").getFirst();
    execute(store, "ALTER TABLE trace_arrivals DROP PARTITION '" + first + "'");
    assertThat(number(store, "SELECT sum(rows) FROM trace_arrivals")).isOne();
    sampler.tick();

    assertThat(number(store, "SELECT count() FROM decisions")).isOne();
  }

  @Test
  void aBatchIsNoLargerThanWhatIsCopiedTogether() {
    List<SpanBatch> traces = new ArrayList<>();
    for (int trace = 1; trace <= 9; trace++) {
      traces.add(
          new TraceBuilder()
              .span(trace, "root", HOUR_AGO_NS, MS)
              .failed()
              .span(trace, "child", HOUR_AGO_NS, MS)
              .parent(1)
              .build());
    }
    SpanStore store = storeWith(traces);

    sampler(store, ERRORS, LONG, Duration.ZERO, 4).tick();

    assertThat(number(store, "SELECT count() FROM kept_spans")).isEqualTo(18);
    assertThat(number(store, "SELECT uniqExact(trace_id) FROM decisions")).isEqualTo(9);
    assertThat(
            number(
                store,
                "SELECT max(spans) FROM (SELECT sum(rows) AS spans FROM decisions GROUP BY batch)"))
        .isLessThanOrEqualTo(4);
    assertThat(store.tiers().uncopied(0)).isEmpty();
  }

  @Test
  void aWindowIsClosedWhenWhatIsKeptOfItIsCopied() {
    SpanStore store =
        storeWith(List.of(new TraceBuilder().span(1, "root", HOUR_AGO_NS, MS).failed().build()));

    sampler(store, ERRORS, Duration.ZERO, LONG, 200_000).tick();

    assertThat(number(store, "SELECT max(toUnixTimestamp(window)) FROM tier_boundary"))
        .isPositive();
    assertThat(keptSpans(store)).containsExactly("1 root 1");
  }

  @Test
  void whoeverCopiesAtOnceCopiesOnce() throws Exception {
    List<SpanBatch> traces = new ArrayList<>();
    for (int trace = 1; trace <= 40; trace++) {
      traces.add(new TraceBuilder().span(trace, "root", HOUR_AGO_NS, MS).failed().build());
    }
    SpanStore store = storeWith(traces);
    List<Decision> decisions = new ArrayList<>();
    QuietTraces quiet = new QuietTraces(store, LONG, SamplingPolicies.parse(ALL, () -> 0));
    for (StoredTrace trace : quiet.find(store.tiers().nowMillis() + 1, 0, AT_ONCE, 100)) {
      decisions.add(trace.decide(true, List.of("all"), 0));
    }
    List<Long> batches = new ArrayList<>();
    for (Decision decision : decisions) {
      batches.add(decision.lastMillis() / 1000 * 1000 + batches.size());
      store.tiers().record(batches.getLast(), store.tiers().nowMillis(), List.of(decision));
    }

    // Each knows of others, and puts others together.
    Random random = new Random(41);
    try (ExecutorService samplers = Executors.newFixedThreadPool(4)) {
      List<Future<?>> copies = new ArrayList<>();
      for (int i = 0; i < 80; i++) {
        int first = random.nextInt(batches.size() - 3);
        List<Long> known = batches.subList(first, first + 1 + random.nextInt(3));
        copies.add(samplers.submit(() -> store.tiers().copy(known)));
      }
      copies.add(samplers.submit(() -> store.tiers().copy(batches)));
      for (Future<?> copy : copies) {
        var _ = copy.get();
      }
    }

    assertThat(number(store, "SELECT count() FROM kept_spans")).isEqualTo(traces.size());
    assertThat(number(store, "SELECT uniqExact(trace_id) FROM kept_spans"))
        .isEqualTo(traces.size());
    assertThat(number(store, "SELECT count() - uniqExact(batch) FROM tier_copies")).isZero();
    assertThat(store.tiers().uncopied(0)).isEmpty();
  }

  private SpanStore storeWith(List<SpanBatch> traces) {
    SpanStore store =
        SpanStore.connect(process.address().withDatabase("sampler_" + DATABASES.incrementAndGet()));
    opened.add(store);
    store.migrate();
    int number = 0;
    for (SpanBatch trace : traces) {
      store.insert(trace, "trace-" + number++, Tier.RECENT);
    }
    return store;
  }

  private static Sampler sampler(SpanStore store, String policies, Duration recentWindow) {
    return sampler(store, policies, recentWindow, Duration.ZERO, 200_000);
  }

  private static Sampler sampler(
      SpanStore store,
      String policies,
      Duration recentWindow,
      Duration copyWait,
      long copiedSpans) {
    return new Sampler(
        store,
        new SamplerConfig(
            Optional.of(policies),
            Duration.ZERO,
            Duration.ZERO,
            recentWindow,
            copyWait,
            copiedSpans,
            false),
        () -> true,
        Runnable::run);
  }

  /// One more span of a trace that [TraceBuilder] made.
  private static TraceBuilder late(long trace) {
    return new TraceBuilder().span(trace, "late", HOUR_AGO_NS, MS).spanId(0x1a7e).parent(1);
  }

  private static SpanBatch weighted() {
    return new TraceBuilder()
        .span(1, "root", HOUR_AGO_NS, MS)
        .span(2, "root", HOUR_AGO_NS, MS)
        .state("ot=th:8")
        .span(3, "root", HOUR_AGO_NS, MS)
        .state("v=1,ot=rv:ab;th:8,w=2")
        .span(4, "root", HOUR_AGO_NS, MS)
        .state("v=1,ot=th:8,w=2")
        .build();
  }

  /// Trace, operation and what it stands for of each kept span.
  private static List<String> keptSpans(SpanStore store) {
    return texts(
        store,
        "SELECT concat(toString(reinterpretAsUInt8(substring(trace_id, 16, 1))), ' ',"
            + " operation, ' ', toString(adjusted_count)) FROM kept_spans ORDER BY 1");
  }

  /// Of each tracestate in the kept tier what its spans stand for.
  private static Map<String, String> weights(SpanStore store) {
    Map<String, String> weights = new TreeMap<>();
    store
        .query(
            SqlQuery.of(
                "SELECT trace_state, arrayStringConcat(arraySort(groupUniqArray("
                    + "toString(round(adjusted_count, 9)))), ',') FROM kept_spans GROUP BY 1"),
            row -> Map.entry(row.text(0), row.text(1)))
        .forEach(each -> weights.put(each.getKey(), each.getValue()));
    return weights;
  }

  private static SortedSet<String> failed(List<SpanBatch> traces) {
    SamplingPolicies policies = SamplingPolicies.parse(ERRORS, () -> 0);
    return traces.stream()
        .filter(trace -> policies.decide(new SampledTrace(trace)).kept())
        .map(TraceBuilder::id)
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static long spans(List<SpanBatch> traces) {
    return traces.stream().mapToLong(SpanBatch::size).sum();
  }

  private static long number(SpanStore store, String sql) {
    return store.query(SqlQuery.of(sql), row -> row.integer(0)).getFirst();
  }

  private static List<String> texts(SpanStore store, String sql) {
    return store.query(SqlQuery.of(sql), row -> row.text(0));
  }

  /// What the store itself never does.
  static void execute(SpanStore store, String sql) {
    URI uri =
        URI.create(
            "http://%s:%d/?database=%s"
                .formatted(
                    store.address().host(), store.address().port(), store.address().database()));
    try (HttpClient http = HttpClient.newHttpClient()) {
      HttpResponse<String> response =
          http.send(
              HttpRequest.newBuilder(uri).POST(HttpRequest.BodyPublishers.ofString(sql)).build(),
              HttpResponse.BodyHandlers.ofString());
      assertThat(response.statusCode()).describedAs(response.body()).isEqualTo(200);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }
}
