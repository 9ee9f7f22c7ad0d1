package io.headspan.storage.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.clickhouse.client.api.Client;
import com.clickhouse.client.api.ServerException;
import com.clickhouse.client.api.data_formats.ClickHouseBinaryFormatReader;
import com.clickhouse.client.api.insert.InsertResponse;
import com.clickhouse.client.api.query.GenericRecord;
import com.clickhouse.client.api.query.QueryResponse;
import com.clickhouse.data.ClickHouseFormat;
import io.headspan.storage.StoreAddress;
import io.headspan.storage.TestStore;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// The embedded store as the real clients see it.
// The clients' responses declare that closing them may throw anything.
@SuppressWarnings("try")
final class EmbeddedStoreIT {
  private static final Duration SOON = Duration.ofSeconds(20);

  private static Path directory;
  private static StoreProcess process;
  private static URI uri;

  private final HttpClient http = HttpClient.newHttpClient();

  @BeforeAll
  static void start() throws IOException {
    directory = Files.createTempDirectory("headspan-embedded");
    process = StoreProcess.start(directory);
    uri = URI.create("http://127.0.0.1:" + process.address().port() + "/");
  }

  @AfterAll
  static void stop() throws IOException {
    assertThat(process.stop()).isZero();
    TestStore.delete(directory);
  }

  @Test
  void answersPings() throws Exception {
    assertThat(get("ping").body()).isEqualTo("Ok.\n");
    assertThat(get("replicas_status").body()).isEqualTo("Ok.\n");
    assertThat(get("").body()).isEqualTo("Ok.\n");
    assertThat(get("nothing").statusCode()).isEqualTo(404);
  }

  @Test
  void takesStatementsAsCurlSendsThem() throws Exception {
    assertThat(get("?query=SELECT+1").body()).isEqualTo("1\n");
    assertThat(post("", "SELECT 1 + 1 FORMAT JSONCompact").body()).contains("\"rows\": 1");
    assertThat(post("?default_format=CSV", "SELECT 'a', 2").body()).isEqualTo("\"a\",2\n");
    assertThat(post("?query=SELECT", "3").body()).isEqualTo("3\n");
    assertThat(post("?param_x=a%20b&param_y=[1,2]", "SELECT {x:String}, {y:Array(UInt8)}").body())
        .isEqualTo("a b\t[1,2]\n");
    assertThat(post("?max_threads=1", "SELECT getSetting('max_threads')").body()).isEqualTo("1\n");
    assertThat(post("?database=system", "SELECT currentDatabase()").body()).isEqualTo("system\n");
    post("", "CREATE TABLE curl (a UInt64, b String) ENGINE = MergeTree ORDER BY a");
    assertThat(post("?query=INSERT+INTO+curl+FORMAT+CSV", "1,x\n2,y\n").statusCode())
        .isEqualTo(200);
    assertThat(post("", "INSERT INTO curl (a, b) VALUES (3, 'it''s'), (4, 'v')").statusCode())
        .isEqualTo(200);
    HttpResponse<String> inserted = post("", "INSERT INTO curl FORMAT TSV\n5\tt\n6\tu\n");
    assertThat(inserted.headers().firstValue("x-clickhouse-summary").orElseThrow())
        .contains("\"written_rows\":\"2\"");
    post("", "INSERT INTO curl SELECT number + 7, 's' FROM numbers(2)");
    assertThat(post("", "SELECT * FROM curl ORDER BY a FORMAT TSVWithNames").body())
        .isEqualTo("a\tb\n1\tx\n2\ty\n3\tit\\'s\n4\tv\n5\tt\n6\tu\n7\ts\n8\ts\n");
    assertThat(get("?query=DROP+TABLE+curl").headers().firstValue("x-clickhouse-exception-code"))
        .hasValue("164");
    post("", "DROP TABLE curl");
  }

  @Test
  void answersErrorsAsClickHouseDoes() throws Exception {
    assertError(post("", "SELEC 1"), 400, 62, "Syntax error");
    assertError(post("", "SELECT * FROM nowhere"), 404, 60, "nowhere");
    assertError(post("", "SELECT nothing"), 404, 47, "nothing");
    assertError(post("?nonsense=1", "SELECT 1"), 404, 115, "nonsense");
    assertError(post("?max_threads=x", "SELECT 1"), 400, 27, "");
    assertError(post("?database=none", "SELECT 1"), 404, 81, "none");
    assertError(post("?session_id=s", "SELECT 1"), 501, 48, "session");
    assertError(
        post("?max_execution_time=0.2", "SELECT count() FROM numbers(1e12) WHERE number % 7 = 8"),
        408,
        159,
        "Timeout");
    assertError(
        post("?query=INSERT+INTO+nowhere+FORMAT+CSV", "1\n".repeat(1_000_000)), 404, 60, "");
  }

  @Test
  void keepsClientsFromTheMachine() throws Exception {
    for (String sql :
        List.of(
            "SELECT * FROM file('/etc/passwd', 'LineAsString', 'l String')",
            "SELECT * FROM `file` ('/etc/passwd')",
            "SELECT file('/etc/passwd')",
            "SELECT * FROM /* hidden */ FILE\n('/etc/passwd')",
            "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
            "CREATE TABLE f (a String) ENGINE = File(CSV)",
            "CREATE TABLE f (a String) ENGINE URL('http://127.0.0.1:1/')",
            "INSERT INTO FUNCTION file('/tmp/x', 'CSV', 'a String') VALUES ('a')",
            "SELECT 1 INTO OUTFILE '/tmp/x'",
            "SELECT * FROM executable('id', 'LineAsString', 'l String')",
            "BACKUP DATABASE default TO File('/tmp/x')")) {
      assertError(post("", sql), 403, 497, "refuses");
    }
    assertThat(post("", "SELECT 'file(' AS url, file FROM (SELECT 1 AS file)").body())
        .isEqualTo("file(\t1\n");
    HttpRequest fromPage = request("").header("Origin", "http://a.example").build();
    assertThat(http.send(fromPage, HttpResponse.BodyHandlers.ofString()).statusCode())
        .isEqualTo(403);
  }

  @Test
  void servesJdbc() throws Exception {
    try (Connection connection = jdbc();
        Statement statement = connection.createStatement()) {
      statement.execute(
          "CREATE TABLE jdbc (id UInt64, name String, at DateTime64(3, 'UTC'), tags Array(String))"
              + " ENGINE = MergeTree ORDER BY id");
      try (PreparedStatement insert =
          connection.prepareStatement("INSERT INTO jdbc (id, name, at) VALUES (?, ?, now64(3))")) {
        for (int i = 0; i < 100; i++) {
          insert.setLong(1, i);
          insert.setString(2, "name '" + i + "\\");
          insert.addBatch();
        }
        assertThat(insert.executeBatch()).hasSize(100);
      }
      try (PreparedStatement select =
          connection.prepareStatement("SELECT id, name FROM jdbc WHERE id >= ? ORDER BY id")) {
        select.setLong(1, 98);
        try (ResultSet rows = select.executeQuery()) {
          assertThat(rows.next()).isTrue();
          assertThat(rows.getLong("id")).isEqualTo(98);
          assertThat(rows.getString("name")).isEqualTo("name '98\\");
          assertThat(rows.next()).isTrue();
          assertThat(rows.next()).isFalse();
        }
      }
      DatabaseMetaData metaData = connection.getMetaData();
      assertThat(metaData.getDatabaseProductVersion()).startsWith("26.");
      List<String> columns = new ArrayList<>();
      try (ResultSet rows = metaData.getColumns(null, "default", "jdbc", "%")) {
        while (rows.next()) {
          columns.add(rows.getString("COLUMN_NAME") + " " + rows.getString("TYPE_NAME"));
        }
      }
      assertThat(columns)
          .contains("id UInt64", "name String", "at DateTime64(3, 'UTC')", "tags Array(String)");
      try (ResultSet rows = statement.executeQuery("SELECT number FROM numbers(300000)")) {
        long sum = 0;
        while (rows.next()) {
          sum += rows.getLong(1);
        }
        assertThat(sum).isEqualTo(299_999L * 150_000);
      }
      assertThatThrownBy(() -> statement.executeQuery("SELECT * FROM missing"))
          .isInstanceOf(SQLException.class)
          .hasMessageContaining("60");
      statement.execute("DROP TABLE jdbc");
    }
  }

  @Test
  void servesClientV2Compressed() throws Exception {
    for (boolean compressed : new boolean[] {false, true}) {
      try (Client client = client(compressed)) {
        assertThat(client.ping()).isTrue();
        client
            .query("CREATE TABLE v2 (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
            .get()
            .close();
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < 200_000; i++) {
          rows.append(i).append("\tvalue ").append(i).append('\n');
        }
        byte[] data = rows.toString().getBytes(StandardCharsets.UTF_8);
        try (InsertResponse response =
            client
                .insert("v2", new java.io.ByteArrayInputStream(data), ClickHouseFormat.TSV)
                .get()) {
          assertThat(response.getWrittenRows()).isEqualTo(200_000);
        }
        List<GenericRecord> records =
            client.queryAll("SELECT count() AS n, sum(a) AS s FROM v2 WHERE b LIKE 'value %'");
        assertThat(records.getFirst().getLong("n")).isEqualTo(200_000);
        assertThat(records.getFirst().getLong("s")).isEqualTo(199_999L * 100_000);
        try (QueryResponse response =
                client
                    .query(
                        "SELECT a, b FROM v2 WHERE a < {max:UInt64} ORDER BY a",
                        Map.of("max", 100_000))
                    .get();
            ClickHouseBinaryFormatReader reader = client.newBinaryFormatReader(response)) {
          long count = 0;
          while (reader.next() != null) {
            assertThat(reader.getLong("a")).isEqualTo(count);
            assertThat(reader.getString("b")).isEqualTo("value " + count);
            count++;
          }
          assertThat(count).isEqualTo(100_000);
        }
        assertThat(client.getTableSchema("v2").getColumns()).hasSize(2);
        assertThatThrownBy(() -> client.query("SELECT * FROM gone").get())
            .satisfiesAnyOf(
                e -> assertThat(e).isInstanceOf(ServerException.class),
                e -> assertThat(e).hasCauseInstanceOf(ServerException.class))
            .hasMessageContaining("Code: 60");
        client.query("DROP TABLE v2").get().close();
      }
    }
  }

  @Test
  void reportsAnErrorInTheMiddleOfAResult() throws Exception {
    try (Client client = client(false);
        QueryResponse response =
            client.query("SELECT throwIf(number = 3000000) FROM numbers(5000000)").get()) {
      assertThatThrownBy(() -> response.getInputStream().readAllBytes())
          .isInstanceOf(IOException.class);
    }
  }

  @Test
  void killsTheStatementOfAClientThatGoesAway() throws Exception {
    String mark = "SELECT count() FROM numbers(1e13) WHERE number % 3 = 4";
    try (Socket socket = new Socket("127.0.0.1", uri.getPort())) {
      OutputStream out = socket.getOutputStream();
      out.write(
          ("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: "
                  + mark.length()
                  + "\r\n\r\n"
                  + mark)
              .getBytes(StandardCharsets.US_ASCII));
      out.flush();
      await(() -> running(mark) == 1);
    }
    await(() -> running(mark) == 0);
  }

  @Test
  void storesNothingOfAnInsertThatBreaksOff() throws Exception {
    post("", "CREATE TABLE broken (a UInt64) ENGINE = MergeTree ORDER BY a");
    try (Socket socket = new Socket("127.0.0.1", uri.getPort())) {
      OutputStream out = socket.getOutputStream();
      String head =
          """
          POST /?query=INSERT+INTO+broken+FORMAT+CSV HTTP/1.1
          Host: 127.0.0.1
          Content-Length: 1000000

          1
          2
          """;
      out.write(head.replace("\n", "\r\n").getBytes(StandardCharsets.US_ASCII));
      out.flush();
      await(() -> running("INSERT INTO broken") == 1);
    }
    await(() -> running("INSERT INTO broken") == 0);
    assertThat(post("", "SELECT count() FROM broken").body()).isEqualTo("0\n");
    post("", "DROP TABLE broken");
  }

  @Test
  void refusesASecondStoreOnItsDirectory() {
    assertThatThrownBy(() -> StoreProcess.start(directory))
        .hasMessageContaining("data directory is in use: path=" + directory)
        .hasMessageContaining("holder=pid " + process.pid());
  }

  @Test
  void refusesATakenPort() throws IOException {
    Path other = Files.createTempDirectory("headspan-embedded");
    assertThatThrownBy(() ->
            StoreProcess.start(
                Map.of(
                    EmbeddedStoreConfig.LISTEN,
                    "127.0.0.1:" + uri.getPort(),
                    EmbeddedStoreConfig.PATH,
                    other.toString())))
        .hasMessageContaining("store cannot listen: address=127.0.0.1:" + uri.getPort())
        .hasMessageContaining("HEADSPAN_STORE_LISTEN");
    TestStore.delete(other);
  }

  @Test
  void losesNoAcknowledgedRowWhenKilled() throws Exception {
    Path data = Files.createTempDirectory("headspan-killed");
    long acknowledged = 0;
    for (int round = 0; round < 2; round++) {
      StoreProcess victim = StoreProcess.start(data);
      StoreAddress address = victim.address();
      if (round == 0) {
        send(address, "", "CREATE TABLE k (a UInt64) ENGINE = MergeTree ORDER BY a");
      }
      assertThat(send(address, "", "SELECT count() FROM k").body().strip())
          .satisfies(text -> assertThat(Long.parseLong(text)).isGreaterThanOrEqualTo(0));
      long before = acknowledged;
      CompletableFuture<Void> killer =
          CompletableFuture.runAsync(
              victim::kill, CompletableFuture.delayedExecutor(700, TimeUnit.MILLISECONDS));
      acknowledged += insertUntilGone(address);
      killer.get();
      assertThat(acknowledged).as("rows of round " + round).isGreaterThan(before);
      try (StoreProcess again = StoreProcess.start(data)) {
        long stored =
            Long.parseLong(send(again.address(), "", "SELECT count() FROM k").body().strip());
        assertThat(stored).isGreaterThanOrEqualTo(acknowledged);
        // The insert under way at the kill may have been stored and not acknowledged.
        assertThat(stored).isLessThanOrEqualTo(acknowledged + 1000);
        acknowledged = stored;
      }
    }
    TestStore.delete(data);
  }

  @Test
  void exitsCleanlyWhileStatementsRun() throws Exception {
    Path data = Files.createTempDirectory("headspan-stopped");
    StoreProcess busy = StoreProcess.start(data);
    URI base = URI.create("http://127.0.0.1:" + busy.address().port() + "/");
    String slow = "SELECT count() FROM numbers(1e13) WHERE number % 3 = 4";
    HttpRequest request =
        HttpRequest.newBuilder(base).POST(HttpRequest.BodyPublishers.ofString(slow)).build();
    List<CompletableFuture<String>> pending = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      pending.add(
          http.sendAsync(request, HttpResponse.BodyHandlers.ofString())
              .handle((response, failure) -> failure == null ? response.body() : "broken off"));
    }
    await(() -> running(busy.address(), slow) == 3);
    assertThat(busy.stop()).isZero();
    for (CompletableFuture<String> each : pending) {
      assertThat(each.get(SOON.toSeconds(), TimeUnit.SECONDS))
          .satisfiesAnyOf(
              answer -> assertThat(answer).contains("394"),
              answer -> assertThat(answer).isEqualTo("broken off"));
    }
    TestStore.delete(data);
  }

  private long insertUntilGone(StoreAddress address) {
    String rows = "1\n".repeat(1000);
    long rowsStored = 0;
    try {
      while (send(address, "?query=INSERT+INTO+k+FORMAT+CSV", rows).statusCode() == 200) {
        rowsStored += 1000;
      }
    } catch (IOException e) {
      // The store is gone, as it should be.
      return rowsStored;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    throw new AssertionError("the store refused a row: acknowledged=" + rowsStored);
  }

  private long running(String query) {
    return running(process.address(), query);
  }

  private long running(StoreAddress address, String query) {
    try {
      String sql =
          "SELECT count() FROM system.processes WHERE query LIKE '"
              + query.replace("%", "\\%")
              + "%'";
      return Long.parseLong(send(address, "", sql).body().strip());
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  private static void await(java.util.function.BooleanSupplier condition)
      throws InterruptedException {
    long deadline = System.nanoTime() + SOON.toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("time to wait until").isLessThan(deadline);
      Thread.sleep(10);
    }
  }

  private static void assertError(
      HttpResponse<String> response, int status, int code, String text) {
    assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
    assertThat(response.headers().firstValue("x-clickhouse-exception-code"))
        .hasValue(Integer.toString(code));
    assertThat(response.body()).startsWith("Code: " + code + ". DB::Exception: ").contains(text);
  }

  private HttpResponse<String> get(String path) throws IOException, InterruptedException {
    return http.send(
        HttpRequest.newBuilder(uri.resolve(path)).build(), HttpResponse.BodyHandlers.ofString());
  }

  private HttpResponse<String> post(String path, String body)
      throws IOException, InterruptedException {
    return http.send(
        request(path).POST(HttpRequest.BodyPublishers.ofString(body)).build(),
        HttpResponse.BodyHandlers.ofString());
  }

  private HttpResponse<String> send(StoreAddress address, String path, String body)
      throws IOException, InterruptedException {
    URI base = URI.create("http://127.0.0.1:" + address.port() + "/");
    return http.send(
        HttpRequest.newBuilder(base.resolve(path))
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build(),
        HttpResponse.BodyHandlers.ofString());
  }

  private static HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(
        uri.resolve(
            path.replace("[", URLEncoder.encode("[", StandardCharsets.UTF_8))
                .replace("]", URLEncoder.encode("]", StandardCharsets.UTF_8))));
  }

  private static Connection jdbc() throws SQLException {
    Properties properties = new Properties();
    properties.setProperty("user", "default");
    return DriverManager.getConnection(
        "jdbc:clickhouse://127.0.0.1:" + uri.getPort() + "/default", properties);
  }

  private static Client client(boolean compressed) {
    return new Client.Builder()
        .addEndpoint("http://127.0.0.1:" + uri.getPort())
        .setUsername("default")
        .setPassword("")
        .compressServerResponse(compressed)
        .compressClientRequest(compressed)
        .build();
  }
}
