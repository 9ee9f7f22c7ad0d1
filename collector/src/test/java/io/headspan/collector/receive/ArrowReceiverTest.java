package io.headspan.collector.receive;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.grpc.Channel;
import io.grpc.Status;
import io.headspan.collector.Await;
import io.headspan.collector.ingest.DeduplicationToken;
import io.headspan.loadgen.spans.SyntheticSpans;
import io.headspan.storage.StoreException;
import io.headspan.wire.otap.OtapEncoder;
import io.headspan.wire.otap.OtapHeaders;
import io.headspan.wire.otlp.OtlpDecoder;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayload;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import io.opentelemetry.proto.experimental.arrow.v1.StatusCode;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ArrowReceiverTest {
  /// What HTTP/2 lets a sender send before the receiver reads, by Armeria's default.
  private static final int WINDOW_BYTES = 1024 * 1024;

  private final TestReceivers receivers = new TestReceivers();
  private final Channel channel = receivers.channel();

  @AfterEach
  void close() {
    receivers.close();
  }

  static List<String> recordedTraces() {
    return RecordedStream.TRACES;
  }

  @ParameterizedTest
  @MethodSource("recordedTraces")
  void storesWhatTheGoImplementationSent(String name) throws IOException {
    RecordedStream stream = RecordedStream.traces(name);
    ArrowClient client = ArrowClient.open(channel, "zstdarrow5");

    client.sendAll(stream.batches(), 0);
    client.halfClose();

    assertThat(client.awaitEnd()).isEqualTo(Status.OK);
    assertThat(client.codes())
        .hasSize(stream.batches().size())
        .allSatisfy((id, code) -> assertThat(code).isEqualTo(StatusCode.OK));
    List<String> expected = new ArrayList<>();
    for (ExportTraceServiceRequest request : stream.expected()) {
      expected.add(DeduplicationToken.of(header -> null, OtlpDecoder.decode(request)));
    }
    assertThat(receivers.store.calls()).containsExactlyInAnyOrderElementsOf(expected);
    assertThat(receivers.inFlight.bytes()).isZero();
    Await.until("no stream is open", () -> streams() == 0);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "gzip", "zstd", "zstdarrow5", "snappy"})
  void readsCompressedMessages(String encoding) throws IOException {
    ArrowClient client = ArrowClient.open(channel, encoding);

    client.sendAll(RecordedStream.batches("03-everything-uncompressed"), 5);

    assertThat(client.awaitCodes(8)).hasSize(8).containsEntry(5L, StatusCode.OK);
  }

  @Test
  void answersEveryBatchBeforeItEndsAHalfClosedStream() throws IOException {
    receivers.store.hold();
    ArrowClient client = ArrowClient.open(channel);
    client.sendAll(first(3), 0);
    client.halfClose();
    Await.until("two inserts under way", () -> receivers.store.waiting() == 2);
    assertThat(client.isEnded()).isFalse();

    receivers.store.letGo();

    assertThat(client.awaitEnd()).isEqualTo(Status.OK);
    assertThat(client.codes()).hasSize(3);
  }

  @Test
  void keepsOnlyAFewBatchesOfAStreamUnderWay() throws IOException {
    receivers.store.hold();
    ArrowClient client = ArrowClient.open(channel);
    client.sendAll(RecordedStream.batches("08-replacement-dictionaries"), 0);
    Await.until("the limit", () -> received() == TestReceivers.STREAM_BATCHES);

    receivers.store.letGo();

    assertThat(client.awaitCodes(20)).hasSize(20);
  }

  @Test
  void stopsTheSenderWhenTooMuchIsInFlight() throws IOException {
    try (TestReceivers small = new TestReceivers(20_000)) {
      small.store.hold();
      ArrowClient first = ArrowClient.open(small.channel());
      first.sendAll(first(1), 0);
      Await.until("the limit", () -> small.inFlight.bytes() >= 20_000);
      ArrowClient second = ArrowClient.open(small.channel());
      second.sendAll(first(2), 0);
      Await.until(
          "the second stream",
          () -> small.registry.get("headspan.collector.streams").gauge().value() == 2);
      assertThat(small.count("batches.received")).isEqualTo(1);

      small.store.letGo();

      assertThat(second.awaitCodes(2)).hasSize(2);
      Await.until("nothing in flight", () -> small.inFlight.bytes() == 0);
    }
  }

  @Test
  void backPressureReachesTheSender() {
    try (TestReceivers small = new TestReceivers(20_000);
        OtapEncoder encoder = new OtapEncoder()) {
      small.store.hold();
      SyntheticSpans source = new SyntheticSpans(1, 1_795_000_000_000_000_000L);
      ArrowClient client = ArrowClient.open(small.channel());
      long sentBytes = 0;
      int batches = 0;
      while (sentBytes < 8 * WINDOW_BYTES) {
        BatchArrowRecords batch = encoder.encode(batches++, source.next(500), Map.of());
        sentBytes += batch.getSerializedSize();
        client.send(batch);
      }
      Await.until("one insert", () -> small.store.waiting() == 1);

      assertThat(small.count("batches.received")).isEqualTo(1);
      assertThat(client.isReady()).isFalse();

      small.store.letGo();
      client.halfClose();
      assertThat(client.awaitEnd()).isEqualTo(Status.OK);
      assertThat(client.codes()).hasSize(batches);
      assertThat(small.store.spans()).isEqualTo(500 * batches);
    }
  }

  @Test
  void aTruncatedBatchEndsItsStreamOnlyAfterTheOthersAreAnswered() throws IOException {
    receivers.store.hold();
    List<BatchArrowRecords> batches = RecordedStream.batches("02-everything-zstd");
    ArrowClient good = ArrowClient.open(channel);
    good.sendAll(batches.subList(0, 1), 0);
    ArrowClient bad = ArrowClient.open(channel);
    bad.sendAll(batches.subList(0, 1), 0);
    bad.send(truncated(batches.get(1)));
    Await.until("three messages", () -> received() == 3);
    Await.until("the error", () -> receivers.count("batches.rejected") == 1);
    assertThat(bad.isEnded()).isFalse();

    receivers.store.letGo();

    Status end = bad.awaitEnd();
    assertThat(end.getCode()).isEqualTo(Status.Code.INTERNAL);
    assertThat(end.getDescription()).isNotEmpty();
    assertThat(bad.codes()).containsExactly(Map.entry(0L, StatusCode.OK));
    good.sendAll(batches.subList(1, 8), 1);
    good.halfClose();
    assertThat(good.awaitEnd()).isEqualTo(Status.OK);
    assertThat(good.codes()).hasSize(8);
    assertThat(receivers.count("batches.rejected", "reason", "malformed")).isEqualTo(1);
  }

  @Test
  void aStreamThatDoesNotBeginAtItsBeginningEndsWithInternal() throws IOException {
    ArrowClient client = ArrowClient.open(channel);

    client.send(RecordedStream.batches("08-replacement-dictionaries").get(3));

    assertThat(client.awaitEnd().getCode()).isEqualTo(Status.Code.INTERNAL);
    assertThat(client.codes()).isEmpty();
  }

  @Test
  void refusesOtherSignalsAndGoesOn() throws IOException {
    ArrowClient client = ArrowClient.open(channel);
    client.send(RecordedStream.batches("20-logs").getFirst().toBuilder().setBatchId(1).build());
    client.send(RecordedStream.batches("30-metrics").getFirst().toBuilder().setBatchId(2).build());
    client.sendAll(first(1), 3);
    client.halfClose();

    assertThat(client.awaitEnd()).isEqualTo(Status.OK);
    assertThat(client.codes())
        .containsExactly(
            Map.entry(1L, StatusCode.INVALID_ARGUMENT),
            Map.entry(2L, StatusCode.INVALID_ARGUMENT),
            Map.entry(3L, StatusCode.OK));
    assertThat(receivers.count("batches.rejected", "reason", "unsupported")).isEqualTo(2);
  }

  @Test
  void namesBatchesByTheirHeadersWhoseTableLastsAsLongAsTheStream() throws IOException {
    OtapHeaders headers = new OtapHeaders();
    ArrowClient client = ArrowClient.open(channel);
    List<BatchArrowRecords> batches = first(3);
    receivers.store.failNext(new StoreException(StoreException.Kind.REJECTED, "bad data"));
    for (int i = 0; i < batches.size(); i++) {
      ByteString block =
          headers.encode(
              Map.of(
                  DeduplicationToken.AGENT_HEADER, "node-1",
                  DeduplicationToken.BOOT_HEADER, "boot-7",
                  DeduplicationToken.SEQUENCE_HEADER, String.valueOf(40 + i)));
      client.send(batches.get(i).toBuilder().setBatchId(i).setHeaders(block).build());
      client.awaitCodes(i + 1);
    }

    assertThat(receivers.store.calls())
        .containsExactly("node-1/boot-7/40", "node-1/boot-7/41", "node-1/boot-7/42");
    assertThat(client.codes())
        .containsExactly(
            Map.entry(0L, StatusCode.INVALID_ARGUMENT),
            Map.entry(1L, StatusCode.OK),
            Map.entry(2L, StatusCode.OK));
  }

  @Test
  void badHeadersEndTheStream() throws IOException {
    ArrowClient client = ArrowClient.open(channel);

    client.send(
        first(1).getFirst().toBuilder().setHeaders(ByteString.fromHex("ff80808080808080")).build());

    Status end = client.awaitEnd();
    assertThat(end.getCode()).isEqualTo(Status.Code.INTERNAL);
    assertThat(end.getDescription()).startsWith("bad batch headers: ");
  }

  @Test
  void asksTheSenderToComeAgainWhenTheStoreIsAway() throws IOException {
    receivers.store.setAway(true);
    ArrowClient client = ArrowClient.open(channel);

    client.sendAll(first(2), 0);

    assertThat(client.awaitCodes(2))
        .containsExactly(
            Map.entry(0L, StatusCode.UNAVAILABLE), Map.entry(1L, StatusCode.UNAVAILABLE));
    assertThat(client.statuses().getFirst().getStatusMessage()).contains("store");
    receivers.store.setAway(false);
    Await.until(
        "the store is used again",
        () -> receivers.registry.get("headspan.collector.store.ready").gauge().value() == 1);
    client.sendAll(RecordedStream.batches("02-everything-zstd").subList(2, 3), 2);
    assertThat(client.awaitCodes(3)).containsEntry(2L, StatusCode.OK);
  }

  @Test
  void answersAnEmptyBatch() {
    ArrowClient client = ArrowClient.open(channel);

    client.send(BatchArrowRecords.newBuilder().setBatchId(9).build());

    assertThat(client.awaitCodes(1)).containsExactly(Map.entry(9L, StatusCode.OK));
  }

  @Test
  void refusesADecompressionBomb() {
    ArrowClient client = ArrowClient.open(channel, "zstdarrow5");

    client.send(
        BatchArrowRecords.newBuilder()
            .setHeaders(ByteString.copyFrom(new byte[8 * TestReceivers.MESSAGE_BYTES]))
            .build());

    Status end = client.awaitEnd();
    assertThat(end.getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
    assertThat(end.getDescription())
        .isEqualTo("message too large when expanded: limitBytes=" + TestReceivers.MESSAGE_BYTES);
    assertThat(receivers.inFlight.bytes()).isZero();
  }

  @Test
  void refusesAFrameAboveTheLimit() {
    ArrowClient client = ArrowClient.open(channel);

    client.send(
        BatchArrowRecords.newBuilder()
            .setHeaders(ByteString.copyFrom(new byte[TestReceivers.MESSAGE_BYTES + 10]))
            .build());

    assertThat(client.awaitEnd().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
    Await.until("no stream is open", () -> streams() == 0);
  }

  @Test
  void forgetsAStreamThatIsCancelled() throws IOException {
    receivers.store.hold();
    ArrowClient client = ArrowClient.open(channel);
    client.sendAll(first(2), 0);
    Await.until("two inserts", () -> receivers.store.waiting() == 2);

    client.cancel();

    Await.until("no stream is open", () -> streams() == 0);
    receivers.store.letGo();
    Await.until("nothing in flight", () -> receivers.inFlight.bytes() == 0);
    assertThat(receivers.count("batches.stored")).isEqualTo(2);
  }

  @Test
  void closingAnswersWhatIsUnderWayThenEndsTheStreams() throws Exception {
    receivers.store.hold();
    ArrowClient busy = ArrowClient.open(channel);
    busy.sendAll(first(1), 0);
    ArrowClient idle = ArrowClient.open(channel);
    Await.until("two streams", () -> streams() == 2 && receivers.store.waiting() == 1);

    assertThat(receivers.receivers.close(Duration.ofMillis(50))).isFalse();
    assertThat(idle.awaitEnd().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
    assertThat(busy.isEnded()).isFalse();
    receivers.store.letGo();
    assertThat(receivers.receivers.close(Duration.ofSeconds(10))).isTrue();

    Status end = busy.awaitEnd();
    assertThat(end.getCode()).isEqualTo(Status.Code.UNAVAILABLE);
    assertThat(end.getDescription()).isEqualTo("the collector is closing");
    assertThat(busy.codes()).containsExactly(Map.entry(0L, StatusCode.OK));
  }

  private double streams() {
    return receivers.registry.get("headspan.collector.streams").gauge().value();
  }

  private double received() {
    return receivers.count("batches.received", "protocol", "otap");
  }

  private static List<BatchArrowRecords> first(int count) throws IOException {
    return RecordedStream.batches("02-everything-zstd").subList(0, count);
  }

  private static BatchArrowRecords truncated(BatchArrowRecords batch) {
    BatchArrowRecords.Builder builder = batch.toBuilder();
    ArrowPayload payload = builder.getArrowPayloads(0);
    ByteString record = payload.getRecord();
    return builder
        .setArrowPayloads(0, payload.toBuilder().setRecord(record.substring(0, record.size() / 2)))
        .build();
  }
}
