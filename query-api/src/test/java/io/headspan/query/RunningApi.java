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

  private static void send(TestStore process, String path, List<? extends MessageLite> requests)
      throws IOException {
    Map<String, String> settings = new HashMap<>();
    settings.put("HEADSPAN_COLLECTOR_LISTEN", "127.0.0.1:0");
    settings.put("HEADSPAN_COLLECTOR_STORE", process.url());
    if (!TIER.equals("kept")) {
      Path policies = Files.createTempFile("headspan-policies", ".yaml");
      policies.toFile().deleteOnExit();
      Files.writeString(policies, "[{name: all, type: always_sample}]");
      settings.put("HEADSPAN_COLLECTOR_SAMPLING_POLICIES", policies.toString());
      settings.put("HEADSPAN_COLLECTOR_RECENT_WINDOW", MOVED ? "1s" : "1h");
      settings.put("HEADSPAN_COLLECTOR_DECISION_WAIT", MOVED ? "1s" : "1h");
    }
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
      if (MOVED) {
        awaitMove(process);
      }
      process.split();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while sending", e);
    }
  }

  private static void awaitMove(TestStore process) throws IOException, InterruptedException {
    SqlQuery left =
        SqlQuery.of(
            "SELECT count() FROM recent_spans WHERE window > (SELECT max(window) FROM tier_boundary)");
    long deadline = System.nanoTime() + MOVE_LIMIT.toNanos();
    try (SpanStore store = SpanStore.connect(process.address())) {
      while (store.query(left, row -> row.integer(0)).getFirst() > 0) {
        if (System.nanoTime() > deadline) {
          throw new IOException("spans did not move to the kept tier: limit=" + MOVE_LIMIT);
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
