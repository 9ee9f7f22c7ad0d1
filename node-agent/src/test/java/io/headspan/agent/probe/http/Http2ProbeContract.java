package io.headspan.agent.probe.http;

import static io.headspan.agent.probe.http.Captures.head;
import static io.headspan.agent.probe.http.Captures.requestLine;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import com.linecorp.armeria.client.ClientFactory;
import com.linecorp.armeria.client.WebClient;
import com.linecorp.armeria.common.AggregatedHttpResponse;
import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpMethod;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.RequestHeaders;
import com.linecorp.armeria.server.Server;
import io.headspan.agent.probe.http.HttpExchange.End;
import io.headspan.agent.probe.http.HttpExchange.Protocol;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What the real programs see of real HTTP/2 clients and servers in this process, over loopback;
/// for each build of the object.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class Http2ProbeContract {
  private static final InetAddress LOOPBACK = InetAddress.getLoopbackAddress();
  private static final int TIMEOUT_MILLIS = 10_000;
  private static final String PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

  private final String objectName;
  private final TestCgroup cgroup = new TestCgroup();
  private HttpProbe probe;

  Http2ProbeContract(String objectName) {
    this.objectName = objectName;
  }

  @BeforeAll
  void open() {
    probe = HttpProbe.open(objectName, cgroup.path(), HttpProbe.RING_SIZE_BYTES);
  }

  @AfterAll
  void close() {
    try {
      probe.close();
    } finally {
      cgroup.close();
    }
  }

  @AfterEach
  void watchNothing() {
    probe.ignoreCgroup(cgroup.id());
  }

  private static String traceparent(int number) {
    return "00-%032x-%016x-01".formatted(number + 1, number + 1);
  }

  private static int status(int number) {
    return new int[] {200, 201, 404, 500, 503}[number % 5];
  }

  /// Answers `/n/NUMBER?...` with the status of the number and a body of `bodyBytes`, some late.
  private static Server startServer(int bodyBytes) {
    Server server =
        Server.builder()
            .http(new InetSocketAddress(LOOPBACK, 0))
            .http1MaxHeaderSize(1 << 18)
            .http2MaxHeaderListSize(1 << 18)
            .maxRequestLength(0)
            .service(
                "prefix:/n/",
                (context, request) -> {
                  String path = context.path();
                  int number = Integer.parseInt(path.substring(path.lastIndexOf('/') + 1));
                  CompletableFuture<HttpResponse> answer =
                      request
                          .aggregate()
                          .thenApply(_ ->
                              HttpResponse.of(
                                  HttpStatus.valueOf(status(number)),
                                  MediaType.OCTET_STREAM,
                                  HttpData.wrap(new byte[bodyBytes])));
                  HttpResponse response = HttpResponse.of(answer);
                  return number % 3 == 0
                      ? HttpResponse.delayed(response, Duration.ofMillis(number % 7))
                      : response;
                })
            .build();
    server.start().join();
    return server;
  }

  private static CompletableFuture<AggregatedHttpResponse> send(
      WebClient client, int number, int bodyBytes) {
    RequestHeaders headers =
        RequestHeaders.builder(
                bodyBytes > 0 ? HttpMethod.POST : HttpMethod.GET, "/n/" + number + "?secret=1")
            .add("traceparent", traceparent(number))
            .add("x-secret", "hidden" + number)
            .build();
    return client.execute(HttpRequest.of(headers, HttpData.wrap(new byte[bodyBytes]))).aggregate();
  }

  private static void assertRight(List<HttpExchange> exchanges, int count) {
    Map<String, HttpExchange> byLine = new HashMap<>();
    exchanges.forEach(exchange -> byLine.put(requestLine(exchange), exchange));
    assertThat(exchanges).hasSize(count);
    for (int number = 0; number < count; number++) {
      HttpExchange get = byLine.get("GET /n/" + number + " HTTP/1.1");
      HttpExchange exchange = get == null ? byLine.get("POST /n/" + number + " HTTP/1.1") : get;
      assertThat(exchange).as("number %d of %s", number, byLine.keySet()).isNotNull();
      assertThat(exchange.status()).isEqualTo(status(number));
      assertThat(exchange.end()).isEqualTo(End.RESPONSE);
      assertThat(exchange.protocol()).isEqualTo(Protocol.HTTP_2);
      assertThat(exchange.headComplete()).isTrue();
      assertThat(head(exchange))
          .contains("\r\ntraceparent: " + traceparent(number) + "\r\n")
          .doesNotContain("secret")
          .doesNotContain("hidden");
      assertThat(exchange.headNs()).isLessThanOrEqualTo(exchange.responseNs());
      assertThat(exchange.responseNs()).isLessThanOrEqualTo(exchange.tailNs());
    }
  }

  private static void assertJoined(List<HttpExchange> servers, List<HttpExchange> clients) {
    Map<Integer, HttpExchange> bySequence = new HashMap<>();
    servers.forEach(server -> bySequence.put(server.headSequence(), server));
    for (HttpExchange call : clients) {
      HttpExchange invocation = bySequence.get(call.headSequence());
      assertThat(invocation).isNotNull();
      assertThat(head(call)).isEqualTo(head(invocation));
      assertThat(call.local()).isEqualTo(invocation.remote());
      assertThat(call.remote()).isEqualTo(invocation.local());
      assertThat(call.headNs()).isLessThanOrEqualTo(invocation.headNs());
      assertThat(invocation.peerLocal()).isTrue();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 100, 20_000})
  void capturesMultiplexedStreams(int bodyBytes) {
    probe.watchCgroup(cgroup.id());
    int count = bodyBytes > 1000 ? 100 : 500;
    try (Server server = startServer(bodyBytes);
        ClientFactory factory =
            ClientFactory.builder().useHttp2Preface(true).http2MaxFrameSize(16_384).build()) {
      int port = server.activeLocalPort();
      var captures = new Captures(probe, port);
      WebClient client =
          WebClient.builder("h2c://127.0.0.1:" + port)
              .factory(factory)
              .responseTimeoutMillis(TIMEOUT_MILLIS)
              .maxResponseLength(0)
              .build();
      List<CompletableFuture<AggregatedHttpResponse>> answers = new ArrayList<>();
      for (int number = 0; number < count; number++) {
        answers.add(send(client, number, number % 2 == 0 ? 0 : bodyBytes));
      }
      for (int number = 0; number < count; number++) {
        assertThat(answers.get(number).join().status().code()).isEqualTo(status(number));
      }
      captures.await(
          () -> captures.servers().size() >= count && captures.clients().size() >= count);
      captures.assertNothingMore(Duration.ofMillis(50));
      assertRight(captures.servers(), count);
      assertRight(captures.clients(), count);
      assertJoined(captures.servers(), captures.clients());
    }
  }

  @Test
  void readsHeadsThatGoOnInContinuations() {
    try (Server server = startServer(10);
        ClientFactory factory = ClientFactory.builder().useHttp2Preface(true).build()) {
      int port = server.activeLocalPort();
      var captures = new Captures(probe, port);
      WebClient client = WebClient.builder("h2c://127.0.0.1:" + port).factory(factory).build();
      for (int number = 0; number < 20; number++) {
        // Incompressible, so that each head needs frames of its own.
        var random = new Random(number);
        StringBuilder padding = new StringBuilder();
        while (padding.length() < 20_000 + 3_000 * number) {
          padding.append((char) ('!' + random.nextInt(90)));
        }
        RequestHeaders headers =
            RequestHeaders.builder(HttpMethod.GET, "/n/" + number)
                .add("x-padding", padding.toString())
                .add("traceparent", traceparent(number))
                .build();
        assertThat(client.execute(headers).aggregate().join().status().code())
            .isEqualTo(status(number));
      }
      captures.awaitServers(20);
      assertRight(captures.servers(), 20);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void followsAnUpgradeFromHttp1(boolean withBody) throws Exception {
    probe.watchCgroup(cgroup.id());
    try (Server server = startServer(withBody ? 5_000 : 0);
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).build()) {
      int port = server.activeLocalPort();
      var captures = new Captures(probe, port);
      for (int number = 0; number < 10; number++) {
        var request =
            java.net.http.HttpRequest.newBuilder(
                    URI.create("http://127.0.0.1:" + port + "/n/" + number + "?secret=1"))
                .header("traceparent", traceparent(number))
                .build();
        var response = client.send(request, java.net.http.HttpResponse.BodyHandlers.ofByteArray());
        assertThat(response.version()).isEqualTo(HttpClient.Version.HTTP_2);
        assertThat(response.statusCode()).isEqualTo(status(number));
      }
      captures.await(() -> captures.servers().size() >= 10 && captures.clients().size() >= 10);
      captures.assertNothingMore(Duration.ofMillis(50));
      assertThat(captures.servers().stream().map(HttpExchange::status))
          .containsExactly(200, 201, 404, 500, 503, 200, 201, 404, 500, 503);
      assertThat(captures.servers()).allMatch(exchange -> exchange.protocol() == Protocol.HTTP_2);
      for (int i = 0; i < 10; i++) {
        HttpExchange exchange = captures.servers().get(i);
        assertThat(head(exchange)).contains(traceparent(i));
        if (i > 0) {
          // The first one is the HTTP/1.1 request itself.
          assertThat(requestLine(exchange)).isEqualTo("GET /n/" + i + " HTTP/1.1");
        }
      }
      assertJoined(captures.servers(), captures.clients());
    }
  }

  @Test
  void leavesWhatOnlyBeginsLikeHttp2() throws IOException {
    long malformed = probe.statistics().get(HttpCounter.HTTP2_MALFORMED);
    try (var server =
        new TestServer(
            LOOPBACK,
            connection -> {
              connection.readBody(PREFACE.length() + 100);
              connection.write("x".repeat(100));
              connection.in().read();
            })) {
      var captures = new Captures(probe, server.port());
      try (var socket = new Socket(LOOPBACK, server.port())) {
        socket.getOutputStream().write((PREFACE + "?".repeat(100)).getBytes(US_ASCII));
        assertThat(socket.getInputStream().readNBytes(100)).hasSize(100);
      }
      captures.assertNothingMore(Duration.ofMillis(100));
      assertThat(captures.servers()).isEmpty();
      assertThat(probe.statistics().get(HttpCounter.HTTP2_MALFORMED)).isGreaterThan(malformed - 1);
    }
  }
}
