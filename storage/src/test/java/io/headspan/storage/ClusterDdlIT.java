package io.headspan.storage;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.storage.embedded.StoreProcess;
import io.headspan.storage.schema.ClusterDdl;
import io.headspan.storage.schema.Migration;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The statements for Replicated tables before the engine's own parser and its lists of engines and
/// settings: the embedded engine has no Keeper, so it runs none of them.
final class ClusterDdlIT {
  private static final ClusterDdl DDL = new ClusterDdl("main", "headspan", "headspan_shard", true);

  @Test
  void isUnderstoodByTheEngine(@TempDir Path directory) {
    try (StoreProcess process = StoreProcess.start(directory);
        StoreClient client = new NodeClient(process.address().withDatabase("default"))) {
      List<String> statements = new ArrayList<>();
      Migration.all()
          .forEach(each -> each.statements().stream().map(DDL::ofShard).forEach(statements::add));
      statements.add(DDL.ofAll("spans", true));
      statements.add(DDL.ofAll("latency_minute", false));
      for (String statement : statements) {
        String formatted =
            client
                .rows(
                    SqlQuery.of("SELECT formatQuery({sql:String})").bind("sql", statement),
                    row -> row.text(0))
                .getFirst();
        assertThat(formatted)
            .as(statement)
            .matches("(?s)^(CREATE|ALTER|RENAME|DROP|SELECT|INSERT)\\s.*");
      }
      assertThat(
              client.rows(
                  SqlQuery.of(
                      """
                      SELECT name FROM system.table_engines
                      WHERE name IN ('ReplicatedMergeTree', 'ReplicatedReplacingMergeTree',
                        'ReplicatedAggregatingMergeTree', 'Distributed')
                      """),
                  row -> row.text(0)))
          .hasSize(4);
      assertThat(
              client.rows(
                  SqlQuery.of(
                      """
                      SELECT name FROM system.merge_tree_settings WHERE name IN
                        ('replicated_deduplication_window', 'replicated_deduplication_window_seconds')
                      """),
                  row -> row.text(0)))
          .hasSize(2);
    }
  }

  /// A table with the settings that the cluster's have: the engine knows them without Keeper too.
  @Test
  void hasSettingsThatTheEngineTakes(@TempDir Path directory) {
    try (StoreProcess process = StoreProcess.start(directory);
        StoreClient client = new NodeClient(process.address().withDatabase("default"))) {
      for (Migration migration : Migration.all()) {
        for (String statement : migration.statements()) {
          String sql =
              DDL.ofShard(statement)
                  .replaceAll("ENGINE = Replicated([A-Za-z]+)\\([^)]*\\)", "ENGINE = $1");
          client.command(sql, Map.of("allow_suspicious_low_cardinality_types", "1"));
        }
      }
      assertThat(
              client.rows(
                  SqlQuery.of(
                      """
                      SELECT name FROM system.tables WHERE database = 'default'
                        AND create_table_query LIKE '%replicated_deduplication_window = 10000%'
                      """),
                  row -> row.text(0)))
          .contains("kept_spans", "recent_spans", "latency_minute", "trace_summary", "decisions")
          .doesNotContain("resources", "tier_boundary", "sampler_lease");
    }
  }
}
