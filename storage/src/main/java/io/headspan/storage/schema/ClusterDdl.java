package io.headspan.storage.schema;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What a cluster's nodes have in place of a single server's tables, made of the same migrations:
/// in a database for their own shard the tables, Replicated; in the one that is read, under the
/// same names, Distributed tables over those of all shards.
///
/// @param cluster as `remote_servers` calls it
/// @param database the one that is read
/// @param shardDatabase the one of the node's own shard
/// @param replicated whether the tables are Replicated
public record ClusterDdl(
    String cluster, String database, String shardDatabase, boolean replicated) {
  /// The shard of a trace: this modulo the sum of the shards' weights. Ids need not be random, so
  /// they are hashed. Checked against the engine by ShardingIT.
  public static final String SHARDING_KEY =
      "intHash64(bitXor(reinterpretAsUInt64(substring(trace_id, 1, 8)),"
          + " reinterpretAsUInt64(substring(trace_id, 9, 8))))";

  /// For how long Keeper knows blocks by their tokens, as long as there are not too many: replays
  /// come from spools, and those hold days.
  private static final int DEDUPLICATION_SECONDS = 7 * 24 * 3600;

  private static final String WINDOW = "non_replicated_deduplication_window = ";
  private static final Pattern TABLE =
      Pattern.compile("CREATE TABLE IF NOT EXISTS ([a-z_]+)\\s*\\(");
  private static final Pattern ENGINE = Pattern.compile("\\bENGINE = ([A-Za-z]*MergeTree)\\b");
  private static final Pattern MODIFY_SETTING = Pattern.compile("\\sMODIFY\\s+SETTING\\s");
  private static final Pattern ALTER = Pattern.compile("(?m)^ALTER TABLE ([a-z_]+)");

  /// A migration's statement as it runs in the shard's database.
  public String ofShard(String statement) {
    Matcher table = TABLE.matcher(statement);
    // What is in no table needs no replica: rows of a Null table only pass through to views.
    if (!replicated || !table.find() || statement.contains("ENGINE = Null")) {
      return statement;
    }
    String path = "/clickhouse/tables/{shard}/" + shardDatabase + "/" + table.group(1);
    Matcher engine = ENGINE.matcher(statement);
    if (!engine.find()) {
      throw new IllegalArgumentException(
          "table has an engine that cannot be replicated: table=" + table.group(1));
    }
    String changed =
        statement.substring(0, engine.start())
            + "ENGINE = Replicated%s('%s', '{replica}')".formatted(engine.group(1), path)
            + statement.substring(engine.end());
    if (changed.contains(WINDOW)) {
      return changed.replaceFirst(
          WINDOW + "([0-9]+)",
          "replicated_deduplication_window = $1, replicated_deduplication_window_seconds = "
              + DEDUPLICATION_SECONDS);
    }
    // Unasked for, Keeper would take rows for known that are equal to others by chance.
    return changed.stripTrailing()
        + (changed.contains("\nSETTINGS") ? ", " : "\nSETTINGS ")
        + "replicated_deduplication_window = 0";
  }

  /// Whether one node of each shard runs the statement for its replicas too. Settings of a table
  /// are each replica's own.
  public boolean isOncePerShard(String statement) {
    Matcher alter = ALTER.matcher(statement);
    return replicated
        && alter.find()
        && !alter.group(1).endsWith("_view")
        && !MODIFY_SETTING.matcher(statement).find();
  }

  /// What reads a table, or a view, of all shards.
  ///
  /// @param byTrace whether it has a column `trace_id`
  public String ofAll(String table, boolean byTrace) {
    return "CREATE OR REPLACE TABLE %1$s.%3$s AS %2$s.%3$s ENGINE = Distributed('%4$s', '%2$s', '%3$s'%5$s)"
        .formatted(database, shardDatabase, table, cluster, byTrace ? ", " + SHARDING_KEY : "");
  }

  /// The name of the table that a statement makes; empty if it makes none.
  static Optional<String> tableMade(String statement) {
    Matcher table = TABLE.matcher(statement);
    return table.find() ? Optional.of(table.group(1)) : Optional.empty();
  }
}
