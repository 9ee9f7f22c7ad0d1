package io.headspan.storage.schema;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

final class ClusterDdlTest {
  private static final ClusterDdl DDL = new ClusterDdl("main", "headspan", "headspan_shard", true);

  /// What a shard's node runs, statement by statement, is what was looked through. After a new
  /// migration: `mvn … -Dtest=ClusterDdlTest -Dheadspan.golden.write=true`, and read the
  /// difference.
  @Test
  void makesTheStatementsThatWereLookedThrough() throws IOException {
    String made =
        statements().stream()
            .map(each ->
                (DDL.isOncePerShard(each) ? "-- once per shard\n" : "")
                    + DDL.ofShard(each).strip()
                    + ";\n")
            .collect(Collectors.joining("\n"));
    if (Boolean.getBoolean("headspan.golden.write")) {
      Files.writeString(
          Path.of("src/test/resources/io/headspan/storage/schema/replicated.sql"), made);
    }
    try (InputStream golden = ClusterDdlTest.class.getResourceAsStream("replicated.sql")) {
      assertThat(golden).isNotNull();
      assertThat(made).isEqualTo(new String(golden.readAllBytes(), StandardCharsets.UTF_8));
    }
  }

  @Test
  void replicatesEveryTable() {
    List<String> tables =
        statements().stream()
            .filter(each -> ClusterDdl.tableMade(each).isPresent())
            .filter(each -> !each.contains("ENGINE = Null"))
            .toList();
    assertThat(tables).hasSizeGreaterThan(15);
    for (String table : tables) {
      assertThat(DDL.ofShard(table))
          .contains("MergeTree('/clickhouse/tables/{shard}/headspan_shard/")
          .containsOnlyOnce("replicated_deduplication_window = ")
          .doesNotContain("non_replicated");
    }
    List<String> paths =
        tables.stream().map(DDL::ofShard).map(ClusterDdlTest::path).distinct().toList();
    assertThat(paths).as("a path for each table").hasSameSizeAs(tables);
  }

  @Test
  void leavesTheSchemaOfAServerAsItIs() {
    ClusterDdl unreplicated = new ClusterDdl("main", "headspan", "headspan_shard", false);
    assertThat(statements()).allMatch(each -> unreplicated.ofShard(each).equals(each));
    assertThat(statements()).noneMatch(unreplicated::isOncePerShard);
  }

  @Test
  void changesWhatReplicasShareOnce() {
    assertThat(DDL.isOncePerShard("ALTER TABLE kept_spans ADD COLUMN x UInt8")).isTrue();
    assertThat(DDL.isOncePerShard("ALTER TABLE latency_minute_view MODIFY QUERY SELECT 1"))
        .isFalse();
    assertThat(DDL.isOncePerShard("RENAME TABLE spans TO kept_spans")).isFalse();
    assertThat(statements().stream().filter(each -> each.contains("MODIFY SETTING")))
        .as("settings are each replica's own")
        .hasSizeGreaterThan(3)
        .noneMatch(DDL::isOncePerShard);
  }

  @Test
  void readsAllShardsUnderTheTablesOwnName() {
    assertThat(DDL.ofAll("latency_minute", false))
        .isEqualTo(
            "CREATE OR REPLACE TABLE headspan.latency_minute AS headspan_shard.latency_minute"
                + " ENGINE = Distributed('main', 'headspan_shard', 'latency_minute')");
    assertThat(DDL.ofAll("spans", true)).endsWith(", " + ClusterDdl.SHARDING_KEY + ")");
  }

  private static String path(String statement) {
    int begin = statement.indexOf("'/clickhouse/tables/");
    return statement.substring(begin, statement.indexOf('\'', begin + 1));
  }

  private static List<String> statements() {
    return Migration.all().stream().flatMap(each -> each.statements().stream()).toList();
  }
}
