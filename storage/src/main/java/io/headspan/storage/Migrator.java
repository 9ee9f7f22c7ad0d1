package io.headspan.storage;

import io.headspan.storage.schema.Migration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Brings a database to this version's schema.
final class Migrator {
  private static final String HISTORY = "schema_migrations";

  // Error code, after ClickHouse's src/Common/ErrorCodes.cpp.
  private static final int TABLE_ALREADY_EXISTS = 57;

  /// A dictionary of fingerprints is not suspicious here: few distinct ones make up a block.
  private static final Map<String, String> SETTINGS =
      Map.of("allow_suspicious_low_cardinality_types", "1");

  private final StoreAddress address;
  private final StoreClient client;

  Migrator(StoreAddress address, StoreClient client) {
    this.address = address;
    this.client = client;
  }

  void migrate() {
    migrate(Migration.all());
  }

  /// As a program does that knows no others.
  void migrate(List<Migration> known) {
    try (StoreClient server = new StoreClient(address.withDatabase("default"))) {
      server.command("CREATE DATABASE IF NOT EXISTS " + address.database(), Map.of());
    }
    client.command(
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
    Map<Integer, String> applied = applied();
    checkNotNewer(applied, known.getLast().version());
    for (Migration migration : known) {
      String checksum = applied.get(migration.version());
      if (checksum == null) {
        apply(migration);
      } else if (!checksum.equals(migration.checksum())) {
        throw new StoreException(
            StoreException.Kind.REJECTED,
            "schema of the store is another one: address="
                + address
                + ", migration="
                + migration.version()
                + "; it was made by another build, use an empty database");
      }
    }
  }

  /// Whether every migration is applied; false also if there is no table of them.
  boolean isCurrent() {
    Map<Integer, String> applied = applied();
    return Migration.all().stream()
        .allMatch(migration -> migration.checksum().equals(applied.get(migration.version())));
  }

  private Map<Integer, String> applied() {
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

  private void checkNotNewer(Map<Integer, String> applied, int known) {
    applied.keySet().stream()
        .filter(version -> version > known)
        .findFirst()
        .ifPresent(version -> {
          throw new StoreException(
              StoreException.Kind.REJECTED,
              "schema of the store is newer than this program: address="
                  + address
                  + ", migration="
                  + version
                  + ", known="
                  + known
                  + "; upgrade this program");
        });
  }

  private void apply(Migration migration) {
    for (String statement : migration.statements()) {
      try {
        client.command(statement, SETTINGS);
      } catch (StoreException e) {
        // A renaming that another process, or an attempt that broke off, has done before.
        if (e.code() != TABLE_ALREADY_EXISTS || !statement.contains("RENAME TABLE")) {
          throw e;
        }
      }
    }
    client.command(
        "INSERT INTO %s (version, name, checksum) VALUES (%d, '%s', '%s')"
            .formatted(HISTORY, migration.version(), migration.name(), migration.checksum()),
        Map.of());
  }
}
