package io.headspan.collector.sampling;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import io.headspan.storage.Tier;
import io.headspan.storage.embedded.StoreProcess;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.TraceContext;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
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

  @BeforeAll
  static void storeTraces() throws Exception {
    process = StoreProcess.start(directory);
    store = SpanStore.connect(process.address());
    store.migrate();
    int number = 0;
    for (SpanBatch trace : SamplingPoliciesTest.traces()) {
      store.insert(trace, "trace-" + number++, Tier.RECENT);
      spans += trace.size();
    }
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
    Sampler sampler = sampler(ERRORS);

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

  private static Sampler sampler(String policies) {
    return new Sampler(
        store,
        new SamplerConfig(Optional.of(policies), Duration.ZERO, Duration.ZERO, Duration.ZERO),
        () -> true);
  }

  private static Set<String> failed() throws Exception {
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
