package io.headspan.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.wire.AttributeType;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.SpanExcerpt;
import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.NodeSignal;
import java.io.IOException;
import java.net.ServerSocket;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class SpanStoreIT {
  private static final long NOON_NS =
      TimeUnit.SECONDS.toNanos(Instant.parse("2026-11-20T12:00:00Z").getEpochSecond());

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
  void migrate() {
    store = SpanStore.connect(server.newDatabase());
    store.migrate();
  }

  @AfterEach
  void dropDatabase() {
    String database = store.address().database();
    store.query(
        SqlQuery.of("SELECT count() FROM system.tables WHERE database = {name:String}")
            .bind("name", database),
        row -> row.integer(0));
    TestStore.drop(store.address());
    store.close();
  }

  @Test
  void returnsEverySpanAsItWasStored() {
    Map<String, List<String>> expected = new HashMap<>();
    for (int seed = 0; seed < 5; seed++) {
      SpanBatch batch = new RandomSpans(seed).batch(200, NOON_NS);
      store.insert(batch, "batch-" + seed);
      expected.putAll(BatchText.traces(batch));
    }
    expected.forEach((id, spans) -> assertThat(BatchText.spans(trace(id))).as(id).isEqualTo(spans));
  }

  @Test
  void returnsTheEarliestSpansOfALongTrace() {
    SpanBatch batch = oneTrace(50);
    store.insert(batch, "long");
    TraceSpans trace = store.trace(1, 2, TraceRead.of(10));
    assertThat(trace.isCut()).isTrue();
    assertThat(trace.spans().size()).isEqualTo(10);
    for (int i = 0; i < 10; i++) {
      assertThat(trace.spans().startNs(i)).isEqualTo(NOON_NS + i);
    }
    assertThat(store.trace(1, 2, TraceRead.of(50)).isCut()).isFalse();
  }

  @Test
  void saysThatALongTraceIsCutThoughItsSpansAreStoredTwice() {
    SpanBatch batch = oneTrace(50);
    store.insert(batch, "once");
    store.insert(batch, "and again");
    TraceSpans trace = store.trace(1, 2, TraceRead.of(40));
    assertThat(trace.isCut()).isTrue();
    assertThat(trace.spans().size()).isLessThanOrEqualTo(40);
  }

  /// As where a sampler is switched on in the middle of a window.
  @Test
  void returnsWhatIsInEitherTierOfOneWindow() {
    SpanBatch all = oneTrace(4);
    store.insert(SpanExcerpt.of(all, BitSet.valueOf(new long[] {0b0101})), "recent", Tier.RECENT);
    store.insert(SpanExcerpt.of(all, BitSet.valueOf(new long[] {0b1010})), "kept", Tier.KEPT);
    assertThat(BatchText.traces(store.trace(1, 2, 10))).isEqualTo(BatchText.traces(all));
  }

  /// A late span brings a window of the recent tier back that was dropped when it had been copied.
  @Test
  void returnsWhatWasKeptOfAWindowThatComesAgain() {
    SpanBatch all = oneTrace(4);
    store.insert(SpanExcerpt.of(all, BitSet.valueOf(new long[] {0b0101})), "kept", Tier.KEPT);
    try (NodeClient client = new NodeClient(store.address())) {
      Map<String, String> synchronous = Map.of("mutations_sync", "1");
      client.command("ALTER TABLE kept_spans UPDATE decision = 7 WHERE 1", synchronous);
      client.command(
          "INSERT INTO tier_boundary SELECT max(window), now64(3) FROM kept_spans", Map.of());
    }
    store.insert(SpanExcerpt.of(all, BitSet.valueOf(new long[] {0b1010})), "late", Tier.RECENT);
    assertThat(BatchText.traces(store.trace(1, 2, 10))).isEqualTo(BatchText.traces(all));
  }

  @Test
  void readsATraceUnderTheLimitsOfItsCaller() {
    store.insert(oneTrace(2_000), "large");
    TraceRead tight = TraceRead.of(2_000).within(Duration.ofSeconds(30), 100_000);
    assertThatThrownBy(() -> store.trace(1, 2, tight))
        .isInstanceOfSatisfying(
            StoreException.class,
            e -> assertThat(e.kind()).isEqualTo(StoreException.Kind.LIMIT_EXCEEDED));
    assertThatThrownBy(() -> store.traces(List.of(BatchText.traceId(oneTrace(1), 0)), tight))
        .isInstanceOf(StoreException.class);
    assertThat(store.trace(1, 2, TraceRead.of(2_000)).spans().size()).isEqualTo(2_000);
  }

  @Test
  void returnsSeveralTracesAsEachAlone() {
    Map<String, List<String>> expected = new HashMap<>();
    for (int seed = 20; seed < 24; seed++) {
      SpanBatch batch = new RandomSpans(seed).batch(300, NOON_NS);
      store.insert(batch, "batch-" + seed, seed % 2 == 0 ? Tier.RECENT : Tier.KEPT);
      expected.putAll(BatchText.traces(batch));
    }
    store.insert(oneTrace(50), "long");
    String longTrace = BatchText.traceId(oneTrace(1), 0);
    List<String> ids = new ArrayList<>(expected.keySet());
    ids.add(longTrace);
    ids.add("0123456789abcdef0123456789abcdef");

    Map<String, SpanBatch> traces = store.traces(ids, 40);

    expected.put(longTrace, BatchText.spans(store.trace(1, 2, 40)));
    assertThat(traces.keySet()).isEqualTo(expected.keySet());
    traces.forEach(
        (id, trace) -> assertThat(BatchText.spans(trace)).as(id).isEqualTo(expected.get(id)));
  }

  @Test
  void returnsNoSpansOfAnUnknownTrace() {
    assertThat(store.trace(4, 2, 100).size()).isZero();
  }

  @Test
  void storesAReplayOnceAndCountsItOnce() {
    SpanBatch batch = new RandomSpans(7).batch(500, NOON_NS);
    store.insert(batch, "agent/boot/1");
    List<String> once = rollups();
    store.insert(batch, "agent/boot/1");
    assertThat(count("spans")).isEqualTo(500);
    assertThat(rollups()).isEqualTo(once);
    store.insert(batch, "agent/boot/2");
    assertThat(count("spans")).isEqualTo(1000);
    assertThat(rollups()).isNotEqualTo(once);
  }

  @Test
  void knowsWhetherABatchIsStored() {
    SpanBatch batch = new RandomSpans(17).batch(300, NOON_NS);
    assertThat(store.isStored(batch)).isFalse();
    store.insert(batch, "some token");
    assertThat(store.isStored(batch)).isTrue();
    assertThat(store.isStored(new RandomSpans(18).batch(300, NOON_NS))).isFalse();
  }

  @Test
  void knowsHowFarBackItKnowsTokens() {
    store.insert(new RandomSpans(19).batch(10, NOON_NS), "first");
    assertThat(store.knowsTokens(Duration.ofHours(1))).isTrue();

    // What may be on its way, and ten blocks.
    alter("trace_summary MODIFY SETTING non_replicated_deduplication_window = 510");
    assertThat(store.knowsTokens(Duration.ofHours(1))).isTrue();

    for (int i = 0; i < 10; i++) {
      store.insert(new RandomSpans(20 + i).batch(10, NOON_NS), "later " + i);
    }
    assertThat(store.knowsTokens(Duration.ofHours(1))).as("eleven blocks").isFalse();
  }

  private void alter(String table) {
    try (StoreClient client = new NodeClient(store.address())) {
      client.command("ALTER TABLE " + table, Map.of());
    }
  }

  @Test
  void storesWhatAgentsTellAboutTheirNodesOnce() {
    NodeReport ledger =
        report(
            1,
            new NodeSignal.Ledger(
                List.of(
                    new NodeSignal.Ledger.Entry("acme", "captured", "", 10),
                    new NodeSignal.Ledger.Entry("acme", "dropped", "ring_full", 4))));
    NodeReport matrix =
        report(
            2,
            new NodeSignal.Interference(
                List.of(new NodeSignal.Interference.Cell("acme", "globex", 123_456, 7))));
    NodeReport pressure =
        report(
            3,
            new NodeSignal.Pressure(List.of(new NodeSignal.Pressure.Stall("memory", 5_000, 40))));
    for (int i = 0; i < 2; i++) {
      store.insert(ledger, "signal/agent/boot/1");
      store.insert(matrix, "signal/agent/boot/2");
      store.insert(pressure, "signal/agent/boot/3");
    }
    store.insert(report(4, new NodeSignal.Pressure(List.of())), "signal/agent/boot/4");
    assertThat(
            rows(
                """
                SELECT concat_ws('|', toUnixTimestamp64Nano(time), agent, boot, host, sequence,
                  tenant, state, reason, spans) FROM node_ledger ORDER BY state
                """))
        .containsExactly(
            NOON_NS + "|agent|boot|node-1|1|acme|captured||10",
            NOON_NS + "|agent|boot|node-1|1|acme|dropped|ring_full|4");
    assertThat(
            rows(
                """
                SELECT concat_ws('|', interval_ns, sequence, victim, culprit, wait_ns, waits)
                FROM interference_matrix
                """))
        .containsExactly("10000000000|2|acme|globex|123456|7");
    assertThat(
            rows(
                """
                SELECT concat_ws('|', interval_ns, sequence, resource, some_ns, full_ns)
                FROM node_pressure
                """))
        .containsExactly("10000000000|3|memory|5000|40");
  }

  private static NodeReport report(long sequence, NodeSignal signal) {
    return new NodeReport("agent", "boot", sequence, "node-1", NOON_NS, 10_000_000_000L, signal);
  }

  private List<String> rows(String sql) {
    return store.query(SqlQuery.of(sql), row -> row.text(0));
  }

  @Test
  void storesAReplayOnceAfterItsSenderForgotWhatWasStored() {
    SpanBatch batch = new RandomSpans(8).batch(100, NOON_NS);
    store.insert(batch, "token");
    try (SpanStore restarted = SpanStore.connect(store.address())) {
      restarted.insert(batch, "token");
    }
    assertThat(count("spans")).isEqualTo(100);
    assertThat(BatchText.traces(batch).keySet())
        .allSatisfy(id ->
            assertThat(BatchText.spans(trace(id))).isEqualTo(BatchText.traces(batch).get(id)));
  }

  @Test
  void returnsASpanSentTwiceOnceAsItEndedLast() {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    int scope = builder.addScope(builder.addResource());
    for (long duration : new long[] {5, 70, 60}) {
      int span = builder.addSpan(scope);
      builder.traceIdHigh(span, 9);
      builder.traceIdLow(span, 9);
      builder.spanId(span, 1);
      builder.startNs(span, NOON_NS);
      builder.durationNs(span, duration);
    }
    store.insert(builder.build(), "twice");
    SpanBatch trace = store.trace(9, 9, 100);
    assertThat(trace.size()).isEqualTo(1);
    assertThat(trace.durationNs(0)).isEqualTo(70);
  }

  @Test
  void keepsTimesThatNoClockShows() {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    int scope = builder.addScope(builder.addResource());
    long[] times = {0, -1, Long.MIN_VALUE, Long.MAX_VALUE, NOON_NS};
    for (int i = 0; i < times.length; i++) {
      int span = builder.addSpan(scope);
      builder.traceIdLow(span, 5);
      builder.spanId(span, i + 1);
      builder.startNs(span, times[i]);
      builder.durationNs(span, Long.MAX_VALUE);
      builder.kind(span, (byte) 2);
    }
    SpanBatch batch = builder.build();
    store.insert(batch, "times");
    assertThat(BatchText.spans(store.trace(0, 5, 100))).isEqualTo(BatchText.spans(batch));
  }

  @Test
  void rejectsSpansOfTooManyDays() {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    int scope = builder.addScope(builder.addResource());
    for (int day = 0; day < 200; day++) {
      builder.startNs(builder.addSpan(scope), NOON_NS - TimeUnit.DAYS.toNanos(day));
    }
    assertThatThrownBy(() -> store.insert(builder.build(), "days"))
        .isInstanceOfSatisfying(
            StoreException.class, e -> assertThat(e.kind()).isEqualTo(StoreException.Kind.REJECTED))
        .hasMessageContaining("Too many partitions");
    assertThat(count("spans")).isZero();
  }

  @Test
  void summarisesLatencyOfInvocationsWithinOnePercent() {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    int scope = builder.addScope(builder.addResource());
    for (int i = 1; i <= 1000; i++) {
      for (byte kind : new byte[] {1, 2}) {
        int span = builder.addSpan(scope);
        builder.startNs(span, NOON_NS);
        builder.durationNs(span, kind == 2 ? i * 1_000_000L : 1);
        builder.kind(span, kind);
      }
    }
    store.insert(builder.build(), "latency");
    List<double[]> quantiles =
        store.query(
            SqlQuery.of(
                "SELECT sum(invocations), quantilesDDMerge(0.01, 0.5, 0.99)(latency) FROM"
                    + " latency_minute"),
            row -> {
              assertThat(row.integer(0)).isEqualTo(1000);
              return row.numbers(1);
            });
    assertThat(quantiles.getFirst()[0])
        .isCloseTo(500e6, org.assertj.core.data.Percentage.withPercentage(1));
    assertThat(quantiles.getFirst()[1])
        .isCloseTo(990e6, org.assertj.core.data.Percentage.withPercentage(1));
  }

  @Test
  void countsAnInvocationThatWasToldAsOpenOnce() {
    store.insert(invocation(77, 1, 5_000, true), "open");
    assertThat(rollups()).as("while it is open").doesNotContain("77");
    assertThat(count("latency_minute")).isZero();
    assertThat(trace(77).size()).isEqualTo(1);
    store.insert(invocation(77, 1, 9_000, false), "ended");
    SpanBatch read = trace(77);
    assertThat(read.size()).isEqualTo(1);
    assertThat(read.durationNs(0)).isEqualTo(9_000);
    assertThat(sum("sum(invocations) FROM latency_minute")).isEqualTo(1);
    assertThat(sum("sum(spans) FROM trace_summary")).isEqualTo(1);
    assertThat(sum("toUnixTimestamp64Nano(max(end)) - " + NOON_NS + " FROM trace_summary"))
        .isEqualTo(9_000);
    String current =
        " FROM spans WHERE NOT (open AND (trace_id, span_id) IN (SELECT trace_id, span_id FROM"
            + " ended_open))";
    assertThat(sum("count()" + current)).isEqualTo(1);
    assertThat(sum("max(duration)" + current)).isEqualTo(9_000);
  }

  @Test
  void givesOneSpanForWhatAnAgentAndAnSdkToldOf() {
    SpanBatch.Builder agent = new SpanBatch.Builder();
    int captured = agentScope(agent, "shop");
    served(agent, captured, 0xa1, 0xc0, 0, 1_000);
    number(agent, 0, "headspan.cpu_ns", 123);
    text(agent, 0, "url.path", "/orders");
    called(agent, captured, 0xa2, 0xa1, 300);
    text(agent, 1, "headspan.header_parent", "00000000000000b2");
    int stock = agentScope(agent, "stock");
    served(agent, stock, 0xa3, 0xa2, 310, 380);
    text(agent, 2, "headspan.header_parent", "00000000000000b2");
    store.insert(agent.build(), "agent");
    SpanBatch.Builder sdk = new SpanBatch.Builder();
    int own = sdkScope(sdk, "shop");
    served(sdk, own, 0xb1, 0xc0, 100, 900);
    text(sdk, 0, "app.user", "ann");
    called(sdk, own, 0xb2, 0xb4, 250);
    int internal = sdk.addSpan(own);
    sdk.traceIdLow(internal, 78);
    sdk.spanId(internal, 0xb4);
    sdk.parentSpanId(internal, 0xb1);
    sdk.startNs(internal, NOON_NS + 120);
    sdk.kind(internal, (byte) 1);
    store.insert(sdk.build(), "sdk");

    Map<Long, Long> parents = new HashMap<>();
    SpanBatch read = trace(78);
    for (int i = 0; i < read.size(); i++) {
      parents.put(read.spanId(i), read.parentSpanId(i));
    }
    assertThat(parents).isEqualTo(Map.of(0xb1L, 0xc0L, 0xb4L, 0xb1L, 0xb2L, 0xb4L, 0xa3L, 0xb2L));
    int shop = row(read, 0xb1);
    assertThat(read.startNs(shop)).isEqualTo(NOON_NS);
    assertThat(read.durationNs(shop)).isEqualTo(1_000);
    assertThat(BatchText.spans(read).toString())
        .contains("headspan.cpu_ns", "app.user", "headspan.span_id")
        .doesNotContain("url.path");
  }

  @Test
  void leavesSpansApartThatMayNotBeTheSame() {
    SpanBatch.Builder agent = new SpanBatch.Builder();
    int captured = agentScope(agent, "shop");
    // Twice the same request at once, and one to another service.
    served(agent, captured, 0xa1, 0xc0, 0, 1_000);
    served(agent, captured, 0xa2, 0xc0, 10, 1_000);
    served(agent, agentScope(agent, "stock"), 0xa3, 0xc1, 0, 1_000);
    // And one to a service of the same name, of another tenant.
    served(agent, agentScope(agent, "pay"), 0xa4, 0xc2, 0, 1_000);
    resourceText(agent, agent.resources() - 1, "headspan.tenant", "acme");
    store.insert(agent.build(), "agent");
    SpanBatch.Builder sdk = new SpanBatch.Builder();
    int own = sdkScope(sdk, "shop");
    served(sdk, own, 0xb1, 0xc0, 100, 900);
    served(sdk, own, 0xb2, 0xc1, 100, 900);
    served(sdk, sdkScope(sdk, "pay"), 0xb3, 0xc2, 100, 900);
    resourceText(sdk, sdk.resources() - 1, "headspan.tenant", "bravo");
    store.insert(sdk.build(), "sdk");
    assertThat(trace(78).size()).isEqualTo(7);
  }

  private SpanBatch trace(long low) {
    return store.trace(0, low, 1_000);
  }

  private long sum(String query) {
    return store.query(SqlQuery.of("SELECT " + query), row -> row.integer(0)).getFirst();
  }

  private static SpanBatch invocation(long traceId, long spanId, long durationNs, boolean open) {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    int span = builder.addSpan(agentScope(builder, "shop"));
    builder.traceIdLow(span, traceId);
    builder.spanId(span, spanId);
    builder.startNs(span, NOON_NS);
    builder.durationNs(span, durationNs);
    builder.kind(span, (byte) 2);
    builder
        .spanAttributes()
        .add(span, builder.table().intern("headspan.open"), AttributeType.BOOL, open ? 1 : 0);
    return builder.build();
  }

  private static int agentScope(SpanBatch.Builder builder, String service) {
    int resource = builder.addResource();
    resourceText(builder, resource, "service.name", service);
    resourceText(builder, resource, "headspan.runtime", "container");
    return builder.addScope(resource);
  }

  private static int sdkScope(SpanBatch.Builder builder, String service) {
    int resource = builder.addResource();
    resourceText(builder, resource, "service.name", service);
    return builder.addScope(resource);
  }

  private static void served(
      SpanBatch.Builder builder, int scope, long id, long parent, long fromNs, long toNs) {
    int span = builder.addSpan(scope);
    builder.traceIdLow(span, 78);
    builder.spanId(span, id);
    builder.parentSpanId(span, parent);
    builder.startNs(span, NOON_NS + fromNs);
    builder.durationNs(span, toNs - fromNs);
    builder.kind(span, (byte) 2);
  }

  private static void called(
      SpanBatch.Builder builder, int scope, long id, long parent, long fromNs) {
    int span = builder.addSpan(scope);
    builder.traceIdLow(span, 78);
    builder.spanId(span, id);
    builder.parentSpanId(span, parent);
    builder.startNs(span, NOON_NS + fromNs);
    builder.durationNs(span, 100);
    builder.kind(span, (byte) 3);
  }

  private static void resourceText(
      SpanBatch.Builder builder, int resource, String key, String value) {
    builder
        .resourceAttributes()
        .add(
            resource,
            builder.table().intern(key),
            AttributeType.STRING,
            builder.table().intern(value));
  }

  private static void text(SpanBatch.Builder builder, int span, String key, String value) {
    builder
        .spanAttributes()
        .add(
            span, builder.table().intern(key), AttributeType.STRING, builder.table().intern(value));
  }

  private static void number(SpanBatch.Builder builder, int span, String key, long value) {
    builder.spanAttributes().add(span, builder.table().intern(key), AttributeType.INT, value);
  }

  private static int row(SpanBatch batch, long spanId) {
    for (int i = 0; i < batch.size(); i++) {
      if (batch.spanId(i) == spanId) {
        return i;
      }
    }
    throw new AssertionError("no such span: id=" + spanId);
  }

  @Test
  void summarisesTraces() {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    int scope = builder.addScope(builder.addResource());
    for (int i = 0; i < 3; i++) {
      int span = builder.addSpan(scope);
      builder.traceIdLow(span, 77);
      builder.spanId(span, i + 1);
      builder.parentSpanId(span, i == 1 ? 0 : 2);
      builder.startNs(span, NOON_NS + i);
      builder.durationNs(span, 100L * (i + 1));
      builder.statusCode(span, (byte) (i == 2 ? 2 : 0));
      builder.name(span, builder.table().intern("op" + i));
    }
    store.insert(builder.build(), "summary");
    List<String> summary =
        store.query(
            SqlQuery.of(
                    """
                    SELECT toUnixTimestamp64Nano(min(start)) - {t:Int64},
                           toUnixTimestamp64Nano(max(end)) - {t:Int64},
                           sum(spans), sum(errors), max(root) AS r, r.operation
                    FROM trace_summary GROUP BY trace_id
                    """)
                .bind("t", NOON_NS),
            row ->
                row.integer(0)
                    + " "
                    + row.integer(1)
                    + " "
                    + row.integer(2)
                    + " "
                    + row.integer(3)
                    + " "
                    + row.text(5));
    assertThat(summary).containsExactly("0 302 3 1 op1");
  }

  @Test
  void promotesAttributesWhereTypeAndValueFit() {
    store.insert(new RandomSpans(3).batch(2000, NOON_NS), "promoted");
    assertThat(count("spans WHERE http_status = 404 AND bitTest(promoted, 6)")).isPositive();
    assertThat(count("spans WHERE ints['http.response.status_code'] = 65536")).isPositive();
    assertThat(
            count(
                "spans WHERE has(value_hashes, cityHash64('wert')) AND "
                    + "string_values[indexOf(string_keys, 'k1')] = 'wert'"))
        .isPositive()
        .isEqualTo(
            count(
                "spans WHERE arrayExists((k, v) -> k = 'k1' AND v = 'wert', "
                    + "string_keys, string_values)"));
  }

  @Test
  void migratesTwiceAndIsReady() {
    store.migrate();
    assertThat(store.isReady()).isTrue();
    try (SpanStore other = SpanStore.connect(server.newDatabase())) {
      assertThat(other.isReady()).isFalse();
    }
  }

  @Test
  void readsEveryTypeThatQueriesGive() {
    List<Object> values =
        store.query(
            SqlQuery.of(
                """
                SELECT toUInt8(200), toInt16(-7), toUInt64(18446744073709551615), 1.5, toFloat32(0.25),
                       true, 'text', toFixedString('ab', 3), toLowCardinality('low'),
                       CAST(NULL, 'Nullable(Int32)'), toNullable(5), [1, 2, 3], ['a', 'b'],
                       (1, 'x'), map('k', 1), toDate('1970-01-03'),
                       toDateTime('1970-01-01 00:01:00', 'UTC'),
                       toDateTime64('1970-01-01 00:00:00.000000007', 9, 'UTC'),
                       CAST('b', 'Enum8(\\'a\\' = -1, \\'b\\' = 2)'),
                       toUUID('01234567-89ab-cdef-0123-456789abcdef'), NULL, [],
                       CAST(('k', 2), 'Tuple(key LowCardinality(String), n UInt8)'),
                       CAST(['n', NULL], 'Array(LowCardinality(Nullable(String)))')
                """),
            row -> {
              List<Object> list = new ArrayList<>();
              for (int i = 0; i < row.columns(); i++) {
                list.add(String.valueOf(row.value(i)));
              }
              return (Object) list;
            });
    assertThat(values)
        .containsExactly(
            List.of(
                "200",
                "-7",
                "-1",
                "1.5",
                "0.25",
                "true",
                "text",
                "ab\0",
                "low",
                "null",
                "5",
                "[1, 2, 3]",
                "[a, b]",
                "[1, x]",
                "{k=1}",
                "2",
                "60",
                "7",
                "b",
                "01234567-89ab-cdef-0123-456789abcdef",
                "null",
                "[]",
                "[k, 2]",
                "[n, null]"));
  }

  @Test
  void bindsAnyTextWithoutInjection() {
    for (String text :
        List.of(
            "",
            "a'b",
            "tab\tnewline\nreturn\r",
            "back\\slash\\n",
            "{x:String}",
            "ключ 🔑",
            "'; DROP TABLE spans; --")) {
      List<String> result =
          store.query(
              SqlQuery.of("SELECT {text:String}, {list:Array(String)}")
                  .bind("text", text)
                  .bind("list", List.of(text, "second")),
              row -> row.text(0) + "|" + row.texts(1));
      assertThat(result).containsExactly(text + "|" + List.of(text, "second"));
    }
    assertThat(
            store.query(
                SqlQuery.of("SELECT {n:UInt64} + 1, {d:Float64}, {b:Bool}, {l:Array(Int64)}")
                    .bind("n", 41)
                    .bind("d", 0.5)
                    .bind("b", true)
                    .bind("l", List.of(1L, -2L)),
                row ->
                    row.integer(0)
                        + " "
                        + row.number(1)
                        + " "
                        + row.flag(2)
                        + " "
                        + row.integers(3)[1]))
        .containsExactly("42 0.5 true -2");
  }

  @Test
  void streamsManyRows() {
    List<Long> rows =
        store.query(SqlQuery.of("SELECT number FROM numbers(1000000)"), row -> row.integer(0));
    assertThat(rows).hasSize(1_000_000);
    assertThat(rows.get(999_999)).isEqualTo(999_999);
  }

  @Test
  void tellsWhyAQueryFailed() {
    assertThat(kindOf(SqlQuery.of("SELECT nonsense("))).isEqualTo(StoreException.Kind.REJECTED);
    assertThat(kindOf(SqlQuery.of("SELECT match('a', '(')")))
        .isEqualTo(StoreException.Kind.REJECTED);
    assertThat(kindOf(SqlQuery.of("SELECT * FROM no_such_table")))
        .isEqualTo(StoreException.Kind.UNAVAILABLE);
    assertThat(
            kindOf(
                SqlQuery.of(
                        "SELECT count() FROM numbers(1e12) WHERE NOT ignore(cityHash64(number))")
                    .timeout(Duration.ofMillis(300))))
        .isEqualTo(StoreException.Kind.LIMIT_EXCEEDED);
    assertThat(
            kindOf(
                SqlQuery.of("SELECT groupArray(number) FROM numbers(100000000)")
                    .maxMemoryBytes(10_000_000)))
        .isEqualTo(StoreException.Kind.LIMIT_EXCEEDED);
    assertThat(kindOf(SqlQuery.of("SELECT number FROM numbers(100)").maxResultRows(10)))
        .isEqualTo(StoreException.Kind.LIMIT_EXCEEDED);
    assertThat(kindOf(SqlQuery.of("SELECT 1").setting("no_such_setting", "1")))
        .isEqualTo(StoreException.Kind.REJECTED);
  }

  @Test
  void saysThatTheStoreIsUnavailable() throws IOException {
    int port;
    try (ServerSocket unused = new ServerSocket(0)) {
      port = unused.getLocalPort();
    }
    try (SpanStore gone = SpanStore.connect(StoreAddress.parse("http://127.0.0.1:" + port))) {
      assertThat(gone.isReady()).isFalse();
      assertThatThrownBy(() -> gone.insert(oneTrace(1), "t"))
          .isInstanceOfSatisfying(
              StoreException.class,
              e -> assertThat(e.kind()).isEqualTo(StoreException.Kind.UNAVAILABLE))
          .hasMessageContaining("127.0.0.1:" + port);
    }
  }

  private StoreException.Kind kindOf(SqlQuery query) {
    try {
      store.query(query, row -> String.valueOf(row.value(0)));
    } catch (StoreException e) {
      return e.kind();
    }
    throw new AssertionError("query did not fail: " + query);
  }

  private static SpanBatch oneTrace(int spans) {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    int scope = builder.addScope(builder.addResource());
    for (int i = spans - 1; i >= 0; i--) {
      int span = builder.addSpan(scope);
      builder.traceIdHigh(span, 1);
      builder.traceIdLow(span, 2);
      builder.spanId(span, i + 1);
      builder.startNs(span, NOON_NS + i);
    }
    return builder.build();
  }

  private SpanBatch trace(String id) {
    return store.trace(
        HexFormat.fromHexDigitsToLong(id, 0, 16),
        HexFormat.fromHexDigitsToLong(id, 16, 32),
        10_000);
  }

  private long count(String from) {
    return store
        .query(SqlQuery.of("SELECT count() FROM " + from), row -> row.integer(0))
        .getFirst();
  }

  /// What the rollups say, in a form that does not depend on merges.
  private List<String> rollups() {
    List<String> rollups = new ArrayList<>();
    rollups.addAll(
        store.query(
            SqlQuery.of(
                """
                SELECT toString(tuple(minute, tenant, service, version, operation, runtime, status,
                    sum(invocations), sum(duration_sum), max(duration_max),
                    quantilesDDMerge(0.01, 0.5, 0.99)(latency))) AS line
                FROM latency_minute
                GROUP BY minute, tenant, service, version, operation, runtime, status ORDER BY line
                """),
            row -> row.text(0)));
    rollups.addAll(
        store.query(
            SqlQuery.of(
                """
                SELECT toString(tuple(hex(trace_id), min(start), max(end), sum(spans), sum(errors),
                    max(root))) AS line
                FROM trace_summary GROUP BY trace_id ORDER BY line
                """),
            row -> row.text(0)));
    return rollups;
  }
}
