package io.headspan.storage;

import io.headspan.storage.schema.ClusterDdl;
import io.headspan.storage.schema.Migration;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;

/// Brings databases to this version's schema: that of a server, or those of a cluster's nodes, each
/// of which has a record of its own of what was done.
///
/// Nodes go through a migration statement by statement together: a replica that began when another
/// had finished would make its tables as they were first, which Keeper knows otherwise by then. For
/// the same reason a node without anything gets the tables of one that has all.
final class Migrator {
  private static final String HISTORY = "schema_migrations";

  // Error codes, after ClickHouse's src/Common/ErrorCodes.cpp.
  private static final int TABLE_ALREADY_EXISTS = 57;
  private static final int UNFINISHED = 341;
  private static final int THROWN_BY_STATEMENT = 395;

  /// For how long a migration waits for what it has to wait for, and between two looks at it.
  private static final Duration WAIT_LIMIT = Duration.ofMinutes(5);

  private static final Duration WAIT_STEP = Duration.ofMillis(100);

  /// A dictionary of fingerprints is not suspicious here: few distinct ones make up a block. What
  /// is changed of a Replicated table, its replicas have when the statement ends; those that are
  /// away come after it.
  private static final Map<String, String> SETTINGS =
      Map.of(
          "allow_suspicious_low_cardinality_types", "1",
          "alter_sync", "2",
          "replication_wait_for_inactive_replica_timeout", "0");

  /// A database to migrate.
  ///
  /// @param address of its node, with the database
  /// @param shard the number of the node's shard, 1 if it stands alone
  /// @param client what runs statements there
  record Target(StoreAddress address, int shard, StoreClient client) {}

  /// A target and the checksums of the migrations that it has, by version.
  private record Found(Target target, Map<Integer, String> applied) {}

  private final Optional<ClusterDdl> cluster;

  /// @param cluster what the targets make up; empty if there is one that stands alone
  Migrator(Optional<ClusterDdl> cluster) {
    this.cluster = cluster;
  }

  /// Of a server that stands alone.
  void migrate(Target target) {
    migrate(List.of(target), Migration.all());
  }

  void migrate(List<Target> targets) {
    migrate(targets, Migration.all());
  }

  /// As a program does that knows no others.
  void migrate(List<Target> targets, List<Migration> known) {
    List<Found> all = new ArrayList<>();
    for (Target target : targets) {
      createDatabase(target, target.address().database());
      target
          .client()
          .command(
              """
              CREATE TABLE IF NOT EXISTS schema_migrations
              (
                  version UInt32,
                  name String,
                  checksum String,
                  applied DateTime('UTC') DEFAULT now()
              )
              ENGINE = ReplacingMergeTree
              ORDER BY version
              """,
              Map.of());
      Map<Integer, String> applied = applied(target.client());
      checkNotNewer(target, applied, known.getLast().version());
      checkSame(target, applied, known);
      all.add(new Found(target, applied));
    }
    all.stream()
        .filter(each -> each.applied().size() == known.size())
        .findFirst()
        .ifPresent(whole ->
            all.stream()
                .filter(each -> each.applied().isEmpty())
                .forEach(empty -> copy(whole, empty, known)));
    for (Migration migration : known) {
      List<Target> lacking =
          all.stream()
              .filter(each -> !each.applied().containsKey(migration.version()))
              .map(Found::target)
              .toList();
      if (!lacking.isEmpty()) {
        apply(migration, lacking);
      }
    }
    cluster.ifPresent(ddl -> targets.forEach(target -> createReadTables(ddl, target)));
  }

  /// Whether every migration is applied; false also if there is no table of them.
  static boolean isCurrent(StoreClient client) {
    Map<Integer, String> applied = applied(client);
    return Migration.all().stream()
        .allMatch(migration -> migration.checksum().equals(applied.get(migration.version())));
  }

  private static void createDatabase(Target target, String name) {
    try (StoreClient server = new NodeClient(target.address().withDatabase("default"))) {
      server.command("CREATE DATABASE IF NOT EXISTS " + name, Map.of());
    }
  }

  private static Map<Integer, String> applied(StoreClient client) {
    Map<Integer, String> applied = new HashMap<>();
    client.select(
        SqlQuery.of("SELECT version, checksum FROM " + HISTORY + " FINAL"),
        block -> {
          for (int i = 0; i < block.rows(); i++) {
            Row row = block.row(i);
            applied.put((int) row.integer(0), row.text(1));
          }
        });
    return applied;
  }

  private static void checkNotNewer(Target target, Map<Integer, String> applied, int known) {
    applied.keySet().stream()
        .filter(version -> version > known)
        .findFirst()
        .ifPresent(version -> {
          throw new StoreException(
              StoreException.Kind.REJECTED,
              "schema of the store is newer than this program: address="
                  + target.address()
                  + ", migration="
                  + version
                  + ", known="
                  + known
                  + "; upgrade this program");
        });
  }

  private static void checkSame(
      Target target, Map<Integer, String> applied, List<Migration> known) {
    for (Migration migration : known) {
      String checksum = applied.get(migration.version());
      if (checksum != null && !checksum.equals(migration.checksum())) {
        throw new StoreException(
            StoreException.Kind.REJECTED,
            "schema of the store is another one: address="
                + target.address()
                + ", migration="
                + migration.version()
                + "; it was made by another build, use an empty database");
      }
    }
  }

  private void apply(Migration migration, List<Target> targets) {
    for (String statement : migration.statements()) {
      String sql = cluster.map(ddl -> ddl.ofShard(statement)).orElse(statement);
      boolean oncePerShard = cluster.map(ddl -> ddl.isOncePerShard(statement)).orElse(false);
      Set<Integer> shards = new HashSet<>();
      for (Target target : targets) {
        if (shards.add(target.shard()) || !oncePerShard) {
          run(target.client(), sql);
        }
      }
    }
    targets.forEach(target -> record(target.client(), migration));
  }

  /// Runs a statement; one that throws by itself (`throwIf`) is tried again until it does not.
  private void run(StoreClient client, String sql) {
    long deadlineNs = System.nanoTime() + WAIT_LIMIT.toNanos();
    while (true) {
      try {
        runOnce(client, sql);
        return;
      } catch (StoreException e) {
        if (e.code() != THROWN_BY_STATEMENT || System.nanoTime() > deadlineNs) {
          throw e;
        }
        LockSupport.parkNanos(WAIT_STEP.toNanos());
      }
    }
  }

  private void runOnce(StoreClient client, String sql) {
    try {
      client.command(sql, SETTINGS);
    } catch (StoreException e) {
      // A renaming that another process, or an attempt that broke off, has done before; or a change
      // that is in Keeper's log for a replica that is away.
      boolean isDone =
          (e.code() == TABLE_ALREADY_EXISTS && sql.contains("RENAME TABLE"))
              || (e.code() == UNFINISHED && cluster.isPresent());
      if (!isDone) {
        throw e;
      }
    }
  }

  private static void record(StoreClient client, Migration migration) {
    client.command(
        "INSERT INTO %s (version, name, checksum) VALUES (%d, '%s', '%s')"
            .formatted(HISTORY, migration.version(), migration.name(), migration.checksum()),
        Map.of());
  }

  /// A table or view of a node.
  private record Made(String name, boolean isTable, String sql) {}

  private void copy(Found whole, Found empty, List<Migration> known) {
    List<Made> made =
        whole
            .target()
            .client()
            .rows(
                SqlQuery.of(
                        """
                        SELECT name, engine NOT LIKE '%View', create_table_query FROM system.tables
                        WHERE database = currentDatabase() AND name != {history:String}
                        """)
                    .bind("history", HISTORY),
                row -> new Made(row.text(0), row.flag(1), row.text(2)))
            .stream()
            // Views name tables, which must be there.
            .sorted(Comparator.comparing((Made each) -> !each.isTable()).thenComparing(Made::name))
            .toList();
    for (Made each : made) {
      run(
          empty.target().client(),
          each.sql()
              .replaceFirst("^CREATE (TABLE|VIEW|MATERIALIZED VIEW) ", "CREATE $1 IF NOT EXISTS "));
    }
    for (Migration migration : known) {
      record(empty.target().client(), migration);
      empty.applied().put(migration.version(), migration.checksum());
    }
  }

  /// Made anew each time: they hold nothing, and their columns are those of the tables of now.
  private static void createReadTables(ClusterDdl ddl, Target target) {
    createDatabase(target, ddl.database());
    target
        .client()
        .rows(
            SqlQuery.of(
                    """
                    SELECT name, name IN (SELECT table FROM system.columns
                        WHERE database = currentDatabase() AND name = 'trace_id')
                    FROM system.tables
                    WHERE database = currentDatabase() AND engine != 'MaterializedView'
                      AND name != {history:String}
                    ORDER BY name
                    """)
                .bind("history", HISTORY),
            row -> Map.entry(row.text(0), row.flag(1)))
        .forEach(table ->
            target.client().command(ddl.ofAll(table.getKey(), table.getValue()), SETTINGS));
  }
}
