package io.headspan.collector.sampling;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.collector.Collector;
import io.headspan.collector.CollectorConfig;
import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import io.headspan.storage.StoreAddress;
import io.headspan.storage.embedded.StoreProcess;
import io.headspan.wire.otlp.OtlpEncoder;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Whole collectors on two shards, embedded stores in processes of their own. Their engines reach
/// each other no more than that they know of each other: links, which are asked of all shards at
/// once, are not followed.
final class ClusterSamplingIT {
  private static final int FIRST_TCP_PORT = 29_200;
  private static final int TRACES = 120;
  private static final long MS = 1_000_000;

  @TempDir private static Path directory;
  private static final List<StoreProcess> STORES = new ArrayList<>();

  @BeforeAll
  static void startStores() throws IOException {
    for (int i = 0; i < 2; i++) {
      Path config = directory.resolve("engine-" + i + ".xml");
      Files.writeString(
          config,
          """
          <clickhouse>
            <tcp_port>%d</tcp_port>
            <remote_servers><main>
              <shard><replica><host>127.0.0.1</host><port>29200</port></replica></shard>
              <shard><replica><host>127.0.0.1</host><port>29201</port></replica></shard>
            </main></remote_servers>
          </clickhouse>
          """
              .formatted(FIRST_TCP_PORT + i));
      STORES.add(
          StoreProcess.start(
              Map.of(
                  "HEADSPAN_STORE_LISTEN",
                  "127.0.0.1:0",
                  "HEADSPAN_STORE_PATH",
                  directory.resolve("store-" + i).toString(),
                  "HEADSPAN_STORE_EXTERNAL",
                  "true",
                  "HEADSPAN_STORE_ENGINE_CONFIG",
                  config.toString())));
    }
  }

  @AfterAll
  static void stopStores() {
    STORES.forEach(StoreProcess::close);
  }

  @Test
  void decidesInEachShardAboutItsOwnTraces() throws IOException, InterruptedException {
    StoreAddress address =
        StoreAddress.parse(
            "http://127.0.0.1:%d,127.0.0.1:%d/headspan?cluster=main&replicated=false"
                .formatted(STORES.getFirst().address().port(), STORES.getLast().address().port()));
    Path policies =
        Files.writeString(
            directory.resolve("policies.yaml"),
            "[{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]");
    CollectorConfig config =
        CollectorConfig.from(
            Map.of(
                "HEADSPAN_COLLECTOR_LISTEN", "127.0.0.1:0",
                "HEADSPAN_COLLECTOR_STORE", address.toString(),
                "HEADSPAN_COLLECTOR_SAMPLING_POLICIES", policies.toString(),
                "HEADSPAN_COLLECTOR_DECISION_WAIT", "1s",
                "HEADSPAN_COLLECTOR_LINKED_TRACES", "false"));
    try (Collector first = Collector.start(config);
        Collector second = Collector.start(config);
        SpanStore store = SpanStore.connect(address)) {
      try (HttpClient client = HttpClient.newHttpClient()) {
        for (int trace = 1; trace <= TRACES; trace++) {
          send(client, trace % 2 == 0 ? first.port() : second.port(), trace);
        }
      }
      await(
          "every trace to be decided",
          () -> store.shards().stream().mapToLong(ClusterSamplingIT::decided).sum() == TRACES);
      await(
          "the kept ones to be copied",
          () -> store.shards().stream().mapToLong(each -> count(each, KEPT)).sum() == TRACES / 4);
      List<SpanStore> shards = store.shards();
      assertThat(shards).hasSize(2);
      for (SpanStore shard : shards) {
        assertThat(decided(shard)).isBetween(TRACES / 4L, TRACES * 3L / 4);
        assertThat(
                count(
                    shard,
                    """
                    SELECT count() FROM decisions
                    WHERE trace_id NOT IN (SELECT trace_id FROM recent_spans)
                    """))
            .as("decisions about traces of another shard")
            .isZero();
        assertThat(count(shard, "SELECT uniqExact(holder) FROM sampler_lease")).isPositive();
      }
      for (int trace = 1; trace <= TRACES; trace++) {
        boolean failed = trace % 4 == 0;
        if (trace % 37 == 0) {
          assertThat(store.decisions(TraceBuilder.id(trace)))
              .singleElement()
              .matches(each -> each.kept() == failed);
        }
      }
    }
  }

  private static final String KEPT =
      "SELECT count() FROM kept_spans WHERE decision != 0 AND status = 2";

  private static long decided(SpanStore shard) {
    return count(shard, "SELECT uniqExact(trace_id) FROM decisions");
  }

  private static long count(SpanStore shard, String sql) {
    return shard.query(SqlQuery.of(sql), row -> row.integer(0)).getFirst();
  }

  private static void send(HttpClient client, int port, int trace)
      throws IOException, InterruptedException {
    long nowNs = TimeUnit.MILLISECONDS.toNanos(System.currentTimeMillis());
    TraceBuilder builder = new TraceBuilder().span(trace, "op", nowNs, MS);
    if (trace % 4 == 0) {
      builder.failed();
    }
    HttpRequest request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/v1/traces"))
            .header("Content-Type", "application/x-protobuf")
            .POST(
                HttpRequest.BodyPublishers.ofByteArray(
                    OtlpEncoder.encode(builder.build()).toByteArray()))
            .build();
    HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    // The collector asks senders to come again until it has reached its store.
    while (response.statusCode() == 503 && System.nanoTime() < deadline) {
      response = client.send(request, HttpResponse.BodyHandlers.ofString());
    }
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
  }

  private static void await(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as(what).isLessThan(deadline);
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(100));
    }
  }
}
