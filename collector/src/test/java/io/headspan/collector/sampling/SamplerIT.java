package io.headspan.collector.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.headspan.storage.SpanStore;
import io.headspan.storage.SpanTiers;
import io.headspan.storage.SqlQuery;
import io.headspan.storage.StoreAddress;
import io.headspan.storage.embedded.StoreProcess;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.TraceContext;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// The recorded traces in a store, decided there and moved from tier to tier.
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class SamplerIT {
  private static final QuietTraces.Quiet AT_ONCE =
      new QuietTraces.Quiet(Duration.ZERO, Duration.ZERO);
  private static final String ERRORS =
      "[{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]";
  private static final int TRACES = 300;

  @TempDir private static Path directory;
  private static StoreProcess process;
  private static SpanStore store;
  private static long spans;

  /// Holds the lease from its first tick on.
  private static Sampler sampler;

  @BeforeAll
  static void storeTraces() throws Exception {
    process = StoreProcess.start(directory);
    store = SpanStore.connect(process.address());
    store.migrate();
    int number = 0;
    for (SpanBatch trace : SamplingPoliciesTest.traces()) {
      store.insert(trace, "trace-" + number++);
      spans += trace.size();
    }
    sampler = sampler(ERRORS);
  }

  @AfterAll
  static void stop() {
    store.close();
    process.close();
  }

  static List<Arguments> recorded() throws Exception {
    return SamplingPoliciesTest.recorded();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("recorded")
  @Order(1)
  void theStoreSaysWhatTheProcessorSaid(String name, String yaml, Set<String> kept) {
    SamplingPolicies policies = SamplingPolicies.parse(yaml, () -> 0);
    QuietTraces quiet = new QuietTraces(store, Duration.ofHours(1), policies);

    List<StoredTrace> due =
        quiet.examine(quiet.find(store.tiers().nowMillis() + 1, 0, AT_ONCE, 1000));

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
  @Order(2)
  void copiesWhatIsKeptOnceAndClosesTheWindows() throws Exception {
    Set<String> failed = failed();
    sampler.tick();
    sampler.tick();

    assertThat(texts("SELECT DISTINCT lower(hex(trace_id)) FROM decisions WHERE kept ORDER BY 1"))
        .containsExactlyElementsOf(failed);
    assertThat(number("SELECT count() FROM decisions")).isEqualTo(TRACES);
    assertThat(number("SELECT count() FROM kept_spans"))
        .isEqualTo(number("SELECT uniqExact(trace_id, span_id) FROM kept_spans"))
        .isEqualTo(
            number(
                "SELECT count() FROM recent_spans WHERE trace_id IN"
                    + " (SELECT trace_id FROM decisions WHERE kept)"));
    assertThat(number("SELECT count() FROM recent_spans")).isEqualTo(spans);
    // The traces are old: their windows are closed, and only what is kept is read of them.
    assertThat(number("SELECT count() FROM spans"))
        .isEqualTo(number("SELECT count() FROM kept_spans"));
    assertThat(number("SELECT sum(spans) FROM sampling_ledger")).isEqualTo(spans);
    assertThat(number("SELECT sum(spans) FROM sampling_ledger WHERE state = 'kept'"))
        .isEqualTo(number("SELECT count() FROM kept_spans"));
  }

  @Test
  @Order(3)
  void aLateSpanOpensTheDecisionAgain() throws Exception {
    SpanBatch kept = trace(failed().getFirst());
    SpanBatch dropped =
        trace(
            texts("SELECT lower(hex(trace_id)) FROM decisions WHERE NOT kept LIMIT 1").getFirst());
    long before = number("SELECT count() FROM kept_spans");

    // One more span each: the kept trace's is no error, the other's is one.
    store.insert(late(kept, 0), "late-kept");
    store.insert(late(dropped, 2), "late-dropped");
    sampler.tick();
    sampler.tick();

    assertThat(number("SELECT count() FROM kept_spans"))
        .isEqualTo(number("SELECT uniqExact(trace_id, span_id) FROM kept_spans"))
        .isEqualTo(before + 1 + dropped.size() + 1);
    assertThat(store.tiers().decisions(id(kept)))
        .extracting(SpanTiers.Recorded::kept, SpanTiers.Recorded::again)
        .containsExactly(tuple(true, true), tuple(true, false));
    assertThat(store.tiers().decisions(id(dropped)))
        .extracting(SpanTiers.Recorded::kept, SpanTiers.Recorded::policies)
        .containsExactly(tuple(true, "errors"), tuple(false, ""));
    assertThat(store.trace(kept.traceIdHigh(0), kept.traceIdLow(0), 1000).size())
        .isEqualTo(kept.size() + 1);
  }

  @Test
  @Order(4)
  void keepsByHandWithoutCounting() {
    List<String> ids =
        texts(
            "SELECT lower(hex(trace_id)) AS id FROM decisions GROUP BY id HAVING max(kept) = 0 LIMIT 5");

    assertThat(store.tiers().pin(ids)).isEqualTo(5);
    assertThat(store.tiers().pin(ids)).isZero();

    assertThat(
            number(
                "SELECT count() FROM kept_spans WHERE adjusted_count = 0 AND lower(hex(trace_id)) IN ('"
                    + String.join("','", ids)
                    + "')"))
        .isPositive()
        .isEqualTo(number("SELECT count() FROM kept_spans WHERE adjusted_count = 0"));
  }

  @Test
  @Order(5)
  void whatIsKeptOfManySaysOfHowMany() throws Exception {
    StoreAddress address = StoreAddress.parse(process.address() + "_weights");
    try (SpanStore weighed = SpanStore.connect(address)) {
      weighed.migrate();
      int number = 0;
      for (SpanBatch trace : SamplingPoliciesTest.traces().subList(0, 60)) {
        weighed.insert(trace, "trace-" + number++);
      }
      new Sampler(
              weighed,
              new SamplerConfig(
                  "[{name: p, type: probabilistic, probabilistic: {sampling_percentage: 25}}]",
                  Duration.ZERO,
                  Duration.ZERO,
                  Duration.ofHours(1)),
              () -> true)
          .tick();

      // Threshold 0xc = 3/4: each stands for four.
      assertThat(
              weighed.query(
                  SqlQuery.of(
                      "SELECT count(), countIf(adjusted_count = 4), countIf(match(trace_state,"
                          + " '(^|,)ot=([^,]*;)?th:c([,;]|$)')) FROM kept_spans"),
                  row -> List.of(row.integer(0), row.integer(1), row.integer(2))))
          .singleElement()
          .satisfies(counts ->
              assertThat(counts).allMatch(each -> each > 0).containsOnly(counts.getFirst()));
    }
  }

  @Test
  @Order(6)
  void twoSamplersDoNoHarm() {
    long copies = number("SELECT count() FROM kept_spans");
    SpanTiers tiers = store.tiers();

    // What was recorded is copied, whoever copies it and however often.
    texts("SELECT DISTINCT toString(batch) FROM decisions WHERE kept").stream()
        .map(Long::parseLong)
        .forEach(tiers::copy);
    assertThat(number("SELECT count() FROM kept_spans")).isEqualTo(copies);
    long now = tiers.nowMillis();
    assertThat(tiers.lease("one", now + 60_000, Duration.ofSeconds(30))).isTrue();
    assertThat(tiers.lease("other", now + 61_000, Duration.ofSeconds(30))).isFalse();
    assertThat(tiers.lease("one", now + 70_000, Duration.ofSeconds(30))).isTrue();
    assertThat(tiers.lease("other", now + 101_000, Duration.ofSeconds(30))).isTrue();
  }

  private static SpanBatch trace(String id) throws Exception {
    return SamplingPoliciesTest.traces().stream()
        .filter(trace -> id(trace).equals(id))
        .findFirst()
        .orElseThrow();
  }

  private static String id(SpanBatch trace) {
    return TraceContext.hexId(trace.traceIdHigh(0)) + TraceContext.hexId(trace.traceIdLow(0));
  }

  /// A span of the same trace that starts when the first one does.
  private static SpanBatch late(SpanBatch trace, int status) {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    int span = builder.addSpan(builder.addScope(builder.addResource()));
    builder.traceIdHigh(span, trace.traceIdHigh(0));
    builder.traceIdLow(span, trace.traceIdLow(0));
    builder.spanId(span, 0x1a7e);
    builder.parentSpanId(span, trace.spanId(0));
    builder.startNs(span, trace.startNs(0));
    builder.durationNs(span, 1000);
    builder.statusCode(span, (byte) status);
    return builder.build();
  }

  private static Sampler sampler(String policies) {
    return new Sampler(
        store,
        new SamplerConfig(policies, Duration.ZERO, Duration.ZERO, Duration.ZERO),
        () -> true);
  }

  private static SortedSet<String> failed() throws Exception {
    SamplingPolicies policies = SamplingPolicies.parse(ERRORS, () -> 0);
    return SamplingPoliciesTest.traces().stream()
        .map(SampledTrace::new)
        .filter(trace -> policies.decide(trace).kept())
        .map(trace ->
            TraceContext.hexId(trace.traceIdHigh()) + TraceContext.hexId(trace.traceIdLow()))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static long number(String sql) {
    return store.query(SqlQuery.of(sql), row -> row.integer(0)).getFirst();
  }

  private static List<String> texts(String sql) {
    return store.query(SqlQuery.of(sql), row -> row.text(0));
  }
}
