package io.headspan.benchmarks.ingest;

import io.headspan.storage.StoreAddress;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

/// What a benchmark asks the store beside the spans, by ClickHouse's HTTP protocol.
final class StoreQueries {
  private static final Duration BETWEEN_LOOKS = Duration.ofMillis(200);

  private final HttpClient http;
  private final URI address;
  private final String database;

  StoreQueries(HttpClient http, StoreAddress store) {
    this.http = http;
    address = URI.create("http://" + store.host() + ":" + store.port() + "/");
    database = store.database();
  }

  /// Returns when no merge runs, or after `timeout`.
  void awaitMerges(Duration timeout) throws IOException, InterruptedException {
    long deadline = System.nanoTime() + timeout.toNanos();
    int quiet = 0;
    while (quiet < 3 && System.nanoTime() < deadline) {
      Thread.sleep(BETWEEN_LOOKS);
      quiet = query("SELECT count() FROM system.merges").equals("0") ? quiet + 1 : 0;
    }
  }

  /// Bytes on disk per row of the table of spans, after all its parts were merged.
  double mergedBytesPerSpan() throws IOException, InterruptedException {
    var _ = query("OPTIMIZE TABLE " + database + ".recent_spans FINAL");
    var _ = query("OPTIMIZE TABLE " + database + ".kept_spans FINAL");
    return Double.parseDouble(
        query(
            "SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts WHERE active AND database = '"
                + database
                + "' AND table IN ('recent_spans', 'kept_spans')"));
  }

  private String query(String sql) throws IOException, InterruptedException {
    HttpResponse<String> response =
        http.send(
            HttpRequest.newBuilder(address).POST(HttpRequest.BodyPublishers.ofString(sql)).build(),
            HttpResponse.BodyHandlers.ofString());
    if (response.statusCode() != 200) {
      throw new IOException("the store refused: sql=" + sql + ", answer=" + response.body());
    }
    return response.body().strip();
  }
}
