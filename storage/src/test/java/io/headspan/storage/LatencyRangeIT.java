package io.headspan.storage;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.storage.schema.Migration;
import io.headspan.wire.AttributeType;
import io.headspan.wire.SpanBatch;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Random ranges, answered from hours and minutes, say what `latency_minute` alone says.
/// `-Dheadspan.ranges=N` tries more of them than CI has time for.
final class LatencyRangeIT {
  private static final int RANGES = Integer.getInteger("headspan.ranges", 12);
  private static final long MINUTES = 6 * 60;
  private static final int BATCHES = 40;
  private static final int SPANS = 60;
  private static final long BEGIN =
      TimeUnit.SECONDS.toMinutes(Instant.parse("2026-11-20T21:00:00Z").getEpochSecond());
  private static final long MINUTE_NS = TimeUnit.MINUTES.toNanos(1);
  private static final long PAUSE_NS = 5_000_000;
  private static final byte SERVER = 2;
  private static final String BEFORE_SLOTS = "sampled_spans_apart";

  private static final String SELECT =
      """
      SELECT %1$s, tenant, service, runtime, version, sum(n), sum(failed), sum(took), max(longest), \
      sum(ms), sum(ms_100), sum(queue), sum(cpu), sum(stolen), sum(cold), sum(bytes), sum(running), \
      sum(spread), min(since), quantilesDDMerge(0.01,0.1,0.5,0.99)(sketch) FROM (\
      SELECT tenant, service, runtime, version, toStartOfHour(slot) AS hour, \
      sum(invocations) AS n, sumIf(invocations,status=2) AS failed, sum(duration_sum) AS took, \
      max(duration_max) AS longest, sum(billed_ms) AS ms, sum(billed_100ms) AS ms_100, \
      sum(queue_ns) AS queue, sum(cpu_ns) AS cpu, sum(stolen_ns) AS stolen, \
      sum(cold_starts) AS cold, sum(response_bytes) AS bytes, \
      arraySum(mapValues(uniqMergeMapMerge(instances))) AS running, sum(variance) AS spread, \
      toInt64(toUnixTimestamp(min(first_minute))) AS since, \
      quantilesDDMergeState(0.01,0.1,0.5,0.99)(latency) AS sketch \
      FROM %2$s GROUP BY tenant, service, runtime, version, hour) \
      GROUP BY tenant, service, runtime, version ORDER BY tenant, service, runtime, version\
      """;

  /// The same of `latency_minute`, each minute for itself.
  private static final String FROM_MINUTES =
      """
      SELECT 0, tenant, service, runtime, version, sum(n), sum(failed), sum(took), max(longest), \
      sum(ms), sum(ms_100), sum(queue), sum(cpu), sum(stolen), sum(cold), sum(bytes), sum(running), \
      sum(spread), min(since), quantilesDDMerge(0.01,0.1,0.5,0.99)(sketch) FROM (\
      SELECT tenant, service, runtime, version, minute, \
      sum(invocations) AS n, sumIf(invocations,status=2) AS failed, sum(duration_sum) AS took, \
      max(duration_max) AS longest, sum(billed_ms) AS ms, sum(billed_100ms) AS ms_100, \
      sum(queue_ns) AS queue, sum(cpu_ns) AS cpu, sum(stolen_ns) AS stolen, \
      sum(cold_starts) AS cold, sum(response_bytes) AS bytes, \
      uniqMerge(instances) AS running, sum(variance) AS spread, \
      toInt64(toUnixTimestamp(min(minute))) AS since, \
      quantilesDDMergeState(0.01,0.1,0.5,0.99)(latency) AS sketch \
      FROM latency_minute WHERE minute>=toStartOfMinute(fromUnixTimestamp64Nano({from:Int64},'UTC')) \
      AND minute<=fromUnixTimestamp64Nano({to:Int64},'UTC') AND WHICH \
      GROUP BY tenant, service, runtime, version, minute) \
      GROUP BY tenant, service, runtime, version ORDER BY tenant, service, runtime, version\
      """;

  private static final String ONCE =
      """
      (tenant, service, minute, runtime='') NOT IN (\
      SELECT tenant, service, minute, agent*1.02+3*sqrt(spread)>=sdk FROM (\
      SELECT tenant, service, minute, sumIf(invocations,runtime!='') AS agent, \
      sumIf(invocations,runtime='') AS sdk, sum(variance) AS spread \
      FROM latency_minute GROUP BY tenant, service, minute) WHERE agent>0 AND sdk>0)\
      """;

  private static TestStore server;

  /// Everything but `unsure`, as one text.
  private record Line(
      long unsure, String tenant, String service, String runtime, List<Long> sums, String quantiles)
      implements LatencyRange.Counted {
    static Line of(Row row) {
      List<Long> sums = new ArrayList<>();
      for (int column = 5; column < 19; column++) {
        sums.add(row.integer(column));
      }
      return new Line(
          row.integer(0),
          row.text(1),
          row.text(2),
          row.text(3) + "|" + row.text(4),
          sums,
          Arrays.toString(row.numbers(19)));
    }

    @Override
    public String runtime() {
      return runtime.substring(0, runtime.indexOf('|'));
    }

    String text() {
      return tenant + "/" + service + "/" + runtime + " " + sums + " " + quantiles;
    }
  }

  /// What spans there are.
  ///
  /// @param shared how many of the services an SDK counts too, in tenths
  private record Traffic(int shared) {}

  @BeforeAll
  static void startServer() throws IOException {
    server = TestStore.start();
  }

  @AfterAll
  static void stopServer() throws IOException {
    server.close();
  }

  @Test
  void isThatOfTheMinutesWhereEachIsCountedByOne() {
    try (SpanStore store = SpanStore.connect(server.newDatabase())) {
      store.migrate();
      Random random = new Random(1);
      fill(store, random, new Traffic(0), "new");
      assertThat(count(store, "SELECT count() FROM hours_by_minute")).isZero();
      AtomicInteger second = new AtomicInteger();
      assertAgree(store, random, second);
      assertThat(second.get()).as("times that one statement was not enough").isZero();
      TestStore.drop(store.address());
    }
  }

  @Test
  void isThatOfTheMinutesWhereSomeAreCountedTwice() {
    try (SpanStore store = SpanStore.connect(server.newDatabase())) {
      store.migrate();
      Random random = new Random(2);
      fill(store, random, new Traffic(4), "new");
      AtomicInteger second = new AtomicInteger();
      assertAgree(store, random, second);
      assertThat(second.get()).isPositive();
      TestStore.drop(store.address());
    }
  }

  /// Half of the spans came before there were slots, and come again after it.
  @Test
  void isThatOfTheMinutesWhereThereWereSomeBefore() {
    StoreAddress address = server.newDatabase();
    try (SpanStore store = SpanStore.connect(address)) {
      migrateTo(address, BEFORE_SLOTS);
      fill(store, new Random(3), new Traffic(2), "old", MINUTES / 2);
      store.migrate();
      assertThat(count(store, "SELECT count() FROM hours_by_minute")).isEqualTo(MINUTES / 2 / 60);
      fill(store, new Random(3), new Traffic(2), "old", MINUTES / 2);
      Random random = new Random(4);
      fill(store, random, new Traffic(2), "new");
      assertAgree(store, random, new AtomicInteger());
      TestStore.drop(address);
    }
  }

  @Test
  void asksTwiceIfTheRangeHasNoRowsThatCouldTellOfOldHours() {
    StoreAddress address = server.newDatabase();
    try (SpanStore store = SpanStore.connect(address)) {
      migrateTo(address, BEFORE_SLOTS);
      fill(store, new Random(5), new Traffic(0), "old");
      store.migrate();
      AtomicInteger second = new AtomicInteger();
      assertAgree(store, new Random(6), second);
      assertThat(second.get()).isPositive();
      TestStore.drop(address);
    }
  }

  /// Nothing is counted twice by whatever is inserted while the migration runs.
  @Test
  void agreesWhateverIsInsertedDuringTheMigration() throws InterruptedException {
    StoreAddress address = server.newDatabase();
    try (SpanStore store = SpanStore.connect(address);
        SpanStore writes = SpanStore.connect(address)) {
      migrateTo(address, BEFORE_SLOTS);
      AtomicInteger stored = new AtomicInteger();
      Thread writer =
          Thread.ofPlatform()
              .start(() -> {
                Random random = new Random(7);
                while (!Thread.currentThread().isInterrupted()) {
                  int number = stored.get();
                  writes.insert(batch(random, new Traffic(2), MINUTES), "during/" + number);
                  stored.incrementAndGet();
                }
              });
      await(() -> stored.get() >= 5);
      store.migrate();
      int before = stored.get();
      await(() -> stored.get() >= before + 5);
      writer.interrupt();
      writer.join();
      assertAgree(store, new Random(8), new AtomicInteger());
      TestStore.drop(address);
    }
  }

  private static void await(BooleanSupplier condition) {
    long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).isLessThan(deadline);
      LockSupport.parkNanos(PAUSE_NS);
    }
  }

  private static void migrateTo(StoreAddress address, String last) {
    List<Migration> all = Migration.all();
    int known = all.stream().map(Migration::name).toList().indexOf(last) + 1;
    try (StoreClient client = new NodeClient(address)) {
      new Migrator(Optional.empty())
          .migrate(List.of(new Migrator.Target(address, 1, client)), all.subList(0, known));
    }
  }

  private static void assertAgree(SpanStore store, Random random, AtomicInteger second) {
    for (int i = 0; i < RANGES; i++) {
      long from = (BEGIN - 30) * MINUTE_NS + random.nextLong((MINUTES + 60) * MINUTE_NS);
      long to = from + random.nextLong(random.nextBoolean() ? 90 * MINUTE_NS : MINUTES * MINUTE_NS);
      if (random.nextInt(4) == 0) {
        from = from / (60 * MINUTE_NS) * (60 * MINUTE_NS);
        to = from + random.nextInt(1, 5) * (60 * MINUTE_NS) - random.nextInt(2);
      }
      AtomicInteger asked = new AtomicInteger();
      LatencyRange range = LatencyRange.of(from, to);
      String what =
          "from=" + Instant.ofEpochSecond(0, from) + ", to=" + Instant.ofEpochSecond(0, to);
      List<String> once = minutes(store, from, to, ONCE);
      assertThat(
              texts(
                  range.once(
                      SELECT,
                      query -> {
                        asked.incrementAndGet();
                        return store.query(query, Line::of);
                      })))
          .as(what)
          .isEqualTo(once);
      assertThat(texts(store.query(range.exact(SELECT), Line::of))).as(what).isEqualTo(once);
      assertThat(texts(store.query(range.all(SELECT.formatted("0", "%1$s")), Line::of)))
          .as(what)
          .isEqualTo(minutes(store, from, to, "1"));
      if (!once.isEmpty()) {
        second.addAndGet(asked.get() - 1);
      }
    }
  }

  private static List<String> minutes(SpanStore store, long from, long to, String which) {
    return texts(
        store.query(
            SqlQuery.of(FROM_MINUTES.replace("WHICH", which)).bind("from", from).bind("to", to),
            Line::of));
  }

  private static List<String> texts(List<Line> lines) {
    return lines.stream().map(Line::text).toList();
  }

  private static long count(SpanStore store, String sql) {
    return store.query(SqlQuery.of(sql), row -> row.integer(0)).getFirst();
  }

  private static void fill(SpanStore store, Random random, Traffic traffic, String token) {
    fill(store, random, traffic, token, MINUTES);
  }

  private static void fill(
      SpanStore store, Random random, Traffic traffic, String token, long minutes) {
    for (int i = 0; i < BATCHES; i++) {
      SpanBatch batch = batch(random, traffic, minutes);
      Tier tier = i % 2 == 0 ? Tier.KEPT : Tier.RECENT;
      store.insert(batch, token + "/" + i, tier);
      if (i % 5 == 0) {
        store.insert(batch, token + "/" + i, tier);
      }
    }
  }

  /// Spans of two tenants with three services each, some of which stand for several.
  private static SpanBatch batch(Random random, Traffic traffic, long minutes) {
    SpanBatch.Builder batch = new SpanBatch.Builder();
    for (int i = 0; i < SPANS; i++) {
      int service = random.nextInt(10);
      boolean bySdk = service < traffic.shared() ? random.nextBoolean() : service == 9;
      int resource = batch.addResource();
      attribute(batch, resource, "headspan.tenant", "tenant " + service % 2);
      attribute(batch, resource, "service.name", "service " + service);
      attribute(batch, resource, "service.version", "v" + random.nextInt(2));
      attribute(batch, resource, "faas.instance", "i" + random.nextInt(4));
      if (!bySdk) {
        attribute(batch, resource, "headspan.runtime", "wasm");
      }
      int row = batch.addSpan(batch.addScope(resource));
      batch.traceIdHigh(row, random.nextLong());
      batch.traceIdLow(row, 1 + random.nextLong(1L << 40));
      batch.spanId(row, 1 + random.nextLong(1L << 40));
      batch.kind(row, SERVER);
      batch.name(row, batch.table().intern("operation " + random.nextInt(3)));
      batch.statusCode(row, (byte) random.nextInt(3));
      batch.startNs(row, BEGIN * MINUTE_NS + random.nextLong(minutes * MINUTE_NS));
      batch.durationNs(row, (long) Math.exp(10 + 12 * random.nextDouble()));
      if (random.nextInt(5) == 0) {
        batch.traceState(row, batch.table().intern("ot=th:" + random.nextInt(1, 15) + "8"));
      }
    }
    return batch.build();
  }

  private static void attribute(SpanBatch.Builder batch, int resource, String key, String value) {
    batch
        .resourceAttributes()
        .add(
            resource, batch.table().intern(key), AttributeType.STRING, batch.table().intern(value));
  }
}
