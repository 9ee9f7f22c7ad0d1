package io.headspan.collector;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.headspan.collector.ingest.DeduplicationToken;
import io.headspan.collector.receive.ArrowClient;
import io.headspan.collector.receive.RecordedStream;
import io.headspan.collector.receive.TestCompressors;
import io.headspan.loadgen.spans.SyntheticSpans;
import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import io.headspan.storage.StoreAddress;
import io.headspan.storage.embedded.StoreProcess;
import io.headspan.wire.LogBatch;
import io.headspan.wire.MetricBatch;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otap.OtapEncoder;
import io.headspan.wire.otlp.OtlpDecoder;
import io.headspan.wire.otlp.OtlpEncoder;
import io.headspan.wire.otlp.OtlpSignals;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.collector.trace.v1.TraceServiceGrpc;
import io.opentelemetry.proto.collector.trace.v1.TraceServiceGrpc.TraceServiceBlockingStub;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayload;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import io.opentelemetry.proto.experimental.arrow.v1.StatusCode;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// A collector with the embedded store behind it, in a process of its own; a database per test.
class CollectorIT {
  /// How many invocations the stored spans tell of: recorded ones stand for others, that a sampler
  /// left out, a part of one by the hash of the span's id.
  private static final String INVOCATIONS =
      """
      SELECT sum(toUInt64(floor(
          least(1000000, adjusted_count) + bitShiftRight(cityHash64(span_id), 32) / 4294967296)))
      FROM spans WHERE kind IN (2, 5)
      """;

  private static final int TRACES_COMPARED = 5;
  private static final Duration LOAD_TIMEOUT = Duration.ofSeconds(90);
  private static final long BACK_OFF_NS = 20_000_000;
  private static final AtomicInteger DATABASES = new AtomicInteger();

  @TempDir private static Path directory;
  private static StoreProcess storeProcess;

  private StoreAddress address;
  private Collector collector;
  private ManagedChannel channel;
  private SpanStore store;

  @BeforeAll
  static void startStore() {
    storeProcess = StoreProcess.start(directory);
  }

  @AfterAll
  static void stopStore() {
    storeProcess.close();
  }

  @BeforeEach
  void startCollector() {
    address = storeProcess.address().withDatabase("it_" + DATABASES.incrementAndGet());
    collector = Collector.start(config(address, 0));
    channel = channel(collector.port());
    store = SpanStore.connect(address);
    Await.until("ready", () -> status(collector, "/ready") == 200);
  }

  @AfterEach
  void stopCollector() {
    channel.shutdownNow();
    store.close();
    collector.close();
  }

  @Test
  void storesOtlpSpansThatCanBeReadBack() {
    ExportTraceServiceRequest trace = largestTrace(spans(1).next(1000));

    var _ = otlp().export(trace);

    SpanBatch sent = OtlpDecoder.decode(trace);
    assertStoredOnce(List.of(sent));
    assertThat(content(store.trace(sent.traceIdHigh(0), sent.traceIdLow(0), 1000)))
        .isEqualTo(content(sent));
  }

  @Test
  void storesWhatTheArrowEncoderSends() {
    SyntheticSpans source = spans(2);
    List<SpanBatch> sent = new ArrayList<>();
    ArrowClient client = ArrowClient.open(channel, "zstdarrow5");
    try (OtapEncoder encoder = new OtapEncoder()) {
      for (int i = 0; i < 10; i++) {
        SpanBatch batch = source.next(300);
        sent.add(batch);
        client.send(encoder.encode(i, batch, headers("agent", i)));
      }
    }
    client.halfClose();

    assertThat(client.awaitEnd()).isEqualTo(Status.OK);
    assertThat(client.codes()).hasSize(10).containsValue(StatusCode.OK);
    assertStoredOnce(sent);
  }

  @Test
  void storesAReplayOnce() {
    SpanBatch batch = spans(3).next(400);
    for (int i = 0; i < 3; i++) {
      // A new stream each time, as after a lost connection: same token, other bytes.
      ArrowClient client = ArrowClient.open(channel);
      try (OtapEncoder encoder = new OtapEncoder()) {
        client.send(encoder.encode(0, batch, headers("agent", 5)));
      }
      client.halfClose();
      assertThat(client.awaitEnd()).isEqualTo(Status.OK);
      assertThat(client.codes()).containsExactly(Map.entry(0L, StatusCode.OK));
    }
    assertStoredOnce(List.of(batch));
  }

  @Test
  void storesAReplayWithoutTokenOnceWhateverTheProtocol() {
    SpanBatch batch = spans(4).next(400);
    var _ = otlp().export(request(batch));
    var _ = otlp().withCompression("zstd").export(request(batch));
    ArrowClient client = ArrowClient.open(channel);
    try (OtapEncoder encoder = new OtapEncoder()) {
      client.send(encoder.encode(0, batch, Map.of()));
    }

    assertThat(client.awaitCode(0)).contains(StatusCode.OK);
    assertStoredOnce(List.of(batch));
  }

  static List<String> recordedTraces() {
    return RecordedStream.TRACES;
  }

  @ParameterizedTest
  @MethodSource("recordedTraces")
  void storesWhatTheGoImplementationSent(String name) throws IOException {
    RecordedStream stream = RecordedStream.traces(name);
    List<SpanBatch> expected = stream.expected().stream().map(OtlpDecoder::decode).toList();
    ArrowClient client = ArrowClient.open(channel, "zstdarrow5");

    client.sendAll(stream.batches(), 0);
    client.halfClose();

    assertThat(client.awaitEnd()).isEqualTo(Status.OK);
    assertThat(client.codes())
        .hasSize(expected.size())
        .allSatisfy((id, code) -> assertThat(code).isEqualTo(StatusCode.OK));
    assertStoredOnce(expected);
    SpanBatch first = expected.getFirst();
    for (int span = 0; span < Math.min(first.size(), TRACES_COMPARED); span++) {
      long high = first.traceIdHigh(span);
      long low = first.traceIdLow(span);
      assertThat(content(store.trace(high, low, 1000)))
          .isEqualTo(content(OtlpDecoder.decode(traceOf(stream.expected(), high, low))));
    }
  }

  @Test
  void storesLogsAndMetricsThatTheGoImplementationSent() throws IOException {
    ArrowClient logs = ArrowClient.openLogs(channel);
    ArrowClient metrics = ArrowClient.openMetrics(channel);
    for (ArrowClient client : List.of(logs, metrics)) {
      client.sendAll(RecordedStream.batches(client == logs ? "20-logs" : "30-metrics"), 0);
      client.halfClose();
      assertThat(client.awaitEnd()).isEqualTo(Status.OK);
      assertThat(client.codes().values()).isNotEmpty().containsOnly(StatusCode.OK);
    }

    long records = 0;
    long severities = 0;
    for (var each : RecordedStream.logs("20-logs")) {
      LogBatch batch = OtlpSignals.decode(each);
      records += batch.size();
      severities += batch.entries().stream().mapToLong(LogBatch.Entry::severity).sum();
    }
    assertThat(number(store, "SELECT count() FROM logs")).isEqualTo(records);
    assertThat(number(store, "SELECT sum(severity) FROM logs")).isEqualTo(severities);
    long points = 0;
    long exemplars = 0;
    for (var each : RecordedStream.metrics("30-metrics")) {
      MetricBatch batch = OtlpSignals.decode(each);
      points += batch.size();
      exemplars += batch.points().stream().mapToLong(point -> point.exemplars().size()).sum();
    }
    assertThat(number(store, "SELECT count() FROM metric_points")).isEqualTo(points);
    assertThat(number(store, "SELECT sum(length(exemplar_values)) FROM metric_points"))
        .isEqualTo(exemplars);
    assertThat(number(store, "SELECT uniqExact(kind) FROM metric_points")).isEqualTo(5);
  }

  @Test
  void aTruncatedStreamEndsAndOthersGoOn() throws IOException {
    List<BatchArrowRecords> batches = RecordedStream.batches("02-everything-zstd");
    ArrowClient good = ArrowClient.open(channel);
    good.sendAll(batches.subList(0, 4), 0);
    ArrowClient bad = ArrowClient.open(channel);
    BatchArrowRecords.Builder cut = batches.get(0).toBuilder();
    ArrowPayload payload = cut.getArrowPayloads(0);
    ByteString record = payload.getRecord();

    bad.send(
        cut.setArrowPayloads(
                0, payload.toBuilder().setRecord(record.substring(0, record.size() - 9)))
            .build());

    assertThat(bad.awaitEnd().getCode()).isEqualTo(Status.Code.INTERNAL);
    good.sendAll(batches.subList(4, 8), 4);
    good.halfClose();
    assertThat(good.awaitEnd()).isEqualTo(Status.OK);
    assertThat(good.codes()).hasSize(8).containsOnlyKeys(0L, 1L, 2L, 3L, 4L, 5L, 6L, 7L);
    assertStoredOnce(
        RecordedStream.traces("02-everything-zstd").expected().stream()
            .map(OtlpDecoder::decode)
            .toList());
  }

  @Test
  void refusesABombAndGoesOn() {
    ArrowClient client = ArrowClient.open(channel, "zstdarrow5");

    client.send(
        BatchArrowRecords.newBuilder()
            .setHeaders(ByteString.copyFrom(new byte[64 * 1024 * 1024]))
            .build());

    assertThat(client.awaitEnd().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
    SpanBatch batch = spans(5).next(10);
    var _ = otlp().export(request(batch));
    assertStoredOnce(List.of(batch));
  }

  @Test
  void losesNothingAndStoresNothingTwiceWhenTheStoreIsKilled(@TempDir Path ownDirectory)
      throws Exception {
    StoreProcess first = StoreProcess.start(ownDirectory);
    StoreAddress own = first.address();
    StoreProcess second = null;
    try (Collector ownCollector = Collector.start(config(own, 0));
        SpanStore ownStore = SpanStore.connect(own)) {
      Await.until("ready", () -> status(ownCollector, "/ready") == 200);
      try (Load load = new Load(ownCollector.port())) {
        load.awaitStored(40);
        first.kill();
        Await.until("not ready", () -> status(ownCollector, "/ready") == 503);
        load.awaitUnavailable(10);
        second =
            StoreProcess.start(
                Map.of(
                    "HEADSPAN_STORE_LISTEN",
                    own.host() + ":" + own.port(),
                    "HEADSPAN_STORE_PATH",
                    ownDirectory.toString()));
        load.awaitStored(80);
        load.stop();
        assertStoredOnce(ownStore, load.stored());
      }
    } finally {
      first.close();
      if (second != null) {
        second.close();
      }
    }
  }

  @Test
  void losesNothingAndStoresNothingTwiceWhenTheCollectorIsRestarted() throws Exception {
    try (Load load = new Load(collector.port())) {
      load.awaitStored(30);
      int port = collector.port();
      collector.close();
      load.awaitUnavailable(1);
      collector = Collector.start(config(address, port));
      load.awaitStored(60);
      load.stop();
      assertStoredOnce(load.stored());
    }
  }

  /// Agents that send batches without end, each again until it is stored, as agents do.
  private static final class Load implements AutoCloseable {
    private static final int AGENTS = 4;
    private static final int BATCH_SPANS = 200;

    private final ManagedChannel channel;
    private final ExecutorService agents = Executors.newFixedThreadPool(AGENTS);
    private final List<Future<?>> running = new ArrayList<>();
    private final List<SpanBatch> stored = new ArrayList<>();
    private final AtomicInteger unavailable = new AtomicInteger();
    private volatile boolean stopping;

    Load(int port) {
      channel = CollectorIT.channel(port);
      for (int i = 0; i < AGENTS; i++) {
        int agent = i;
        running.add(agents.submit(() -> agent % 2 == 0 ? arrow(agent) : otlp(agent)));
      }
    }

    void awaitStored(int batches) {
      Await.until(
          batches + " batches", LOAD_TIMEOUT, () -> hasFailed() || stored().size() >= batches);
    }

    void awaitUnavailable(int answers) {
      Await.until(
          answers + " refusals", LOAD_TIMEOUT, () -> hasFailed() || unavailable.get() >= answers);
    }

    /// Lets every agent finish its batch.
    void stop() throws Exception {
      stopping = true;
      for (Future<?> agent : running) {
        var _ = agent.get(LOAD_TIMEOUT.toSeconds(), TimeUnit.SECONDS);
      }
    }

    List<SpanBatch> stored() {
      synchronized (stored) {
        return List.copyOf(stored);
      }
    }

    @Override
    public void close() {
      stopping = true;
      agents.shutdownNow();
      channel.shutdownNow();
    }

    private boolean hasFailed() {
      return running.stream().anyMatch(agent -> agent.state() == Future.State.FAILED);
    }

    private void add(SpanBatch batch) {
      synchronized (stored) {
        stored.add(batch);
      }
    }

    private Void arrow(int agent) {
      SyntheticSpans source = spans(100 + agent);
      SpanBatch batch = source.next(BATCH_SPANS);
      int sequence = 0;
      while (true) {
        ArrowClient client = ArrowClient.open(channel, "zstdarrow5");
        try (OtapEncoder encoder = new OtapEncoder()) {
          Optional<StatusCode> code = Optional.of(StatusCode.OK);
          for (long id = 0; code.isPresent(); id++) {
            client.send(encoder.encode(id, batch, headers("agent-" + agent, sequence)));
            code = client.awaitCode(id);
            if (code.equals(Optional.of(StatusCode.OK))) {
              add(batch);
              if (stopping) {
                client.halfClose();
                return null;
              }
              batch = source.next(BATCH_SPANS);
              sequence++;
            } else {
              assertThat(code.orElse(StatusCode.UNAVAILABLE)).isEqualTo(StatusCode.UNAVAILABLE);
              backOff();
            }
          }
        }
      }
    }

    private Void otlp(int agent) {
      SyntheticSpans source = spans(100 + agent);
      SpanBatch batch = source.next(BATCH_SPANS);
      while (true) {
        try {
          var _ = TraceServiceGrpc.newBlockingStub(channel).export(request(batch));
          add(batch);
          if (stopping) {
            return null;
          }
          batch = source.next(BATCH_SPANS);
        } catch (StatusRuntimeException e) {
          assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
          backOff();
        }
      }
    }

    private void backOff() {
      var _ = unavailable.incrementAndGet();
      LockSupport.parkNanos(BACK_OFF_NS);
    }
  }

  private void assertStoredOnce(List<SpanBatch> batches) {
    assertStoredOnce(store, batches);
  }

  /// The spans and the rollups hold every span of `batches` once, and nothing else.
  private static void assertStoredOnce(SpanStore store, List<SpanBatch> batches) {
    long spans = batches.stream().mapToLong(SpanBatch::size).sum();
    assertThat(number(store, "SELECT count() FROM spans")).isEqualTo(spans);
    assertThat(number(store, "SELECT uniqExact(trace_id, span_id) FROM spans")).isEqualTo(spans);
    assertThat(number(store, "SELECT sum(spans) FROM trace_summary")).isEqualTo(spans);
    assertThat(number(store, "SELECT sum(invocations) FROM latency_minute"))
        .isEqualTo(number(store, INVOCATIONS));
  }

  private static long number(SpanStore store, String sql) {
    return store.query(SqlQuery.of(sql), row -> row.integer(0)).getFirst();
  }

  /// What a batch says, whatever the order of its spans.
  private static String content(SpanBatch batch) {
    return DeduplicationToken.of(header -> null, batch);
  }

  private static SyntheticSpans spans(long seed) {
    return new SyntheticSpans(
        seed, Instant.now().minusSeconds(300).getEpochSecond() * 1_000_000_000L);
  }

  private static ExportTraceServiceRequest request(SpanBatch batch) {
    return ExportTraceServiceRequest.newBuilder()
        .addAllResourceSpans(OtlpEncoder.encode(batch).getResourceSpansList())
        .build();
  }

  private static ExportTraceServiceRequest largestTrace(SpanBatch batch) {
    Map<Long, Integer> sizes = new HashMap<>();
    int largest = 0;
    for (int span = 0; span < batch.size(); span++) {
      int size = sizes.merge(batch.traceIdLow(span), 1, Integer::sum);
      largest = size >= sizes.getOrDefault(batch.traceIdLow(largest), 0) ? span : largest;
    }
    return traceOf(List.of(request(batch)), batch.traceIdHigh(largest), batch.traceIdLow(largest));
  }

  /// The spans of one trace.
  private static ExportTraceServiceRequest traceOf(
      List<ExportTraceServiceRequest> requests, long high, long low) {
    ByteString id = ByteString.copyFrom(ByteBuffer.allocate(16).putLong(high).putLong(low).flip());
    ExportTraceServiceRequest.Builder trace = ExportTraceServiceRequest.newBuilder();
    for (ExportTraceServiceRequest request : requests) {
      for (ResourceSpans resource : request.getResourceSpansList()) {
        for (ScopeSpans scope : resource.getScopeSpansList()) {
          List<Span> spans =
              scope.getSpansList().stream().filter(span -> span.getTraceId().equals(id)).toList();
          if (!spans.isEmpty()) {
            trace.addResourceSpans(
                resource.toBuilder()
                    .clearScopeSpans()
                    .addScopeSpans(scope.toBuilder().clearSpans().addAllSpans(spans)));
          }
        }
      }
    }
    return trace.build();
  }

  private static Map<String, String> headers(String agent, int sequence) {
    return Map.of(
        DeduplicationToken.AGENT_HEADER,
        agent,
        DeduplicationToken.BOOT_HEADER,
        "boot",
        DeduplicationToken.SEQUENCE_HEADER,
        String.valueOf(sequence));
  }

  private TraceServiceBlockingStub otlp() {
    return TraceServiceGrpc.newBlockingStub(channel).withDeadlineAfter(20, TimeUnit.SECONDS);
  }

  private static ManagedChannel channel(int port) {
    return NettyChannelBuilder.forAddress("127.0.0.1", port)
        .usePlaintext()
        .compressorRegistry(TestCompressors.registry())
        .build();
  }

  private static CollectorConfig config(StoreAddress store, int port) {
    return CollectorConfig.from(
        Map.of(
            "HEADSPAN_COLLECTOR_LISTEN",
            "127.0.0.1:" + port,
            "HEADSPAN_COLLECTOR_STORE",
            store.toString()));
  }

  private static int status(Collector collector, String path) {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + collector.port() + path)).build();
    try (HttpClient client = HttpClient.newHttpClient()) {
      return client.send(request, HttpResponse.BodyHandlers.discarding()).statusCode();
    } catch (IOException | InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
