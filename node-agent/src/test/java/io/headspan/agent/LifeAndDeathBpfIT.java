package io.headspan.agent;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.export.ArrowCollector;
import io.headspan.loadgen.runc.ContainerSpec;
import io.headspan.loadgen.runc.RuncContainer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// How instances begin and end, as the spans of their invocations tell it: the whole agent on the
/// real kernel, with real containers that really die.
@Tag("privileged")
class LifeAndDeathBpfIT {
  private static final int AT_ONCE = 8;
  private static final Logger LOG = LoggerFactory.getLogger(LifeAndDeathBpfIT.class);
  private static final String TENANT = "life-" + ProcessHandle.current().pid();

  @TempDir Path runDirectory;
  private final ArrowCollector collector = new ArrowCollector();
  private final List<AutoCloseable> open = new ArrayList<>();
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  @BeforeEach
  void startAgent() throws IOException {
    collector.start();
    open.add(collector);
    open.add(
        NodeAgent.start(
            AgentConfig.from(
                Map.of(
                    "HEADSPAN_AGENT_COLLECTOR",
                    "127.0.0.1:" + collector.port(),
                    "HEADSPAN_AGENT_LISTEN",
                    "127.0.0.1:0",
                    "HEADSPAN_AGENT_BATCH_AGE",
                    "100ms",
                    "HEADSPAN_RUN_DIR",
                    runDirectory.toString()))));
  }

  @AfterEach
  void closeAll() throws Exception {
    client.close();
    while (!open.isEmpty()) {
      open.removeLast().close();
    }
  }

  @Test
  void marksTheFirstInvocationOfAContainerAndMeasuresItsStart() throws Exception {
    long beforeNs = System.nanoTime();
    RuncContainer container = start(service("cold"));
    for (int i = 0; i < 3; i++) {
      assertThat(post(container, "/items/" + i).get(10, TimeUnit.SECONDS).statusCode())
          .isEqualTo(200);
    }
    long afterNs = System.nanoTime();
    List<CapturedSpan> spans = invocations("cold", 3);
    assertThat(spans).hasSize(3);
    List<CapturedSpan> cold =
        spans.stream().filter(span -> span.attributes().containsKey("faas.coldstart")).toList();
    assertThat(cold).hasSize(1);
    assertThat(cold.getFirst().attributes())
        .containsEntry("url.path", "/items/0")
        .containsEntry("faas.coldstart", 1L);
    // A JVM needs some time to begin.
    assertThat(cold.getFirst().attributes().get("headspan.coldstart_ns"))
        .asInstanceOf(InstanceOfAssertFactories.LONG)
        .isBetween(10_000_000L, afterNs - beforeNs);
  }

  @Test
  void tellsAnInvocationThatRunsForLongBeforeItsEndAndAgainAtItsEnd() throws Exception {
    RuncContainer back = start(service("waited-for"));
    RuncContainer front =
        start(service("waiting", "--next", "http://127.0.0.1:" + port(back) + "/slow?sleep=7500"));
    assertThat(post(front, "/slow").get(20, TimeUnit.SECONDS).statusCode()).isEqualTo(200);
    List<CapturedSpan> all =
        CapturedSpan.await(
            collector, span -> TENANT.equals(span.resource().get("headspan.tenant")), 6);
    assertThat(all).as("an invocation, its call and what it led to, each twice").hasSize(6);
    List<CapturedSpan> open =
        all.stream()
            .filter(span -> Long.valueOf(1).equals(span.attributes().get("headspan.open")))
            .toList();
    assertThat(open).hasSize(3);
    for (CapturedSpan before : open) {
      CapturedSpan after =
          all.stream()
              .filter(span -> span.spanId() == before.spanId() && !open.contains(span))
              .findFirst()
              .orElseThrow();
      assertThat(before.durationNs()).isBetween(5_000_000_000L, 7_500_000_000L);
      assertThat(after.durationNs()).isGreaterThan(7_500_000_000L);
      assertThat(after.attributes()).containsEntry("headspan.open", 0L);
      assertThat(after.traceId()).isEqualTo(before.traceId());
      assertThat(after.parentSpanId()).isEqualTo(before.parentSpanId());
      assertThat(before.attributes()).doesNotContainKey("http.response.status_code");
      assertThat(after.attributes()).containsEntry("http.response.status_code", 200L);
    }
    // Without any header, the chain is known while all of it is open.
    CapturedSpan outer =
        open.stream().filter(span -> span.parentSpanId() == 0).findFirst().orElseThrow();
    CapturedSpan call =
        open.stream()
            .filter(span -> span.parentSpanId() == outer.spanId())
            .findFirst()
            .orElseThrow();
    assertThat(open).anyMatch(span -> span.parentSpanId() == call.spanId());
  }

  @Test
  void namesTheSignalThatEndedAnInvocation() throws Exception {
    RuncContainer container = start(service("killed"));
    CompletableFuture<HttpResponse<Void>> request = post(container, "/slow?sleep=20000");
    awaitThreadIn(container);
    container.signal("KILL");
    assertFails(request);
    assertError("killed", "signal:9");
  }

  @Test
  void namesTheStatusWithWhichTheProcessEnded() throws Exception {
    RuncContainer container = start(service("halted"));
    assertFails(post(container, "/bye?halt=3"));
    assertError("halted", "exit:3");
  }

  @Test
  void tellsAKillForMemoryFromOthers() throws Exception {
    RuncContainer container = start(service("greedy").withMemory(200L << 20));
    assertFails(post(container, "/much?allocate=400"));
    assertError("greedy", "oom_kill");
  }

  @Test
  void callsAConnectionThatALivingProcessClosedJustThat() throws Exception {
    RuncContainer container = start(service("living"));
    try (Socket socket = new Socket("127.0.0.1", port(container))) {
      socket
          .getOutputStream()
          .write("GET /slow?sleep=5000 HTTP/1.1\r\nHost: a\r\n\r\n".getBytes(US_ASCII));
      awaitThreadIn(container);
      // Closing resets the connection; the server's process goes on.
      socket.setSoLinger(true, 0);
    }
    assertError("living", "connection_reset");
  }

  /// A server that speaks just enough of Redis to be asked for keys; what it has is their names.
  private int startRedis() throws IOException {
    ServerSocket server = new ServerSocket(0, 16, InetAddress.getLoopbackAddress());
    open.add(server);
    Thread.ofVirtual()
        .start(() -> {
          while (!server.isClosed()) {
            try (Socket socket = server.accept()) {
              BufferedReader lines =
                  new BufferedReader(new InputStreamReader(socket.getInputStream(), US_ASCII));
              // A command is the number of its words, and each of them behind its length.
              for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                for (int i = 0; i < 3; i++) {
                  lines.readLine();
                }
                String key = lines.readLine();
                socket
                    .getOutputStream()
                    .write("$%d\r\n%s\r\n".formatted(key.length(), key).getBytes(US_ASCII));
              }
            } catch (IOException e) {
              LOG.debug("A connection ended", e);
            }
          }
        });
    return server.getLocalPort();
  }

  @Test
  void tellsOfCallsToACacheWithinTheInvocationThatMadeThem() throws Exception {
    int redis = startRedis();
    RuncContainer container = start(service("cached"));
    assertThat(post(container, "/items?redis=" + redis).get(10, TimeUnit.SECONDS).statusCode())
        .isEqualTo(200);
    CapturedSpan invocation = invocations("cached", 1).getFirst();
    List<CapturedSpan> calls =
        CapturedSpan.await(
            collector,
            span -> span.kind() == 3 && TENANT.equals(span.resource().get("headspan.tenant")),
            2);
    assertThat(calls).hasSize(2);
    for (CapturedSpan call : calls) {
      assertThat(call.name()).isEqualTo("redis");
      assertThat(call.parentSpanId()).isEqualTo(invocation.spanId());
      assertThat(call.traceId()).isEqualTo(invocation.traceId());
      assertThat(call.status()).isZero();
      assertThat(call.durationNs()).isBetween(1L, invocation.durationNs());
      assertThat(call.attributes())
          .containsEntry("db.system.name", "redis")
          .containsEntry("server.address", "127.0.0.1")
          .containsEntry("server.port", (long) redis)
          .containsEntry("network.peer.address", "127.0.0.1")
          .containsEntry("network.peer.port", (long) redis)
          .containsEntry("network.transport", "tcp")
          .containsEntry("headspan.response_bytes", 11L)
          .doesNotContainKeys("url.path", "http.request.method");
    }
  }

  /// Eight at once, and each asks for a key of another length: the answers' lengths are the truth.
  @Test
  void tellsByTheThreadWhichOfManyInvocationsCalled() throws Exception {
    List<CapturedSpan> calls = askForKeys(start(service("threads", "--threads", "8")), "threads");
    Map<Long, CapturedSpan> invocations =
        invocations("threads", AT_ONCE).stream()
            .collect(Collectors.toMap(CapturedSpan::spanId, span -> span));
    for (CapturedSpan call : calls) {
      assertThat(invocations).as("parent of %s", call).containsKey(call.parentSpanId());
      CapturedSpan parent = Objects.requireNonNull(invocations.get(call.parentSpanId()));
      assertThat(call.traceId()).isEqualTo(parent.traceId());
      assertThat(parent.attributes()).containsEntry("url.path", "/keys/" + keyLength(call));
    }
  }

  /// Where threads serve in turns nobody can tell whose a call is: it is a trace of its own, or of
  /// the only invocation there was.
  @Test
  void tellsOfCallsToACacheThatNobodyCanTellTheCallerOf() throws Exception {
    List<CapturedSpan> calls = askForKeys(start(service("turns")), "turns");
    Map<Long, CapturedSpan> invocations =
        invocations("turns", AT_ONCE).stream()
            .collect(Collectors.toMap(CapturedSpan::spanId, span -> span));
    assertThat(calls).anyMatch(call -> call.parentSpanId() == 0);
    for (CapturedSpan call : calls) {
      CapturedSpan parent = invocations.get(call.parentSpanId());
      if (parent == null) {
        assertThat(call.parentSpanId()).isZero();
      } else {
        assertThat(parent.attributes()).containsEntry("url.path", "/keys/" + keyLength(call));
      }
    }
  }

  private List<CapturedSpan> askForKeys(RuncContainer container, String function) throws Exception {
    int redis = startRedis();
    List<CompletableFuture<HttpResponse<Void>>> requests = new ArrayList<>();
    for (int i = 1; i <= AT_ONCE; i++) {
      String path = "/keys/%d?redis=%d&key=%s&sleep=300".formatted(i, redis, "k".repeat(i));
      requests.add(post(container, path));
    }
    for (CompletableFuture<HttpResponse<Void>> request : requests) {
      assertThat(request.get(20, TimeUnit.SECONDS).statusCode()).isEqualTo(200);
    }
    List<CapturedSpan> calls =
        CapturedSpan.await(
            collector,
            span ->
                span.kind() == 3
                    && TENANT.equals(span.resource().get("headspan.tenant"))
                    && function.equals(span.resource().get("service.name")),
            AT_ONCE);
    assertThat(calls).hasSize(AT_ONCE);
    assertThat(calls).allMatch(call -> "redis".equals(call.attributes().get("db.system.name")));
    return calls;
  }

  /// Of an answer that has it before and is the key itself.
  private static long keyLength(CapturedSpan call) {
    Object bytes = Objects.requireNonNull(call.attributes().get("headspan.response_bytes"));
    return (Long) bytes - "$1\r\n\r\n".length();
  }

  private void assertError(String function, String cause) {
    List<CapturedSpan> spans = invocations(function, 1);
    assertThat(spans).hasSize(1);
    CapturedSpan span = spans.getFirst();
    assertThat(span.status()).isEqualTo(2);
    assertThat(span.attributes())
        .containsEntry("error.type", cause)
        .doesNotContainKey("http.response.status_code");
    assertThat(span.resource()).containsEntry("service.name", function);
  }

  private static void assertFails(CompletableFuture<HttpResponse<Void>> request) {
    assertThat(request)
        .failsWithin(20, TimeUnit.SECONDS)
        .withThrowableOfType(ExecutionException.class)
        .withCauseInstanceOf(IOException.class);
  }

  /// Waits until a request is being handled: it has been read, so its socket has no unread data.
  private void awaitThreadIn(RuncContainer container) throws Exception {
    // The service handles each request in a thread of its own, so a second one does not wait.
    assertThat(post(container, "/ping").get(10, TimeUnit.SECONDS).statusCode()).isEqualTo(200);
  }

  private List<CapturedSpan> invocations(String function, int count) {
    return CapturedSpan.await(
        collector,
        span ->
            span.kind() == 2
                && !"/ping".equals(span.attributes().get("url.path"))
                && TENANT.equals(span.resource().get("headspan.tenant"))
                && function.equals(span.resource().get("service.name")),
        count);
  }

  private ContainerSpec service(String function, String... arguments) {
    return RuncContainer.httpService(
            "hs-life-" + function + "-" + ProcessHandle.current().pid(), List.of(arguments))
        .asFunction(TENANT, function, "1");
  }

  private RuncContainer start(ContainerSpec spec) {
    RuncContainer container = RuncContainer.startHttpService(spec);
    open.add(container);
    return container;
  }

  /// Not a GET: the client sends those again if the connection breaks.
  private CompletableFuture<HttpResponse<Void>> post(RuncContainer container, String path) {
    return client.sendAsync(
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port(container) + path))
            .POST(HttpRequest.BodyPublishers.noBody())
            .build(),
        HttpResponse.BodyHandlers.discarding());
  }

  private static int port(RuncContainer container) {
    return Integer.parseInt(container.readyLine().substring("ready on ".length()));
  }
}
