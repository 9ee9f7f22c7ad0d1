package io.headspan.collector.receive;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import io.headspan.collector.Await;
import io.headspan.wire.AttributeType;
import io.headspan.wire.LogBatch;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.access.Tokens;
import io.headspan.wire.otap.OtapEncoder;
import io.headspan.wire.otlp.OtlpDecoder;
import io.headspan.wire.otlp.OtlpJson;
import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.NodeSignal;
import io.headspan.wire.signal.v1.NodeSignalsGrpc;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest;
import io.opentelemetry.proto.collector.logs.v1.LogsServiceGrpc;
import io.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;
import io.opentelemetry.proto.collector.metrics.v1.MetricsServiceGrpc;
import io.opentelemetry.proto.collector.trace.v1.ExportTracePartialSuccess;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse;
import io.opentelemetry.proto.collector.trace.v1.TraceServiceGrpc;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.experimental.arrow.v1.BatchStatus;
import io.opentelemetry.proto.experimental.arrow.v1.StatusCode;
import io.opentelemetry.proto.logs.v1.LogRecord;
import io.opentelemetry.proto.logs.v1.ResourceLogs;
import io.opentelemetry.proto.logs.v1.ScopeLogs;
import io.opentelemetry.proto.metrics.v1.Gauge;
import io.opentelemetry.proto.metrics.v1.Metric;
import io.opentelemetry.proto.metrics.v1.NumberDataPoint;
import io.opentelemetry.proto.metrics.v1.ResourceMetrics;
import io.opentelemetry.proto.metrics.v1.ScopeMetrics;
import io.opentelemetry.proto.resource.v1.Resource;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Who may send what, by each protocol.
class SenderReceiverTest {
  private static final String AGENT = "token-of-the-agent";
  private static final String SOME = "token-of-an-agent-for-some";
  private static final String ACME = "token-of-acme";
  private static final String BOTH = "token-of-acme-and-bravo";
  private static final String DASHBOARD = "token-of-a-dashboard";
  private static final String OPERATOR = "token-of-an-operator";
  private static final AtomicInteger IDS = new AtomicInteger();

  @TempDir private Path directory;
  private Path file;
  private TestReceivers receivers;

  @BeforeEach
  void start() throws IOException {
    file = directory.resolve("tokens.yaml");
    write(ACME);
    receivers = new TestReceivers(1 << 20, Optional.of(file));
  }

  private void write(String acme) throws IOException {
    Files.writeString(
        file,
        """
        pseudonym_key: a secret of the platform
        tokens:
          - {name: node-1, role: agent, sha256: %s}
          - {name: node-2, role: agent, tenants: "acme, bravo", sha256: %s}
          - {name: acme-sdk, role: sender, tenants: acme, sha256: %s}
          - {name: both-sdk, role: sender, tenants: "acme, bravo", sha256: %s}
          - {name: grafana, role: tenant, tenants: acme, sha256: %s}
          - {name: oncall, role: operator, sha256: %s}
        """
            .formatted(
                Tokens.hash(AGENT),
                Tokens.hash(SOME),
                Tokens.hash(acme),
                Tokens.hash(BOTH),
                Tokens.hash(DASHBOARD),
                Tokens.hash(OPERATOR)));
  }

  @AfterEach
  void close() {
    receivers.close();
  }

  @Test
  void anAgentStatesAnyTenant() {
    var _ = traces(AGENT).export(spans("acme", "bravo", ""));
    assertThat(storedTenants()).isEqualTo(Map.of("acme", 1, "bravo", 1, "", 1));
  }

  @Test
  void anAgentForSomeTenantsSendsForThoseAndForNone() {
    ExportTracePartialSuccess partial =
        traces(SOME).export(spans("acme", "charlie", "")).getPartialSuccess();
    assertThat(partial.getRejectedSpans()).isEqualTo(1);
    assertThat(partial.getErrorMessage())
        .isEqualTo("the token is not good for this tenant: tenant=charlie, token=node-2");
    assertThat(storedTenants()).isEqualTo(Map.of("acme", 1, "", 1));
    assertThat(receivers.count("spans.rejected", "reason", "foreign_tenant")).isEqualTo(1);
  }

  @Test
  void whatATenantsProgramLeavesOpenIsItsTenants() {
    assertThat(traces(ACME).export(spans("", "acme")))
        .isEqualTo(ExportTraceServiceResponse.getDefaultInstance());
    assertThat(storedTenants()).isEqualTo(Map.of("acme", 2));
  }

  @Test
  void nothingIsStoredUnderATenantThatDidNotSendIt() {
    assertThat(traces(ACME).export(spans("acme", "bravo")).getPartialSuccess().getRejectedSpans())
        .isEqualTo(1);
    assertRefused(
        () -> traces(ACME).export(spans("bravo")),
        Status.Code.PERMISSION_DENIED,
        "the token is not good for this tenant: tenant=bravo, token=acme-sdk");
    assertThat(storedTenants()).isEqualTo(Map.of("acme", 1));
  }

  @Test
  void aResourceCannotHideATenantBehindAnother() {
    for (Resource each :
        List.of(
            resource(text("acme"), text("bravo")),
            resource(text("bravo"), text("acme")),
            resource(text(""), text("bravo")))) {
      assertThatThrownBy(() -> traces(ACME).export(spans(each)))
          .isInstanceOf(StatusRuntimeException.class)
          .hasMessageContaining("tenant");
    }
    AnyValue number = AnyValue.newBuilder().setIntValue(7).build();
    var _ = traces(ACME).export(spans(resource(number, text("acme"))));
    var _ = traces(ACME).export(spans(resource(text(""), text("acme"))));
    assertThat(storedTenants()).isEqualTo(Map.of("acme", 2));
    for (SpanBatch batch : receivers.store.batches().values()) {
      assertThat(batch.resourceAttributes().size()).isEqualTo(1);
    }
  }

  @Test
  void aProgramCannotPassForAnAgent() {
    ExportTraceServiceRequest.Builder request =
        spans(
            resource().toBuilder()
                .addAttributes(attribute("headspan.runtime", "container"))
                .addAttributes(attribute("headspan.team", "shop"))
                .addAttributes(attribute("service.name", "headspan.shop"))
                .build())
            .toBuilder();
    request
        .getResourceSpansBuilder(0)
        .getScopeSpansBuilder(0)
        .getSpansBuilder(0)
        .addAttributes(attribute("headspan.culprit", "bravo"))
        .addAttributes(attribute("http.route", "/"));

    var _ = traces(ACME).export(request.build());

    SpanBatch stored = receivers.store.onlyBatch();
    assertThat(stored.resourceAttributes().size()).isEqualTo(3);
    assertThat(stored.spanAttributes().size()).isEqualTo(1);
    assertThat(stored.droppedAttributes(0)).isEqualTo(1);
    var _ = traces(AGENT).export(request.build());
    assertThat(
            receivers.store.batches().values().stream()
                .mapToInt(batch -> batch.spanAttributes().size()))
        .containsExactly(1, 2);
  }

  @Test
  void aProgramOfTwoTenantsHasToSayWhich() {
    assertThat(
            traces(BOTH).export(spans("acme", "bravo", "")).getPartialSuccess().getErrorMessage())
        .contains("does not say which: attribute=headspan.tenant, token=both-sdk");
    assertThat(storedTenants()).isEqualTo(Map.of("acme", 1, "bravo", 1));
  }

  @Test
  void theSameContentOfTwoTenantsIsTwoBatches() {
    ExportTraceServiceRequest request = spans("");
    var _ = traces(AGENT).export(request);
    var _ = traces(ACME).export(request);
    var _ = traces(ACME).export(request);
    assertThat(receivers.store.batches()).hasSize(2);
    Metadata named = new Metadata();
    Map.of("headspan-agent-id", "a", "headspan-boot-id", "b", "headspan-sequence", "1")
        .forEach((key, value) ->
            named.put(Metadata.Key.of(key, Metadata.ASCII_STRING_MARSHALLER), value));
    for (String token : List.of(ACME, AGENT)) {
      var _ =
          traces(token)
              .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(named))
              .export(spans("acme"));
    }
    assertThat(receivers.store.calls()).contains("a/b/1", "of/acme/a/b/1");
  }

  @Test
  void holdsForLogsAndDataPoints() {
    var _ =
        LogsServiceGrpc.newBlockingStub(channel("Bearer " + ACME))
            .export(logs(resource(), resource(text("bravo")), resource(text("acme"))));
    LogBatch stored = receivers.store.logs().values().iterator().next();
    assertThat(stored.entries())
        .extracting(each -> each.origin().text("headspan.tenant"))
        .containsExactly("acme", "acme");
    var metrics = MetricsServiceGrpc.newBlockingStub(channel("Bearer " + ACME));
    assertRefused(
        () -> metrics.export(points(resource(text("bravo")))),
        Status.Code.PERMISSION_DENIED,
        "tenant=bravo");
    var _ = metrics.export(points(resource()));
    assertThat(receivers.store.metrics().values().iterator().next().points())
        .extracting(each -> each.metric().origin().text("headspan.tenant"))
        .containsExactly("acme");
    assertThat(receivers.count("records.rejected", "reason", "foreign_tenant")).isEqualTo(2);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "Bearer ",
        "Bearer nobody's",
        "Digest token-of-acme",
        "token-of-acme",
        "Basic ???",
        "Bearer token-of-acme token-of-acme"
      })
  void nobodyIsLetInWithoutAKnownToken(String header) throws Exception {
    assertRefused(
        () -> TraceServiceGrpc.newBlockingStub(channel(header)).export(spans("acme")),
        Status.Code.UNAUTHENTICATED,
        "no known token: send Authorization: Bearer TOKEN");
    assertRefused(
        () -> NodeSignalsGrpc.newBlockingStub(channel(header)).report(report().encode()),
        Status.Code.UNAUTHENTICATED,
        "no known token");
    assertThat(ArrowClient.open(channel(header)).awaitEnd().getCode())
        .isEqualTo(Status.Code.UNAUTHENTICATED);
    assertThat(ArrowClient.openLogs(channel(header)).awaitEnd().getCode())
        .isEqualTo(Status.Code.UNAUTHENTICATED);
    for (String path : List.of("/v1/traces", "/v1/logs", "/v1/metrics")) {
      HttpResponse<String> response = post(path, spans("acme"), header, false);
      assertThat(response.statusCode()).isEqualTo(401);
      assertThat(response.headers().firstValue("www-authenticate")).isPresent();
    }
    assertThat(receivers.store.calls()).isEmpty();
    assertThat(receivers.count("refused", "reason", "unauthenticated")).isEqualTo(7);
  }

  @Test
  void aHeaderWithoutEndIsRefused() {
    assertThatThrownBy(() ->
            TraceServiceGrpc.newBlockingStub(channel("Bearer " + "a".repeat(100_000)))
                .export(spans("acme")))
        .isInstanceOf(StatusRuntimeException.class);
    var _ = traces(ACME).export(spans("acme"));
    assertThat(receivers.store.spans()).isEqualTo(1);
  }

  @ParameterizedTest
  @ValueSource(strings = {DASHBOARD, OPERATOR})
  void whoMayAskMayNotSend(String token) throws Exception {
    assertRefused(
        () -> traces(token).export(spans("acme")),
        Status.Code.PERMISSION_DENIED,
        "the token is not for sending: role=");
    assertThat(post("/v1/traces", spans("acme"), "Bearer " + token, true).statusCode())
        .isEqualTo(403);
    assertThat(receivers.store.calls()).isEmpty();
  }

  @Test
  void overHttpToo() throws Exception {
    String basic =
        "Basic "
            + Base64.getEncoder().encodeToString(("any:" + ACME).getBytes(StandardCharsets.UTF_8));
    for (boolean json : new boolean[] {false, true}) {
      assertThat(post("/v1/traces", spans(""), basic, json).statusCode()).isEqualTo(200);
      HttpResponse<String> foreign = post("/v1/traces", spans("bravo"), basic, json);
      assertThat(foreign.statusCode()).isEqualTo(403);
      assertThat(foreign.body()).contains("tenant=bravo");
    }
    assertThat(storedTenants()).isEqualTo(Map.of("acme", 2));
  }

  @Test
  void reportsAboutNodesAreForAgents() {
    assertRefused(
        () -> NodeSignalsGrpc.newBlockingStub(channel("Bearer " + ACME)).report(report().encode()),
        Status.Code.PERMISSION_DENIED,
        "reports about nodes are for tokens of role agent");
    var _ = NodeSignalsGrpc.newBlockingStub(channel("Bearer " + SOME)).report(report().encode());
    NodeReport stored = receivers.store.reports().values().iterator().next();
    assertThat(((NodeSignal.Interference) stored.signal()).cells())
        .extracting(NodeSignal.Interference.Cell::victim)
        .containsExactly("acme", "", "{host}");
  }

  @Test
  void anArrowStreamGoesOnAfterAForeignBatch() {
    ArrowClient client = ArrowClient.open(channel("Bearer " + ACME));
    try (OtapEncoder encoder = new OtapEncoder()) {
      client.send(encoder.encode(0, batch("bravo"), Map.of()));
      client.send(encoder.encode(1, batch(""), Map.of()));
      client.send(encoder.encode(2, batch("acme", "bravo"), Map.of()));
    }
    assertThat(client.awaitCodes(3))
        .isEqualTo(Map.of(0L, StatusCode.INVALID_ARGUMENT, 1L, StatusCode.OK, 2L, StatusCode.OK));
    client.halfClose();
    assertThat(client.awaitEnd()).isEqualTo(Status.OK);
    assertThat(message(client, 0))
        .isEqualTo(
            "foreign_tenant: the token is not good for this tenant: tenant=bravo, token=acme-sdk");
    assertThat(message(client, 2)).contains("tenant=bravo");
    assertThat(storedTenants()).isEqualTo(Map.of("acme", 2));
    assertThat(receivers.inFlight.bytes()).isZero();
  }

  @Test
  void aBatchMayHaveASenderOfItsOwn() {
    ArrowClient client = ArrowClient.open(channel("Bearer " + AGENT));
    try (OtapEncoder encoder = new OtapEncoder()) {
      client.send(encoder.encode(0, batch(""), Map.of("authorization", "Bearer " + ACME)));
      client.send(encoder.encode(1, batch("bravo"), Map.of("authorization", "Bearer nobody's")));
    }
    assertThat(client.awaitCodes(2))
        .isEqualTo(Map.of(0L, StatusCode.OK, 1L, StatusCode.UNAUTHENTICATED));
    assertThat(storedTenants()).isEqualTo(Map.of("acme", 1));
    client.cancel();
  }

  @Test
  void anOpenStreamEndsWhenItsTokenIsTakenAway() throws IOException {
    ArrowClient client = ArrowClient.open(channel("Bearer " + ACME));
    try (OtapEncoder encoder = new OtapEncoder()) {
      client.send(encoder.encode(0, batch("acme"), Map.of()));
      assertThat(client.awaitCode(0)).contains(StatusCode.OK);
      write("another token of acme's");
      Await.until(
          "the new tokens",
          () -> {
            try {
              var _ = traces("another token of acme's").export(spans("acme"));
              return true;
            } catch (StatusRuntimeException e) {
              assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.UNAUTHENTICATED);
              return false;
            }
          });
      client.send(encoder.encode(1, batch("acme"), Map.of()));
    }
    assertThat(client.awaitEnd().getCode()).isEqualTo(Status.Code.UNAUTHENTICATED);
    assertThat(receivers.store.spans()).isEqualTo(2);
  }

  private static String message(ArrowClient client, long id) {
    return client.statuses().stream()
        .filter(each -> each.getBatchId() == id)
        .map(BatchStatus::getStatusMessage)
        .findFirst()
        .orElseThrow();
  }

  private Map<String, Integer> storedTenants() {
    Map<String, Integer> tenants = new TreeMap<>();
    for (SpanBatch batch : receivers.store.batches().values()) {
      for (int span = 0; span < batch.size(); span++) {
        tenants.merge(tenant(batch, batch.scopeResource(batch.scope(span))), 1, Integer::sum);
      }
    }
    return tenants;
  }

  private static String tenant(SpanBatch batch, int resource) {
    for (int row = batch.resourceAttributes().begin(resource);
        row < batch.resourceAttributes().end(resource);
        row++) {
      if (batch.text(batch.resourceAttributes().key(row)).equals("headspan.tenant")
          && batch.resourceAttributes().type(row) == AttributeType.STRING) {
        return batch.text((int) batch.resourceAttributes().value(row));
      }
    }
    return "";
  }

  private TraceServiceGrpc.TraceServiceBlockingStub traces(String token) {
    return TraceServiceGrpc.newBlockingStub(channel("Bearer " + token));
  }

  private Channel channel(String authorization) {
    if (authorization.isEmpty()) {
      return receivers.channel();
    }
    Metadata headers = new Metadata();
    headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), authorization);
    return ClientInterceptors.intercept(
        receivers.channel(), MetadataUtils.newAttachHeadersInterceptor(headers));
  }

  private HttpResponse<String> post(String path, Message body, String header, boolean json)
      throws IOException, InterruptedException {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + receivers.port() + path))
            .header("content-type", json ? "application/json" : "application/x-protobuf")
            .POST(
                HttpRequest.BodyPublishers.ofByteArray(
                    json ? OtlpJson.write(body) : body.toByteArray()));
    if (!header.isEmpty()) {
      request.header("authorization", header);
    }
    try (HttpClient client = HttpClient.newHttpClient()) {
      return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }
  }

  private static void assertRefused(Runnable call, Status.Code code, String message) {
    assertThatThrownBy(call::run)
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            e -> {
              assertThat(e.getStatus().getCode()).isEqualTo(code);
              assertThat(e.getStatus().getDescription()).contains(message);
            });
  }

  private static NodeReport report() {
    return new NodeReport(
        "agent",
        "boot",
        1,
        "node",
        1,
        1,
        new NodeSignal.Interference(
            List.of(
                new NodeSignal.Interference.Cell("acme", "charlie", 1, 1),
                new NodeSignal.Interference.Cell("charlie", "acme", 1, 1),
                new NodeSignal.Interference.Cell("", "acme", 1, 1),
                new NodeSignal.Interference.Cell("{host}", "acme", 1, 1))));
  }

  private static SpanBatch batch(String... tenants) {
    return OtlpDecoder.decode(spans(tenants));
  }

  /// A span of each tenant; "" for none.
  private static ExportTraceServiceRequest spans(String... tenants) {
    Resource[] resources = new Resource[tenants.length];
    for (int i = 0; i < tenants.length; i++) {
      resources[i] = tenants[i].isEmpty() ? resource() : resource(text(tenants[i]));
    }
    return spans(resources);
  }

  private static ExportTraceServiceRequest spans(Resource... resources) {
    ExportTraceServiceRequest.Builder request = ExportTraceServiceRequest.newBuilder();
    for (Resource each : resources) {
      byte[] id = new byte[16];
      id[7] = 1;
      id[15] = (byte) IDS.incrementAndGet();
      request.addResourceSpans(
          ResourceSpans.newBuilder()
              .setResource(each)
              .addScopeSpans(
                  ScopeSpans.newBuilder()
                      .addSpans(
                          Span.newBuilder()
                              .setName("GET")
                              .setTraceId(ByteString.copyFrom(id))
                              .setSpanId(ByteString.copyFrom(id, 0, 8)))));
    }
    return request.build();
  }

  private static ExportLogsServiceRequest logs(Resource... resources) {
    ExportLogsServiceRequest.Builder request = ExportLogsServiceRequest.newBuilder();
    for (Resource each : resources) {
      request.addResourceLogs(
          ResourceLogs.newBuilder()
              .setResource(each)
              .addScopeLogs(ScopeLogs.newBuilder().addLogRecords(LogRecord.newBuilder())));
    }
    return request.build();
  }

  private static ExportMetricsServiceRequest points(Resource... resources) {
    ExportMetricsServiceRequest.Builder request = ExportMetricsServiceRequest.newBuilder();
    for (Resource each : resources) {
      request.addResourceMetrics(
          ResourceMetrics.newBuilder()
              .setResource(each)
              .addScopeMetrics(
                  ScopeMetrics.newBuilder()
                      .addMetrics(
                          Metric.newBuilder()
                              .setName("m")
                              .setGauge(
                                  Gauge.newBuilder()
                                      .addDataPoints(NumberDataPoint.newBuilder().setAsInt(1))))));
    }
    return request.build();
  }

  /// A resource that names its tenant as often as there are values.
  private static Resource resource(AnyValue... tenants) {
    Resource.Builder resource = Resource.newBuilder();
    for (AnyValue each : tenants) {
      resource.addAttributes(KeyValue.newBuilder().setKey("headspan.tenant").setValue(each));
    }
    return resource.build();
  }

  private static KeyValue attribute(String key, String value) {
    return KeyValue.newBuilder().setKey(key).setValue(text(value)).build();
  }

  private static AnyValue text(String text) {
    return AnyValue.newBuilder().setStringValue(text).build();
  }
}
