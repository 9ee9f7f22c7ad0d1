package io.headspan.query;

import com.google.protobuf.MessageLite;
import io.headspan.collector.Collector;
import io.headspan.collector.CollectorConfig;
import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// A store with spans, which a collector took in, and a query API on it.
public final class RunningApi implements AutoCloseable {
  /// The answers must be the same, wherever the spans are: stored as kept at once, or with
  /// `-Dheadspan.tier=recent` waiting for a decision, or with `-Dheadspan.tier=moved` decided and
  /// moved before anything is asked of them.
  private static final String TIER = System.getProperty("headspan.tier", "kept");

  private static final boolean MOVED = TIER.equals("moved");

  private static final SqlQuery ALL_MOVED =
      SqlQuery.of(
          "SELECT count() = 0 FROM recent_spans WHERE window > (SELECT max(window) FROM tier_boundary)");

  private static final Duration MOVE_LIMIT = Duration.ofMinutes(2);
  private static final Duration POLL = Duration.ofMillis(100);

  /// Several, so that answers are put together from several parts of each table.
  private static final int MAX_BATCHES = 20;

  private final TestStore process;
  private final SpanStore store;
  private final QueryApi api;
  private final HttpClient client = HttpClient.newHttpClient();

  private RunningApi(TestStore process, SpanStore store, QueryApi api) {
    this.process = process;
    this.store = store;
    this.api = api;
  }

  /// Starts both.
  ///
  /// @param directory an empty one for the store
  public static RunningApi start(Path directory, List<ExportTraceServiceRequest> spans)
      throws IOException {
    TestStore process = TestStore.start(directory);
    SpanStore store = SpanStore.connect(process.address());
    store.migrate();
    send(process, "/v1/traces", batched(spans));
    return new RunningApi(process, store, QueryApi.start(config(process, Map.of())));
  }

  /// The same spans in fewer requests: the collector makes an insert of each, which takes as long
  /// for one trace as for many.
  private static List<ExportTraceServiceRequest> batched(List<ExportTraceServiceRequest> requests) {
    int size = Math.ceilDiv(requests.size(), MAX_BATCHES);
    List<ExportTraceServiceRequest> batches = new ArrayList<>();
    for (int from = 0; from < requests.size(); from += size) {
      ExportTraceServiceRequest.Builder batch = ExportTraceServiceRequest.newBuilder();
      requests.subList(from, Math.min(requests.size(), from + size)).forEach(batch::mergeFrom);
      batches.add(batch.build());
    }
    return batches;
  }

  /// Sends log records through a collector to the store of this.
  public void sendLogs(List<ExportLogsServiceRequest> requests) throws IOException {
    send(process, "/v1/logs", requests);
  }

  /// Sends spans through a collector that samples, and waits until the sampler is so far. Every
  /// trace is decided a second after its last span came.
  ///
  /// @param policies as in the file of policies
  /// @param recentWindow how long spans stay in the recent tier (`1s`)
  /// @param done whose result is 0 while the sampler is not so far
  public void sendSampled(
      List<ExportTraceServiceRequest> requests, String policies, String recentWindow, SqlQuery done)
      throws IOException {
    Map<String, String> settings = sampling(policies, recentWindow, "1s");
    send(process, "/v1/traces", requests, settings, () -> await(process, done));
  }

  private static void send(TestStore process, String path, List<? extends MessageLite> requests)
      throws IOException {
    if (TIER.equals("kept")) {
      send(process, path, requests, Map.of(), () -> {});
      return;
    }
    String wait = MOVED ? "1s" : "1h";
    send(
        process,
        path,
        requests,
        sampling("[{name: all, type: always_sample}]", wait, wait),
        MOVED ? () -> await(process, ALL_MOVED) : () -> {});
  }

  private static Map<String, String> sampling(
      String policies, String recentWindow, String decisionWait) throws IOException {
    Path file = Files.createTempFile("headspan-policies", ".yaml");
    file.toFile().deleteOnExit();
    Files.writeString(file, policies);
    return Map.of(
        "HEADSPAN_COLLECTOR_SAMPLING_POLICIES", file.toString(),
        "HEADSPAN_COLLECTOR_RECENT_WINDOW", recentWindow,
        "HEADSPAN_COLLECTOR_DECISION_WAIT", decisionWait);
  }

  private interface Waiting {
    void await() throws IOException, InterruptedException;
  }

  private static void send(
      TestStore process,
      String path,
      List<? extends MessageLite> requests,
      Map<String, String> sampling,
      Waiting waiting)
      throws IOException {
    Map<String, String> settings = new HashMap<>(sampling);
    settings.put("HEADSPAN_COLLECTOR_LISTEN", "127.0.0.1:0");
    settings.put("HEADSPAN_COLLECTOR_STORE", process.url());
    CollectorConfig config = CollectorConfig.from(settings);
    try (Collector collector = Collector.start(config);
        HttpClient sender = HttpClient.newHttpClient()) {
      for (MessageLite request : requests) {
        HttpResponse<String> response = sendOnce(sender, collector.port(), path, request);
        // The collector asks senders to come again until it has reached its store.
        while (response.statusCode() == 503) {
          response = sendOnce(sender, collector.port(), path, request);
        }
        if (response.statusCode() != 200) {
          throw new IOException("not stored: " + response.statusCode() + " " + response.body());
        }
      }
      waiting.await();
      process.split();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while sending", e);
    }
  }

  private static void await(TestStore process, SqlQuery done)
      throws IOException, InterruptedException {
    long deadline = System.nanoTime() + MOVE_LIMIT.toNanos();
    try (SpanStore store = SpanStore.connect(process.address())) {
      while (store.query(done, row -> row.integer(0)).getFirst() == 0) {
        if (System.nanoTime() > deadline) {
          throw new IOException("the sampler is not so far: limit=" + MOVE_LIMIT);
        }
        Thread.sleep(POLL.toMillis());
      }
    }
  }

  private static HttpResponse<String> sendOnce(
      HttpClient sender, int port, String path, MessageLite request)
      throws IOException, InterruptedException {
    return sender.send(
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
            .header("Content-Type", "application/x-protobuf")
            .POST(HttpRequest.BodyPublishers.ofByteArray(request.toByteArray()))
            .build(),
        HttpResponse.BodyHandlers.ofString());
  }

  /// A configuration for the store of this, on a free port, with `more` settings.
  public QueryConfig config(Map<String, String> more) {
    return config(process, more);
  }

  private static QueryConfig config(TestStore process, Map<String, String> more) {
    Map<String, String> environment = new HashMap<>(more);
    environment.put("HEADSPAN_QUERY_LISTEN", "127.0.0.1:0");
    environment.put("HEADSPAN_QUERY_STORE", process.url());
    return QueryConfig.from(environment);
  }

  /// Takes away what a sampler wrote down, where spans were moved, for tests that write their own.
  public void forgetDecisions() {
    for (String table : List.of("decisions", "sampling_ledger")) {
      store.query(SqlQuery.of("TRUNCATE TABLE " + table), row -> row.text(0));
    }
  }

  /// What `--store` takes.
  public String storeUrl() {
    return process.url();
  }

  /// The process of the store.
  public long storePid() {
    return process.pid();
  }

  public SpanStore store() {
    return store;
  }

  public int port() {
    return api.port();
  }

  /// GETs a path with its query as it stands.
  public HttpResponse<byte[]> get(String pathAndQuery, String accept)
      throws IOException, InterruptedException {
    return TestHttp.get(client, port(), pathAndQuery, accept);
  }

  @Override
  public void close() {
    api.close();
    store.close();
    process.close();
  }
}
