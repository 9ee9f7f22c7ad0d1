package io.headspan.collector.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.headspan.wire.SpanBatch;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The policies that the OpenTelemetry Collector does not have, on traces at hand.
class OwnPoliciesTest {
  private static final long MS = 1_000_000;

  /// The hash that shares are taken by says little of ids that differ in their last byte only.
  private static final long SPREAD = 0x9e3779b97f4a7c15L;

  private static final History.Name GET = new History.Name("t", "s", "GET");

  @Test
  void slowIsWhatTakesLongerThanItsOwnLikes() {
    Policy.SlowerThanUsual slower = new Policy.SlowerThanUsual(99, 60, 100, 2);
    History history = new History(Map.of(GET, known(10 * MS), named("fast"), known(MS)));

    assertThat(holds(slower, history, span("GET", 11 * MS))).isTrue();
    assertThat(holds(slower, history, span("GET", 10 * MS))).isFalse();
    assertThat(holds(slower, history, span("never seen", 99 * MS))).isFalse();
    // Slower than usual, but below min_ms.
    assertThat(holds(slower, history, span("fast", 2 * MS - 1))).isFalse();
    assertThat(holds(slower, history, span("fast", 2 * MS))).isTrue();
    assertThat(holds(slower, history, span("GET", 99 * MS).open())).isFalse();
    assertThat(holds(slower, history, span("GET", 99 * MS).client())).isFalse();
  }

  @Test
  void rareIsWhatIsNotCommon() {
    Policy.RareOperation rare = new Policy.RareOperation(5, 60);
    History common = new History(Map.of(GET, known(6)));

    assertThat(holds(rare, common, span("GET", MS))).isFalse();
    assertThat(holds(rare, common, span("POST", MS))).isTrue();
    assertThat(holds(rare, common, span("POST", MS).client())).isFalse();
    assertThat(holds(rare, common, new TraceBuilder().from("u", "s", "1").span(1, "GET", 0, MS)))
        .isTrue();
  }

  @Test
  void newIsAVersionThatCameAfterAnother() {
    Policy.NewVersion version = new Policy.NewVersion(10, 60);
    History old = new History(Map.of(named("1"), known(0)));

    assertThat(holds(version, old, span("GET", MS))).isFalse();
    assertThat(holds(version, old, new TraceBuilder().from("t", "s", "2").span(1, "GET", 0, MS)))
        .isTrue();
    // A service's first version is not new, nor is none.
    assertThat(holds(version, old, new TraceBuilder().from("t", "x", "2").span(1, "GET", 0, MS)))
        .isFalse();
    assertThat(holds(version, old, new TraceBuilder().from("t", "s", "").span(1, "GET", 0, MS)))
        .isFalse();
  }

  @Test
  void aKeysRateIsKeptAndWhatIsKeptStandsForAll() {
    AtomicLong second = new AtomicLong(1000);
    SamplingPolicies policies =
        SamplingPolicies.parse(
            "[{name: r, type: headspan_rate_per_key, headspan_rate_per_key:"
                + " {traces_per_second: 50, keys: [root_operation]}}]",
            second::get);
    long id = 0;
    int rareKept = 0;
    double commonKept = 0;
    double standsFor = 0;
    for (int i = 0; i < 30; i++, second.incrementAndGet()) {
      for (int trace = 0; trace < 500; trace++) {
        boolean isRare = trace % 50 == 0;
        SamplingPolicies.Verdict verdict =
            policies.decide(
                new SampledTrace(
                    new TraceBuilder()
                        .from("t", "s", "1")
                        .span(++id * SPREAD, isRare ? "rare" : "common", 0, MS)
                        .build()));
        if (verdict.kept() && isRare) {
          assertThat(verdict.probability()).isEqualTo(1);
          rareKept++;
        } else if (verdict.kept()) {
          commonKept += i > 1 ? 1 : 0;
          standsFor += 1 / verdict.probability();
        }
      }
    }

    assertThat(rareKept).isEqualTo(30 * 10);
    assertThat(commonKept / 28).isCloseTo(50, within(5.0));
    assertThat(standsFor).isCloseTo(30 * 490, within(30 * 490 * 0.1));
  }

  @Test
  void aTenantHasItsBudgetOfSpans() {
    AtomicLong second = new AtomicLong(1000);
    SamplingPolicies policies =
        SamplingPolicies.parse(
            """
            - name: b
              type: headspan_tenant_budget
              headspan_tenant_budget:
                spans_per_second: 40
                tenants: [{tenant: big, spans_per_second: 400}]
            """,
            second::get);
    long id = 0;
    long small = 0;
    long big = 0;
    for (int i = 0; i < 20; i++, second.incrementAndGet()) {
      for (int trace = 0; trace < 200; trace++) {
        String tenant = trace % 2 == 0 ? "small" : "big";
        long traceId = ++id * SPREAD;
        SpanBatch spans =
            new TraceBuilder()
                .from(tenant, "s", "1")
                .span(traceId, "a", 0, MS)
                .span(traceId, "b", 0, MS)
                .parent(1)
                .build();
        boolean kept = policies.decide(new SampledTrace(spans)).kept();
        small += kept && i > 0 && tenant.equals("small") ? 2 : 0;
        big += kept && tenant.equals("big") ? 2 : 0;
      }
    }

    assertThat(small / 19.0).isCloseTo(40, within(5.0));
    // 200 a second are within its 400.
    assertThat(big).isEqualTo(20 * 100 * 2);
  }

  @Test
  void ratesAreForgottenAndKeysBeyondTheLimitShareOne() {
    AtomicLong second = new AtomicLong(10);
    KeyRates rates = new KeyRates(1, 2, second::get);

    assertThat(rates.count(List.of("a"), 4)).isEqualTo(4);
    assertThat(rates.count(List.of("a"), 4)).isEqualTo(8);
    second.addAndGet(1);
    // The second before, though this one has hardly begun.
    assertThat(rates.count(List.of("a"), 1)).isEqualTo(8);
    second.addAndGet(2);
    // Half of (8 / 2 + 1) / 2, by the weight of three seconds.
    assertThat(rates.count(List.of("a"), 1)).isCloseTo(1.25 / 0.875, within(1e-9));
    second.addAndGet(60);
    assertThat(rates.count(List.of("b"), 1)).isEqualTo(1);
    assertThat(rates.count(List.of("c"), 1)).isEqualTo(1);
    assertThat(rates.count(List.of("d"), 1)).isEqualTo(1);
    assertThat(rates.count(List.of("e"), 1)).isEqualTo(2);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "[failed, quarter] | 0.25",
        "[quarter, failed] | 0.25",
        "[quarter, quarter] | NaN",
        "[failed] | 1",
      })
  void conditionsWithOneShareHaveItsProbability(String order, double probability) {
    String subPolicies =
        order
            .replace("failed", "{name: f, type: status_code, status_code: {status_codes: [ERROR]}}")
            .replace(
                "quarter",
                "{name: q, type: probabilistic, probabilistic: {sampling_percentage: 25}}");
    SamplingPolicies policies =
        SamplingPolicies.parse(
            "[{name: a, type: and, and: {and_sub_policy: " + subPolicies + "}}]", () -> 0);
    int kept = 0;
    for (int trace = 1; trace <= 100; trace++) {
      SamplingPolicies.Verdict verdict =
          policies.decide(
              new SampledTrace(
                  new TraceBuilder().span(trace * SPREAD, "x", 0, MS).failed().build()));
      if (verdict.kept()) {
        kept++;
        assertThat(verdict.probability()).isCloseTo(probability, within(1e-9));
      }
    }
    assertThat(kept).isPositive();
    // One for which the conditions do not hold is never kept.
    assertThat(
            policies
                .decide(new SampledTrace(new TraceBuilder().span(1, "x", 0, MS).build()))
                .probability())
        .isIn(0.0, Double.NaN);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "cold_start | {x: 1} | unknown key of a policy: policy=a, key=x; it takes none",
        "culprit | {tenant: b} | policy=a, key=tenant; it takes tenants",
        "stolen_share | {min_share: 0.5, max_share: 1} | policy=a, key=max_share",
        "slower_than_usual | {percentile: 98} | key=percentile, value=98; expected one of [50, 90",
        "slower_than_usual | {min_invocations: 0} | key=min_invocations, value=0; expected an",
        "slower_than_usual | {quantile: 0.9} | policy=a, key=quantile; it takes percentile",
        "rare_operation | {lookback_minutes: 99999} | key=lookback_minutes, value=99999",
        "rare_operation | {max_invocations: few} | key=max_invocations, value=few",
        "new_version | {minutes: 60, lookback_minutes: 60} | expected more than minutes, 60",
        "rate_per_key | {} | policy=a, key=traces_per_second, value=null; expected a rate above 0",
        "rate_per_key | {traces_per_second: 1, keys: [pod]} | key=keys, value=[pod]; expected a",
        "rate_per_key | {traces_per_second: 1, keys: []} | key=keys, value=[]",
        "tenant_budget | {spans_per_second: -1} | key=spans_per_second, value=-1",
        "tenant_budget | {spans_per_second: 1, tenants: [a]} | expected a list of tenant and",
        "tenant_budget | {spans_per_second: 1, tenants: [{tenant: a}]} | key=spans_per_second",
        "tenant_budget | {spans_per_second: 1, tenants: [{name: a}]} | key=name; it takes tenant",
      })
  void saysWhatIsWrong(String type, String value, String message) {
    String yaml = "[{name: a, type: headspan_%1$s, headspan_%1$s: %2$s}]".formatted(type, value);

    assertThatThrownBy(() -> SamplingPolicies.parse(yaml, () -> 0))
        .isInstanceOf(SamplingException.class)
        .hasMessageContaining(message);
  }

  private static History.Name named(String name) {
    return new History.Name("t", "s", name);
  }

  private static TraceBuilder span(String operation, long durationNs) {
    return new TraceBuilder().from("t", "s", "1").span(1, operation, 0, durationNs);
  }

  private static boolean holds(Policy.OfHistory condition, History history, TraceBuilder trace) {
    return condition.matches(
        new SampledTrace(trace.build(), Histories.of(Map.of(condition, history))));
  }

  private static History.Known known(long value) {
    return new History.Known(0, 0, value);
  }
}
