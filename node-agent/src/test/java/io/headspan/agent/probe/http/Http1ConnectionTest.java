package io.headspan.agent.probe.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.headspan.agent.probe.http.HttpEvent.Direction;
import io.headspan.agent.probe.http.HttpExchange.End;
import io.headspan.agent.probe.http.HttpExchange.Role;
import io.headspan.agent.probe.http.TranscribedConnection.Unreadable;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class Http1ConnectionTest {
  private static final InetSocketAddress ADDRESS =
      new InetSocketAddress(InetAddress.getLoopbackAddress(), 80);
  private static final int LARGE = 100_000;

  private final List<HttpExchange> found = new ArrayList<>();

  private static Http1Connection connection(int client, int server) {
    return new Http1Connection(
        new HttpEvent.Transcript(
            1, 1, 7, 1_000, Role.SERVER, ADDRESS, ADDRESS, client, server, false, true));
  }

  private static List<String> described(List<HttpExchange> exchanges) {
    return exchanges.stream()
        .map(exchange ->
            Captures.requestLine(exchange)
                + " "
                + exchange.status()
                + " "
                + exchange.responseBytes()
                + " "
                + exchange.end())
        .toList();
  }

  private static HttpEvent.Bytes bytes(Direction direction, int sequence, String text) {
    byte[] bytes = text.getBytes(ISO_8859_1);
    return new HttpEvent.Bytes(
        1, direction, 2_000, -1, sequence, sequence, sequence + bytes.length, true, bytes);
  }

  private void feed(Http1Connection connection, List<HttpEvent.Bytes> records) throws Unreadable {
    for (HttpEvent.Bytes record : records) {
      connection.accept(record, found::add);
    }
  }

  @Test
  void pairsInOrderHoweverTheBytesAreCutUp() throws Unreadable {
    byte[] requests =
        ("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                + "\r\nHEAD /2 HTTP/1.1\r\n\r\n"
                + "POST /3 HTTP/1.1\r\nContent-Length: 20\r\n\r\nGET / HTTP/1.1\r\n\r\n.."
                + "PUT /4 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nGET \r\n0\r\nT: 1\r\n\r\n"
                + "GET /5 HTTP/1.1\r\n\r\n")
            .getBytes(ISO_8859_1);
    byte[] responses =
        ("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
                + "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
                + "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n"
                + "HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\n"
                + "HTTP/1.1 500 Evil\r\n\r\n12345678\n"
                + "\r\n0\r\n\r\n"
                + "HTTP/1.0 200 OK\r\n\r\nup to the end")
            .getBytes(ISO_8859_1);
    for (int seed = 0; seed < 500; seed++) {
      found.clear();
      var random = new Random(seed);
      int client = seed % 3 == 0 ? -50 : random.nextInt();
      int server = seed % 3 == 1 ? Integer.MAX_VALUE - 40 : random.nextInt();
      int disorder = seed % 2 == 0 ? 0 : 20;
      Http1Connection connection = connection(client, server);
      feed(
          connection,
          RecordedHttp2.raw(Direction.FROM_CLIENT, requests, client, random, disorder, 30));
      feed(
          connection,
          RecordedHttp2.raw(Direction.FROM_SERVER, responses, server, random, disorder, 30));
      connection.end(End.CLOSED, 9_000, found::add);
      assertThat(described(found))
          .as("seed %d", seed)
          .containsExactly(
              "GET /1 HTTP/1.1 200 41 RESPONSE",
              "HEAD /2 HTTP/1.1 200 38 RESPONSE",
              "POST /3 HTTP/1.1 304 48 RESPONSE",
              "PUT /4 HTTP/1.1 404 88 RESPONSE",
              "GET /5 HTTP/1.1 200 32 RESPONSE");
      assertThat(connection.takeLost()).isZero();
      assertThat(found).noneMatch(exchange -> Captures.head(exchange).contains(".."));
    }
  }

  @Test
  void tellsWhatOfALongBodyNeedNotBeHandedOn() throws Unreadable {
    Http1Connection connection = connection(0, 0);
    String head = "HTTP/1.1 200 OK\r\nContent-Length: " + LARGE + "\r\n\r\n";
    connection.accept(
        bytes(Direction.FROM_CLIENT, 0, "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n"),
        found::add);
    assertThat(connection.resumePoint(Direction.FROM_CLIENT)).isNull();
    connection.accept(bytes(Direction.FROM_SERVER, 0, head + "x".repeat(100)), found::add);
    int last = head.length() + LARGE - 1;
    assertThat(connection.resumePoint(Direction.FROM_SERVER))
        .isEqualTo(new ResumePoint(last, null));
    connection.accept(
        bytes(Direction.FROM_SERVER, last, "xHTTP/1.1 204 No Content\r\n\r\n"), found::add);
    assertThat(connection.resumePoint(Direction.FROM_SERVER)).isNull();
    assertThat(described(found))
        .containsExactly(
            "GET /1 HTTP/1.1 200 " + (head.length() + LARGE) + " RESPONSE",
            "GET /2 HTTP/1.1 204 27 RESPONSE");
  }

  @Test
  void givesUpAtWhatIsNoAnswer() {
    for (String answer :
        List.of(
            "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "\0\0\0\n\n", "HTTP/2 200\n\n")) {
      assertThat(reasonOf("GET /1 HTTP/1.1\r\n\r\n", answer))
          .isEqualTo(HttpCounter.PIPELINE_UNREADABLE);
    }
    assertThat(reasonOf("GET /1 HTTP/1.1\r\n", "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"))
        .isEqualTo(HttpCounter.PIPELINE_UNREADABLE);
    assertThat(reasonOf("GET /1\r\n\r\n", "")).isEqualTo(HttpCounter.PIPELINE_UNREADABLE);
    assertThat(found).isEmpty();
  }

  @Test
  void endsWithAChangeToAnotherProtocol() {
    assertThat(
            reasonOf(
                "GET /1 HTTP/1.1\r\nUpgrade: x\r\n\r\nGET /2 HTTP/1.1\r\n\r\n",
                "HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"))
        .isEqualTo(HttpCounter.PIPELINE_UNREADABLE);
    assertThat(described(found)).containsExactly("GET /1 HTTP/1.1 101 36 RESPONSE");
  }

  @Test
  void givesUpWhenBytesAreMissingForTooLong() throws Unreadable {
    Http1Connection connection = connection(0, 0);
    connection.accept(bytes(Direction.FROM_CLIENT, 10, "GET /1 HTTP/1.1\r\n\r\n"), found::add);
    connection.checkPatience(Direction.FROM_CLIENT, 2_000 + OrderedBytes.PATIENCE_NS);
    assertThat(
            catchThrowableOfType(
                    Unreadable.class,
                    () ->
                        connection.checkPatience(
                            Direction.FROM_CLIENT, 2_001 + OrderedBytes.PATIENCE_NS))
                .reason())
        .isEqualTo(HttpCounter.PIPELINE_BYTES_MISSING);
  }

  @Test
  void survivesWhateverComes() {
    String[] words = {
      "GET / HTTP/1.1\r\n",
      "HTTP/1.1 200 OK\r\n",
      "\r\n",
      "Content-Length: 9999999999999\r\n",
      "Transfer-Encoding: chunked\r\n",
      "fffffff\r\n",
      "0\r\n",
      "\0",
      "Content-Length: -1\r\n",
      "x"
    };
    for (int seed = 0; seed < 5_000; seed++) {
      var random = new Random(seed);
      Http1Connection connection = connection(0, 0);
      int[] at = new int[2];
      try {
        for (int i = 0; i < 30; i++) {
          String word = words[random.nextInt(words.length)];
          int side = random.nextInt(2);
          Direction direction = side == 0 ? Direction.FROM_CLIENT : Direction.FROM_SERVER;
          connection.accept(bytes(direction, at[side], word), found::add);
          at[side] += word.length();
        }
      } catch (Unreadable unreadable) {
        assertThat(unreadable.reason()).isEqualTo(HttpCounter.PIPELINE_UNREADABLE);
      }
    }
  }

  /// Why the connection was given up when these bytes came; fails if it was not.
  private HttpCounter reasonOf(String requests, String responses) {
    Http1Connection connection = connection(0, 0);
    return catchThrowableOfType(
            Unreadable.class,
            () -> {
              connection.accept(bytes(Direction.FROM_CLIENT, 0, requests), found::add);
              connection.accept(bytes(Direction.FROM_SERVER, 0, responses), found::add);
            })
        .reason();
  }
}
