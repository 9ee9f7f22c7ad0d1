package io.headspan.collector.receive;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Message;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.headspan.storage.StoreException;
import io.headspan.wire.LogBatch;
import io.headspan.wire.MetricBatch;
import io.headspan.wire.otlp.OtlpJson;
import io.headspan.wire.otlp.OtlpSignals;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsServiceResponse;
import io.opentelemetry.proto.collector.logs.v1.LogsServiceGrpc;
import io.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;
import io.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceResponse;
import io.opentelemetry.proto.collector.metrics.v1.MetricsServiceGrpc;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import io.opentelemetry.proto.experimental.arrow.v1.StatusCode;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Logs and metrics, whichever way they come.
class RecordsReceiverTest {
  private final TestReceivers receivers = new TestReceivers();
  private final ManagedChannel channel = receivers.channel();

  @AfterEach
  void close() {
    receivers.close();
  }

  @Test
  void storesLogsOfAnArrowStream() throws IOException {
    List<BatchArrowRecords> batches = RecordedStream.batches("20-logs");
    List<LogBatch.Entry> expected =
        RecordedStream.logs("20-logs").stream()
            .flatMap(each -> OtlpSignals.decode(each).entries().stream())
            .toList();
    ArrowClient client = ArrowClient.openLogs(channel);

    client.sendAll(batches, 7);
    client.halfClose();

    assertThat(client.awaitEnd()).isEqualTo(Status.OK);
    assertThat(client.codes())
        .containsOnlyKeys(7L, 8L, 9L, 10L)
        .allSatisfy((_, code) -> assertThat(code).isEqualTo(StatusCode.OK));
    assertThat(receivers.store.logs()).hasSize(4);
    assertThat(receivers.store.logs().values().stream().mapToInt(LogBatch::size).sum())
        .isEqualTo(expected.size());
    assertThat(receivers.count("records.stored", "signal", "logs")).isEqualTo(expected.size());
    assertThat(receivers.inFlight.bytes()).isZero();
  }

  @Test
  void storesMetricsOfAnArrowStreamOnce() throws IOException {
    List<BatchArrowRecords> batches = RecordedStream.batches("30-metrics");
    int points =
        RecordedStream.metrics("30-metrics").stream()
            .mapToInt(each -> OtlpSignals.decode(each).size())
            .sum();
    for (int i = 0; i < 2; i++) {
      ArrowClient client = ArrowClient.openMetrics(channel);
      client.sendAll(batches, 0);
      client.halfClose();
      assertThat(client.awaitEnd()).isEqualTo(Status.OK);
      assertThat(client.codes()).hasSize(3);
    }

    assertThat(receivers.store.metrics().keySet())
        .hasSize(3)
        .allMatch(token -> token.startsWith("metrics/content/"));
    assertThat(receivers.store.metrics().values().stream().mapToInt(MetricBatch::size).sum())
        .isEqualTo(points);
  }

  @Test
  void refusesSpansOnAStreamOfLogsAndGoesOn() throws IOException {
    ArrowClient client = ArrowClient.openLogs(channel);
    client.send(RecordedStream.batches("01-one-bare-span").getFirst());
    client.sendAll(RecordedStream.batches("20-logs").subList(0, 1), 1);
    client.halfClose();

    assertThat(client.awaitEnd()).isEqualTo(Status.OK);
    assertThat(client.codes())
        .containsExactly(Map.entry(0L, StatusCode.INVALID_ARGUMENT), Map.entry(1L, StatusCode.OK));
  }

  @Test
  void takesOtlpOverGrpc() throws IOException {
    ExportLogsServiceRequest logs = RecordedStream.logs("20-logs").getFirst();
    ExportMetricsServiceRequest metrics = RecordedStream.metrics("30-metrics").getFirst();

    assertThat(LogsServiceGrpc.newBlockingStub(channel).export(logs))
        .isEqualTo(ExportLogsServiceResponse.getDefaultInstance());
    assertThat(MetricsServiceGrpc.newBlockingStub(channel).withCompression("gzip").export(metrics))
        .isEqualTo(ExportMetricsServiceResponse.getDefaultInstance());

    assertThat(receivers.store.logs().values()).containsExactly(OtlpSignals.decode(logs));
    assertThat(receivers.store.metrics().values()).containsExactly(OtlpSignals.decode(metrics));
  }

  @Test
  void takesOtlpOverHttpInBothForms() throws Exception {
    ExportLogsServiceRequest logs = RecordedStream.logs("20-logs").getFirst();
    ExportMetricsServiceRequest metrics = RecordedStream.metrics("30-metrics").getFirst();
    Map<String, Message> requests = Map.of("/v1/logs", logs, "/v1/metrics", metrics);
    for (Map.Entry<String, Message> each : requests.entrySet()) {
      String path = each.getKey();
      Message request = each.getValue();
      HttpResponse<byte[]> binary = post(path, request.toByteArray(), "application/x-protobuf");
      HttpResponse<byte[]> json = post(path, OtlpJson.write(request), "application/json");

      assertThat(binary.statusCode()).isEqualTo(200);
      assertThat(binary.body()).isEmpty();
      assertThat(json.statusCode()).isEqualTo(200);
      assertThat(new String(json.body(), StandardCharsets.UTF_8)).isEqualTo("{}");
    }
    assertThat(receivers.store.logs().values()).hasSize(2).containsOnly(OtlpSignals.decode(logs));
    assertThat(receivers.store.metrics().values())
        .hasSize(2)
        .containsOnly(OtlpSignals.decode(metrics));
    assertThat(post("/v1/logs", new byte[] {7}, "application/x-protobuf").statusCode())
        .isEqualTo(400);
  }

  @Test
  void answersUnavailableWhileTheStoreIsAway() throws IOException {
    ExportLogsServiceRequest logs = RecordedStream.logs("20-logs").getFirst();
    for (int i = 0; i < 3; i++) {
      receivers.store.failNext(new StoreException(StoreException.Kind.UNAVAILABLE, "no room"));
    }

    assertThatThrownBy(() -> LogsServiceGrpc.newBlockingStub(channel).export(logs))
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.UNAVAILABLE));
    var _ = LogsServiceGrpc.newBlockingStub(channel).export(logs);

    assertThat(receivers.store.calls()).hasSize(4).containsOnly(receivers.store.calls().get(0));
    assertThat(receivers.store.logs()).hasSize(1);
    assertThat(receivers.count("records.rejected", "reason", "store_unavailable")).isPositive();
  }

  private HttpResponse<byte[]> post(String path, byte[] body, String contentType)
      throws IOException, InterruptedException {
    try (HttpClient client = HttpClient.newHttpClient()) {
      return client.send(
          HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + receivers.port() + path))
              .header("content-type", contentType)
              .POST(HttpRequest.BodyPublishers.ofByteArray(body))
              .build(),
          HttpResponse.BodyHandlers.ofByteArray());
    }
  }
}
