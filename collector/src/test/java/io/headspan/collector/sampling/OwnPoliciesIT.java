package io.headspan.collector.sampling;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import io.headspan.storage.Tier;
import io.headspan.storage.embedded.StoreProcess;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The policies that the OpenTelemetry Collector does not have, in a store: by its sampler, and on
/// the same traces at hand.
class OwnPoliciesIT {
  private static final QuietTraces.Quiet AT_ONCE =
      new QuietTraces.Quiet(Duration.ZERO, Duration.ZERO);
  private static final long MS = 1_000_000;
  private static final long SPREAD = 0x9e3779b97f4a7c15L;
  private static final int USUAL = 300;

  @TempDir private static Path directory;
  private static StoreProcess process;
  private static SpanStore store;
  private static Instant from;

  /// Half an hour ago 300 invocations of 1 to 10 ms, and a few of all kinds two minutes ago.
  @BeforeAll
  static void storeTraces() {
    process = StoreProcess.start(directory);
    store = SpanStore.connect(process.address());
    store.migrate();
    Instant now = Instant.now();
    from = now.minusSeconds(180);
    long halfAnHourAgo = TimeUnit.SECONDS.toNanos(now.getEpochSecond() - 1800);
    TraceBuilder usual = new TraceBuilder().from("t", "s", "1.0");
    for (int trace = 1; trace <= USUAL; trace++) {
      usual.span(1_000_000 + trace, "GET /a", halfAnHourAgo, trace % 10 * MS + MS);
    }
    store.insert(usual.build(), "usual", Tier.RECENT);
    long lately = TimeUnit.SECONDS.toNanos(now.getEpochSecond() - 120);
    store.insert(
        new TraceBuilder()
            .from("t", "s", "1.0")
            .span(1, "GET /a", lately, 5 * MS)
            .span(2, "GET /a", lately, 500 * MS)
            .span(3, "GET /rare", lately, 5 * MS)
            .span(4, "GET /a", lately, 500 * MS)
            .client()
            .from("t", "s", "2.0")
            .span(5, "GET /a", lately, 5 * MS)
            .from("t", "new", "1.0")
            .span(6, "GET /a", lately, 5 * MS)
            .from("other", "s", "1.0")
            .span(7, "GET /a", lately, 500 * MS)
            .build(),
        "lately",
        Tier.RECENT);
  }

  @AfterAll
  static void stop() {
    store.close();
    process.close();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "slower_than_usual | {} | 2",
        "slower_than_usual | {min_ms: 600} | ''",
        "slower_than_usual | {percentile: 90, min_ms: 5, min_invocations: 200} | 2",
        "slower_than_usual | {min_invocations: 10000} | ''",
        "slower_than_usual | {lookback_minutes: 10} | ''",
        "rare_operation | {max_invocations: 10} | 3,6,7",
        "rare_operation | {max_invocations: 10, lookback_minutes: 10} | 1,2,3,5,6,7",
        "rare_operation | {max_invocations: 100000} | 1,2,3,5,6,7",
        "new_version | {} | 5",
        "new_version | {minutes: 1} | ''",
        "new_version | {minutes: 10, lookback_minutes: 20} | ''",
        "cold_start | {} | ''",
      })
  void theStoreKeepsWhatIsKeptAtHand(String type, String value, String expected) {
    String yaml = "[{name: a, type: headspan_%1$s, headspan_%1$s: %2$s}]".formatted(type, value);
    Set<String> ids = new TreeSet<>();
    for (String each : expected.split(",", -1)) {
      if (!each.isEmpty()) {
        ids.add(TraceBuilder.id(Long.parseLong(each)));
      }
    }
    SamplingPolicies policies = SamplingPolicies.parse(yaml, () -> 0);
    QuietTraces quiet = new QuietTraces(store, Duration.ofHours(1), policies);

    Set<String> kept = new TreeSet<>();
    for (StoredTrace trace :
        quiet.examine(quiet.find(store.tiers().nowMillis() + 1, 0, AT_ONCE, 1000))) {
      if (trace.traceIdLow() < 1000 && policies.decide(trace).kept()) {
        kept.add(QuietTraces.id(trace));
      }
    }
    assertThat(kept).isEqualTo(ids);

    Set<String> keptAtHand = new TreeSet<>();
    SamplingTrial.run(store, yaml, from, Instant.now(), 1000)
        .traces()
        .forEach((id, verdict) -> {
          if (verdict.kept()) {
            keptAtHand.add(id);
          }
        });
    assertThat(keptAtHand).isEqualTo(ids);
  }

  @Test
  void aBudgetKeepsAShareThatIsKnown() {
    try (SpanStore own = SpanStore.connect(process.address().withDatabase("own_policies_budget"))) {
      own.migrate();
      TraceBuilder traces = new TraceBuilder();
      long anHourAgo = TimeUnit.SECONDS.toNanos(Instant.now().getEpochSecond() - 3600);
      for (String tenant : List.of("small", "big")) {
        traces.from(tenant, "s", "1");
        for (int trace = 1; trace <= 500; trace++) {
          long id = (tenant.length() * 1000L + trace) * SPREAD;
          traces.span(id, "GET", anHourAgo, MS);
        }
      }
      own.insert(traces.build(), "all", Tier.RECENT);
      String budget =
          "[{name: b, type: headspan_tenant_budget, headspan_tenant_budget: {spans_per_second: 100,"
              + " tenants: [{tenant: big, spans_per_second: 1000}]}}]";

      new Sampler(
              own,
              new SamplerConfig(
                  Optional.of(budget),
                  Duration.ZERO,
                  Duration.ZERO,
                  Duration.ofHours(6),
                  Duration.ZERO,
                  200_000,
                  true),
              () -> true,
              Runnable::run)
          .tick();

      assertThat(
              own.query(
                  SqlQuery.of(
                      "SELECT count() FROM kept_spans WHERE tenant = 'big' AND adjusted_count = 1"),
                  row -> row.integer(0)))
          .containsExactly(500L);
      List<Double> small =
          own.query(
                  SqlQuery.of(
                      "SELECT toFloat64(count()), sum(adjusted_count), toFloat64(countIf(adjusted_count >"
                          + " 1.001 AND NOT match(trace_state, '^ot=th:[0-9a-f]{1,14}$')))"
                          + " FROM kept_spans WHERE tenant = 'small'"),
                  row -> List.of(row.number(0), row.number(1), row.number(2)))
              .getFirst();
      // All came in one second: until its end little more is kept than 100 (1 + ln 5).
      assertThat(small.get(0)).isBetween(100.0, 320.0);
      assertThat(small.get(1)).isBetween(400.0, 600.0);
      assertThat(small.get(2)).isZero();
    }
  }
}
