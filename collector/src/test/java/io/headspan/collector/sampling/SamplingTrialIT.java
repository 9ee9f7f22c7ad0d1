package io.headspan.collector.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.storage.SpanStore;
import io.headspan.storage.embedded.StoreProcess;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// The recorded traces in a store, and what is decided about them there.
class SamplingTrialIT {
  private static final Set<Object> CASES =
      Set.of("latency-100ms", "string-invert", "boolean-resource", "ottl-event");
  private static final String ALL = "[{name: a, type: always_sample}]";
  private static final Instant FROM = Instant.parse("2026-11-20T00:00:00Z");
  private static final Instant TO = Instant.parse("2026-11-22T00:00:00Z");

  @TempDir private static Path directory;
  private static StoreProcess process;
  private static SpanStore store;

  @BeforeAll
  static void storeTraces() throws Exception {
    process = StoreProcess.start(directory);
    store = SpanStore.connect(process.address());
    store.migrate();
    store.insert(SamplingPoliciesTest.together(300), "traces");
  }

  @AfterAll
  static void stop() {
    store.close();
    process.close();
  }

  static List<Arguments> recorded() throws Exception {
    // A few that need all of what is stored: attributes of spans, resources and events, times.
    return SamplingPoliciesTest.recorded().stream()
        .filter(each -> CASES.contains(each.get()[0]))
        .toList();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("recorded")
  void keepsWhatTheProcessorKept(String name, String yaml, Set<String> kept) {
    SamplingTrial.Report report = SamplingTrial.run(store, yaml, FROM, TO, 1000);

    assertThat(report.found()).isEqualTo(300);
    assertThat(report.total().all().traces()).describedAs(name).isEqualTo(300);
    Set<String> keptHere = new TreeSet<>();
    report
        .traces()
        .forEach((id, verdict) -> {
          if (verdict.kept()) {
            keptHere.add(id);
          }
        });
    assertThat(keptHere).isEqualTo(kept);
    assertThat(report.total().kept().traces()).isEqualTo(kept.size());
    assertThat(report.byTenant().values().stream().mapToLong(each -> each.kept().traces()).sum())
        .isEqualTo(kept.size());
  }

  @Test
  void looksAtWhatEndedInTheWindow() {
    assertThat(SamplingTrial.run(store, ALL, TO, TO.plusSeconds(60), 1000).found()).isZero();
  }

  @Test
  void looksAtSomeIfThereAreTooMany() {
    SamplingTrial.Report report = SamplingTrial.run(store, ALL, FROM, TO, 50);

    assertThat(report.found()).isEqualTo(300);
    assertThat(report.total().all().traces()).isEqualTo(50);
  }

  @Test
  void countsRatesByTheTimeOfTheTraces() {
    String limited = "[{name: r, type: rate_limiting, rate_limiting: {spans_per_second: 30}}]";
    SamplingTrial.Report report = SamplingTrial.run(store, limited, FROM, TO, 1000);

    // The traces ended within 900 s: a clock that stood still would let 30 spans pass.
    assertThat(report.byPolicy().getOrDefault("r", SamplingTrial.Volume.NONE).spans())
        .isGreaterThan(1000);
  }

  @Test
  void explainsOneTrace() {
    // Leading zeros may be left out.
    SamplingTrial.Explanation explanation =
        SamplingTrial.explain(store, ALL, "1f4175a43550e2c9c4c").orElseThrow();

    assertThat(explanation.verdict().kept()).isTrue();
    assertThat(explanation.verdict().votes())
        .containsExactly(new SamplingPolicies.Vote("a", PolicyDecision.SAMPLED));
    assertThat(explanation.volume().spans()).isPositive();
    assertThat(SamplingTrial.explain(store, ALL, "abc")).isEmpty();
    assertThatThrownBy(() -> SamplingTrial.explain(store, ALL, "a trace"))
        .isInstanceOf(SamplingException.class)
        .hasMessageContaining("no trace id: id=a trace");
  }
}
