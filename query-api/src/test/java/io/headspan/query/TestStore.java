package io.headspan.query;

import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import io.headspan.storage.StoreAddress;
import io.headspan.storage.embedded.StoreProcess;
import io.headspan.storage.schema.ClusterDdl;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;

/// The store that tests run against: an embedded one in a process of its own, or the one at
/// `HEADSPAN_TEST_STORE`, where each test class has a database. With `-Dheadspan.test.cluster=1`
/// the embedded one is a cluster of one shard: all that is read comes through Distributed tables.
///
/// With `-Dheadspan.test.cluster=2` what was stored is then split into two shards, and Distributed
/// tables read both. The engine answers for both of them, for it speaks to no other: it believes to
/// be both, and a view in place of each table gives the rows of the shard that was asked.
final class TestStore implements AutoCloseable {
  private static final AtomicInteger DATABASES = new AtomicInteger();
  private static final int TCP_PORT = 29_100;

  /// 0 is a server that stands alone.
  private static final int SHARDS = Integer.getInteger("headspan.test.cluster", 0);

  private static final String ORDINARY =
      "name NOT IN ('schema_migrations', 'sampler_lease') AND database = 'headspan_shard'";

  private final Optional<StoreProcess> process;
  private final String url;

  private TestStore(Optional<StoreProcess> process, String url) {
    this.process = process;
    this.url = url;
  }

  /// @param directory for an embedded one
  static TestStore start(Path directory) throws IOException {
    String outside = System.getenv("HEADSPAN_TEST_STORE");
    if (outside != null && !outside.isEmpty()) {
      String database =
          "query_" + ProcessHandle.current().pid() + "_" + DATABASES.incrementAndGet();
      return new TestStore(
          Optional.empty(),
          outside.replaceFirst("^(https?://[^/?]+)(?:/[^?]*)?", "$1/" + database));
    }
    if (SHARDS == 0) {
      StoreProcess process = StoreProcess.start(directory);
      return new TestStore(Optional.of(process), "http://127.0.0.1:" + process.address().port());
    }
    Path config = directory.resolveSibling(directory.getFileName() + ".xml");
    Files.writeString(
        config,
        """
        <clickhouse>
          <tcp_port>%1$d</tcp_port>
          <remote_servers>
            <one>%2$s</one>
            <two>%2$s%2$s</two>
          </remote_servers>
        </clickhouse>
        """
            .formatted(
                TCP_PORT,
                "<shard><replica><host>127.0.0.1</host><port>%d</port></replica></shard>"
                    .formatted(TCP_PORT)));
    StoreProcess process =
        StoreProcess.start(
            Map.of(
                "HEADSPAN_STORE_LISTEN",
                "127.0.0.1:0",
                "HEADSPAN_STORE_PATH",
                directory.toString(),
                "HEADSPAN_STORE_EXTERNAL",
                "true",
                "HEADSPAN_STORE_ENGINE_CONFIG",
                config.toString()));
    return new TestStore(
        Optional.of(process),
        "http://127.0.0.1:" + process.address().port() + "/headspan?cluster=one&replicated=false");
  }

  /// Splits what is stored, if it is to be in two shards. What has no trace is split by its
  /// content, but for resources and scopes, which both shards have as they would of their own
  /// spans.
  void split() {
    if (SHARDS < 2) {
      return;
    }
    StoreAddress engine = process.orElseThrow().address();
    try (SpanStore tables = SpanStore.connect(engine.withDatabase("headspan_shard"))) {
      for (String database : List.of("shard_1", "shard_2", "shard_asked")) {
        run("CREATE DATABASE IF NOT EXISTS " + database);
      }
      for (String table :
          tables.query(
              SqlQuery.of(
                  "SELECT name FROM system.tables WHERE engine LIKE '%MergeTree' AND " + ORDINARY),
              row -> row.text(0))) {
        List<String> names = columns(tables, table, "default_kind = ''");
        String stored = String.join(", ", names);
        String content =
            names.contains("trace_id")
                ? ClusterDdl.SHARDING_KEY
                : "cityHash64(" + sortingKey(tables, table) + ")";
        for (int shard = 0; shard < 2; shard++) {
          String of =
              table.equals("resources") || table.equals("scopes") || table.equals("tier_boundary")
                  ? "1"
                  : content + " % 2 = " + shard;
          String target = "shard_" + (shard + 1) + "." + table;
          run("CREATE OR REPLACE TABLE " + target + " AS headspan_shard." + table);
          run(
              "INSERT INTO %1$s (%2$s) SELECT %2$s FROM headspan_shard.%3$s WHERE %4$s"
                  .formatted(target, stored, table, of));
        }
      }
      Map<String, String> views = new HashMap<>();
      tables.query(
          SqlQuery.of(
              "SELECT name, as_select FROM system.tables WHERE engine = 'View' AND " + ORDINARY),
          row -> views.put(row.text(0), row.text(1)));
      views.forEach((name, select) -> {
        for (int shard = 1; shard <= 2; shard++) {
          run(
              "CREATE OR REPLACE VIEW shard_%1$d.%2$s AS %3$s"
                  .formatted(
                      shard, name, select.replace("headspan_shard.", "shard_" + shard + ".")));
        }
      });
      for (String table :
          tables.query(
              SqlQuery.of(
                  "SELECT name FROM system.tables WHERE engine NOT IN ('MaterializedView', 'Null') AND "
                      + ORDINARY),
              row -> row.text(0))) {
        String all = String.join(", ", columns(tables, table, "1"));
        run(
            """
            CREATE OR REPLACE VIEW shard_asked.%1$s AS
            SELECT %2$s FROM shard_1.%1$s WHERE shardNum() = 1
            UNION ALL SELECT %2$s FROM shard_2.%1$s WHERE shardNum() = 2
            """
                .formatted(table, all));
        run(
            "CREATE OR REPLACE TABLE headspan.%1$s AS headspan_shard.%1$s ENGINE = Distributed('two', 'shard_asked', '%1$s')"
                .formatted(table));
      }
    }
  }

  private static List<String> columns(SpanStore tables, String table, String which) {
    return tables.query(
        SqlQuery.of(
                "SELECT name FROM system.columns WHERE database = 'headspan_shard' AND table = {table:String} AND "
                    + which
                    + " ORDER BY position")
            .bind("table", table),
        row -> row.text(0));
  }

  private static String sortingKey(SpanStore tables, String table) {
    return tables
        .query(
            SqlQuery.of(
                    "SELECT sorting_key FROM system.tables WHERE name = {table:String} AND "
                        + ORDINARY)
                .bind("table", table),
            row -> row.text(0))
        .getFirst();
  }

  private void run(String statement) {
    URI engine =
        URI.create(
            "http://127.0.0.1:"
                + process.orElseThrow().address().port()
                + "/?allow_suspicious_low_cardinality_types=1");
    try (HttpClient client = HttpClient.newHttpClient()) {
      HttpResponse<String> response =
          client.send(
              HttpRequest.newBuilder(engine)
                  .POST(HttpRequest.BodyPublishers.ofString(statement))
                  .build(),
              HttpResponse.BodyHandlers.ofString());
      if (response.statusCode() != 200) {
        throw new IllegalStateException(statement + ": " + response.body());
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  /// What `--store` takes.
  String url() {
    return url;
  }

  /// The process of an embedded one.
  long pid() {
    return process.orElseThrow().pid();
  }

  StoreAddress address() {
    return StoreAddress.parse(url);
  }

  @Override
  public void close() {
    process.ifPresent(StoreProcess::close);
  }
}
