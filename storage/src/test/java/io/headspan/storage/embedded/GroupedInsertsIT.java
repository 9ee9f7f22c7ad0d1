package io.headspan.storage.embedded;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.storage.TestStore;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// INSERTs that the embedded store puts together, over HTTP: into a table with a view behind it,
/// both of which deduplicate.
final class GroupedInsertsIT {
  private static final int SENDERS = 60;
  private static final long LIMIT_S = 60;

  /// Rows of 24 MiB, where 16 are the most that a group's member has.
  private static final int LARGE = 3 << 20;

  private final HttpClient http = HttpClient.newHttpClient();
  private Path directory;
  private StoreProcess process;

  @BeforeEach
  void start() throws Exception {
    directory = Files.createTempDirectory("headspan-groups");
    process = StoreProcess.start(directory);
    sql("default", "CREATE DATABASE d");
    createTables();
  }

  @AfterEach
  void stop() throws IOException {
    process.close();
    TestStore.delete(directory);
  }

  @Test
  void storesMoreThanOneAtOnceAndEachOnce() throws Exception {
    List<CompletableFuture<HttpResponse<String>>> answers = new ArrayList<>();
    for (int i = 0; i < SENDERS; i++) {
      answers.add(insert("token " + i, i));
      // Some senders do not wait for the answer before they send again.
      if (i % 7 == 0) {
        answers.add(insert("token " + i, i));
      }
    }
    assertAll(answers, 200);
    assertStored(SENDERS);
    assertThat(number("SELECT count() FROM system.parts WHERE table = 't' AND level = 0"))
        .isLessThan(SENDERS / 3);

    // Again, in the company of others, and after a kill.
    answers.clear();
    for (int i = SENDERS - 1; i >= 0; i -= 3) {
      answers.add(insert("token " + i, i));
      answers.add(insert("token " + (i + SENDERS), i + SENDERS));
    }
    assertAll(answers, 200);
    assertStored(SENDERS + SENDERS / 3);
    process.kill();
    restart();
    answers.clear();
    for (int i = 0; i < SENDERS; i++) {
      answers.add(insert("token " + i, i));
    }
    assertAll(answers, 200);
    assertStored(SENDERS + SENDERS / 3);
  }

  @Test
  void refusesOnlyWhatIsWrong() throws Exception {
    List<CompletableFuture<HttpResponse<String>>> good = new ArrayList<>();
    List<CompletableFuture<HttpResponse<String>>> bad = new ArrayList<>();
    for (int i = 0; i < SENDERS; i++) {
      good.add(insert("token " + i, i));
      if (i % 20 == 10) {
        bad.add(send("bad " + i, block("a", "Nonsense", i)));
      }
    }
    assertAll(good, 200);
    for (CompletableFuture<HttpResponse<String>> each : bad) {
      HttpResponse<String> answer = each.get(LIMIT_S, TimeUnit.SECONDS);
      assertThat(answer.statusCode()).isNotEqualTo(200);
      assertThat(answer.body()).startsWith("Code: ");
    }
    assertStored(SENDERS);
  }

  @Test
  void takesApartWhatNeedsTooManyPartitionsTogether() throws Exception {
    sql("DROP VIEW v");
    sql("DROP TABLE t");
    sql(
        "CREATE TABLE t (a UInt64) ENGINE = MergeTree PARTITION BY a ORDER BY a"
            + " SETTINGS non_replicated_deduplication_window = 1000");
    List<CompletableFuture<HttpResponse<String>>> answers = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      long[] values = new long[40];
      for (int k = 0; k < values.length; k++) {
        values[k] = 40L * i + k;
      }
      answers.add(send("token " + i, block("a", "UInt64", values)));
    }
    assertAll(answers, 200);
    assertThat(number("SELECT count() FROM t")).isEqualTo(320);
    assertThat(number("SELECT uniqExact(a) FROM t")).isEqualTo(320);
  }

  /// Six times 24 MiB at once, which is more than the store may hold, and all of them again.
  @Test
  void takesWhatIsTooLargeForAGroup() throws Exception {
    for (int time = 0; time < 2; time++) {
      List<CompletableFuture<HttpResponse<String>>> answers = new ArrayList<>();
      for (int i = 0; i < 6; i++) {
        long first = (long) i * LARGE;
        answers.add(
            send(
                "large " + i,
                block("a", "UInt64", LongStream.range(first, first + LARGE).toArray())));
      }
      answers.add(insert("small", 6L * LARGE));
      assertAll(answers, 200);
      assertStored(6L * LARGE + 1);
    }
  }

  /// What was under way when the store was killed: written down only, or stored already.
  @Test
  void finishesWhatWasUnderWay() throws Exception {
    assertThat(insert("token 0", 0).get().statusCode()).isEqualTo(200);
    String table =
        sql(
            "SELECT lower(hex(reinterpret(uuid, 'FixedString(16)'))) FROM system.tables"
                + " WHERE name = 't'");
    process.kill();
    List<WaitingInsert> members = List.of(waiting("token 1", 1), waiting("token 2", 2));
    leave(table, members);
    restart();
    assertStored(3);
    assertAll(List.of(insert("token 1", 1), insert("token 2", 2), insert("token 3", 3)), 200);
    assertStored(4);

    process.kill();
    try (Stream<Path> files = Files.list(directory.resolve("inserts"))) {
      for (Path each : files.filter(file -> file.toString().endsWith(".tokens")).toList()) {
        Files.delete(each);
      }
    }
    leave(table, members);
    restart();
    assertStored(4);
    assertThat(insert("token 2", 2).get().statusCode()).isEqualTo(200);
    assertStored(4);
    try (Stream<Path> files = Files.list(directory.resolve("inserts"))) {
      assertThat(files).noneMatch(file -> file.toString().endsWith(".group"));
    }
  }

  /// The view fails once the table has its part: whoever of the group comes again brings the rest
  /// along.
  @Test
  void storesAGroupAsItWasOnceAPartIsStored() throws Exception {
    sql(
        "CREATE TABLE w (a UInt64, CONSTRAINT shut CHECK a > 1000) ENGINE = MergeTree ORDER BY a"
            + " SETTINGS non_replicated_deduplication_window = 1000");
    sql("CREATE MATERIALIZED VIEW wv TO w AS SELECT a FROM t");
    List<CompletableFuture<HttpResponse<String>>> answers = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      answers.add(insert("token " + i, i));
    }
    assertAll(answers, 500);
    assertThat(number("SELECT count() FROM t")).isPositive();
    sql("ALTER TABLE w DROP CONSTRAINT shut");

    answers.clear();
    for (int i = 9; i >= 0; i--) {
      answers.add(insert("token " + i, i));
      answers.add(insert("new " + i, 100 + i));
    }

    assertAll(answers, 200);
    assertStored(20);
    assertThat(number("SELECT count() FROM w")).isEqualTo(20);
    assertThat(number("SELECT uniqExact(a) FROM w")).isEqualTo(20);
  }

  @Test
  void knowsNothingOfATableThatHadTheName() throws Exception {
    assertThat(insert("token 1", 1).get().statusCode()).isEqualTo(200);
    sql("DROP VIEW v");
    sql("DROP TABLE t SYNC");
    sql("DROP TABLE s SYNC");
    createTables();

    assertThat(insert("token 1", 1).get().statusCode()).isEqualTo(200);

    assertStored(1);
    sql("DROP VIEW v");
    sql("DROP TABLE t SYNC");
    HttpResponse<String> answer = insert("token 2", 2).get();
    assertThat(answer.statusCode()).isEqualTo(404);
    assertThat(answer.body()).startsWith("Code: 60");
  }

  private void createTables() throws Exception {
    sql(
        "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a"
            + " SETTINGS non_replicated_deduplication_window = 1000");
    sql(
        "CREATE TABLE s (n UInt64) ENGINE = SummingMergeTree ORDER BY tuple()"
            + " SETTINGS non_replicated_deduplication_window = 1000");
    sql("CREATE MATERIALIZED VIEW v TO s AS SELECT count() AS n FROM t");
  }

  private void assertStored(long rows) throws Exception {
    assertThat(
            List.of(
                number("SELECT count() FROM t"),
                number("SELECT uniqExact(a) FROM t"),
                number("SELECT sum(n) FROM s")))
        .containsOnly(rows);
  }

  private static void assertAll(List<CompletableFuture<HttpResponse<String>>> answers, int status)
      throws Exception {
    for (CompletableFuture<HttpResponse<String>> each : answers) {
      HttpResponse<String> answer = each.get(LIMIT_S, TimeUnit.SECONDS);
      assertThat(answer.statusCode()).as(answer.body()).isEqualTo(status);
    }
  }

  /// A group as a kill leaves it.
  private void leave(String table, List<WaitingInsert> members) throws IOException {
    try (InsertJournal journal = InsertJournal.open(directory, Clock.systemUTC())) {
      assertThat(journal.write(table, members.getFirst().form(), members).file()).exists();
    }
  }

  private static WaitingInsert waiting(String token, long value) throws IOException {
    InsertForm form =
        new InsertForm(
            "d",
            new Statement.Table("", "t"),
            "INSERT INTO t ",
            Map.of("deduplicate_blocks_in_dependent_materialized_views", "1"),
            Map.of());
    byte[] block = block("a", "UInt64", value);
    return new WaitingInsert(
        form,
        token,
        InsertData.read(new ByteArrayInputStream(block), block.length),
        new CompletableFuture<>());
  }

  private CompletableFuture<HttpResponse<String>> insert(String token, long value) {
    return send(token, block("a", "UInt64", value));
  }

  private CompletableFuture<HttpResponse<String>> send(String token, byte[] block) {
    String parameters =
        "?database=d&query=INSERT%20INTO%20t%20FORMAT%20Native&insert_deduplication_token="
            + token.replace(" ", "%20")
            + "&deduplicate_blocks_in_dependent_materialized_views=1";
    return http.sendAsync(
        HttpRequest.newBuilder(uri(parameters))
            .POST(HttpRequest.BodyPublishers.ofByteArray(block))
            .build(),
        HttpResponse.BodyHandlers.ofString());
  }

  private long number(String query) throws Exception {
    return Long.parseLong(sql(query));
  }

  private String sql(String statement) throws Exception {
    return sql("d", statement);
  }

  private String sql(String database, String statement) throws Exception {
    HttpResponse<String> answer =
        http.send(
            HttpRequest.newBuilder(uri("?database=" + database))
                .POST(HttpRequest.BodyPublishers.ofString(statement))
                .build(),
            HttpResponse.BodyHandlers.ofString());
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
    return answer.body().strip();
  }

  private URI uri(String parameters) {
    return URI.create("http://127.0.0.1:" + process.address().port() + "/" + parameters);
  }

  private void restart() {
    process = StoreProcess.start(directory);
  }

  /// A block in Native format with one column of 64-bit numbers.
  private static byte[] block(String name, String type, long... values) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(1);
    int rows = values.length;
    for (; rows > 0x7f; rows >>>= 7) {
      out.write((rows & 0x7f) | 0x80);
    }
    out.write(rows);
    for (String text : List.of(name, type)) {
      out.write(text.length());
      out.writeBytes(text.getBytes(StandardCharsets.UTF_8));
    }
    ByteBuffer numbers =
        ByteBuffer.allocate(Long.BYTES * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (long each : values) {
      numbers.putLong(each);
    }
    out.writeBytes(numbers.array());
    return out.toByteArray();
  }
}
