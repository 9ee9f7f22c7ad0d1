package io.headspan.collector.receive;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.github.luben.zstd.ZstdOutputStream;
import com.google.protobuf.ByteString;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.headspan.collector.Await;
import io.headspan.loadgen.spans.SyntheticSpans;
import io.headspan.storage.StoreException;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otlp.OtlpEncoder;
import io.headspan.wire.otlp.OtlpJson;
import io.opentelemetry.proto.collector.trace.v1.ExportTracePartialSuccess;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse;
import io.opentelemetry.proto.collector.trace.v1.TraceServiceGrpc;
import io.opentelemetry.proto.collector.trace.v1.TraceServiceGrpc.TraceServiceBlockingStub;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OtlpReceiverTest {
  private static final SyntheticSpans SPANS = new SyntheticSpans(1, 1_795_000_000_000_000_000L);

  private final TestReceivers receivers = new TestReceivers(200_000);
  private final ManagedChannel channel = receivers.channel();

  @AfterEach
  void close() {
    receivers.close();
  }

  @Test
  void storesSpansThenAnswers() {
    ExportTraceServiceRequest request = request(SPANS.next(50));

    assertThat(stub().export(request)).isEqualTo(ExportTraceServiceResponse.getDefaultInstance());

    SpanBatch stored = receivers.store.onlyBatch();
    assertThat(OtlpEncoder.encode(stored).getResourceSpansList())
        .isEqualTo(request.getResourceSpansList());
    assertThat(receivers.count("spans.received", "protocol", "otlp_grpc")).isEqualTo(50);
    assertThat(receivers.count("spans.stored", "protocol", "otlp_grpc")).isEqualTo(50);
    assertThat(receivers.inFlight.bytes()).isZero();
  }

  @ParameterizedTest
  @ValueSource(strings = {"gzip", "zstd", "zstdarrow5", "snappy"})
  void readsCompressedMessages(String encoding) {
    var _ = stub().withCompression(encoding).export(request(SPANS.next(50)));

    assertThat(receivers.store.spans()).isEqualTo(50);
  }

  @Test
  void refusesAnUnknownEncodingByNamingTheKnownOnes() {
    assertStatus(
        () -> stub().withCompression("lzma").export(request(SPANS.next(5))),
        Status.Code.UNIMPLEMENTED,
        "unknown grpc-encoding: encoding=lzma, known=[gzip, snappy, zstd, zstdarrow1,");
  }

  @Test
  void namesAReplayByItsContent() {
    SpanBatch batch = SPANS.next(20);

    var _ = stub().export(request(batch));
    var _ = stub().export(request(batch));

    assertThat(receivers.store.calls()).hasSize(2).allMatch(t -> t.startsWith("content/"));
    assertThat(receivers.store.batches()).hasSize(1);
  }

  @Test
  void takesTheTokenFromTheHeadersOfTheCall() {
    Metadata headers = new Metadata();
    Map.of("headspan-agent-id", "a", "headspan-boot-id", "b", "headspan-sequence", "9")
        .forEach((k, v) -> headers.put(Metadata.Key.of(k, Metadata.ASCII_STRING_MARSHALLER), v));

    var _ =
        stub()
            .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers))
            .export(request(SPANS.next(1)));

    assertThat(receivers.store.calls()).containsExactly("a/b/9");
  }

  @Test
  void storesTheGoodSpansAndReportsTheOthers() {
    Span good = request(SPANS.next(1)).getResourceSpans(0).getScopeSpans(0).getSpans(0);
    Span shortTraceId = good.toBuilder().setTraceId(ByteString.copyFromUtf8("abc")).build();
    Span zeroSpanId = good.toBuilder().setSpanId(ByteString.copyFrom(new byte[8])).build();
    ExportTraceServiceRequest request =
        ExportTraceServiceRequest.newBuilder()
            .addResourceSpans(
                ResourceSpans.newBuilder()
                    .addScopeSpans(
                        ScopeSpans.newBuilder()
                            .addSpans(shortTraceId.toBuilder().setName("short"))
                            .addSpans(good)
                            .addSpans(zeroSpanId)))
            .build();

    ExportTracePartialSuccess partial = stub().export(request).getPartialSuccess();

    assertThat(partial.getRejectedSpans()).isEqualTo(2);
    assertThat(partial.getErrorMessage())
        .isEqualTo("trace id has 3 bytes, expected 16: span name=short");
    assertThat(receivers.store.spans()).isEqualTo(1);
    assertThat(receivers.count("spans.rejected", "reason", "bad_id")).isEqualTo(2);
  }

  @Test
  void refusesATruncatedMessageAndGoesOn() {
    byte[] whole = request(SPANS.next(50)).toByteArray();

    assertStatus(
        () -> raw(Arrays.copyOf(whole, whole.length - 7)),
        Status.Code.INVALID_ARGUMENT,
        "cannot parse protobuf: ");

    var _ = stub().export(request(SPANS.next(3)));
    assertThat(receivers.store.spans()).isEqualTo(3);
    assertThat(receivers.count("batches.rejected", "reason", "malformed")).isEqualTo(1);
    assertThat(receivers.inFlight.bytes()).isZero();
  }

  @Test
  void refusesAMessageThatIsNotWhatItsEncodingSays() {
    // Marked as compressed by this test's own hand: see EncodedMessage.
    byte[] lie = {(byte) 0xff, Compression.ZSTD.mark(), 1, 2, 3};

    assertStatus(() -> raw(lie), Status.Code.INVALID_ARGUMENT, "cannot expand zstd: ");
  }

  @Test
  void refusesADecompressionBomb() {
    ExportTraceServiceRequest bomb = padded(8 * TestReceivers.MESSAGE_BYTES);

    assertStatus(
        () -> stub().withCompression("zstd").export(bomb),
        Status.Code.RESOURCE_EXHAUSTED,
        "message too large when expanded: limitBytes=" + TestReceivers.MESSAGE_BYTES);
    assertThat(receivers.count("batches.rejected", "reason", "too_large")).isEqualTo(1);
  }

  @Test
  void refusesAFrameAboveTheLimit() {
    assertThatThrownBy(() -> stub().export(padded(TestReceivers.MESSAGE_BYTES + 10)))
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED));
  }

  @Test
  void passesOnWhatTheStoreSays() {
    receivers.store.failNext(new StoreException(StoreException.Kind.REJECTED, "bad data"));
    assertStatus(
        () -> stub().export(request(SPANS.next(1))), Status.Code.INVALID_ARGUMENT, "bad data");

    for (int i = 0; i < 3; i++) {
      receivers.store.failNext(new StoreException(StoreException.Kind.UNAVAILABLE, "no room"));
    }
    assertStatus(() -> stub().export(request(SPANS.next(1))), Status.Code.UNAVAILABLE, "no room");
  }

  @Test
  void answersUnavailableWhenTooMuchIsInFlight() {
    receivers.store.hold();
    var first = TraceServiceGrpc.newFutureStub(channel).export(request(SPANS.next(500)));
    Await.until("the limit", () -> receivers.inFlight.bytes() >= receivers.inFlight.limitBytes());

    assertStatus(
        () -> stub().export(request(SPANS.next(1))),
        Status.Code.UNAVAILABLE,
        "too much in flight: limitBytes=200000, waitedMillis=300; send again later");

    receivers.store.letGo();
    Await.until("the first answer", first::isDone);
    assertThat(receivers.store.spans()).isEqualTo(500);
    assertThat(receivers.count("batches.rejected", "reason", "overloaded")).isEqualTo(1);
  }

  @Test
  void aWaitingCallGoesOnWhenThereIsRoom() {
    receivers.store.hold();
    var first = TraceServiceGrpc.newFutureStub(channel).export(request(SPANS.next(500)));
    Await.until("the limit", () -> receivers.inFlight.bytes() >= receivers.inFlight.limitBytes());
    var second = TraceServiceGrpc.newFutureStub(channel).export(request(SPANS.next(1)));

    receivers.store.letGo();

    Await.until("both answers", () -> first.isDone() && second.isDone());
    assertThat(receivers.store.spans()).isEqualTo(501);
  }

  @Test
  void refusesCallsWhileClosing() throws InterruptedException {
    assertThat(receivers.receivers.close(java.time.Duration.ofSeconds(5))).isTrue();

    assertStatus(
        () -> stub().export(request(SPANS.next(1))),
        Status.Code.UNAVAILABLE,
        "the collector is closing");
  }

  @Test
  void takesProtobufOverHttp() throws Exception {
    SpanBatch batch = SPANS.next(30);

    HttpResponse<byte[]> response =
        post(request(batch).toByteArray(), "application/x-protobuf", "identity");

    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.headers().firstValue("content-type")).contains("application/x-protobuf");
    assertThat(ExportTraceServiceResponse.parseFrom(response.body()))
        .isEqualTo(ExportTraceServiceResponse.getDefaultInstance());
    assertThat(receivers.store.spans()).isEqualTo(30);
    assertThat(receivers.count("spans.stored", "protocol", "otlp_http")).isEqualTo(30);
  }

  @ParameterizedTest
  @ValueSource(strings = {"identity", "gzip", "zstd"})
  void takesJsonOverHttp(String encoding) throws Exception {
    ExportTraceServiceRequest request = request(SPANS.next(30));

    HttpResponse<byte[]> response =
        post(compressed(OtlpJson.write(request), encoding), "application/json", encoding);

    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.headers().firstValue("content-type")).contains("application/json");
    assertThat(new String(response.body(), StandardCharsets.UTF_8)).isEqualTo("{}");
    assertThat(OtlpEncoder.encode(receivers.store.onlyBatch()).getResourceSpansList())
        .isEqualTo(request.getResourceSpansList());
  }

  @Test
  void answersJsonWithJson() throws Exception {
    String spans = "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[%s]}]}]}";

    HttpResponse<byte[]> partial =
        post(
            spans
                .formatted("{\"traceId\":\"ab\",\"name\":\"short\"}")
                .getBytes(StandardCharsets.UTF_8),
            "application/json; charset=utf-8",
            "identity");
    HttpResponse<byte[]> bad =
        post(spans.formatted("7").getBytes(StandardCharsets.UTF_8), "application/json", "identity");

    assertThat(partial.statusCode()).isEqualTo(200);
    assertThat(new String(partial.body(), StandardCharsets.UTF_8))
        .isEqualTo(
            "{\"partialSuccess\":{\"rejectedSpans\":\"1\",\"errorMessage\":"
                + "\"trace id has 1 bytes, expected 16: span name=short\"}}");
    assertThat(bad.statusCode()).isEqualTo(400);
    assertThat(new String(bad.body(), StandardCharsets.UTF_8))
        .startsWith("{\"code\":3,\"message\":\"bad JSON: line=1, column=");
  }

  /// Zeros, a thousandth of their size on the wire.
  @ParameterizedTest
  @ValueSource(strings = {"gzip", "zstd"})
  void refusesAnHttpBodyThatExpandsTooFar(String encoding) throws Exception {
    byte[] bomb = compressed(new byte[64 * TestReceivers.MESSAGE_BYTES], encoding);
    assertThat(bomb.length).isLessThan(TestReceivers.MESSAGE_BYTES);

    for (String type : new String[] {"application/json", "application/x-protobuf"}) {
      assertThat(post(bomb, type, encoding).statusCode()).isEqualTo(413);
    }
  }

  private static byte[] compressed(byte[] bytes, String encoding) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (OutputStream compressing =
        switch (encoding) {
          case "gzip" -> new GZIPOutputStream(out);
          case "zstd" -> new ZstdOutputStream(out);
          default -> out;
        }) {
      compressing.write(bytes);
    }
    return out.toByteArray();
  }

  @Test
  void answersHttpErrorsAsOtlpAsks() throws Exception {
    byte[] whole = request(SPANS.next(30)).toByteArray();
    byte[] cut = Arrays.copyOf(whole, whole.length - 1);
    assertError(post(cut, "application/x-protobuf", "identity"), 400, "cannot parse protobuf");
    assertError(post(whole, "application/x-protobuf", "gzip"), 400, "cannot expand gzip");
    assertError(post(whole, "text/plain", "identity"), 415, "unsupported content type");
    assertError(post(whole, "application/x-protobuf", "br"), 415, "unsupported content encoding");
    receivers.store.failNext(new StoreException(StoreException.Kind.REJECTED, "bad data"));
    assertError(post(whole, "application/x-protobuf", "identity"), 400, "bad data");
    for (int i = 0; i < 3; i++) {
      receivers.store.failNext(new StoreException(StoreException.Kind.UNAVAILABLE, "no room"));
    }
    HttpResponse<byte[]> response = post(whole, "application/x-protobuf", "identity");
    assertError(response, 503, "no room");
    assertThat(response.headers().firstValue("retry-after")).contains("1");
    byte[] large = new byte[TestReceivers.MESSAGE_BYTES + 1];
    assertThat(post(large, "application/x-protobuf", "identity").statusCode()).isEqualTo(413);
  }

  private static void assertError(HttpResponse<byte[]> response, int status, String message)
      throws IOException {
    assertThat(response.statusCode()).isEqualTo(status);
    assertThat(com.google.rpc.Status.parseFrom(response.body()).getMessage()).contains(message);
  }

  private HttpResponse<byte[]> post(byte[] body, String contentType, String contentEncoding)
      throws IOException, InterruptedException {
    try (HttpClient client = HttpClient.newHttpClient()) {
      return client.send(
          HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + receivers.port() + "/v1/traces"))
              .header("content-type", contentType)
              .header("content-encoding", contentEncoding)
              .POST(HttpRequest.BodyPublishers.ofByteArray(body))
              .build(),
          HttpResponse.BodyHandlers.ofByteArray());
    }
  }

  private TraceServiceBlockingStub stub() {
    return TraceServiceGrpc.newBlockingStub(channel).withDeadlineAfter(20, TimeUnit.SECONDS);
  }

  /// Sends bytes that need not be a message.
  private ExportTraceServiceResponse raw(byte[] message) {
    MethodDescriptor<byte[], ExportTraceServiceResponse> method =
        TraceServiceGrpc.getExportMethod().toBuilder(
                new MethodDescriptor.Marshaller<byte[]>() {
                  @Override
                  public InputStream stream(byte[] value) {
                    return new ByteArrayInputStream(value);
                  }

                  @Override
                  public byte[] parse(InputStream stream) {
                    throw new AssertionError("requests are not parsed here");
                  }
                },
                TraceServiceGrpc.getExportMethod().getResponseMarshaller())
            .build();
    return ClientCalls.blockingUnaryCall(
        channel, method, CallOptions.DEFAULT.withDeadlineAfter(20, TimeUnit.SECONDS), message);
  }

  private static ExportTraceServiceRequest padded(int bytes) {
    return ExportTraceServiceRequest.newBuilder()
        .addResourceSpans(
            ResourceSpans.newBuilder().setSchemaUrlBytes(ByteString.copyFrom(spaces(bytes))))
        .build();
  }

  private static byte[] spaces(int bytes) {
    byte[] spaces = new byte[bytes];
    Arrays.fill(spaces, (byte) ' ');
    return spaces;
  }

  private static ExportTraceServiceRequest request(SpanBatch batch) {
    return ExportTraceServiceRequest.newBuilder()
        .addAllResourceSpans(OtlpEncoder.encode(batch).getResourceSpansList())
        .build();
  }

  private static void assertStatus(Runnable call, Status.Code code, String description) {
    assertThatThrownBy(call::run)
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            e -> {
              assertThat(e.getStatus().getCode()).isEqualTo(code);
              assertThat(e.getStatus().getDescription()).startsWith(description);
            });
  }
}
