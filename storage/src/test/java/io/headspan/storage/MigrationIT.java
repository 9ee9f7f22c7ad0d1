package io.headspan.storage;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.storage.schema.Migration;
import io.headspan.wire.SpanBatch;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// A store of every earlier version, with a span in it, becomes one of this version.
final class MigrationIT {
  private static final int FIRST_WITH_ELEMENTS = 3;
  private static final int FIRST_WITH_TWO_TIERS = 8;
  private static final int FIRST_WITHOUT_DETOUR = 10;
  private static final String TIME = "2026-11-20 12:00:00";
  private static final long LATER_NS =
      TimeUnit.SECONDS.toNanos(Instant.parse("2026-11-20T13:00:00Z").getEpochSecond());

  private static TestStore server;

  @BeforeAll
  static void startServer() throws IOException {
    server = TestStore.start();
  }

  @AfterAll
  static void stopServer() throws IOException {
    server.close();
  }

  static List<Integer> earlierVersions() {
    return IntStream.range(1, Migration.all().size()).boxed().toList();
  }

  @ParameterizedTest
  @MethodSource("earlierVersions")
  void keepsWhatAnEarlierVersionStored(int version) {
    StoreAddress address = server.newDatabase();
    try (StoreClient client = new NodeClient(address);
        SpanStore store = SpanStore.connect(address)) {
      new Migrator(Optional.empty())
          .migrate(
              List.of(new Migrator.Target(address, 1, client)),
              Migration.all().subList(0, version));
      client.command(oldSpan(version), Map.of());
      store.migrate();
      assertThat(store.isReady()).isTrue();
      SpanBatch batch = new RandomSpans(1).batch(50, LATER_NS);
      store.insert(batch, "later");

      assertThat(count(store, "SELECT count() FROM spans")).isEqualTo(51);
      String old = " FROM spans WHERE service = 'old'";
      assertThat(count(store, "SELECT toInt64(sum(duration))" + old)).isEqualTo(7);
      assertThat(
              count(store, "SELECT countIf(string_values[indexOf(string_keys, 'k')] = 'v')" + old))
          .isEqualTo(1);
      assertThat(count(store, "SELECT count()" + old + " AND has(value_hashes, cityHash64('v'))"))
          .isEqualTo(1);
      assertThat(count(store, "SELECT count()" + old + " AND has(value_hashes, cityHash64('w'))"))
          .isEqualTo(version >= FIRST_WITH_ELEMENTS ? 1 : 0);
      if (version >= 2) {
        assertThat(
                count(store, "SELECT sum(invocations) FROM latency_minute WHERE service = 'old'"))
            .isEqualTo(1);
      }
      client.command("DROP DATABASE " + address.database(), Map.of());
    }
  }

  /// As a program of that version may have stored it: from version 8 to 9 everything was recent
  /// first.
  private static String oldSpan(int version) {
    boolean recent = version >= FIRST_WITH_TWO_TIERS && version < FIRST_WITHOUT_DETOUR;
    boolean elements = version >= FIRST_WITH_ELEMENTS;
    String table =
        version < FIRST_WITH_TWO_TIERS ? "spans" : recent ? "recent_spans" : "kept_spans";
    return """
    INSERT INTO %s (
        time, trace_id, span_id, duration, operation, kind, service, string_keys, string_values%s%s)
    SELECT toDateTime64('%s', 9, 'UTC'), unhex('0af7651916cd43dd8448eb211c80319c'), 1, 7, 'op', 2,
        'old', ['k'], ['v']%s%s
    """
        .formatted(
            table,
            elements ? ", elements" : "",
            recent ? ", window" : "",
            TIME,
            elements ? ", [('e', 1, 'w')]" : "",
            recent ? ", toDateTime('" + TIME + "', 'UTC')" : "");
  }

  private static long count(SpanStore store, String sql) {
    return store.query(SqlQuery.of(sql), row -> row.integer(0)).getFirst();
  }
}
