package io.headspan.agent.probe.http;

import static io.headspan.agent.probe.http.Captures.head;
import static io.headspan.agent.probe.http.Captures.requestLine;
import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.probe.http.HttpExchange.End;
import io.headspan.agent.probe.http.HttpExchange.Role;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/// What the real programs do with real sockets of this process, over loopback; for each build of
/// the object.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class HttpProbeContract {
  private static final InetAddress LOOPBACK = InetAddress.getLoopbackAddress();
  private static final String OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  private static final int TIMEOUT_MILLIS = 60_000;

  private final String objectName;
  private final TestCgroup cgroup = new TestCgroup();
  private HttpProbe probe;

  HttpProbeContract(String objectName) {
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

  /// The client's end of a connection.
  private static final class Client implements AutoCloseable {
    private final Socket socket = new Socket();
    private final InputStream in;
    private final OutputStream out;

    Client(InetSocketAddress server) throws IOException {
      socket.setTcpNoDelay(true);
      socket.setSoTimeout(TIMEOUT_MILLIS);
      socket.connect(server, TIMEOUT_MILLIS);
      in = socket.getInputStream();
      out = socket.getOutputStream();
    }

    void write(String text) throws IOException {
      out.write(text.getBytes(ISO_8859_1));
      out.flush();
    }

    /// Writes in pieces; each is a segment of its own, for Nagle's algorithm is off.
    void writeInPieces(String text, int pieceMax, Random random) throws IOException {
      byte[] bytes = text.getBytes(ISO_8859_1);
      int at = 0;
      while (at < bytes.length) {
        int length = Math.min(1 + random.nextInt(pieceMax), bytes.length - at);
        out.write(bytes, at, length);
        out.flush();
        at += length;
      }
    }

    String read(int length) throws IOException {
      return new String(in.readNBytes(length), ISO_8859_1);
    }

    void expect(String text) throws IOException {
      assertThat(read(text.length())).isEqualTo(text);
    }

    String readAll() throws IOException {
      return new String(in.readAllBytes(), ISO_8859_1);
    }

    /// Closes with a reset instead of a farewell.
    void reset() throws IOException {
      socket.setSoLinger(true, 0);
      socket.close();
    }

    @Override
    public void close() throws IOException {
      socket.close();
    }
  }

  private static String get(String path) {
    return "GET " + path + " HTTP/1.1\r\nHost: test\r\n\r\n";
  }

  /// Answers every request of a connection with the same bytes.
  private static TestServer.Handler answering(String response) {
    return connection -> {
      while (connection.readHead().isPresent()) {
        connection.write(response);
      }
    };
  }

  /// One request, answered with `response` as it stands.
  private HttpExchange captureOne(String request, String response) throws IOException {
    try (var server = new TestServer(LOOPBACK, answering(response))) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.write(request);
        client.expect(response);
        captures.awaitServers(1);
      }
      captures.assertNothingMore(Duration.ofMillis(50));
      return captures.servers().getFirst();
    }
  }

  @Test
  void capturesAnExchangeWithEverythingAboutIt() throws IOException {
    String request = get("/hello?secret=1");
    try (var server = new TestServer(LOOPBACK, answering(OK))) {
      var captures = new Captures(probe, server.port());
      long beforeNs = System.nanoTime();
      long afterNs;
      int clientPort;
      try (var client = new Client(server.address())) {
        client.write(request);
        client.expect(OK);
        afterNs = System.nanoTime();
        clientPort = client.socket.getLocalPort();
        captures.awaitServers(1);
      }
      HttpExchange exchange = captures.servers().getFirst();
      assertThat(exchange.role()).isEqualTo(Role.SERVER);
      assertThat(exchange.cgroupId()).isEqualTo(cgroup.id());
      assertThat(exchange.local()).isEqualTo(server.address());
      assertThat(exchange.remote()).isEqualTo(new InetSocketAddress(LOOPBACK, clientPort));
      assertThat(exchange.headNs()).isBetween(beforeNs, afterNs);
      assertThat(exchange.responseNs()).isBetween(exchange.headNs(), afterNs);
      assertThat(exchange.tailNs()).isBetween(exchange.responseNs(), afterNs);
      assertThat(head(exchange)).isEqualTo(request);
      assertThat(exchange.headComplete()).isTrue();
      assertThat(exchange.status()).isEqualTo(200);
      assertThat(exchange.responseBytes()).isEqualTo(OK.length());
      assertThat(exchange.end()).isEqualTo(End.RESPONSE);
      assertThat(exchange.openAtHead()).isEqualTo(-1);
      assertThat(exchange.peerLocal()).isFalse();
      captures.assertNothingMore(Duration.ofMillis(200));
    }
  }

  @Test
  void capturesHeadsAndStatusLinesInPieces() throws IOException {
    var random = new Random(1);
    int[] pieceMax = {1, 2, 3, 10, 60};
    try (var server =
        new TestServer(
            LOOPBACK,
            connection -> {
              var serverRandom = new Random(2);
              while (connection.readHead().isPresent()) {
                int max = pieceMax[serverRandom.nextInt(pieceMax.length)];
                int at = 0;
                while (at < OK.length()) {
                  int length = Math.min(1 + serverRandom.nextInt(max), OK.length() - at);
                  connection.write(OK.substring(at, at + length));
                  at += length;
                }
              }
            })) {
      var captures = new Captures(probe, server.port());
      int requests = 300;
      try (var client = new Client(server.address())) {
        for (int i = 0; i < requests; i++) {
          client.writeInPieces(get("/" + i), pieceMax[i % pieceMax.length], random);
          client.expect(OK);
        }
        captures.awaitServers(requests);
      }
      for (int i = 0; i < requests; i++) {
        HttpExchange exchange = captures.servers().get(i);
        assertThat(head(exchange)).isEqualTo(get("/" + i));
        assertThat(exchange.status()).isEqualTo(200);
        assertThat(exchange.responseBytes()).isEqualTo(OK.length());
        assertThat(exchange.end()).isEqualTo(End.RESPONSE);
        assertThat(exchange.tailNs()).isGreaterThanOrEqualTo(exchange.responseNs());
        assertThat(exchange.responseNs()).isGreaterThan(exchange.headNs());
      }
    }
  }

  @Test
  void capturesHeadsOfAnyLength() throws IOException {
    var random = new Random(3);
    try (var server = new TestServer(LOOPBACK, answering(OK))) {
      var captures = new Captures(probe, server.port());
      List<String> requests = new ArrayList<>();
      try (var client = new Client(server.address())) {
        for (int length = 900; length < 16_000; length += 1 + random.nextInt(400)) {
          String start = "GET /" + length + " HTTP/1.1\r\nX: ";
          String end =
              "\r\ntraceparent: 00-"
                  + "0".repeat(27)
                  + "%05d".formatted(length)
                  + "-00000000000000aa-01\r\n\r\n";
          String request = start + "x".repeat(length - start.length() - end.length()) + end;
          requests.add(request);
          if (length % 3 == 0) {
            client.writeInPieces(request, 1500, random);
          } else {
            client.write(request);
          }
          client.expect(OK);
        }
        captures.awaitServers(requests.size());
      }
      assertThat(captures.servers().stream().map(Captures::head)).isEqualTo(requests);
      assertThat(captures.servers()).allMatch(HttpExchange::headComplete);
    }
  }

  @Test
  void capturesRequestsWithBodies() throws IOException {
    var random = new Random(4);
    TestServer.Handler handler =
        connection -> {
          for (var head = connection.readHead(); head.isPresent(); head = connection.readHead()) {
            int length =
                head.get()
                    .lines()
                    .filter(line -> line.startsWith("Content-Length: "))
                    .mapToInt(line -> Integer.parseInt(line.substring(16)))
                    .findFirst()
                    .orElseThrow();
            if (head.get().contains("Expect: ")) {
              connection.write("HTTP/1.1 100 Continue\r\n\r\n");
            }
            connection.readBody(length);
            connection.write("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
          }
        };
    try (var server = new TestServer(LOOPBACK, handler)) {
      var captures = new Captures(probe, server.port());
      List<String> heads = new ArrayList<>();
      int[] lengths = {0, 1, 10, 900, 1000, 1024, 1500, 5000, 20_000, 100_000, 3_000_000};
      try (var client = new Client(server.address())) {
        for (int length : lengths) {
          for (boolean expect : new boolean[] {false, true}) {
            String head =
                "POST /body/"
                    + length
                    + " HTTP/1.1\r\nHost: test\r\nContent-Length: "
                    + length
                    + (expect ? "\r\nExpect: 100-continue" : "")
                    + "\r\n\r\n";
            // Bodies that look like heads do not deceive.
            String body = get("/body").repeat(1 + length / 30).substring(0, length);
            heads.add(head);
            if (expect) {
              client.write(head);
              client.expect("HTTP/1.1 100 Continue\r\n\r\n");
              client.write(body);
            } else if (length < 30_000) {
              client.writeInPieces(head + body, 700, random);
            } else {
              client.write(head + body);
            }
            client.expect("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
          }
        }
        captures.awaitServers(heads.size());
      }
      assertThat(captures.servers().stream().map(Captures::head)).isEqualTo(heads);
      assertThat(captures.servers())
          .allMatch(exchange -> exchange.status() == 201 && exchange.headComplete());
    }
  }

  @Test
  void takesBytesOfAChunkedRequestForItsBody() throws IOException {
    String request =
        "POST /chunks HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "1e\r\n"
            + get("/in/the/chunk").substring(0, 30)
            + "\r\n0\r\n\r\n";
    TestServer.Handler handler =
        connection -> {
          for (var head = connection.readHead(); head.isPresent(); head = connection.readHead()) {
            if (head.get().startsWith("POST")) {
              connection.readBody(request.length() - head.get().length());
            }
            connection.write(OK);
          }
        };
    try (var server = new TestServer(LOOPBACK, handler)) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.write(request);
        client.expect(OK);
        client.write(get("/after"));
        client.expect(OK);
        captures.awaitServers(2);
      }
      assertThat(captures.servers().stream().map(Captures::requestLine))
          .containsExactly("POST /chunks HTTP/1.1", "GET /after HTTP/1.1");
    }
  }

  @Test
  void waitsForTheLastByteOfAResponse() throws IOException {
    long quietEnds = count(HttpCounter.QUIET_ENDS);
    String head = "HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n";
    var firstHalfSent = new CountDownLatch(1);
    var goOn = new CountDownLatch(1);
    TestServer.Handler handler =
        connection -> {
          while (connection.readHead().isPresent()) {
            connection.write(head + "x".repeat(250_000));
            firstHalfSent.countDown();
            await(goOn);
            connection.write("x".repeat(250_000));
          }
        };
    try (var server = new TestServer(LOOPBACK, handler)) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.write(get("/large"));
        client.expect(head + "x".repeat(250_000));
        await(firstHalfSent);
        captures.assertNothingMore(Duration.ofMillis(250));
        long resumedNs = System.nanoTime();
        goOn.countDown();
        client.read(250_000);
        long readNs = System.nanoTime();
        // Nothing happens on the connection any more: only a sweep can find the end.
        captures.awaitServers(1);
        assertThat(count(HttpCounter.QUIET_ENDS)).isEqualTo(quietEnds);
        HttpExchange exchange = captures.servers().getFirst();
        assertThat(exchange.tailNs()).isBetween(resumedNs, readNs);
        assertThat(exchange.responseNs()).isLessThan(resumedNs);
        assertThat(exchange.responseBytes()).isEqualTo(head.length() + 500_000);
      }
      captures.assertNothingMore(Duration.ofMillis(50));
    }
  }

  @Test
  void capturesLargeResponsesOneAfterAnother() throws IOException {
    TestServer.Handler handler =
        connection -> {
          for (var head = connection.readHead(); head.isPresent(); head = connection.readHead()) {
            int length = Integer.parseInt(head.get().substring(5, head.get().indexOf(" HTTP")));
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: " + length + "\r\n\r\n");
            connection.write("y".repeat(length));
          }
        };
    try (var server = new TestServer(LOOPBACK, handler)) {
      var captures = new Captures(probe, server.port());
      int[] lengths = {100, 200, 300, 1000, 10_000, 70_000, 200_000, 4_000_000};
      int rounds = 20;
      try (var client = new Client(server.address())) {
        for (int i = 0; i < rounds * lengths.length; i++) {
          int length = lengths[i % lengths.length];
          client.write(get("/" + length));
          String head = "HTTP/1.1 200 OK\r\nContent-Length: " + length + "\r\n\r\n";
          client.read(head.length() + length);
        }
        captures.awaitServers(rounds * lengths.length);
      }
      for (int i = 0; i < rounds * lengths.length; i++) {
        int length = lengths[i % lengths.length];
        String head = "HTTP/1.1 200 OK\r\nContent-Length: " + length + "\r\n\r\n";
        HttpExchange exchange = captures.servers().get(i);
        assertThat(requestLine(exchange)).isEqualTo("GET /" + length + " HTTP/1.1");
        assertThat(exchange.responseBytes()).isEqualTo(head.length() + length);
        assertThat(exchange.end()).isEqualTo(End.RESPONSE);
      }
    }
  }

  @Test
  void findsTheEndOfChunkedResponses() throws IOException {
    long quietEnds = count(HttpCounter.QUIET_ENDS);
    String head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    List<List<String>> responses =
        List.of(
            List.of(head + "0\r\n\r\n"),
            List.of(head, "5\r\nhello\r\n", "0\r\n\r\n"),
            List.of(head + "5\r\nhello\r\n0\r\n\r\n"),
            List.of(head + "3e8\r\n" + "z".repeat(1000) + "\r\n0\r\n\r\n"),
            List.of(head + "3e8\r\n" + "z".repeat(1000) + "\r\n", "0\r\n\r\n"),
            List.of(head + "3e8\r\n" + "z".repeat(1000), "\r\n", "0", "\r", "\n", "\r", "\n"),
            List.of(head + "1\r\nz\r\n".repeat(1000), "000\r\n\r\n"),
            List.of(head + "1\r\nz\r\n", "0\r\nTrailer: yes\r\n\r\n"));
    var next = new AtomicInteger();
    TestServer.Handler handler =
        connection -> {
          while (connection.readHead().isPresent()) {
            for (String piece : responses.get(next.get())) {
              connection.write(piece);
            }
          }
        };
    try (var server = new TestServer(LOOPBACK, handler)) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        for (int i = 0; i < responses.size(); i++) {
          next.set(i);
          client.write(get("/" + i));
          String response = String.join("", responses.get(i));
          client.expect(response);
          long readNs = System.nanoTime();
          captures.awaitServers(i + 1);
          assertThat(count(HttpCounter.QUIET_ENDS)).isEqualTo(quietEnds);
          assertThat(captures.servers().getLast().tailNs()).isLessThanOrEqualTo(readNs);
          assertThat(captures.servers().getLast().responseBytes()).isEqualTo(response.length());
        }
      }
    }
  }

  @Test
  void keepsAChunkedResponseOpenThroughPauses() throws IOException {
    String head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    var goOn = new CountDownLatch(1);
    TestServer.Handler handler =
        connection -> {
          connection.readHead();
          connection.write(head + "5\r\nhello\r\n");
          await(goOn);
          connection.write("5\r\nworld\r\n0\r\n\r\n");
          connection.readHead();
        };
    try (var server = new TestServer(LOOPBACK, handler)) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.write(get("/stream"));
        client.expect(head + "5\r\nhello\r\n");
        captures.assertNothingMore(Duration.ofNanos(ExchangeAssembler.QUIET_NS + 300_000_000));
        goOn.countDown();
        client.expect("5\r\nworld\r\n0\r\n\r\n");
        captures.awaitServers(1);
        HttpExchange exchange = captures.servers().getFirst();
        assertThat(exchange.tailNs() - exchange.responseNs())
            .isGreaterThan(ExchangeAssembler.QUIET_NS);
      }
    }
  }

  @Test
  void endsResponsesThatTheEndOfTheConnectionDelimits() throws IOException {
    TestServer.Handler handler =
        connection -> {
          connection.readHead();
          connection.write("HTTP/1.0 200 OK\r\n\r\n");
          connection.write("until the end ".repeat(1000));
        };
    try (var server = new TestServer(LOOPBACK, handler)) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.write(get("/until/end"));
        assertThat(client.readAll()).hasSize(19 + 14_000);
        captures.awaitServers(1);
      }
      HttpExchange exchange = captures.servers().getFirst();
      assertThat(exchange.end()).isEqualTo(End.RESPONSE);
      assertThat(exchange.responseBytes()).isEqualTo(19 + 14_000);
      captures.assertNothingMore(Duration.ofMillis(50));
    }
  }

  @Test
  void takesAResponseWithALongHeadAsWholeWhenNothingFollows() throws IOException {
    String response =
        "HTTP/1.1 200 OK\r\nX-Long: " + "x".repeat(300) + "\r\nContent-Length: 2\r\n\r\nok";
    try (var server = new TestServer(LOOPBACK, answering(response))) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.write(get("/1"));
        client.expect(response);
        captures.awaitServers(1);
        client.write(get("/2"));
        client.expect(response);
        client.write(get("/3"));
        client.expect(response);
        captures.awaitServers(3);
      }
      assertThat(captures.servers().stream().map(HttpExchange::responseBytes))
          .containsOnly((long) response.length());
      captures.assertNothingMore(Duration.ofMillis(50));
    }
  }

  @Test
  void stepsOverInterimResponses() throws IOException {
    String early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
    String longEarly = "HTTP/1.1 103 Early Hints\r\n" + "Link: </b.css>\r\n".repeat(100) + "\r\n";
    String created = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
    List<List<String>> responses =
        List.of(
            List.of(early, created),
            List.of(early + created),
            List.of(early + early + early, created),
            List.of(early + early + created),
            List.of(longEarly, created),
            List.of(longEarly + created),
            List.of(longEarly.substring(0, 254), longEarly.substring(254) + early, created),
            Arrays.asList((early + longEarly + created).split("")));
    var next = new AtomicInteger();
    TestServer.Handler handler =
        connection -> {
          while (connection.readHead().isPresent()) {
            for (String piece : responses.get(next.get())) {
              connection.write(piece);
            }
          }
        };
    try (var server = new TestServer(LOOPBACK, handler)) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        for (int i = 0; i < responses.size(); i++) {
          next.set(i);
          client.write(get("/" + i));
          client.expect(String.join("", responses.get(i)));
          captures.awaitServers(i + 1);
          HttpExchange exchange = captures.servers().getLast();
          assertThat(requestLine(exchange)).isEqualTo("GET /" + i + " HTTP/1.1");
          assertThat(exchange.status()).isEqualTo(201);
          assertThat(exchange.responseBytes()).isEqualTo(created.length());
        }
      }
    }
  }

  @Test
  void takesTheFirstByteOfTheFinalResponseForItsBeginning() throws IOException {
    var goOn = new CountDownLatch(1);
    TestServer.Handler handler =
        connection -> {
          connection.readHead();
          connection.write("HTTP/1.1 102 Processing\r\n\r\n");
          await(goOn);
          connection.write(OK);
        };
    try (var server = new TestServer(LOOPBACK, handler)) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.write(get("/slow"));
        client.expect("HTTP/1.1 102 Processing\r\n\r\n");
        captures.assertNothingMore(Duration.ofMillis(20));
        long resumedNs = System.nanoTime();
        goOn.countDown();
        client.expect(OK);
        captures.awaitServers(1);
        assertThat(captures.servers().getFirst().responseNs()).isGreaterThan(resumedNs);
      }
    }
  }

  @Test
  void knowsWhichResponsesHaveNoBody() throws IOException {
    String head = "HEAD /head HTTP/1.1\r\nHost: test\r\n\r\n";
    HttpExchange exchange = captureOne(head, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    assertThat(exchange.end()).isEqualTo(End.RESPONSE);
    assertThat(captureOne(get("/"), "HTTP/1.1 204 No Content\r\n\r\n").status()).isEqualTo(204);
    exchange = captureOne(get("/"), "HTTP/1.1 304 Not Modified\r\nContent-Length: 100000\r\n\r\n");
    assertThat(exchange.status()).isEqualTo(304);
    exchange = captureOne(head, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    assertThat(exchange.end()).isEqualTo(End.RESPONSE);
  }

  @Test
  void leavesWhatIsNotHttp() throws IOException {
    Map<HttpCounter, String> beginnings =
        Map.of(
            HttpCounter.NOT_HTTP, "\u0000\u0001\u0002binary\u00ff",
            HttpCounter.TLS, "\u0016\u0003\u0001\u0002\u0000\u0001hello",
            HttpCounter.HTTP2, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    for (Map.Entry<HttpCounter, String> beginning : beginnings.entrySet()) {
      for (int pieceMax : new int[] {1, 100}) {
        long before = count(beginning.getKey());
        assertLeft(beginning.getValue(), pieceMax);
        assertThat(count(beginning.getKey()) - before).isGreaterThanOrEqualTo(1);
      }
    }
    for (String other : List.of("get / HTTP/1.1\r\n\r\n", "GETS / x", "EHLO me\r\n", "*1\r\n$4")) {
      long before = count(HttpCounter.NOT_HTTP);
      assertLeft(other, 3);
      assertThat(count(HttpCounter.NOT_HTTP) - before).isGreaterThanOrEqualTo(1);
    }
  }

  /// Sends `beginning` and then, on the same connection, what looks like an exchange.
  private void assertLeft(String beginning, int pieceMax) throws IOException {
    TestServer.Handler handler =
        connection -> {
          connection.readBody(beginning.length());
          while (connection.readHead().isPresent()) {
            connection.write(OK);
          }
        };
    try (var server = new TestServer(LOOPBACK, handler)) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.writeInPieces(beginning, pieceMax, new Random(5));
        client.write(get("/none"));
        client.expect(OK);
      }
      assertNothingAfterMarker(captures, server, 0);
    }
  }

  /// Makes sure that all records up to now are there, by one exchange more on a new connection.
  private void assertNothingAfterMarker(Captures captures, TestServer server, int servers)
      throws IOException {
    try (var marker = new TestServer(LOOPBACK, answering(OK))) {
      var markers = new Captures(probe, marker.port());
      try (var client = new Client(marker.address())) {
        client.write(get("/marker"));
        client.expect(OK);
      }
      int[] seen = {0, 0};
      long endNs = System.nanoTime() + Duration.ofSeconds(5).toNanos();
      while (seen[0] == 0) {
        assertThat(System.nanoTime() - endNs).isNegative();
        probe.awaitPressure(2);
        probe.drain(exchange -> {
          seen[0] += exchange.local().getPort() == marker.port() ? 1 : 0;
          seen[1] += exchange.local().getPort() == server.port() ? 1 : 0;
        });
      }
      assertThat(captures.servers()).hasSize(servers);
      assertThat(markers.servers()).isEmpty();
      assertThat(seen[1]).isZero();
    }
  }

  private static long older(HttpProbe probe) {
    return probe.statistics().getOrDefault(HttpCounter.OLDER_CONNECTIONS, 0L);
  }

  private long count(HttpCounter counter) {
    return probe.statistics().getOrDefault(counter, 0L);
  }

  @Test
  void leavesServersThatSpeakFirst() throws IOException {
    long before = count(HttpCounter.SERVER_FIRST);
    TestServer.Handler handler =
        connection -> {
          connection.write("220 mail ready\r\n");
          while (connection.readHead().isPresent()) {
            connection.write(OK);
          }
        };
    try (var server = new TestServer(LOOPBACK, handler)) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.expect("220 mail ready\r\n");
        client.write(get("/none"));
        client.expect(OK);
      }
      assertNothingAfterMarker(captures, server, 0);
      assertThat(count(HttpCounter.SERVER_FIRST)).isGreaterThan(before);
    }
  }

  @Test
  void leavesServersWhoseAnswerIsNoHttp() throws IOException {
    long before = count(HttpCounter.NO_RESPONSE_HEAD);
    try (var server = new TestServer(LOOPBACK, answering("-ERR unknown command\r\n"))) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.write(get("/redis"));
        client.expect("-ERR unknown command\r\n");
      }
      assertNothingAfterMarker(captures, server, 0);
      assertThat(count(HttpCounter.NO_RESPONSE_HEAD)).isGreaterThan(before);
    }
  }

  @Test
  void reportsAnUpgradeAndLeavesTheConnection() throws IOException {
    long before = count(HttpCounter.UPGRADED);
    String response = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    TestServer.Handler handler =
        connection -> {
          connection.readHead();
          connection.write(response);
          while (connection.readHead().isPresent()) {
            connection.write(OK);
          }
        };
    try (var server = new TestServer(LOOPBACK, handler)) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.write(get("/socket"));
        client.expect(response);
        client.write(get("/in/the/socket"));
        client.expect(OK);
        captures.awaitServers(1);
      }
      assertThat(captures.servers().getFirst().status()).isEqualTo(101);
      assertNothingAfterMarker(captures, server, 1);
      assertThat(count(HttpCounter.UPGRADED)).isGreaterThan(before);
    }
  }

  @Test
  void leavesATunnelThatAProxyOpened() throws IOException {
    String connect = "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n";
    String refused = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno";
    String established = "HTTP/1.1 200 Connection established\r\n\r\n";
    TestServer.Handler handler =
        connection -> {
          connection.readHead();
          connection.write(refused);
          connection.readHead();
          connection.write(established);
          while (connection.readHead().isPresent()) {
            connection.write(OK);
          }
        };
    try (var server = new TestServer(LOOPBACK, handler)) {
      var captures = new Captures(probe, server.port());
      long before = count(HttpCounter.UPGRADED);
      try (var client = new Client(server.address())) {
        client.write(connect);
        client.expect(refused);
        client.write(connect);
        client.expect(established);
        captures.awaitServers(2);
        client.write(get("/in/the/tunnel"));
        client.expect(OK);
        client.write(get("/in/the/tunnel"));
        client.expect(OK);
      }
      assertThat(captures.servers().stream().map(Captures::requestLine))
          .containsOnly("CONNECT example.org:443 HTTP/1.1");
      assertThat(captures.servers().stream().map(HttpExchange::status)).containsExactly(407, 200);
      assertNothingAfterMarker(captures, server, 2);
      assertThat(count(HttpCounter.UPGRADED)).isGreaterThan(before);
    }
  }

  @Test
  void reportsNothingOfConnectionsThatAreOlder() throws IOException {
    int connections = 20;
    List<Client> clients = new ArrayList<>();
    try (var server = new TestServer(LOOPBACK, answering(OK))) {
      for (int i = 0; i < connections; i++) {
        var client = new Client(server.address());
        clients.add(client);
        client.write(get("/before"));
        client.expect(OK);
        // Half of them are in the middle of a request.
        client.write(i % 2 == 0 ? "" : get("/half").substring(0, 5 + i));
      }
      try (HttpProbe late = HttpProbe.open(objectName, cgroup.path(), HttpProbe.RING_SIZE_BYTES)) {
        late.countOlderConnections();
        assertThat(older(late)).isGreaterThanOrEqualTo(connections);
        var captures = new Captures(late, server.port());
        for (int i = 0; i < connections; i++) {
          Client client = clients.get(i);
          if (i % 2 == 1) {
            client.write(get("/half").substring(5 + i));
            client.expect(OK);
          }
          for (int j = 0; j < 10; j++) {
            client.write(get("/older"));
            client.expect(OK);
          }
        }
        try (var client = new Client(server.address())) {
          client.write(get("/new"));
          client.expect(OK);
          captures.awaitServers(1);
        }
        captures.assertNothingMore(Duration.ofMillis(200));
        assertThat(requestLine(captures.servers().getFirst())).isEqualTo("GET /new HTTP/1.1");
      }
    } finally {
      for (Client client : clients) {
        client.close();
      }
    }
  }

  @Test
  void countsOnlyConnectionsThatItDoesNotFollow() throws IOException {
    try (var server = new TestServer(LOOPBACK, answering(OK));
        HttpProbe early = HttpProbe.open(objectName, cgroup.path(), HttpProbe.RING_SIZE_BYTES)) {
      early.countOlderConnections();
      long before = older(early);
      List<Client> clients = new ArrayList<>();
      try {
        for (int i = 0; i < 500; i++) {
          var client = new Client(server.address());
          clients.add(client);
          client.write(get("/followed"));
          client.expect(OK);
        }
        early.countOlderConnections();
        // Other programs of this machine come and go too, but not by the hundreds.
        assertThat(older(early) - before).isLessThan(250);
      } finally {
        for (Client client : clients) {
          client.close();
        }
      }
    }
  }

  @Test
  void cutsOffEndlessHeads() throws IOException {
    String start = "GET /endless HTTP/1.1\r\nX: ";
    String tooLarge = "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n\r\n";
    TestServer.Handler handler =
        connection -> {
          connection.readBody(64 * 1024);
          connection.write(tooLarge);
          connection.readHead();
        };
    try (var server = new TestServer(LOOPBACK, handler)) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.write(start + "x".repeat(64 * 1024 - start.length()));
        client.expect(tooLarge);
        captures.awaitServers(1);
      }
      HttpExchange exchange = captures.servers().getFirst();
      assertThat(exchange.status()).isEqualTo(431);
      assertThat(exchange.headComplete()).isFalse();
      assertThat(exchange.requestHead()).hasSize(16 * 1024);
      assertThat(head(exchange)).startsWith(start).endsWith("xxx");
    }
  }

  @Test
  void reportsWhatIsAnsweredBeforeItsEnd() throws IOException {
    String badRequest = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    TestServer.Handler handler =
        connection -> {
          connection.readBody(19);
          connection.write(badRequest);
        };
    try (var server = new TestServer(LOOPBACK, handler)) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.write("GET /\u0001 HTTP/1.1\r\nHo");
        client.expect(badRequest);
        captures.awaitServers(1);
      }
      HttpExchange exchange = captures.servers().getFirst();
      assertThat(exchange.headComplete()).isFalse();
      assertThat(exchange.status()).isEqualTo(400);
    }
  }

  @Test
  void reportsConnectionsThatEndBeforeTheResponseIsWhole() throws IOException {
    assertEnd(connection -> {}, End.CLOSED, 0, 0);
    assertEnd(connection -> connection.socket().setSoLinger(true, 0), End.RESET, 0, 0);
    String part = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345";
    assertEnd(connection -> connection.write(part), End.CLOSED, 200, part.length());
    String chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n";
    assertEnd(connection -> connection.write(chunk), End.CLOSED, 200, chunk.length());
    assertEnd(connection -> connection.write("HTTP/1.1 2"), End.CLOSED, 0, 10);
  }

  private void assertEnd(TestServer.Handler answer, End end, int status, int responseBytes)
      throws IOException {
    TestServer.Handler handler =
        connection -> {
          connection.readHead();
          answer.serve(connection);
        };
    try (var server = new TestServer(LOOPBACK, handler)) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.write(get("/short"));
        client.in.transferTo(OutputStream.nullOutputStream());
      } catch (IOException _) {
        // Reset, as the test wants it.
        assertThat(end).isEqualTo(End.RESET);
      }
      captures.awaitServers(1);
      HttpExchange exchange = captures.servers().getFirst();
      assertThat(requestLine(exchange)).isEqualTo("GET /short HTTP/1.1");
      assertThat(exchange.end()).isEqualTo(end);
      assertThat(exchange.status()).isEqualTo(status);
      assertThat(exchange.responseBytes()).isEqualTo(responseBytes);
      assertThat(exchange.tailNs()).isGreaterThanOrEqualTo(exchange.headNs());
    }
  }

  @Test
  void reportsClientsThatGoAway() throws IOException {
    var serverGoOn = new CountDownLatch(1);
    String head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    TestServer.Handler handler =
        connection -> {
          String request = connection.readHead().orElseThrow();
          if (request.startsWith("GET /answered")) {
            connection.write(head + "x");
          }
          await(serverGoOn);
        };
    try (var server = new TestServer(LOOPBACK, handler)) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.write(get("/unanswered"));
        client.reset();
      }
      captures.awaitServers(1);
      assertThat(captures.servers().get(0).end()).isEqualTo(End.RESET);
      assertThat(captures.servers().get(0).status()).isZero();
      try (var client = new Client(server.address())) {
        client.write(get("/answered"));
        client.expect(head + "x");
        client.reset();
      }
      captures.awaitServers(2);
      assertThat(captures.servers().get(1).end()).isEqualTo(End.RESET);
      assertThat(captures.servers().get(1).status()).isEqualTo(200);
      serverGoOn.countDown();
    }
  }

  @Test
  void doesNotReportHalfHeads() throws IOException {
    long before = count(HttpCounter.UNFINISHED_HEADS);
    try (var server = new TestServer(LOOPBACK, answering(OK))) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.write("GET /half HTTP/1.1\r\nHost: te");
      }
      captures.await(() -> count(HttpCounter.UNFINISHED_HEADS) > before);
      assertThat(captures.servers()).isEmpty();
    }
  }

  @Test
  void capturesOverIpv6AndDualStackSockets() throws IOException {
    InetAddress ipv6 = InetAddress.getByName("::1");
    try (var server = new TestServer(ipv6, answering(OK))) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.writeInPieces(get("/six"), 5, new Random(6));
        client.expect(OK);
        captures.awaitServers(1);
      }
      assertThat(captures.servers().getFirst().local()).isEqualTo(server.address());
      assertThat(captures.servers().getFirst().remote().getAddress()).isEqualTo(ipv6);
    }
    try (var server = new TestServer(InetAddress.getByName("::"), answering(OK))) {
      var captures = new Captures(probe, server.port());
      InetAddress ipv4 = InetAddress.getByName("127.0.0.1");
      try (var client = new Client(new InetSocketAddress(ipv4, server.port()))) {
        client.write(get("/four"));
        client.expect(OK);
        captures.awaitServers(1);
      }
      assertThat(captures.servers().getFirst().local().getAddress()).isEqualTo(ipv4);
      assertThat(captures.servers().getFirst().remote().getAddress()).isEqualTo(ipv4);
    }
  }

  /// Answers each request as its path says: status, length of the body, and whether in chunks.
  private static TestServer.Handler answeringAsAsked(int pieceMax) {
    return connection -> {
      var random = new Random(7);
      for (var head = connection.readHead(); head.isPresent(); head = connection.readHead()) {
        connection.readBody(
            head.get()
                .lines()
                .filter(line -> line.startsWith("Content-Length: "))
                .mapToInt(line -> Integer.parseInt(line.substring(16)))
                .findFirst()
                .orElse(0));
        String[] asked = head.get().split("[ /]", 7);
        String answer = answer(asked[0], asked[2], Integer.parseInt(asked[3]), asked[4]);
        for (int at = 0; at < answer.length(); ) {
          int length = Math.min(1 + random.nextInt(pieceMax), answer.length() - at);
          connection.write(answer.substring(at, at + length));
          at += length;
        }
      }
    };
  }

  private static String answer(String method, String status, int length, String coding) {
    String start = "HTTP/1.1 " + status + " Status\r\n";
    String interim = length % 3 == 1 ? "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" : "";
    // What looks like a message in a body is none.
    String body = OK.repeat(1 + length / OK.length()).substring(0, length);
    if (status.equals("304") || method.equals("HEAD")) {
      return interim + start + "Content-Length: " + length + "\r\n\r\n";
    }
    if (coding.equals("chunked")) {
      int half = length / 2;
      return interim
          + start
          + "Transfer-Encoding: chunked\r\n\r\n"
          + (half == 0 ? "" : Integer.toHexString(half) + "\r\n" + body.substring(0, half) + "\r\n")
          + (length == half
              ? ""
              : Integer.toHexString(length - half) + ";x=y\r\n" + body.substring(half) + "\r\n")
          + "0\r\n"
          + (length % 2 == 0 ? "Trailer: 1\r\n" : "")
          + "\r\n";
    }
    return interim + start + "Content-Length: " + length + "\r\n\r\n" + body;
  }

  /// Sends all requests without waiting, in pieces, and expects each with its own answer.
  private void assertPipelined(Random random, int requests, int pieceMax, int bodyMax)
      throws IOException {
    String[] methods = {"GET", "GET", "HEAD", "POST", "PUT"};
    String[] statuses = {"200", "201", "304", "404", "500"};
    List<String> lines = new ArrayList<>();
    List<Integer> lengths = new ArrayList<>();
    var bytes = new StringBuilder();
    int answered = 0;
    for (int i = 0; i < requests; i++) {
      String method = methods[random.nextInt(methods.length)];
      String status = statuses[random.nextInt(statuses.length)];
      int length = random.nextInt(bodyMax);
      String coding = random.nextBoolean() ? "chunked" : "length";
      String line = "%s /%s/%d/%s/%d HTTP/1.1".formatted(method, status, length, coding, i);
      boolean hasBody = method.startsWith("P");
      String body = hasBody ? get("/no/head").repeat(9).substring(0, random.nextInt(200)) : "";
      lines.add(line);
      String answer = answer(method, status, length, coding);
      answered += answer.length();
      lengths.add(answer.substring(answer.indexOf("HTTP/1.1 " + status)).length());
      bytes.append(line).append("\r\nHost: test\r\n");
      bytes.append("X: ").append("x".repeat(random.nextInt(60)));
      bytes.append(hasBody ? "\r\nContent-Length: " + body.length() : "");
      bytes.append("\r\n\r\n").append(body);
    }
    try (var server = new TestServer(LOOPBACK, answeringAsAsked(pieceMax))) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.writeInPieces(bytes.toString(), pieceMax, random);
        assertThat(client.read(answered)).hasSize(answered);
        captures.awaitServers(requests);
      }
      List<HttpExchange> found = captures.servers();
      assertThat(found.stream().map(Captures::requestLine)).isEqualTo(lines);
      for (int i = 0; i < requests; i++) {
        HttpExchange exchange = found.get(i);
        String[] asked = lines.get(i).split("[ /]", 7);
        assertThat(exchange.status()).isEqualTo(Integer.parseInt(asked[2]));
        assertThat(exchange.end()).isEqualTo(End.RESPONSE);
        assertThat(exchange.responseBytes()).isEqualTo(lengths.get(i).longValue());
        assertThat(exchange.responseNs()).isBetween(exchange.headNs(), exchange.tailNs());
        assertThat(head(exchange)).endsWith("\r\n\r\n");
      }
      captures.assertNothingMore(Duration.ofMillis(20));
    }
  }

  @Test
  void capturesPipelinedRequestsEachWithItsOwnAnswer() throws IOException {
    long before = count(HttpCounter.PIPELINES);
    long lost = count(HttpCounter.PIPELINED);
    // Two and more heads in one segment.
    for (int seed = 0; seed < 20; seed++) {
      assertPipelined(new Random(seed), 2 + seed, 1 << 20, 400);
    }
    assertThat(count(HttpCounter.PIPELINES)).isGreaterThan(before);
    assertThat(count(HttpCounter.PIPELINED)).isEqualTo(lost);
  }

  @Test
  void capturesPipelinedRequestsHoweverTheyAreCutUp() throws IOException {
    long lost = count(HttpCounter.PIPELINED);
    int[] pieceMax = {1, 2, 7, 60, 500};
    for (int seed = 0; seed < 25; seed++) {
      assertPipelined(new Random(seed), 8, pieceMax[seed % pieceMax.length], 300);
    }
    assertThat(count(HttpCounter.PIPELINED)).isEqualTo(lost);
  }

  @Test
  void capturesPipelinedRequestsWithLargeBodies() throws IOException {
    long lost = count(HttpCounter.PIPELINED);
    assertPipelined(new Random(1), 12, 1 << 20, 300_000);
    assertThat(count(HttpCounter.PIPELINED)).isEqualTo(lost);
  }

  @Test
  void capturesRequestsThatAreSentWhileAnAnswerIsUnderWay() throws IOException {
    var received = new CountDownLatch(1);
    String head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    TestServer.Handler handler =
        connection -> {
          connection.readHead();
          connection.write(head + "x".repeat(1_000));
          connection.readHead();
          received.countDown();
          connection.write("x".repeat(99_000) + "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
          while (connection.readHead().isPresent()) {
            connection.write(OK);
          }
        };
    try (var server = new TestServer(LOOPBACK, handler)) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.write(get("/first"));
        client.expect(head + "x".repeat(1_000));
        client.write(get("/second"));
        await(received);
        client.expect("x".repeat(99_000) + "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
        client.write(get("/third"));
        client.expect(OK);
        captures.awaitServers(3);
      }
      assertThat(captures.servers().stream().map(each -> requestLine(each) + each.status()))
          .containsExactly(
              "GET /first HTTP/1.1200", "GET /second HTTP/1.1404", "GET /third HTTP/1.1200");
      assertThat(captures.servers().getFirst().responseBytes()).isEqualTo(head.length() + 100_000);
    }
  }

  @Test
  void reportsPipelinedRequestsThatGetNoAnswer() throws IOException {
    TestServer.Handler handler =
        connection -> {
          connection.readHead();
          connection.write(OK);
          connection.readHead();
        };
    try (var server = new TestServer(LOOPBACK, handler)) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.write(get("/answered") + get("/read"));
        assertThat(client.readAll()).isEqualTo(OK);
        captures.awaitServers(2);
      }
      assertThat(captures.servers().stream().map(HttpExchange::end))
          .containsExactly(End.RESPONSE, End.CLOSED);
    }
  }

  @Test
  void doesNotTakeABodyForAHead() throws IOException {
    String busy = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    String evil = get("/evil");
    TestServer.Handler handler =
        connection -> {
          for (var head = connection.readHead(); head.isPresent(); head = connection.readHead()) {
            if (head.get().startsWith("POST")) {
              connection.write(busy);
              connection.readBody(2000 + evil.length());
            } else {
              connection.write(OK);
            }
          }
        };
    try (var server = new TestServer(LOOPBACK, handler)) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.write(
            "POST /early HTTP/1.1\r\nContent-Length: " + (2000 + evil.length()) + "\r\n\r\n");
        client.expect(busy);
        client.write("b".repeat(1000));
        client.write(evil);
        client.write("b".repeat(1000));
        client.write(get("/next"));
        client.expect(OK);
        client.write(get("/after"));
        client.expect(OK);
        captures.await(() ->
            !captures.servers().isEmpty()
                && requestLine(captures.servers().getLast()).equals("GET /after HTTP/1.1"));
      }
      // The one that follows the false head may be missing, but none is wrong.
      assertThat(captures.servers().stream().map(Captures::requestLine))
          .doesNotContain("GET /evil HTTP/1.1")
          .startsWith("POST /early HTTP/1.1")
          .doesNotHaveDuplicates();
      assertThat(captures.servers().getFirst().status()).isEqualTo(503);
      assertThat(captures.servers().stream().skip(1).map(HttpExchange::status)).containsOnly(200);
      assertThat(count(HttpCounter.BYTES_NOT_HEAD)).isPositive();
    }
  }

  @Test
  void startsTheClockAtTheRequestAndNotAtAStrayLineEnd() throws IOException {
    try (var server =
        new TestServer(
            LOOPBACK,
            connection -> {
              for (var head = connection.readHead();
                  head.isPresent();
                  head = connection.readHead()) {
                connection.write(OK);
              }
            })) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.write(get("/1"));
        client.expect(OK);
        client.write("\r\n");
        captures.awaitServers(1);
        captures.assertNothingMore(Duration.ofMillis(20));
        long beforeNs = System.nanoTime();
        // The server reads "\r\n" + head as one.
        client.write(get("/2"));
        client.expect(OK);
        client.write("\r\n" + get("/3"));
        client.expect(OK);
        captures.awaitServers(3);
        assertThat(captures.servers().get(1).headNs()).isGreaterThan(beforeNs);
        assertThat(head(captures.servers().get(1))).isEqualTo(get("/2"));
        assertThat(head(captures.servers().get(2)).strip()).isEqualTo(get("/3").strip());
      }
    }
  }

  @Test
  void capturesCallsOutOfWatchedCgroupsOnly() throws IOException {
    try (var server = new TestServer(LOOPBACK, answering(OK))) {
      var captures = new Captures(probe, server.port());
      try (var client = new Client(server.address())) {
        client.write(get("/unwatched"));
        client.expect(OK);
        captures.awaitServers(1);
      }
      assertThat(captures.clients()).isEmpty();

      probe.watchCgroup(cgroup.id());
      try (var client = new Client(server.address())) {
        client.write(get("/watched"));
        client.expect(OK);
        captures.awaitServers(2);
        captures.await(() -> captures.clients().size() == 1);
        HttpExchange call = captures.clients().getFirst();
        HttpExchange invocation = captures.servers().getLast();
        assertThat(call.role()).isEqualTo(Role.CLIENT);
        assertThat(call.cgroupId()).isEqualTo(cgroup.id());
        assertThat(call.local()).isEqualTo(invocation.remote());
        assertThat(call.remote()).isEqualTo(invocation.local());
        assertThat(call.headSequence()).isEqualTo(invocation.headSequence());
        assertThat(call.requestHead()).isEqualTo(invocation.requestHead());
        assertThat(call.status()).isEqualTo(200);
        assertThat(call.responseBytes()).isEqualTo(OK.length());
        assertThat(call.headNs()).isLessThanOrEqualTo(invocation.headNs());
        assertThat(call.responseNs()).isGreaterThanOrEqualTo(invocation.responseNs());
        assertThat(call.openAtHead()).isZero();
        assertThat(invocation.peerLocal()).isTrue();
      }

      assertThat(probe.ignoreCgroup(cgroup.id())).isTrue();
      assertThat(probe.ignoreCgroup(cgroup.id())).isFalse();
      try (var client = new Client(server.address())) {
        client.write(get("/ignored"));
        client.expect(OK);
        captures.awaitServers(3);
        assertThat(captures.servers().getLast().peerLocal()).isFalse();
        assertThat(captures.clients()).hasSize(1);
      }
    }
  }

  @Test
  void countsWhatIsOpenWhenACallLeaves() throws IOException {
    probe.watchCgroup(cgroup.id());
    try (var callee = new TestServer(LOOPBACK, answering(OK))) {
      TestServer.Handler caller =
          connection -> {
            while (connection.readHead().isPresent()) {
              try (var client = new Client(callee.address())) {
                client.write(get("/callee"));
                client.expect(OK);
              }
              connection.write(OK);
            }
          };
      var callees = new Captures(probe, callee.port());
      try (var server = new TestServer(LOOPBACK, caller)) {
        try (var client = new Client(server.address())) {
          for (int i = 0; i < 10; i++) {
            client.write(get("/caller"));
            client.expect(OK);
          }
        }
        callees.await(() -> callees.clients().size() == 10);
        assertThat(callees.clients().stream().map(HttpExchange::openAtHead)).containsOnly(1);
        callees.awaitServers(10);
        assertThat(callees.servers()).allMatch(HttpExchange::peerLocal);
      }
      // What ends in any other way is not open any more either.
      try (var server = new TestServer(LOOPBACK, connection -> connection.readHead())) {
        var captures = new Captures(probe, server.port());
        for (int i = 0; i < 10; i++) {
          try (var client = new Client(server.address())) {
            client.write(i % 2 == 0 ? get("/unanswered") : "GET /half HT");
            if (i % 3 == 0) {
              client.reset();
            }
          }
        }
        captures.await(() -> captures.servers().size() == 5);
      }
      try (var client = new Client(callee.address())) {
        client.write(get("/after"));
        client.expect(OK);
        callees.await(() -> callees.clients().size() == 11);
        assertThat(callees.clients().getLast().openAtHead()).isZero();
      }
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(TIMEOUT_MILLIS, TimeUnit.MILLISECONDS)).isTrue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}
