package io.headspan.collector.receive;

import io.grpc.Channel;
import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.headspan.collector.Await;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowLogsServiceGrpc;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowMetricsServiceGrpc;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowTracesServiceGrpc;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import io.opentelemetry.proto.experimental.arrow.v1.BatchStatus;
import io.opentelemetry.proto.experimental.arrow.v1.StatusCode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// The sending side of one OTel-Arrow stream.
public final class ArrowClient implements ClientResponseObserver<BatchArrowRecords, BatchStatus> {
  private final List<BatchStatus> statuses = new ArrayList<>();
  private @Nullable Status end;
  private @Nullable ClientCallStreamObserver<BatchArrowRecords> requests;

  private ArrowClient() {}

  /// Opens a stream.
  ///
  /// @param encoding the `grpc-encoding`, empty for none
  public static ArrowClient open(Channel channel, String encoding) {
    ArrowClient client = new ArrowClient();
    var stub = ArrowTracesServiceGrpc.newStub(channel);
    if (!encoding.isEmpty()) {
      stub = stub.withCompression(encoding);
    }
    var _ = stub.arrowTraces(client);
    return client;
  }

  public static ArrowClient open(Channel channel) {
    return open(channel, "");
  }

  /// Opens a stream of logs.
  public static ArrowClient openLogs(Channel channel) {
    ArrowClient client = new ArrowClient();
    var _ = ArrowLogsServiceGrpc.newStub(channel).arrowLogs(client);
    return client;
  }

  /// Opens a stream of metrics.
  public static ArrowClient openMetrics(Channel channel) {
    ArrowClient client = new ArrowClient();
    var _ = ArrowMetricsServiceGrpc.newStub(channel).arrowMetrics(client);
    return client;
  }

  public void send(BatchArrowRecords batch) {
    call().onNext(batch);
  }

  /// Sends all `batches`, numbered from `firstId`.
  public void sendAll(List<BatchArrowRecords> batches, long firstId) {
    for (int i = 0; i < batches.size(); i++) {
      send(batches.get(i).toBuilder().setBatchId(firstId + i).build());
    }
  }

  /// Whether what was sent has left this side, but for a little.
  public boolean isReady() {
    return call().isReady();
  }

  public void halfClose() {
    call().onCompleted();
  }

  public void cancel() {
    call().cancel("no longer wanted", null);
  }

  /// The statuses so far.
  public synchronized List<BatchStatus> statuses() {
    return List.copyOf(statuses);
  }

  /// The codes so far by batch id.
  ///
  /// @throws AssertionError if a batch was answered twice
  public synchronized Map<Long, StatusCode> codes() {
    Map<Long, StatusCode> codes = new TreeMap<>();
    for (BatchStatus status : statuses) {
      if (codes.put(status.getBatchId(), status.getStatusCode()) != null) {
        throw new AssertionError("answered twice: " + status);
      }
    }
    return codes;
  }

  /// Waits for `count` statuses.
  public Map<Long, StatusCode> awaitCodes(int count) {
    Await.until(count + " statuses", () -> statuses().size() >= count || isEnded());
    return codes();
  }

  /// Waits for the status of batch `id`; empty if the stream ends before.
  public Optional<StatusCode> awaitCode(long id) {
    Await.until("the status of batch " + id, () -> codes().containsKey(id) || isEnded());
    return Optional.ofNullable(codes().get(id));
  }

  public synchronized boolean isEnded() {
    return end != null;
  }

  /// Waits for the end of the stream.
  public Status awaitEnd() {
    Await.until("the end of the stream", this::isEnded);
    synchronized (this) {
      return Objects.requireNonNull(end);
    }
  }

  @Override
  public void beforeStart(ClientCallStreamObserver<BatchArrowRecords> requestStream) {
    requests = requestStream;
  }

  @Override
  public synchronized void onNext(BatchStatus status) {
    statuses.add(status);
  }

  @Override
  public synchronized void onError(Throwable failure) {
    end = Status.fromThrowable(failure);
  }

  @Override
  public synchronized void onCompleted() {
    end = Status.OK;
  }

  private ClientCallStreamObserver<BatchArrowRecords> call() {
    return Objects.requireNonNull(requests);
  }
}
