package io.headspan.collector;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import com.google.protobuf.ByteString;
import com.google.rpc.RetryInfo;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.MetadataUtils;
import io.headspan.collector.receive.ArrowClient;
import io.headspan.loadgen.tls.MadeAuthority;
import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import io.headspan.storage.StoreAddress;
import io.headspan.storage.embedded.StoreProcess;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.access.Tokens;
import io.headspan.wire.otap.OtapEncoder;
import io.headspan.wire.otlp.OtlpDecoder;
import io.netty.handler.ssl.SslContextBuilder;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest;
import io.opentelemetry.proto.collector.logs.v1.LogsServiceGrpc;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.collector.trace.v1.TraceServiceGrpc;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.experimental.arrow.v1.BatchStatus;
import io.opentelemetry.proto.experimental.arrow.v1.StatusCode;
import io.opentelemetry.proto.logs.v1.LogRecord;
import io.opentelemetry.proto.logs.v1.ResourceLogs;
import io.opentelemetry.proto.logs.v1.ScopeLogs;
import io.opentelemetry.proto.resource.v1.Resource;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/// The collector's edge with real stores behind it: tokens, limits, regions.
class EdgeIT {
  private static final String AGENT = "token-of-the-agent-Yn3w";
  private static final String ACME = "token-of-acme-8xQz";
  private static final String OPERATOR = "token-of-an-operator-kk2P";
  private static final AtomicInteger IDS = new AtomicInteger();
  private static final AtomicInteger DATABASES = new AtomicInteger();

  @TempDir private static Path stores;
  private static StoreProcess storeProcess;

  @TempDir private Path directory;
  private Path tokens;
  private Path tenants;
  private StoreAddress address;
  private final ListAppender<ILoggingEvent> log = new ListAppender<>();
  private final List<ManagedChannel> channels = new ArrayList<>();
  private @Nullable Collector collector;

  @BeforeAll
  static void startStore() {
    storeProcess = StoreProcess.start(stores.resolve("own"));
  }

  @AfterAll
  static void stopStore() {
    storeProcess.close();
  }

  @BeforeEach
  void prepare() throws IOException {
    log.start();
    Logger root = (Logger) LoggerFactory.getLogger("io.headspan");
    root.setLevel(Level.TRACE);
    root.addAppender(log);
    address = storeProcess.address().withDatabase("edge_" + DATABASES.incrementAndGet());
    tenants = directory.resolve("tenants.yaml");
    tokens =
        Files.writeString(
            directory.resolve("tokens.yaml"),
            """
            tokens:
              - {name: nodes, role: agent, sha256: %s}
              - {name: acme-sdk, role: sender, tenants: acme, sha256: %s}
              - {name: prometheus, role: operator, sha256: %s}
            """
                .formatted(Tokens.hash(AGENT), Tokens.hash(ACME), Tokens.hash(OPERATOR)));
  }

  @AfterEach
  void close() {
    channels.forEach(ManagedChannel::shutdownNow);
    if (collector != null) {
      collector.close();
    }
    Logger root = (Logger) LoggerFactory.getLogger("io.headspan");
    root.detachAppender(log);
    root.setLevel(null);
    noSecretIn(log.list.stream().map(EdgeIT::written).toList().toString());
  }

  private static String written(ILoggingEvent event) {
    return event.getFormattedMessage()
        + (event.getThrowableProxy() == null ? "" : event.getThrowableProxy().getMessage());
  }

  private static void noSecretIn(String text) {
    assertThat(text).doesNotContain(AGENT, ACME, OPERATOR, "hunter2");
    assertThat(text).doesNotContain(Tokens.hash(AGENT), Tokens.hash(ACME), Tokens.hash(OPERATOR));
  }

  @Test
  void storesUnderTheSendersTenantOnly() throws Exception {
    start(Map.of());
    var _ = traces(ACME).export(spans("", "acme"));
    assertThat(traces(ACME).export(spans("acme", "bravo")).getPartialSuccess().getRejectedSpans())
        .isEqualTo(1);
    assertThatThrownBy(() -> traces(ACME).export(spans("bravo")))
        .hasMessageContaining("PERMISSION_DENIED");
    var _ = traces(AGENT).export(spans("bravo", ""));
    var _ = logs(ACME).export(logs("", "bravo"));

    assertThat(perTenant(address, "spans")).isEqualTo(Map.of("acme", 3L, "bravo", 1L, "", 1L));
    assertThat(perTenant(address, "logs")).isEqualTo(Map.of("acme", 1L));
    assertThat(leftOut(address))
        .isEqualTo(
            Map.of(
                "acme-sdk/acme/traces/foreign_tenant", 1L,
                "acme-sdk/acme/logs/foreign_tenant", 1L));
  }

  @Test
  void metricsAreForOperatorsAndHoldNoSecret() throws Exception {
    start(Map.of());
    assertThatThrownBy(() -> traces("Nobody's-token").export(spans("acme")))
        .hasMessageContaining("UNAUTHENTICATED");
    assertThat(get("/metrics", "").statusCode()).isEqualTo(401);
    assertThat(get("/metrics", AGENT).statusCode()).isEqualTo(403);
    assertThat(get("/ready", "").statusCode()).isEqualTo(200);
    HttpResponse<String> metrics = get("/metrics", OPERATOR);
    assertThat(metrics.statusCode()).isEqualTo(200);
    assertThat(metrics.body())
        .contains("headspan_collector_refused_total{reason=\"unauthenticated\"}");
    noSecretIn(metrics.body());
  }

  @Test
  void whatIsStoredStaysAsLongAsItsTenantWants() throws Exception {
    start(Map.of());
    var _ = traces(AGENT).export(spans("acme", "bravo", ""));
    var _ = traces(AGENT).export(tenDaysAgo(spans("acme", "bravo", "")));
    assertThat(perTenant(address, "spans")).isEqualTo(Map.of("acme", 2L, "bravo", 2L, "", 2L));
    Objects.requireNonNull(collector).close();
    Files.writeString(tenants, "tenants: [{name: bravo, retention_days: 0}]");

    start(
        Map.of(
            "HEADSPAN_COLLECTOR_TENANTS",
            tenants.toString(),
            "HEADSPAN_COLLECTOR_RETENTION_DAYS",
            "5"));
    Await.until(
        "what is old has gone",
        () -> perTenant(address, "spans").equals(Map.of("acme", 1L, "bravo", 2L, "", 1L)));
    Await.until("it is said", () -> logged("expired: table=kept_spans"));
  }

  @Test
  void anErrorInAFileTellsNoSecret() throws IOException {
    Files.writeString(tenants, "regions: [{name: us, store: 'http://u:hunter2@us.example:x/y/z'}]");
    assertThatThrownBy(() -> start(Map.of("HEADSPAN_COLLECTOR_TENANTS", tenants.toString())))
        .isInstanceOf(CollectorException.class)
        .hasMessageContaining("not a store address")
        .hasMessageNotContaining("hunter2");
    assertThatThrownBy(
            () -> start(Map.of("HEADSPAN_COLLECTOR_STORE", "http://u:hunter2@/us.example")))
        .isInstanceOf(CollectorException.class)
        .hasMessageNotContaining("hunter2");
  }

  @Test
  void aTenantAboveItsRateComesAgainAndLosesNothing() throws Exception {
    limit("spans_per_second: 20, burst: 1s");
    for (int i = 0; i < 4; i++) {
      ExportTraceServiceRequest request = spans(20, "acme");
      boolean stored = false;
      while (!stored) {
        try {
          var _ = traces(ACME).export(request);
          stored = true;
        } catch (StatusRuntimeException e) {
          assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
          assertThat(retryNanos(e)).isBetween(1L, 1_100_000_000L);
          Thread.sleep(retryNanos(e) / 1_000_000 + 1);
        }
      }
    }
    assertThat(perTenant(address, "spans")).isEqualTo(Map.of("acme", 80L));
    HttpResponse<String> http = post(spans(20, "acme"), ACME);
    while (http.statusCode() == 200) {
      http = post(spans(20, "acme"), ACME);
    }
    assertThat(http.statusCode()).isEqualTo(429);
    assertThat(http.headers().firstValue("retry-after"))
        .hasValueSatisfying(seconds -> assertThat(Integer.parseInt(seconds)).isBetween(1, 2));
    assertThat(leftOut(address)).isEmpty();
  }

  @Test
  void whatANoisyTenantHasTooMuchIsInTheLedgerAndTheOthersAreStored() throws Exception {
    limit("spans_per_second: 1, burst: 1s, attributes: 2");
    ArrowClient client = ArrowClient.open(channel(AGENT));
    try (OtapEncoder encoder = new OtapEncoder()) {
      for (int i = 0; i < 3; i++) {
        client.send(encoder.encode(i, OtlpDecoder.decode(spans(50, "acme", "bravo")), headers(i)));
        assertThat(client.awaitCodes(i + 1)).containsEntry((long) i, StatusCode.OK);
      }
    }
    client.halfClose();
    assertThat(client.awaitEnd()).isEqualTo(Status.OK);
    Map<String, Long> left = leftOut(address);
    assertThat(left).containsOnlyKeys("nodes/acme/traces/rate_limited");
    long acme = perTenant(address, "spans").getOrDefault("acme", 0L);
    assertThat(acme + left.getOrDefault("nodes/acme/traces/rate_limited", 0L)).isEqualTo(150);
    assertThat(perTenant(address, "spans")).containsEntry("bravo", 150L);
    assertThat(get("/metrics", OPERATOR).body())
        .contains("headspan_collector_left_out_total{reason=\"rate_limited\"");
  }

  @Test
  void limitsAreReadAgainWhenTheyChange() throws Exception {
    limit("attributes: 1");
    var _ = traces(ACME).export(spans("acme"));
    Files.writeString(tenants, "tenants: [{name: acme, attributes: none}]");
    Await.until(
        "the problem in the log",
        () -> {
          var _ = traces(ACME).export(spans("acme"));
          return logged("changed tenants are not used, the old ones are:");
        });
    Files.writeString(tenants, "tenants: [{name: acme, record_kib: 0.0001}]");
    Await.until(
        "the new limit",
        () -> traces(ACME).export(spans("acme")).getPartialSuccess().getRejectedSpans() == 1);
    Files.writeString(
        tenants, "{regions: [{name: us, store: 'http://127.0.0.1:9'}], tenants: [{name: acme}]}");
    Await.until(
        "the region in the log",
        () -> {
          var _ = traces(ACME).export(spans("acme"));
          return logged("regions have changed");
        });
    assertThat(leftOut(address)).containsOnlyKeys("acme-sdk/acme/traces/too_large");
  }

  @Test
  void eachRegionHasItsTenantsAndOneThatIsAwayStopsNoOther() throws Exception {
    Path usDirectory = stores.resolve("us-" + DATABASES.incrementAndGet());
    StoreProcess us = StoreProcess.start(usDirectory);
    StoreAddress usAddress = us.address();
    Path usFile = Files.writeString(directory.resolve("us"), usAddress + "\n");
    Files.writeString(
        tenants,
        """
        regions: [{name: us, store_file: %s}]
        tenants: [{name: acme, region: us}]
        """
            .formatted(usFile));
    try {
      start(Map.of("HEADSPAN_COLLECTOR_TENANTS", tenants.toString()));
      Await.until("both", () -> body("/ready").equals("ready\n"));
      ArrowClient client = ArrowClient.open(channel(AGENT));
      List<SpanBatch> batches = new ArrayList<>();
      try (OtapEncoder encoder = new OtapEncoder()) {
        for (int i = 0; i < 3; i++) {
          batches.add(OtlpDecoder.decode(spans(10, "acme", "bravo", "")));
        }
        client.send(encoder.encode(0, batches.get(0), headers(0)));
        assertThat(client.awaitCode(0)).contains(StatusCode.OK);
        us.kill();
        Await.until("away", () -> body("/ready").startsWith("ready, but for region us: "));
        for (int i = 1; i < 3; i++) {
          client.send(encoder.encode(i, batches.get(i), headers(i)));
          assertThat(client.awaitCode(i)).contains(StatusCode.UNAVAILABLE);
        }
        assertThat(client.statuses().stream().map(BatchStatus::getStatusMessage))
            .anyMatch(message -> message.startsWith("region away: "));
        assertThat(perTenant(address, "spans")).isEqualTo(Map.of("bravo", 30L, "", 30L));
        var _ = traces(AGENT).export(spans("bravo"));
        assertThatThrownBy(() -> traces(AGENT).export(spans("acme")))
            .hasMessageContaining("UNAVAILABLE")
            .hasMessageContaining("region=us");
        us =
            StoreProcess.start(
                Map.of(
                    "HEADSPAN_STORE_LISTEN",
                    usAddress.host() + ":" + usAddress.port(),
                    "HEADSPAN_STORE_PATH",
                    usDirectory.toString()));
        Await.until("back", () -> body("/ready").equals("ready\n"));
        for (int i = 0; i < 3; i++) {
          client.send(encoder.encode(3 + i, batches.get(i), headers(i)));
          assertThat(client.awaitCode(3 + i)).contains(StatusCode.OK);
        }
      }
      client.cancel();
      var _ = logs(AGENT).export(logs("acme", "bravo"));
      assertThat(perTenant(address, "spans")).isEqualTo(Map.of("bravo", 31L, "", 30L));
      assertThat(perTenant(usAddress, "spans")).isEqualTo(Map.of("acme", 30L));
      assertThat(perTenant(address, "logs")).isEqualTo(Map.of("bravo", 1L));
      assertThat(perTenant(usAddress, "logs")).isEqualTo(Map.of("acme", 1L));
      assertThat(get("/metrics", OPERATOR).body())
          .contains("headspan_collector_region_ready{region=\"us\"} 1");
    } finally {
      us.close();
    }
  }

  @Test
  void aCertificateIsAnIdentityToo() throws Exception {
    MadeAuthority authority = MadeAuthority.make(directory.resolve("authority"));
    MadeAuthority.Pair server = authority.issue("server");
    MadeAuthority.Pair shop = authority.issue("shop", "uri:spiffe://example.com/fn/shop");
    MadeAuthority.Pair other = authority.issue("other", "dns:other.example.com");
    Files.writeString(
        tokens,
        """
        tokens:
          - {name: shop, role: sender, tenants: acme, certificate: "spiffe://example.com/fn/*"}
          - {name: nodes, role: agent, sha256: %s}
        """
            .formatted(Tokens.hash(AGENT)));
    start(
        Map.of(
            "HEADSPAN_COLLECTOR_TLS_CERTIFICATE", server.certificate().toString(),
            "HEADSPAN_COLLECTOR_TLS_KEY", server.key().toString(),
            "HEADSPAN_COLLECTOR_TLS_CLIENT_CA", authority.certificate().toString(),
            "HEADSPAN_COLLECTOR_TLS_CLIENT_CERTIFICATE", "optional"));
    awaitStored(TraceServiceGrpc.newBlockingStub(channel(authority, shop, "")), spans(""));
    awaitStored(TraceServiceGrpc.newBlockingStub(channel(authority, null, AGENT)), spans("bravo"));
    assertThatThrownBy(
            () -> TraceServiceGrpc.newBlockingStub(channel(authority, other, "")).export(spans("")))
        .hasMessageContaining("UNAUTHENTICATED")
        .hasMessageContaining("no known certificate: names=[other.example.com]");
    assertThatThrownBy(
            () -> TraceServiceGrpc.newBlockingStub(channel(authority, null, "")).export(spans("")))
        .hasMessageContaining("UNAUTHENTICATED");
    // A bad token is not made good by the certificate.
    assertThatThrownBy(() ->
            TraceServiceGrpc.newBlockingStub(channel(authority, shop, "bad")).export(spans("")))
        .hasMessageContaining("UNAUTHENTICATED");
    assertThat(perTenant(address, "spans")).isEqualTo(Map.of("acme", 1L, "bravo", 1L));
  }

  private static void awaitStored(
      TraceServiceGrpc.TraceServiceBlockingStub stub, ExportTraceServiceRequest request) {
    Await.until(
        "stored",
        () -> {
          try {
            var _ = stub.export(request);
            return true;
          } catch (StatusRuntimeException e) {
            assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
            return false;
          }
        });
  }

  private boolean logged(String text) {
    return List.copyOf(log.list).stream()
        .anyMatch(event -> event.getFormattedMessage().contains(text));
  }

  private static long retryNanos(StatusRuntimeException e) {
    try {
      byte[] details =
          Objects.requireNonNull(e.getTrailers())
              .get(Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER));
      com.google.protobuf.Duration delay =
          com.google.rpc.Status.parseFrom(details)
              .getDetails(0)
              .unpack(RetryInfo.class)
              .getRetryDelay();
      return delay.getSeconds() * 1_000_000_000L + delay.getNanos();
    } catch (IOException broken) {
      throw new AssertionError(broken);
    }
  }

  private void limit(String acme) throws Exception {
    Files.writeString(tenants, "tenants: [{name: acme, " + acme + "}]");
    start(Map.of("HEADSPAN_COLLECTOR_TENANTS", tenants.toString()));
  }

  private void start(Map<String, String> more) throws Exception {
    Map<String, String> settings = new HashMap<>();
    settings.put("HEADSPAN_COLLECTOR_LISTEN", "127.0.0.1:0");
    settings.put("HEADSPAN_COLLECTOR_STORE", address.toString());
    settings.put("HEADSPAN_COLLECTOR_TOKENS", tokens.toString());
    settings.putAll(more);
    collector = Collector.start(CollectorConfig.from(settings));
    if (!more.containsKey("HEADSPAN_COLLECTOR_TLS_KEY")) {
      Await.until("ready", () -> body("/ready").startsWith("ready"));
    }
  }

  private int port() {
    return Objects.requireNonNull(collector).port();
  }

  private String body(String path) {
    try {
      return get(path, "").body();
    } catch (IOException | InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private HttpResponse<String> get(String path, String token)
      throws IOException, InterruptedException {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port() + path));
    if (!token.isEmpty()) {
      request.header("authorization", "Bearer " + token);
    }
    try (HttpClient client = HttpClient.newHttpClient()) {
      return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }
  }

  private HttpResponse<String> post(ExportTraceServiceRequest body, String token)
      throws IOException, InterruptedException {
    try (HttpClient client = HttpClient.newHttpClient()) {
      return client.send(
          HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port() + "/v1/traces"))
              .header("authorization", "Bearer " + token)
              .header("content-type", "application/x-protobuf")
              .POST(HttpRequest.BodyPublishers.ofByteArray(body.toByteArray()))
              .build(),
          HttpResponse.BodyHandlers.ofString());
    }
  }

  private TraceServiceGrpc.TraceServiceBlockingStub traces(String token) {
    return TraceServiceGrpc.newBlockingStub(channel(token)).withDeadlineAfter(20, TimeUnit.SECONDS);
  }

  private LogsServiceGrpc.LogsServiceBlockingStub logs(String token) {
    return LogsServiceGrpc.newBlockingStub(channel(token)).withDeadlineAfter(20, TimeUnit.SECONDS);
  }

  private Channel channel(String token) {
    if (channels.isEmpty()) {
      channels.add(NettyChannelBuilder.forAddress("127.0.0.1", port()).usePlaintext().build());
    }
    return with(channels.getFirst(), token);
  }

  private Channel channel(MadeAuthority authority, MadeAuthority.@Nullable Pair own, String token)
      throws IOException {
    SslContextBuilder context =
        SslContextBuilder.forClient().trustManager(authority.certificate().toFile());
    if (own != null) {
      context = context.keyManager(own.certificate().toFile(), own.key().toFile());
    }
    ManagedChannel channel =
        NettyChannelBuilder.forAddress("127.0.0.1", port())
            .sslContext(GrpcSslContexts.configure(context).build())
            .build();
    channels.add(channel);
    return token.isEmpty() ? channel : with(channel, token);
  }

  private static Channel with(Channel channel, String token) {
    Metadata headers = new Metadata();
    headers.put(
        Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
    return ClientInterceptors.intercept(
        channel, MetadataUtils.newAttachHeadersInterceptor(headers));
  }

  private static Map<String, String> headers(int sequence) {
    return Map.of(
        "headspan-agent-id", "agent",
        "headspan-boot-id", "boot",
        "headspan-sequence", Integer.toString(sequence));
  }

  private static Map<String, Long> perTenant(StoreAddress at, String table) {
    return rows(at, "SELECT tenant, count() FROM " + table + " GROUP BY tenant");
  }

  private static Map<String, Long> leftOut(StoreAddress at) {
    return rows(
        at,
        "SELECT concat(sender, '/', tenant, '/', signal, '/', reason) AS what, sum(records)"
            + " FROM collector_ledger GROUP BY what");
  }

  private static Map<String, Long> rows(StoreAddress at, String sql) {
    Map<String, Long> rows = new TreeMap<>();
    try (SpanStore store = SpanStore.connect(at)) {
      var _ = store.query(SqlQuery.of(sql), row -> rows.put(row.text(0), row.integer(1)) == null);
    }
    return rows;
  }

  /// A span of each tenant; "" for none.
  private static ExportTraceServiceRequest spans(String... tenants) {
    return spans(1, tenants);
  }

  /// Some spans of each tenant, with two attributes each.
  private static ExportTraceServiceRequest spans(int each, String... tenants) {
    ExportTraceServiceRequest.Builder request = ExportTraceServiceRequest.newBuilder();
    Instant now = Instant.now();
    for (String tenant : tenants) {
      ScopeSpans.Builder scope = ScopeSpans.newBuilder();
      for (int i = 0; i < each; i++) {
        ByteBuffer id = ByteBuffer.allocate(16);
        id.putLong(1).putLong(IDS.incrementAndGet());
        scope.addSpans(
            Span.newBuilder()
                .setName("GET")
                .setStartTimeUnixNano(now.getEpochSecond() * 1_000_000_000L)
                .setEndTimeUnixNano(now.getEpochSecond() * 1_000_000_000L + 1)
                .setTraceId(ByteString.copyFrom(id.array()))
                .setSpanId(ByteString.copyFrom(id.array(), 8, 8))
                .addAttributes(attribute("a", "b")));
      }
      request.addResourceSpans(
          ResourceSpans.newBuilder().setResource(resource(tenant)).addScopeSpans(scope));
    }
    return request.build();
  }

  private static ExportTraceServiceRequest tenDaysAgo(ExportTraceServiceRequest spans) {
    ExportTraceServiceRequest.Builder request = spans.toBuilder();
    for (ResourceSpans.Builder resource : request.getResourceSpansBuilderList()) {
      for (ScopeSpans.Builder scope : resource.getScopeSpansBuilderList()) {
        for (Span.Builder span : scope.getSpansBuilderList()) {
          long agoNs = TimeUnit.DAYS.toNanos(10);
          span.setStartTimeUnixNano(span.getStartTimeUnixNano() - agoNs)
              .setEndTimeUnixNano(span.getEndTimeUnixNano() - agoNs);
        }
      }
    }
    return request.build();
  }

  private static ExportLogsServiceRequest logs(String... tenants) {
    ExportLogsServiceRequest.Builder request = ExportLogsServiceRequest.newBuilder();
    for (String tenant : tenants) {
      request.addResourceLogs(
          ResourceLogs.newBuilder()
              .setResource(resource(tenant))
              .addScopeLogs(
                  ScopeLogs.newBuilder()
                      .addLogRecords(
                          LogRecord.newBuilder()
                              .setTimeUnixNano(Instant.now().getEpochSecond() * 1_000_000_000L))));
    }
    return request.build();
  }

  private static Resource resource(String tenant) {
    return tenant.isEmpty()
        ? Resource.getDefaultInstance()
        : Resource.newBuilder().addAttributes(attribute("headspan.tenant", tenant)).build();
  }

  private static KeyValue attribute(String key, String value) {
    return KeyValue.newBuilder()
        .setKey(key)
        .setValue(AnyValue.newBuilder().setStringValue(value))
        .build();
  }
}
