package io.headspan.collector.edge;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.collector.ingest.ListedRecords;
import io.headspan.collector.ingest.Omission;
import io.headspan.collector.ingest.Rejection;
import io.headspan.collector.ingest.SpanRecords;
import io.headspan.wire.AttributeType;
import io.headspan.wire.LogBatch;
import io.headspan.wire.SignalOrigin;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.TypedAttribute;
import io.headspan.wire.TypedValue;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class LimiterTest {
  private static final Sender AGENT = Sender.ANYONE;
  private static final Sender ACME = new Sender("acme-sdk", true, List.of("acme"));
  private static final TenantLimits TEN =
      new TenantLimits(10, 5, 0, 0, Duration.ofSeconds(2), 0, 0, 0);

  private long nowNs;
  private final Limiter limiter = new Limiter(() -> nowNs);
  private int names;

  @Test
  void aTenantsProgramIsToldWhenToComeAgain() {
    assertThat(taken(ACME, TEN, "acme", 20)).isEqualTo(20);
    Admitted<SpanBatch> second = admit(ACME, rules(TEN), spans("acme", 1), name());
    assertThat(second).isInstanceOf(Admitted.Refused.class);
    Admitted.Refused<SpanBatch> refused = (Admitted.Refused<SpanBatch>) second;
    assertThat(refused.reason()).isEqualTo(Rejection.RATE_LIMITED);
    assertThat(refused.comeAgain()).isBetween(Duration.ofNanos(1), Duration.ofMillis(1));
    assertThat(refused.why()).contains("tenants=[acme], kind=traces");
    nowNs += refused.comeAgain().toNanos();
    assertThat(taken(ACME, TEN, "acme", 1)).isEqualTo(1);
  }

  @Test
  void noBatchIsTooLargeForEverAndTheRateHoldsInTheLongRun() {
    long spans = 0;
    for (int second = 0; second < 1_000; second++) {
      if (admit(ACME, rules(TEN), spans("acme", 500), name())
          instanceof Admitted.Taken<SpanBatch>) {
        spans += 500;
      }
      nowNs += 1_000_000_000L;
    }
    assertThat(spans).isBetween(10_000L, 10_520L);
  }

  @Test
  void aNoisyTenantDoesNotStopTheOthersOfItsNode() {
    TenantRules rules = rules(TEN);
    SpanBatch mixed = spans(Map.of("acme", 100, "bravo", 3, "", 2));
    Admitted.Taken<SpanBatch> first =
        (Admitted.Taken<SpanBatch>) admit(AGENT, rules, mixed, name());
    assertThat(first.batch()).isSameAs(mixed);
    Admitted.Taken<SpanBatch> second =
        (Admitted.Taken<SpanBatch>) admit(AGENT, rules, mixed, name());
    assertThat(second.batch().size()).isEqualTo(5);
    assertThat(second.omitted())
        .containsExactly(
            new Omission("", "acme", Omission.Kind.SPANS, Rejection.RATE_LIMITED, 100));
    assertThat(second.message()).isEqualTo("above the tenant's rate: tenant=acme");
  }

  @Test
  void whatWasDecidedOfABatchHoldsWhenItComesAgain() {
    TenantRules rules = rules(TEN);
    assertThat(admit(AGENT, rules, spans("acme", 25), "first")).isInstanceOf(Admitted.Taken.class);
    for (int i = 0; i < 3; i++) {
      // Not charged again.
      assertThat(size(admit(AGENT, rules, spans("acme", 25), "first"))).isEqualTo(25);
      assertThat(size(admit(AGENT, rules, spans("acme", 7), "second"))).isZero();
    }
    nowNs += Duration.ofMinutes(1).toNanos();
    assertThat(size(admit(AGENT, rules, spans("acme", 7), "second"))).isZero();
    assertThat(size(admit(AGENT, rules, spans("acme", 7), "third"))).isEqualTo(7);
  }

  @Test
  void whatAnAgentSendsLateIsNotTooMuch() {
    TenantRules rules = rules(TEN);
    assertThat(taken(AGENT, TEN, "acme", 100)).isEqualTo(100);
    SpanBatch batch = spans("acme", 100);
    assertThat(size(limiter.admit(rules, AGENT, new SpanRecords(batch), name(), seconds(60))))
        .isEqualTo(100);
    assertThat(limiter.admit(rules, ACME, new SpanRecords(batch), name(), seconds(60)))
        .isInstanceOf(Admitted.Refused.class);
    assertThat(size(limiter.admit(rules, AGENT, new SpanRecords(batch), name(), seconds(1))))
        .isZero();
  }

  @Test
  void countsEachKindByItselfAndBytesTogether() {
    TenantLimits bytes = new TenantLimits(0, 0, 0, 1_000, Duration.ofSeconds(1), 0, 0, 0);
    assertThat(taken(ACME, TEN, "acme", 20)).isEqualTo(20);
    assertThat(limiter.admit(rules(TEN), ACME, ListedRecords.of(logs(10)), name(), seconds(0)))
        .isInstanceOf(Admitted.Taken.class);
    assertThat(limiter.admit(rules(TEN), ACME, ListedRecords.of(logs(1)), name(), seconds(0)))
        .isInstanceOf(Admitted.Refused.class);
    nowNs += Duration.ofMinutes(1).toNanos();
    assertThat(taken(ACME, bytes, "acme", 30)).isEqualTo(30);
    assertThat(limiter.admit(rules(bytes), ACME, ListedRecords.of(logs(1)), name(), seconds(0)))
        .isInstanceOf(Admitted.Refused.class);
  }

  @Test
  void leavesOutWhatIsTooLarge() {
    TenantLimits small = new TenantLimits(0, 0, 0, 0, Duration.ofSeconds(1), 2, 10, 200);
    SpanBatch.Builder builder = new SpanBatch.Builder();
    int scope = builder.addScope(resource(builder, "acme"));
    attributes(builder, builder.addSpan(scope), "ok", "fine");
    attributes(builder, builder.addSpan(scope), "a", "b", "c");
    attributes(builder, builder.addSpan(scope), "eleven char");
    int many = builder.addSpan(scope);
    for (int i = 0; i < 3; i++) {
      builder.eventTimeNs(builder.addEvent(many), 1);
    }
    Admitted.Taken<SpanBatch> taken =
        (Admitted.Taken<SpanBatch>) admit(AGENT, rules(small), builder.build(), name());
    assertThat(taken.batch().size()).isEqualTo(1);
    assertThat(taken.omitted())
        .containsExactly(new Omission("", "acme", Omission.Kind.SPANS, Rejection.TOO_LARGE, 3));
    assertThat(taken.message())
        .isEqualTo("too many attributes: attributes=3, limit=2, tenant=acme");
  }

  @Test
  void whatItKeepsIsBoundedWhateverNamesCome() {
    TenantRules rules =
        new TenantRules(Map.of(), TEN, Map.of(), Map.of(), Map.of(), OptionalInt.empty());
    Map<String, Integer> many = new HashMap<>();
    for (int i = 0; i < 3 * Limiter.TENANTS_MAX; i++) {
      many.put("tenant-" + i, 1);
    }
    assertThat(admit(AGENT, rules, spans(many), name())).isInstanceOf(Admitted.Taken.class);
    assertThat(limiter.tenants()).isLessThanOrEqualTo(Limiter.TENANTS_MAX + 1);
    nowNs += Duration.ofMinutes(1).toNanos();
    assertThat(size(admit(AGENT, rules, spans("late", 1), name()))).isEqualTo(1);
    // The late one, and what those have in common that had no allowance of their own.
    assertThat(limiter.tenants()).isEqualTo(2);
  }

  private String name() {
    return "batch-" + names++;
  }

  private int taken(Sender sender, TenantLimits limits, String tenant, int count) {
    return size(admit(sender, rules(limits), spans(tenant, count), name()));
  }

  private static int size(Admitted<SpanBatch> admitted) {
    return ((Admitted.Taken<SpanBatch>) admitted).batch().size();
  }

  private Admitted<SpanBatch> admit(
      Sender sender, TenantRules rules, SpanBatch batch, String name) {
    return limiter.admit(rules, sender, new SpanRecords(batch), name, Duration.ZERO);
  }

  private static TenantRules rules(TenantLimits acme) {
    return new TenantRules(
        Map.of("acme", acme), TenantLimits.NONE, Map.of(), Map.of(), Map.of(), OptionalInt.empty());
  }

  private static Duration seconds(int seconds) {
    return Duration.ofSeconds(seconds);
  }

  private static SpanBatch spans(String tenant, int count) {
    return spans(Map.of(tenant, count));
  }

  private static SpanBatch spans(Map<String, Integer> counts) {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    counts.forEach((tenant, count) -> {
      int scope = builder.addScope(resource(builder, tenant));
      for (int i = 0; i < count; i++) {
        var _ = builder.addSpan(scope);
      }
    });
    return builder.build();
  }

  private static int resource(SpanBatch.Builder builder, String tenant) {
    int resource = builder.addResource();
    builder
        .resourceAttributes()
        .add(
            resource,
            builder.table().intern("headspan.tenant"),
            AttributeType.STRING,
            builder.table().intern(tenant));
    return resource;
  }

  private static void attributes(SpanBatch.Builder builder, int span, String... values) {
    for (String value : values) {
      builder
          .spanAttributes()
          .add(
              span,
              builder.table().intern("key"),
              AttributeType.STRING,
              builder.table().intern(value));
    }
  }

  private static LogBatch logs(int count) {
    SignalOrigin origin =
        new SignalOrigin(
            List.of(
                new TypedAttribute(
                    "headspan.tenant", new TypedValue(AttributeType.STRING, "acme"))),
            "",
            "",
            "",
            List.of(),
            "");
    List<LogBatch.Entry> entries = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      entries.add(
          new LogBatch.Entry(
              origin, 1, 1, 0, 0, 0, 0, (byte) 9, "", "", TypedValue.EMPTY, List.of(), 0));
    }
    return new LogBatch(entries);
  }
}
