package io.headspan.benchmarks.ingest;

import io.headspan.storage.StoreAddress;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;

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

  /// Returns when every trace that arrived is decided with all its rows, and what is kept is
  /// copied.
  void awaitDecisions(Duration timeout) throws IOException, InterruptedException {
    String undecided =
        """
        SELECT
            (SELECT count() FROM
                (SELECT trace_id, sum(rows) AS arrived FROM %1$s.trace_arrivals GROUP BY trace_id) AS arrivals
                LEFT JOIN
                (SELECT trace_id, max(rows) AS seen FROM %1$s.decisions GROUP BY trace_id) AS decided
                USING (trace_id)
                WHERE arrived > seen)
            + (SELECT uniqExact(batch) FROM %1$s.decisions)
            - (SELECT uniqExact(batch) FROM %1$s.decision_batches)
        """
            .formatted(database);
    long deadline = System.nanoTime() + timeout.toNanos();
    while (!query(undecided).equals("0")) {
      if (System.nanoTime() > deadline) {
        throw new IOException("traces are not decided: within=" + timeout);
      }
      Thread.sleep(BETWEEN_LOOKS);
    }
  }

  /// How long after the last arrival of their spans traces were decided, s.
  double decidedAfterSeconds(double quantile) throws IOException, InterruptedException {
    return number(
        "SELECT quantile("
            + quantile
            + ")(toUnixTimestamp64Milli(decided) - toUnixTimestamp64Milli(last)) / 1000 FROM "
            + database
            + ".decisions");
  }

  /// Which part of all spans is in the kept tier.
  double keptShare() throws IOException, InterruptedException {
    return number(
        "SELECT (SELECT count() FROM %1$s.kept_spans) / (SELECT count() FROM %1$s.recent_spans)"
            .formatted(database));
  }

  /// Traces with an error that are not in the kept tier.
  double lostErrors() throws IOException, InterruptedException {
    return number(
        """
        SELECT uniqExact(trace_id) FROM %1$s.recent_spans
        WHERE status = 2 AND trace_id NOT IN (SELECT trace_id FROM %1$s.kept_spans)
        """
            .formatted(database));
  }

  /// Active parts by table.
  Map<String, Long> activeParts() throws IOException, InterruptedException {
    Map<String, Long> parts = new TreeMap<>();
    query(
            "SELECT table, count() FROM system.parts WHERE active AND database = '"
                + database
                + "' GROUP BY table")
        .lines()
        .map(line -> line.split("\t", -1))
        .forEach(fields -> parts.put(fields[0], Long.parseLong(fields[1])));
    return parts;
  }

  /// What active parts take on disk, MiB.
  double dataMib() throws IOException, InterruptedException {
    return number(
        "SELECT sum(bytes_on_disk) / 1048576 FROM system.parts WHERE active AND database = '"
            + database
            + "'");
  }

  /// Windows of which there are spans in the recent tier.
  long recentWindows() throws IOException, InterruptedException {
    return (long)
        number(
            "SELECT uniqExact(partition) FROM system.parts WHERE active AND database = '"
                + database
                + "' AND table = 'recent_spans'");
  }

  /// How long ago the newest span came that has been decided about, s; 0 if nothing came.
  double samplerLagSeconds() throws IOException, InterruptedException {
    return number(
        """
        SELECT if(count() > 0, dateDiff('millisecond', max(last), now64(3)) / 1000,
            (SELECT if(count() = 0, 0, dateDiff('millisecond', min(arrived), now64(3)) / 1000)
             FROM %1$s.trace_arrivals))
        FROM %1$s.decisions WHERE batch >= toUInt64(toUnixTimestamp(now()) - 3600) * 1000
        """
            .formatted(database));
  }

  private double number(String sql) throws IOException, InterruptedException {
    return Double.parseDouble(query(sql));
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
