package io.headspan.storage.schema;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

final class MigrationTest {
  private static final Pattern VIEW =
      Pattern.compile("(?:OR REPLACE MATERIALIZED VIEW|ALTER TABLE) (\\w+_view)");

  @Test
  void migrationsAreInOrderAndCanBeRepeated() {
    List<Migration> all = Migration.all();
    assertThat(all).extracting(Migration::version).isSorted().doesNotHaveDuplicates();
    for (Migration migration : all) {
      assertThat(migration.checksum()).matches("[0-9a-f]{16}");
      assertThat(migration.statements())
          .isNotEmpty()
          .allSatisfy(statement ->
              assertThat(statement)
                  .containsAnyOf(
                      "IF NOT EXISTS",
                      "IF EXISTS",
                      "CREATE OR REPLACE",
                      "MODIFY QUERY",
                      "MODIFY SETTING",
                      "RENAME TABLE",
                      "throwIf",
                      "INSERT INTO latency_before"));
    }
  }

  /// It changes by what name ClickHouse knows the view's blocks, in the middle of their replays.
  @Test
  void noViewKeepsAQueryThatWasModified() {
    Set<String> modified = new HashSet<>();
    for (Migration migration : Migration.all()) {
      for (String statement : migration.statements()) {
        Matcher view = VIEW.matcher(statement);
        if (view.find()) {
          if (statement.contains("MODIFY QUERY")) {
            modified.add(view.group(1));
          } else {
            modified.remove(view.group(1));
          }
        }
      }
    }
    assertThat(modified).isEmpty();
  }

  @Test
  void everyTargetOfAViewDeduplicates() {
    List<String> statements =
        Migration.all().stream().flatMap(each -> each.statements().stream()).toList();
    for (String view : statements) {
      int to = view.indexOf(" TO ");
      if (view.contains("CREATE MATERIALIZED VIEW") && to > 0) {
        String target = view.substring(to + 4, view.indexOf(' ', to + 4));
        assertThat(statements)
            .filteredOn(each -> each.contains("EXISTS " + target + "\n"))
            .singleElement()
            .asString()
            // What keeps nothing has nothing to deduplicate; those behind it have.
            .containsAnyOf("non_replicated_deduplication_window", "ENGINE = Null");
      }
    }
  }
}
