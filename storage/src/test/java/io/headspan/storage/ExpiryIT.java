package io.headspan.storage;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.wire.AttributeType;
import io.headspan.wire.SpanBatch;
import java.io.IOException;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Spans of three tenants on each of ten days: each stays for as long as its tenant wants.
final class ExpiryIT {
  private static final LocalDate TODAY = LocalDate.of(2026, 11, 20);
  private static final int DAYS = 10;
  private static final long TRACES_A_DAY = 3;
  private static final byte SERVER = 2;
  private static final List<String> TENANTS = List.of("acme", "bravo", "");

  private static TestStore server;

  private SpanStore store;

  @BeforeAll
  static void startServer() throws IOException {
    server = TestStore.start();
  }

  @AfterAll
  static void stopServer() throws IOException {
    server.close();
  }

  @BeforeEach
  void storeTenDays() {
    store = SpanStore.connect(server.newDatabase());
    store.migrate();
    for (int ago = 0; ago < DAYS; ago++) {
      store.insert(day(TODAY.minusDays(ago)), "day-" + ago);
    }
  }

  @AfterEach
  void dropDatabase() {
    TestStore.drop(store.address());
    store.close();
  }

  @Test
  void keepsEverythingWithoutRetention() {
    assertThat(store.expire(Retention.FOR_EVER, TODAY)).isEmpty();
    assertThat(spans("acme")).isEqualTo(DAYS * TRACES_A_DAY);
  }

  @Test
  void keepsOfEachTenantWhatItWants() {
    Retention retention = new Retention(Map.of("acme", 2, "bravo", 0), 6);

    assertThat(store.expire(retention, TODAY)).isNotEmpty();

    // The day of the span, so many after it, and today.
    assertThat(spans("acme")).isEqualTo(3 * TRACES_A_DAY);
    assertThat(spans("bravo")).isEqualTo(DAYS * TRACES_A_DAY);
    assertThat(spans("")).isEqualTo(7 * TRACES_A_DAY);
    assertThat(number("SELECT sum(spans) FROM trace_summary"))
        .as("a trace without spans is not found any more")
        .isEqualTo((3 + DAYS + 7) * TRACES_A_DAY);
    assertThat(number("SELECT sum(invocations) FROM latency_minute"))
        .as("costs of a month can still be counted")
        .isEqualTo(3 * DAYS * TRACES_A_DAY);
    assertThat(number("SELECT sum(invocations) FROM latency_slots WHERE seconds = 3600"))
        .isEqualTo(3 * DAYS * TRACES_A_DAY);
    SpanBatch left = store.trace(TODAY.minusDays(9).toEpochDay(), 1 + TENANTS.indexOf("bravo"), 10);
    assertThat(left.size()).isEqualTo(1);
    assertThat(left.resourceAttributes().size()).as("its resource is there").isEqualTo(1);
    assertThat(store.expire(retention, TODAY)).as("nothing is left to go").isEmpty();
  }

  @Test
  void dropsADayOfWhichNothingStays() {
    assertThat(store.expire(new Retention(Map.of(), 3), TODAY))
        .contains("table=kept_spans, day=2026-11-16", "table=resources, day=2026-11-16");

    assertThat(number("SELECT count() FROM spans")).isEqualTo(4 * TRACES_A_DAY * TENANTS.size());
    assertThat(
            number(
                "SELECT uniqExact(partition_id) FROM system.parts WHERE database ="
                    + " currentDatabase() AND active AND table = 'trace_summary'"))
        .isEqualTo(4);
  }

  @Test
  void lateSpansOfADayThatIsOverGoTheNextTime() {
    Retention retention = new Retention(Map.of(), 3);
    store.expire(retention, TODAY);
    store.insert(day(TODAY.minusDays(20)), "late");

    assertThat(store.expire(retention, TODAY)).contains("table=kept_spans, day=2026-10-31");
    assertThat(number("SELECT count() FROM spans")).isEqualTo(4 * TRACES_A_DAY * TENANTS.size());
  }

  @Test
  void costsOfLongAgoGoFromEveryRollup() {
    assertThat(store.expire(new Retention(Map.of("bravo", 0), 3), TODAY.plusDays(400)))
        .contains(
            "table=latency_minute, day=2026-11-14, tenants=[, acme]",
            "table=latency_slots, day=2026-11-14, tenants=[, acme]");

    for (String rollup :
        List.of(
            "latency_minute",
            "latency_slots WHERE seconds = 60",
            "latency_slots WHERE seconds = 3600")) {
      assertThat(number("SELECT sum(invocations) FROM " + rollup))
          .as(rollup)
          .isEqualTo((DAYS + 2) * TRACES_A_DAY);
    }
  }

  private long spans(String tenant) {
    return store
        .query(
            SqlQuery.of("SELECT count() FROM spans WHERE tenant = {tenant:String}")
                .bind("tenant", tenant),
            row -> row.integer(0))
        .getFirst();
  }

  private long number(String sql) {
    return store.query(SqlQuery.of(sql), row -> row.integer(0)).getFirst();
  }

  /// Traces of one span each; the day is the upper half of their ids.
  private static SpanBatch day(LocalDate day) {
    SpanBatch.Builder batch = new SpanBatch.Builder();
    long noonNs = TimeUnit.SECONDS.toNanos(day.atTime(12, 0).toEpochSecond(ZoneOffset.UTC));
    for (int tenant = 0; tenant < TENANTS.size(); tenant++) {
      int resource = batch.addResource();
      batch
          .resourceAttributes()
          .add(
              resource,
              batch.table().intern(TENANTS.get(tenant).isEmpty() ? "other" : "headspan.tenant"),
              AttributeType.STRING,
              batch.table().intern(TENANTS.get(tenant)));
      int scope = batch.addScope(resource);
      for (int i = 0; i < TRACES_A_DAY; i++) {
        int row = batch.addSpan(scope);
        batch.traceIdHigh(row, day.toEpochDay());
        batch.traceIdLow(row, 1 + tenant + 10L * i);
        batch.spanId(row, 1);
        batch.kind(row, SERVER);
        batch.name(row, batch.table().intern("operation"));
        batch.startNs(row, noonNs);
        batch.durationNs(row, 1_000);
      }
    }
    return batch.build();
  }
}
