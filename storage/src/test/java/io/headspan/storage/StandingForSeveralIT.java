package io.headspan.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.data.Percentage.withPercentage;

import io.headspan.storage.embedded.StoreProcess;
import io.headspan.wire.SpanBatch;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// A span that a sampler before us let through counts for as many as it stands for, from the moment
/// it is stored.
final class StandingForSeveralIT {
  private static final long NOON_NS =
      TimeUnit.SECONDS.toNanos(Instant.parse("2026-11-20T12:00:00Z").getEpochSecond());
  private static final byte SERVER = 2;
  private static final byte CLIENT = 3;

  private static TestStore server;

  @BeforeAll
  static void startServer() throws IOException {
    server = TestStore.start();
  }

  @AfterAll
  static void stopServer() throws IOException {
    server.close();
  }

  private static SpanStore newStore() {
    SpanStore store = SpanStore.connect(server.newDatabase());
    store.migrate();
    return store;
  }

  @ParameterizedTest
  @EnumSource(Tier.class)
  void countsAndPercentilesAreOfAllThatSpansStandFor(Tier tier) {
    SpanBatch.Builder builder = newBatch();
    // A quarter was let through of the slow ones, and every quick one.
    for (int i = 1; i <= 1_000; i++) {
      span(builder, SERVER, i, 500_000_000L + i * 500_000L, i % 10 == 0, "v=1,ot=rv:ab;th:c");
      span(builder, SERVER, 10_000 + i, 1_000_000L, false, "");
      span(builder, CLIENT, 20_000 + i, 1, false, "ot=th:c");
    }
    try (SpanStore store = newStore()) {
      store.insert(builder.build(), "once", tier);
      store.insert(builder.build(), "once", tier);
      assertThat(number(store, "sum(invocations)")).isEqualTo(5_000);
      assertThat(number(store, "sumIf(invocations, status = 2)")).isEqualTo(400);
      assertThat(number(store, "sum(duration_sum)"))
          .isEqualTo(4 * (1_000 * 500e6 + 500_500 * 500_000.0) + 1_000 * 1e6);
      assertThat(number(store, "max(duration_max)")).isEqualTo(1_000e6);
      assertThat(number(store, "sum(variance)")).isEqualTo(12_000);
      // Of 5,000 the first 1,000 are quick; the other 4,000 lie evenly between 0.5 s and 1 s.
      assertThat(number(store, "quantilesDDMerge(0.01, 0.5)(latency)[1]"))
          .isCloseTo(500e6 + 500e6 * 1_500 / 4_000, withPercentage(1));
      assertThat(number(store, "quantilesDDMerge(0.01, 0.99)(latency)[1]"))
          .isCloseTo(500e6 + 500e6 * 3_950 / 4_000, withPercentage(1));
      assertThat(
              store
                  .query(
                      SqlQuery.of("SELECT sum(adjusted_count) FROM spans WHERE kind = 2"),
                      row -> row.number(0))
                  .getFirst())
          .isEqualTo(5_000);
    }
  }

  @ParameterizedTest
  @EnumSource(Tier.class)
  void aReplayAfterTheStoresNextStartCountsOnce(Tier tier, @TempDir Path directory)
      throws IOException {
    SpanBatch.Builder builder = newBatch();
    for (int i = 1; i <= 100; i++) {
      span(builder, SERVER, i, 1_000, false, "ot=th:c");
    }
    for (int start = 0; start < 2; start++) {
      try (StoreProcess process = StoreProcess.start(directory);
          SpanStore store = SpanStore.connect(process.address())) {
        store.migrate();
        store.insert(builder.build(), "again", tier);
        assertThat(number(store, "sum(invocations)")).isEqualTo(400);
      }
    }
  }

  /// 0.3 of all are let through: each stands for 3 and a third.
  @Test
  void partsOfSpansAddUpInTheMean() {
    int spans = 30_000;
    SpanBatch.Builder builder = newBatch();
    for (int i = 0; i < spans; i++) {
      span(builder, SERVER, i * 0x9e3779b97f4a7c15L, 1_000, false, "ot=th:b3333333333333");
    }
    try (SpanStore store = newStore()) {
      store.insert(builder.build(), "parts", Tier.KEPT);
      double deviation = Math.sqrt(spans * (1 / 3.0) * (2 / 3.0));
      assertThat(number(store, "sum(invocations)")).isCloseTo(spans / 0.3, within(5 * deviation));
      assertThat(number(store, "sum(duration_sum)"))
          .isEqualTo(1_000 * number(store, "sum(invocations)"));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          ot=th:8               | 2
          v=1, ot=th:e ,w=2     | 8
          ot=th:0               | 1
          ot=th:xyz             | 1
          ot=th:0123456789abcdef| 1
          vendor=th:8           | 1
          ot=rv:th:8            | 1
          ot=th:ffffffffffffff  | 1000000
          """)
  void readsTheThreshold(String state, long invocations) {
    SpanBatch.Builder builder = newBatch();
    span(builder, SERVER, 1, 1_000, false, state);
    try (SpanStore store = newStore()) {
      store.insert(builder.build(), "threshold", Tier.RECENT);
      assertThat(number(store, "sum(invocations)")).isEqualTo((double) invocations);
    }
  }

  private static double number(SpanStore store, String aggregate) {
    return store
        .query(
            SqlQuery.of("SELECT toFloat64(" + aggregate + ") FROM latency_minute"),
            row -> row.number(0))
        .getFirst();
  }

  private static SpanBatch.Builder newBatch() {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    builder.addScope(builder.addResource());
    return builder;
  }

  private static void span(
      SpanBatch.Builder builder,
      byte kind,
      long spanId,
      long durationNs,
      boolean failed,
      String traceState) {
    int span = builder.addSpan(0);
    builder.startNs(span, NOON_NS);
    builder.durationNs(span, durationNs);
    builder.traceIdLow(span, spanId);
    builder.spanId(span, spanId);
    builder.kind(span, kind);
    builder.statusCode(span, (byte) (failed ? 2 : 0));
    builder.traceState(span, builder.table().intern(traceState));
  }
}
