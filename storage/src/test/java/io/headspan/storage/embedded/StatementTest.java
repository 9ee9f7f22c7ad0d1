package io.headspan.storage.embedded;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.junit.jupiter.api.Test;

final class StatementTest {
  @Test
  void tellsSelectsFromTheRest() {
    assertThat(query("SELECT 1").select()).isTrue();
    assertThat(query(" -- note\n /* more */ with x as (select 1) select * from x").select())
        .isTrue();
    assertThat(query("(SELECT 1) UNION ALL (SELECT 2)").select()).isTrue();
    assertThat(query("SHOW TABLES").select()).isFalse();
    assertThat(query("SHOW TABLES").stateless()).isTrue();
    assertThat(query("SET max_threads = 1").stateless()).isFalse();
    assertThat(query("USE other").stateless()).isFalse();
    assertThat(query("CREATE TEMPORARY TABLE t (a Int8)").stateless()).isFalse();
    assertThat(query("").select()).isFalse();
  }

  @Test
  void findsTheFormatOfAResult() {
    assertThat(query("SELECT 1 FORMAT JSON").format()).hasValue("JSON");
    assertThat(query("SELECT 1 format TSV SETTINGS max_threads = 1").format()).hasValue("TSV");
    assertThat(query("SELECT 'FORMAT x', `FORMAT`, format('{}', 1) -- FORMAT y").format())
        .isEmpty();
    assertThat(query("SELECT * FROM (SELECT 1 FORMAT CSV)").format()).isEmpty();
    assertThat(query("SELECT $a$ FORMAT x $a$ FORMAT Native").format()).hasValue("Native");
  }

  @Test
  void findsTheDataOfAnInsert() {
    assertInsert("INSERT INTO t FORMAT CSV\n1,2", "INSERT INTO t ", "CSV", "1,2");
    assertInsert(
        "insert into t (a, b) values (1, 2)", "insert into t (a, b) ", "Values", " (1, 2)");
    assertInsert(
        "INSERT INTO TABLE d.`t x` (`format`, \"values\") SETTINGS a = 'FORMAT' FORMAT Native \r\nx",
        "INSERT INTO TABLE d.`t x` (`format`, \"values\") SETTINGS a = 'FORMAT' ",
        "Native",
        "x");
    assertInsert("INSERT INTO values VALUES (1)", "INSERT INTO values ", "Values", " (1)");
    assertInsert("INSERT INTO t FORMAT TSV\n\n1", "INSERT INTO t ", "TSV", "\n1");
  }

  @Test
  void anInsertWithoutFormatTakesTheRequests() {
    Statement.Insert insert = (Statement.Insert) parse("INSERT INTO t (a)");
    assertThat(insert.format()).isEqualTo(Optional.empty());
    assertThat(insert.dataStart()).isEqualTo("INSERT INTO t (a)".length());
  }

  @Test
  void anInsertFromASelectIsAQuery() {
    assertThat(parse("INSERT INTO t SELECT 1")).isInstanceOf(Statement.Query.class);
    assertThat(parse("INSERT INTO t (a) WITH x AS (SELECT 1) SELECT * FROM x"))
        .isInstanceOf(Statement.Query.class);
    assertThat(parse("INSERT INTO FUNCTION null('a Int8') VALUES (1)"))
        .isInstanceOf(Statement.Query.class);
  }

  @Test
  void endsOnBrokenText() {
    for (String text :
        new String[] {
          "INSERT",
          "INSERT INTO",
          "INSERT INTO t.",
          "INSERT INTO t FORMAT",
          "SELECT 'open",
          "SELECT /* open",
          "SELECT `open",
          "SELECT $a$ open",
          "SELECT '\\",
          "((((",
          "\"",
          "$"
        }) {
      assertThat(parse(text)).as(text).isNotNull();
    }
  }

  private static void assertInsert(String sql, String head, String format, String data) {
    Statement.Insert insert = (Statement.Insert) parse(sql);
    assertThat(new String(insert.head(), StandardCharsets.UTF_8)).isEqualTo(head);
    assertThat(insert.format()).hasValue(format);
    assertThat(sql.substring(insert.dataStart())).isEqualTo(data);
  }

  private static Statement.Query query(String sql) {
    return (Statement.Query) parse(sql);
  }

  private static Statement parse(String sql) {
    byte[] bytes = sql.getBytes(StandardCharsets.UTF_8);
    return Statement.parse(bytes, bytes.length);
  }
}
