package io.headspan.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.linecorp.armeria.client.WebClient;
import com.linecorp.armeria.common.HttpMethod;
import com.linecorp.armeria.common.RequestHeaders;
import com.linecorp.armeria.server.Server;
import com.sun.net.httpserver.HttpServer;
import io.headspan.agent.export.ArrowCollector;
import io.headspan.loadgen.runc.ContainerSpec;
import io.headspan.loadgen.runc.RuncContainer;
import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.http.AcceptLoop;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The whole agent on the real kernel, with real containers, sending to a real gRPC server.
@Tag("privileged")
@Tag("kernels")
class NodeAgentBpfIT {
  private static final long OWN_PID = ProcessHandle.current().pid();

  @TempDir Path runDirectory;
  private final ArrowCollector collector = new ArrowCollector();
  private final List<AutoCloseable> open = new ArrayList<>();
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  /// A span with its resource, for reading.
  private record Span(
      String name,
      int kind,
      long traceId,
      long spanId,
      long parentSpanId,
      long durationNs,
      int status,
      Map<String, Object> attributes,
      Map<String, Object> resource) {}

  @BeforeEach
  void startCollector() throws IOException {
    collector.start();
    open.add(collector);
  }

  @AfterEach
  void closeAll() throws Exception {
    client.close();
    while (!open.isEmpty()) {
      open.removeLast().close();
    }
  }

  @Test
  void capturesAChainOfTwoContainersAsOneTrace() throws Exception {
    NodeAgent agent = startAgent();
    RuncContainer back =
        start(RuncContainer.httpService("hs-it-back", List.of()).asFunction("acme", "stock", "2"));
    RuncContainer front =
        start(
            RuncContainer.httpService(
                    "hs-it-front", List.of("--next", "http://127.0.0.1:" + port(back) + "/items/7"))
                .asFunction("acme", "shop", "1"));
    int requests = 20;
    for (int i = 0; i < requests; i++) {
      get(port(front), "/orders/" + i + "?secret=1", traceparent(100L + i, 0xc0L + i));
    }
    get(port(front), "/orders/1?status=503", traceparent(500, 0xc1));
    get(port(front), "/orders/1", "");

    int expected = 3 * requests + 6;
    List<Span> spans = spans(this::isOurs, expected);
    assertThat(spans).hasSize(expected);
    for (int i = 0; i < requests; i++) {
      long trace = 100L + i;
      Span shop = only(spans, s -> s.traceId == trace && isServer(s, "shop"));
      Span call = only(spans, s -> s.traceId == trace && s.kind == 3);
      Span stock = only(spans, s -> s.traceId == trace && isServer(s, "stock"));
      assertThat(shop.parentSpanId).isEqualTo(0xc0L + i);
      assertThat(shop.name).isEqualTo("GET /orders/{id}");
      assertThat(shop.attributes)
          .containsEntry("url.path", "/orders/" + i)
          .containsEntry("http.request.method", "GET")
          .containsEntry("http.response.status_code", 200L)
          .containsEntry("server.port", (long) port(front))
          .doesNotContainKey("headspan.header_parent");
      if (hasTimeAccounts()) {
        assertThat(shop.attributes)
            .containsKeys("headspan.scope", "headspan.queue_ns", "headspan.cpu_ns");
      }
      assertThat(shop.resource)
          .containsEntry("service.name", "shop")
          .containsEntry("service.version", "1")
          .containsEntry("headspan.tenant", "acme")
          .containsEntry("headspan.runtime", "container")
          .containsEntry("container.id", "hs-it-front")
          .containsEntry("faas.instance", "hs-it-front");
      assertThat(call.parentSpanId).isEqualTo(shop.spanId);
      assertThat(call.resource).containsEntry("service.name", "shop");
      assertThat(call.attributes)
          .containsEntry("server.address", "127.0.0.1")
          .containsEntry("server.port", (long) port(back))
          .containsEntry("headspan.header_parent", "%016x".formatted(0xc0L + i));
      assertThat(stock.parentSpanId).isEqualTo(call.spanId);
      assertThat(stock.name).isEqualTo("POST /items/{id}");
      assertThat(stock.durationNs).isPositive().isLessThan(call.durationNs);
      assertThat(call.durationNs).isLessThan(shop.durationNs);
    }
    Span failed = only(spans, s -> s.traceId == 500 && isServer(s, "shop"));
    assertThat(failed.status).isEqualTo(2);
    assertThat(failed.attributes)
        .containsEntry("http.response.status_code", 503L)
        .containsEntry("error.type", "503");
    Span withoutContext = only(spans, s -> s.parentSpanId == 0 && isServer(s, "shop"));
    Span joined = only(spans, s -> s.parentSpanId == withoutContext.spanId);
    assertThat(joined.traceId).isEqualTo(withoutContext.traceId);
    assertThat(only(spans, s -> s.parentSpanId == joined.spanId).traceId)
        .isEqualTo(withoutContext.traceId);

    assertThat(scrape(agent, "/ready")).isEqualTo("ready\n");
    String metrics = scrape(agent, "/metrics");
    assertThat(metrics)
        .contains("headspan_agent_parents_total{evidence=\"connection\"} " + (requests + 2.0))
        .contains("headspan_agent_parents_total{evidence=\"same_trace\"} " + (requests + 1.0))
        .contains("headspan_agent_parents_total{evidence=\"only_open\"} 1.0")
        .contains("headspan_agent_exported_spans_total ")
        .contains("headspan_agent_dropped_spans_total{reason=\"queue_full\"} 0.0")
        .contains("headspan_agent_time_accounts_on 1.0")
        // Whether a thread ever waited for a CPU is the machine's affair.
        .contains("headspan_agent_accounts_total{outcome=\"none\"} 0.0")
        .contains("headspan_agent_probe_sched_total{counter=\"waits_not_charged\"} 0.0")
        .contains("headspan_agent_probe_http_total{counter=\"exchange_dropped\"} 0.0");
  }

  @ParameterizedTest
  @ValueSource(strings = {"h1c", "h2c"})
  void takesItsPlaceInTracesOfB3(String protocol) {
    startAgent();
    Server server =
        Server.builder()
            .bossGroupFactory(AcceptLoop::start)
            .http(new InetSocketAddress("127.0.0.1", 0))
            .service("prefix:/", (_, _) -> com.linecorp.armeria.common.HttpResponse.of(200))
            .build();
    open.add(server);
    server.start().join();
    WebClient web = WebClient.of(protocol + "://127.0.0.1:" + server.activeLocalPort());
    String trace = "%032x";
    String span = "%016x";
    List<RequestHeaders> requests =
        List.of(
            RequestHeaders.of(
                HttpMethod.GET,
                "/one",
                "b3",
                trace.formatted(11) + "-" + span.formatted(21) + "-1"),
            RequestHeaders.of(
                HttpMethod.GET,
                "/several",
                "x-b3-traceid",
                trace.formatted(12),
                "x-b3-spanid",
                span.formatted(22),
                "x-b3-sampled",
                "1"),
            // The W3C's header counts, if there are both.
            RequestHeaders.of(
                HttpMethod.GET,
                "/both",
                "b3",
                trace.formatted(99) + "-" + span.formatted(99) + "-1",
                "traceparent",
                traceparent(13, 23)));
    for (RequestHeaders request : requests) {
      assertThat(web.execute(request).aggregate().join().status().code()).isEqualTo(200);
    }
    List<Span> spans = spans(s -> s.traceId >= 11 && s.traceId <= 13, 3);
    assertThat(spans).hasSize(3);
    for (int i = 1; i <= 3; i++) {
      long number = i;
      Span found = only(spans, s -> s.traceId == 10 + number);
      assertThat(found.parentSpanId).isEqualTo(20 + number);
      assertThat(found.kind).isEqualTo(2);
    }
  }

  @Test
  void knowsContainersAndProcessesThatWereThereBefore() throws Exception {
    RuncContainer container =
        start(
            RuncContainer.httpService("hs-it-old", List.of())
                .withAnnotation("io.headspan.team", "payments"));
    int processPort = startHttpServer();
    startAgent();
    get(port(container), "/a", traceparent(1, 2));
    get(processPort, "/b", traceparent(3, 4));
    List<Span> spans = spans(s -> s.traceId == 1 || s.traceId == 3, 2);
    assertThat(only(spans, s -> s.traceId == 1).resource)
        .containsEntry("service.name", "hs-it-old")
        .containsEntry("headspan.team", "payments")
        .doesNotContainKeys("headspan.tenant", "faas.name");
    assertThat(only(spans, s -> s.traceId == 3).resource)
        .containsEntry("service.name", "java")
        .containsEntry("headspan.runtime", "process")
        .containsEntry("process.executable.name", "java")
        .containsEntry("process.pid", OWN_PID)
        .doesNotContainKeys("headspan.tenant", "container.id");
  }

  @Test
  void namesTheFunctionsOfAWasmExecutor() throws Exception {
    startAgent();
    int port = startHttpServer();
    Path executors = Files.createDirectories(runDirectory.resolve("executors"));
    String stat = Files.readString(Path.of("/proc/self/stat"));
    String startTicks = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1)[19];
    Files.writeString(
        executors.resolve(OWN_PID + ".json"),
        """
        {"pid": %d, "startTicks": %s, "port": %d,
         "functions": [{"tenant": "acme", "name": "resize", "version": "9"}]}
        """
            .formatted(OWN_PID, startTicks, port));
    get(port, "/functions/acme/resize", traceparent(1, 2));
    Span span = only(spans(s -> s.traceId == 1, 1), s -> s.traceId == 1);
    assertThat(span.resource)
        .containsEntry("service.name", "resize")
        .containsEntry("service.version", "9")
        .containsEntry("headspan.tenant", "acme")
        .containsEntry("headspan.runtime", "wasm")
        .containsEntry("faas.name", "resize")
        .containsEntry("faas.instance", OWN_PID + "@" + startTicks);
  }

  @Test
  void namesTheOptionWhenItsPortIsTaken() throws Exception {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
      String address = "127.0.0.1:" + taken.getLocalPort();
      assertThatThrownBy(() ->
              NodeAgent.start(
                  AgentConfig.from(
                      Map.of("HEADSPAN_AGENT_LISTEN", address, "HEADSPAN_AGENT_SPOOL", "off"))))
          .isInstanceOfSatisfying(
              AgentException.class, e -> assertThat(e.kind()).isEqualTo(AgentException.Kind.LISTEN))
          .hasMessageStartingWith("the agent cannot listen: address=" + address)
          .hasMessageEndingWith("set another address with --listen or HEADSPAN_AGENT_LISTEN");
    }
  }

  private NodeAgent startAgent() {
    NodeAgent agent =
        NodeAgent.start(
            AgentConfig.from(
                Map.of(
                    "HEADSPAN_AGENT_COLLECTOR",
                    "127.0.0.1:" + collector.port(),
                    "HEADSPAN_AGENT_LISTEN",
                    "127.0.0.1:0",
                    "HEADSPAN_AGENT_BATCH_AGE",
                    "100ms",
                    "HEADSPAN_AGENT_SPOOL",
                    runDirectory.resolve("spool").toString(),
                    // An emulated machine is too slow for any, and this is not about budgets.
                    "HEADSPAN_AGENT_CPU_BUDGET",
                    "0",
                    "HEADSPAN_RUN_DIR",
                    runDirectory.toString())));
    open.add(agent);
    return agent;
  }

  private RuncContainer start(ContainerSpec spec) {
    RuncContainer container = RuncContainer.startHttpService(spec);
    open.add(container);
    return container;
  }

  private static int port(RuncContainer container) {
    return Integer.parseInt(container.readyLine().substring("ready on ".length()));
  }

  private int startHttpServer() throws IOException {
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 16);
    server.createContext(
        "/",
        exchange -> {
          exchange.sendResponseHeaders(204, -1);
          exchange.close();
        });
    server.start();
    open.add(() -> server.stop(0));
    return server.getAddress().getPort();
  }

  private void get(int port, String path, String traceparent) throws Exception {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path));
    if (!traceparent.isEmpty()) {
      request.header("traceparent", traceparent);
    }
    client.send(request.build(), HttpResponse.BodyHandlers.discarding());
  }

  private static String traceparent(long traceId, long spanId) {
    return "00-%032x-%016x-01".formatted(traceId, spanId);
  }

  private String scrape(NodeAgent agent, String path) throws Exception {
    return client
        .send(
            HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + agent.port() + path)).build(),
            HttpResponse.BodyHandlers.ofString())
        .body();
  }

  private static boolean isServer(Span span, String service) {
    return span.kind == 2 && service.equals(span.resource.get("service.name"));
  }

  private static Span only(List<Span> spans, Predicate<Span> which) {
    List<Span> found = spans.stream().filter(which).toList();
    assertThat(found).as("spans found among " + spans).hasSize(1);
    return found.getFirst();
  }

  /// The agent sees the whole machine: other programs' requests come too.
  private boolean isOurs(Span span) {
    return "acme".equals(span.resource.get("headspan.tenant"));
  }

  /// Waits for `count` such spans and gives all there are then.
  private List<Span> spans(Predicate<Span> which, int count) {
    long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    List<Span> spans = read(which);
    while (spans.size() < count && System.nanoTime() - deadlineNs < 0) {
      LockSupport.parkNanos(10_000_000);
      spans = read(which);
    }
    return spans;
  }

  private List<Span> read(Predicate<Span> which) {
    return read().stream().filter(which).toList();
  }

  private List<Span> read() {
    List<Span> spans = new ArrayList<>();
    for (SpanBatch batch : collector.batches()) {
      for (int row = 0; row < batch.size(); row++) {
        spans.add(
            new Span(
                batch.text(batch.name(row)),
                batch.kind(row),
                batch.traceIdLow(row),
                batch.spanId(row),
                batch.parentSpanId(row),
                batch.durationNs(row),
                batch.statusCode(row),
                attributes(batch, batch.spanAttributes(), row),
                attributes(
                    batch, batch.resourceAttributes(), batch.scopeResource(batch.scope(row)))));
      }
    }
    // What a slow machine took more than 5 s for comes twice: open, and at its end.
    spans.removeIf(span -> Long.valueOf(1).equals(span.attributes.get("headspan.open")));
    return spans;
  }

  /// Before Linux 6.3 no tracepoint tells which thread answers, and spans have no accounts.
  private static boolean hasTimeAccounts() {
    String[] version = System.getProperty("os.version").split("[.-]", 3);
    int major = Integer.parseInt(version[0]);
    return major > 6 || (major == 6 && Integer.parseInt(version[1]) >= 3);
  }

  private static Map<String, Object> attributes(SpanBatch batch, Attributes from, int owner) {
    Map<String, Object> attributes = new HashMap<>();
    for (int row = from.begin(owner); row < from.end(owner); row++) {
      attributes.put(
          batch.text(from.key(row)),
          from.type(row) == AttributeType.STRING
              ? batch.text((int) from.value(row))
              : (Object) from.value(row));
    }
    return attributes;
  }
}
