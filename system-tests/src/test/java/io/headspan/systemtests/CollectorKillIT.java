package io.headspan.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.launcher.RoleProcess;
import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import io.headspan.storage.embedded.StoreProcess;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otlp.OtlpEncoder;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Collectors, the samplers in them, and their store are killed at random while spans come in:
/// every span that was acknowledged is there once, in spans and rollups, and the kept tier has
/// every span of the traces that are to be kept, once. `-Dheadspan.kills=N` kills more often than
/// CI.
final class CollectorKillIT {
  private static final int KILLS = Integer.getInteger("headspan.kills", 20);
  private static final int SENDERS = 3;
  private static final int TRACES = 40;
  private static final int SPANS_OF_TRACE = 3;
  private static final int FAILS_EACH = 4;
  private static final byte SERVER = 2;
  private static final byte CLIENT = 3;
  private static final byte ERROR = 2;
  private static final long MS = TimeUnit.MILLISECONDS.toNanos(1);
  private static final long LIMIT_SECONDS = 60;

  private static final String POLICIES =
      "[{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]";

  @TempDir private Path directory;
  private final long startNs = TimeUnit.MILLISECONDS.toNanos(System.currentTimeMillis() - 60_000);
  private final AtomicInteger sent = new AtomicInteger();
  private final AtomicInteger acknowledged = new AtomicInteger();
  private volatile boolean finishing;
  private String collectorAddress;
  private Map<String, String> collectorSettings;
  private StoreProcess engine;
  private RoleProcess collector;
  private SpanStore store;

  @BeforeEach
  void start() throws IOException {
    engine = StoreProcess.start(directory.resolve("store"));
    store = SpanStore.connect(engine.address());
    Path policies = Files.writeString(directory.resolve("policies.yaml"), POLICIES);
    collectorSettings =
        Map.of(
            "HEADSPAN_COLLECTOR_SAMPLING_POLICIES",
            policies.toString(),
            "HEADSPAN_COLLECTOR_DECISION_WAIT",
            "500ms",
            "HEADSPAN_COLLECTOR_DECISION_WAIT_AFTER_ROOT",
            "200ms");
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      collectorAddress = "127.0.0.1:" + socket.getLocalPort();
    }
    startCollector();
  }

  @AfterEach
  void stop() {
    collector.close();
    store.close();
    engine.close();
  }

  @Test
  void holdsEveryAcknowledgedSpanOnce() throws Exception {
    Random random = new Random(11);
    try (ExecutorService senders = Executors.newFixedThreadPool(SENDERS)) {
      List<Future<?>> running = new ArrayList<>();
      for (int i = 0; i < SENDERS; i++) {
        running.add(senders.submit(this::sendUntilFinished));
      }
      try {
        for (int kill = 0; kill < KILLS; kill++) {
          int before = acknowledged.get();
          Await.until(
              "batches are stored",
              () -> running.stream().map(Future::state).toList(),
              () -> acknowledged.get() >= before + SENDERS);
          LockSupport.parkNanos(random.nextLong(300 * MS));
          kill(random.nextInt(3));
        }
      } finally {
        finishing = true;
      }
      for (Future<?> each : running) {
        var _ = each.get(LIMIT_SECONDS, TimeUnit.SECONDS);
      }
    }
    assertThat(acknowledged.get()).isEqualTo(sent.get());
    long traces = (long) sent.get() * TRACES;
    long failed = traces / FAILS_EACH;
    assertThat(
            List.of(
                number("SELECT count() FROM recent_spans"),
                number("SELECT uniqExact(trace_id, span_id) FROM recent_spans"),
                number("SELECT sum(spans) FROM trace_summary")))
        .containsOnly(traces * SPANS_OF_TRACE);
    assertThat(number("SELECT sum(invocations) FROM latency_minute")).isEqualTo(traces);
    Await.until(
        "every trace is decided",
        () -> number("SELECT uniqExact(trace_id) FROM decisions") + " of " + traces,
        () -> number("SELECT uniqExact(trace_id) FROM decisions") == traces);
    Await.until(
        "what is kept is in the kept tier",
        () -> number("SELECT count() FROM kept_spans") + " of " + failed * SPANS_OF_TRACE,
        () -> number("SELECT count() FROM kept_spans") >= failed * SPANS_OF_TRACE);
    assertThat(number("SELECT uniqExact(trace_id, span_id) FROM kept_spans"))
        .isEqualTo(number("SELECT count() FROM kept_spans"))
        .isEqualTo(failed * SPANS_OF_TRACE);
    assertThat(number("SELECT uniqExact(trace_id) FROM decisions WHERE kept")).isEqualTo(failed);
  }

  private void kill(int which) {
    switch (which) {
      case 0 -> {
        collector.kill();
        startCollector();
      }
      case 1 -> {
        engine.kill();
        restartStore();
      }
      default -> {
        engine.kill();
        collector.kill();
        restartStore();
        startCollector();
      }
    }
  }

  private void startCollector() {
    collector =
        RoleProcess.start(
            "collector",
            collectorSettings,
            "--listen",
            collectorAddress,
            "--store",
            "http://" + engine.address().host() + ":" + engine.address().port());
  }

  private void restartStore() {
    engine =
        StoreProcess.start(
            Map.of(
                "HEADSPAN_STORE_LISTEN",
                engine.address().host() + ":" + engine.address().port(),
                "HEADSPAN_STORE_PATH",
                directory.resolve("store").toString()));
  }

  /// Repeats each batch until it is acknowledged, as the protocol asks.
  private void sendUntilFinished() {
    try (HttpClient client =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(2))
            .build()) {
      while (!finishing) {
        byte[] batch = OtlpEncoder.encode(batch(sent.incrementAndGet())).toByteArray();
        while (!isAcknowledged(client, batch)) {
          LockSupport.parkNanos(20 * MS);
        }
        acknowledged.incrementAndGet();
      }
    }
  }

  private boolean isAcknowledged(HttpClient client, byte[] batch) {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create("http://" + collectorAddress + "/v1/traces"))
            .header("Content-Type", "application/x-protobuf")
            .timeout(Duration.ofSeconds(10))
            .POST(HttpRequest.BodyPublishers.ofByteArray(batch))
            .build();
    try {
      int status = client.send(request, HttpResponse.BodyHandlers.discarding()).statusCode();
      assertThat(status).as("stored, or to be sent again").isIn(200, 429, 502, 503, 504);
      return status == 200;
    } catch (IOException e) {
      return false; // it was killed; whether the batch was stored before, nobody knows
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  /// Batch `number`, the same each time it is asked for.
  private SpanBatch batch(int number) {
    SpanBatch.Builder batch = new SpanBatch.Builder(TRACES * SPANS_OF_TRACE);
    int scope = batch.addScope(batch.addResource());
    for (int trace = 0; trace < TRACES; trace++) {
      for (int span = 0; span < SPANS_OF_TRACE; span++) {
        int row = batch.addSpan(scope);
        batch.traceIdHigh(row, number);
        batch.traceIdLow(row, 1 + trace);
        batch.spanId(row, 1 + span);
        batch.parentSpanId(row, span);
        batch.kind(row, span == 0 ? SERVER : CLIENT);
        batch.startNs(row, startNs + span * MS);
        batch.durationNs(row, MS * (10 - span));
        batch.name(row, batch.table().intern("operation " + trace % 7));
        if (span == 1 && trace % FAILS_EACH == 0) {
          batch.statusCode(row, ERROR);
        }
      }
    }
    return batch.build();
  }

  private long number(String sql) {
    return store.query(SqlQuery.of(sql), row -> row.integer(0)).getFirst();
  }
}
