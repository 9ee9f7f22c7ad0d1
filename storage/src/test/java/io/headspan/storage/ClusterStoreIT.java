package io.headspan.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.storage.schema.ClusterDdl;
import io.headspan.storage.schema.Migration;
import io.headspan.wire.LogBatch;
import io.headspan.wire.SignalOrigin;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.TypedValue;
import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.NodeSignal;
import java.io.IOException;
import java.math.BigInteger;
import java.time.Instant;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Two shards, the first of two nodes, as embedded stores: everything that this program does of a
/// cluster. What ClickHouse does, Replicated tables and Distributed reads over the network, cannot
/// be had of the embedded engine: docs/adr/0018-shards-by-trace.md.
final class ClusterStoreIT {
  private static final long NOON_NS =
      TimeUnit.SECONDS.toNanos(Instant.parse("2026-11-20T12:00:00Z").getEpochSecond());

  private static final SignalOrigin ORIGIN = new SignalOrigin(List.of(), "", "", "", List.of(), "");

  private static final String DATABASE = "spans_of_all";
  private static final List<int[]> NODES =
      List.of(new int[] {1, 1}, new int[] {1, 2}, new int[] {2, 1});

  private static TestCluster cluster;

  private SpanStore store;

  @BeforeAll
  static void startCluster() throws IOException {
    cluster = TestCluster.start(2, 1);
    try (SpanStore first = SpanStore.connect(cluster.address(DATABASE))) {
      first.migrate();
    }
  }

  @AfterAll
  static void stopCluster() throws IOException {
    cluster.close();
  }

  @BeforeEach
  void connect() {
    for (int[] place : NODES) {
      try (StoreClient client = node(place[0], place[1], DATABASE + "_shard")) {
        client
            .rows(
                SqlQuery.of(
                    """
                    SELECT name FROM system.tables WHERE database = currentDatabase()
                      AND engine LIKE '%MergeTree' AND total_rows > 0 AND name != 'schema_migrations'
                    """),
                row -> row.text(0))
            .forEach(table -> client.command("TRUNCATE TABLE " + table, Map.of()));
      }
    }
    store = SpanStore.connect(cluster.address(DATABASE));
  }

  @AfterEach
  void close() {
    store.close();
  }

  @Test
  void putsATraceIntoOneShardAndEverySpanSomewhere() {
    Map<String, List<String>> expected = new HashMap<>();
    for (int seed = 0; seed < 4; seed++) {
      SpanBatch batch = new RandomSpans(seed).batch(200, NOON_NS);
      store.insert(batch, "batch-" + seed);
      expected.putAll(BatchText.traces(batch));
    }
    Set<String> first = traces(1, 1);
    Set<String> second = traces(2, 1);
    assertThat(first).isNotEmpty().doesNotContainAnyElementsOf(second);
    assertThat(second).isNotEmpty();
    Set<String> both = new HashSet<>(first);
    both.addAll(second);
    assertThat(both).isEqualTo(expected.keySet());
    assertThat(count(1, 1, "kept_spans") + count(2, 1, "kept_spans")).isEqualTo(800);
    assertThat(count(1, 2, "kept_spans")).as("the replica that stands in").isZero();

    expected.keySet().stream()
        .limit(20)
        .forEach(
            id -> assertThat(BatchText.spans(trace(store, id))).as(id).isEqualTo(expected.get(id)));
    Map<String, SpanBatch> several = store.traces(new ArrayList<>(expected.keySet()), 1000);
    assertThat(several.keySet()).isEqualTo(expected.keySet());
    several.forEach(
        (id, spans) -> assertThat(BatchText.spans(spans)).as(id).isEqualTo(expected.get(id)));
  }

  @Test
  void findsAShardAsTheEngineDoes() {
    Sharding sharding = new Sharding(List.of(1, 3, 2));
    List<String> ids = List.of("0af7651916cd43dd8448eb211c80319c", "00".repeat(15) + "01");
    for (String id : ids) {
      checkShard(sharding, id);
    }
    for (int i = 0; i < 200; i++) {
      checkShard(sharding, "%032x".formatted(new BigInteger(128, new Random(i))));
    }
  }

  private void checkShard(Sharding sharding, String id) {
    long slot =
        on(
            1,
            1,
            "SELECT (%s) %% 6 FROM (SELECT CAST(unhex('%s'), 'FixedString(16)') AS trace_id)"
                .formatted(ClusterDdl.SHARDING_KEY, id));
    int expected = slot < 1 ? 0 : slot < 4 ? 1 : 2;
    assertThat(sharding.ofTrace(high(id), low(id))).as(id).isEqualTo(expected);
  }

  @Test
  void storesAReplayOnceAndCountsItOnce() {
    SpanBatch batch = new RandomSpans(7).batch(500, NOON_NS);
    store.insert(batch, "agent/boot/1");
    List<Long> once = rollups();
    assertThat(once.getFirst()).isEqualTo(500);
    store.insert(batch, "agent/boot/1");
    assertThat(rollups()).isEqualTo(once);
    store.insert(batch, "agent/boot/2");
    assertThat(rollups().getFirst()).isEqualTo(1000);
  }

  @Test
  void storesTheRestOfABatchWhenAShardComesBack() {
    SpanBatch batch = new RandomSpans(8).batch(500, NOON_NS);
    assertThat(store.isReady()).isTrue();
    cluster.node(2, 1).kill();
    try {
      assertThatThrownBy(() -> store.insert(batch, "half"))
          .isInstanceOfSatisfying(
              StoreException.class,
              e -> assertThat(e.kind()).isEqualTo(StoreException.Kind.UNAVAILABLE))
          .hasMessageContaining("shard 2 of main");
      assertThat(store.isReady()).isFalse();
      assertThat(count(1, 1, "kept_spans")).as("the other part is stored").isPositive();
    } finally {
      cluster.node(2, 1).restart();
    }
    await("the shard to be found again", store::isReady);
    assertThat(store.isStored(batch)).isFalse();
    store.insert(batch, "half");
    assertThat(rollups().getFirst()).isEqualTo(500);
    assertThat(count(1, 1, "kept_spans") + count(2, 1, "kept_spans")).isEqualTo(500);
    assertThat(store.isStored(batch)).isTrue();
  }

  @Test
  void goesOnWithTheNextReplicaAndComesBackToTheFirst() {
    store.insert(new RandomSpans(1).batch(100, NOON_NS), "first");
    long before = count(1, 1, "kept_spans");
    cluster.node(1, 1).kill();
    try {
      store.insert(new RandomSpans(2).batch(100, NOON_NS), "second");
      assertThat(count(1, 2, "kept_spans")).isPositive();
      assertThat(store.isReady()).isTrue();
    } finally {
      cluster.node(1, 1).restart();
    }
    AtomicInteger batches = new AtomicInteger();
    await(
        "the first replica to be used again",
        () -> {
          int number = batches.incrementAndGet();
          store.insert(new RandomSpans(100 + number).batch(20, NOON_NS), "later-" + number);
          return count(1, 1, "kept_spans") > before;
        });
  }

  @Test
  void givesANodeThatWasAwayTheTablesOfTheOthers() {
    String later = DATABASE + "_later";
    cluster.node(1, 2).kill();
    try (SpanStore other = SpanStore.connect(cluster.address(later))) {
      try {
        other.migrate();
      } finally {
        cluster.node(1, 2).restart();
      }
      await(
          "the node to have the schema",
          () -> {
            try (StoreClient client = node(1, 2, later + "_shard")) {
              return Migrator.isCurrent(client);
            } catch (StoreException e) {
              return false;
            }
          });
    }
    for (String each : List.of(later, later + "_shard")) {
      String tables =
          "SELECT groupArray((name, replaceAll(create_table_query, ' IF NOT EXISTS', ''))) FROM"
              + " (SELECT * FROM system.tables WHERE database = '"
              + each
              + "' ORDER BY name)";
      assertThat(text(1, 2, tables)).isEqualTo(text(1, 1, tables)).contains("kept_spans");
    }
  }

  @Test
  void migratesAllNodesFromAnEarlierVersion() {
    String old = DATABASE + "_old";
    StoreAddress address = cluster.address(old);
    Migrator migrator =
        new Migrator(
            Optional.of(new ClusterDdl(TestCluster.NAME, old, address.tableDatabase(), false)));
    List<Migrator.Target> targets = new ArrayList<>();
    for (int[] place : NODES) {
      StoreAddress node =
          cluster.node(place[0], place[1]).address().withDatabase(address.tableDatabase());
      targets.add(new Migrator.Target(node, place[0], new NodeClient(node)));
    }
    migrator.migrate(targets, Migration.all().subList(0, 7));
    targets.forEach(each -> assertThat(Migrator.isCurrent(each.client())).isFalse());
    try (SpanStore upgraded = SpanStore.connect(address)) {
      upgraded.migrate();
      assertThat(upgraded.isReady()).isTrue();
    }
    targets.forEach(each -> {
      assertThat(Migrator.isCurrent(each.client())).isTrue();
      each.client().close();
    });
  }

  @Test
  void makesTablesThatReadAllShards() {
    assertThat(
            text(
                1,
                1,
                "SELECT engine_full FROM system.tables WHERE database = '"
                    + DATABASE
                    + "' AND name = 'spans'"))
        .startsWith("Distributed('main', '" + DATABASE + "_shard', 'spans', intHash64(");
    String names =
        "SELECT groupArray(name) FROM (SELECT name FROM system.tables WHERE database = '%s'"
            + " AND engine != 'MaterializedView' AND name != 'schema_migrations' ORDER BY name)";
    assertThat(text(2, 1, names.formatted(DATABASE)))
        .isEqualTo(text(2, 1, names.formatted(DATABASE + "_shard")))
        .contains("trace_summary");
  }

  @Test
  void putsLogsBesideTheirTraces() {
    SpanBatch batch = new RandomSpans(3).batch(300, NOON_NS);
    store.insert(batch, "spans");
    List<LogBatch.Entry> entries = new ArrayList<>();
    for (int span = 0; span < batch.size(); span++) {
      entries.add(log(batch.traceIdHigh(span), batch.traceIdLow(span)));
    }
    for (int i = 0; i < 10; i++) {
      entries.add(log(0, 0));
    }
    LogBatch logs = new LogBatch(entries);
    store.insert(logs, "logs");
    store.insert(logs, "logs");
    long total = 0;
    for (int shard = 1; shard <= 2; shard++) {
      assertThat(
              on(
                  shard,
                  1,
                  """
                  SELECT count() FROM %1$s.logs WHERE trace_id != unhex('%2$s')
                    AND trace_id NOT IN (SELECT trace_id FROM %1$s.kept_spans)
                  """
                      .formatted(DATABASE + "_shard", "00".repeat(16))))
          .isZero();
      total += count(shard, 1, "logs");
    }
    assertThat(total).isEqualTo(310);
  }

  @Test
  void storesWhatIsOfNoTraceOnce() {
    for (int i = 0; i < 20; i++) {
      NodeReport report =
          new NodeReport(
              "agent",
              "boot",
              i,
              "node-1",
              NOON_NS,
              10_000_000_000L,
              new NodeSignal.Ledger(
                  List.of(new NodeSignal.Ledger.Entry("acme", "captured", "", 10))));
      store.insert(report, "signal/agent/boot/" + i);
      store.insert(report, "signal/agent/boot/" + i);
      List<LeftOut> leftOut =
          List.of(new LeftOut(NOON_NS, "c", "s", "acme", "traces", "too_large", 1));
      store.insertLeftOut(leftOut, "left/" + i);
      store.insertLeftOut(leftOut, "left/" + i);
    }
    for (String table : List.of("node_ledger", "collector_ledger")) {
      assertThat(count(1, 1, table)).as(table).isPositive();
      assertThat(count(2, 1, table)).as(table).isPositive();
      assertThat(count(1, 1, table) + count(2, 1, table)).as(table).isEqualTo(20);
    }
  }

  @Test
  void keepsByHandWhateverShardATraceIsIn() {
    SpanBatch batch = new RandomSpans(5).batch(200, NOON_NS);
    store.insert(batch, "recent", Tier.RECENT);
    List<String> ids = new ArrayList<>(BatchText.traces(batch).keySet());
    assertThat(store.keep(ids)).isEqualTo(ids.size());
    assertThat(store.keep(ids)).isZero();
    assertThat(count(1, 1, "kept_spans") + count(2, 1, "kept_spans")).isEqualTo(200);
    ids.forEach(
        id -> assertThat(store.decisions(id)).singleElement().matches(SpanTiers.Recorded::kept));
    assertThat(store.shards()).hasSize(2);
    assertThat(store.shards().stream().mapToDouble(SpanStore::share).sum()).isEqualTo(1);
    assertThatThrownBy(store::tiers).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void letsGoOfWhatIsTooOldInEveryShard() {
    store.insert(new RandomSpans(6).batch(200, NOON_NS), "old");
    List<String> gone = store.expire(new Retention(Map.of(), 3), LocalDate.parse("2026-12-20"));
    assertThat(gone)
        .contains(
            "shard=1, table=kept_spans, day=2026-11-20",
            "shard=2, table=kept_spans, day=2026-11-20");
    assertThat(count(1, 1, "kept_spans") + count(2, 1, "kept_spans")).isZero();
  }

  @Test
  void saysWhatIsWrongWithACluster() {
    String one = cluster.node(1, 1).address().endpoint();
    try (SpanStore wrong = SpanStore.connect(StoreAddress.parse(one + "/d?cluster=other"))) {
      assertThatThrownBy(wrong::migrate)
          .hasMessageContaining("does not find itself once in the cluster")
          .hasMessageContaining("cluster=other");
    }
    try (SpanStore wrong = SpanStore.connect(StoreAddress.parse(one + "/d?cluster=main"))) {
      assertThatThrownBy(wrong::migrate)
          .hasMessageContaining("more nodes than the store's address names")
          .hasMessageContaining("127.0.0.1:29002");
    }
  }

  private static LogBatch.Entry log(long traceIdHigh, long traceIdLow) {
    return new LogBatch.Entry(
        ORIGIN,
        NOON_NS,
        NOON_NS,
        traceIdHigh,
        traceIdLow,
        0,
        0,
        (byte) 9,
        "INFO",
        "",
        TypedValue.EMPTY,
        List.of(),
        0);
  }

  /// Spans, and what is counted of them, over both shards.
  private List<Long> rollups() {
    List<Long> sums = new ArrayList<>();
    for (String sum :
        List.of(
            "SELECT count() FROM %s.spans",
            "SELECT sum(invocations) FROM %s.latency_minute",
            "SELECT sum(spans) FROM %s.trace_summary")) {
      sums.add(
          on(1, 1, sum.formatted(DATABASE + "_shard"))
              + on(2, 1, sum.formatted(DATABASE + "_shard")));
    }
    return sums;
  }

  private Set<String> traces(int shard, int replica) {
    try (StoreClient client = node(shard, replica, DATABASE + "_shard")) {
      return Set.copyOf(
          client.rows(
              SqlQuery.of("SELECT DISTINCT lower(hex(trace_id)) FROM kept_spans"),
              row -> row.text(0)));
    }
  }

  private long count(int shard, int replica, String table) {
    return on(shard, replica, "SELECT count() FROM " + DATABASE + "_shard." + table);
  }

  private static long on(int shard, int replica, String sql) {
    try (StoreClient client = node(shard, replica, "default")) {
      return client.rows(SqlQuery.of(sql), row -> row.integer(0)).getFirst();
    }
  }

  private static String text(int shard, int replica, String sql) {
    try (StoreClient client = node(shard, replica, "default")) {
      return client
          .rows(SqlQuery.of("SELECT toString((" + sql + "))"), row -> row.text(0))
          .getFirst();
    }
  }

  private static StoreClient node(int shard, int replica, String name) {
    return new NodeClient(cluster.node(shard, replica).address().withDatabase(name));
  }

  private static SpanBatch trace(SpanStore store, String id) {
    return store.trace(high(id), low(id), 10_000);
  }

  private static long high(String id) {
    return Long.parseUnsignedLong(id.substring(0, 16), 16);
  }

  private static long low(String id) {
    return Long.parseUnsignedLong(id.substring(16), 16);
  }

  private static void await(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as(what).isLessThan(deadline);
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(50));
    }
  }
}
