package io.headspan.agent.probe.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.probe.http.HttpEvent.ConnectionEnd;
import io.headspan.agent.probe.http.HttpExchange.End;
import io.headspan.agent.probe.http.HttpExchange.Role;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class ExchangeAssemblerTest {
  private static final long COOKIE = 77;
  private static final int HEAD_SEQUENCE = Integer.MAX_VALUE - 5; // wraps within the head
  private static final String GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  private static final String OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  private static final String LARGE = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
  private static final String CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

  private final ExchangeAssembler assembler = new ExchangeAssembler();
  private final List<HttpExchange> exchanges = new ArrayList<>();

  /// A record as the kernel writes it, with changes.
  private static final class Change {
    private int exchange = 1;
    private String head = GET;
    private String response = OK;
    private int responseBytes = -1;
    private String lastBytes = "........";
    private int headSequence = HEAD_SEQUENCE;
    private int surplus;
    private ConnectionEnd end = ConnectionEnd.NONE;
    private boolean hasGap;

    Change exchange(int number) {
      exchange = number;
      return this;
    }

    Change head(String text) {
      head = text;
      return this;
    }

    Change response(String text) {
      response = text;
      return this;
    }

    Change responseBytes(int bytes, String last) {
      responseBytes = bytes;
      lastBytes = last;
      return this;
    }

    Change headSequence(int sequence) {
      headSequence = sequence;
      return this;
    }

    /// Bytes of the requesting side beyond `head`, or missing if negative.
    Change surplus(int bytes) {
      surplus = bytes;
      return this;
    }

    Change end(ConnectionEnd connectionEnd) {
      end = connectionEnd;
      return this;
    }

    Change gap() {
      hasGap = true;
      return this;
    }

    HttpEvent.Exchange build() {
      byte[] responseBuffer =
          response.substring(0, Math.min(response.length(), 256)).getBytes(ISO_8859_1);
      return new HttpEvent.Exchange(
          COOKIE,
          exchange,
          5,
          Role.SERVER,
          new InetSocketAddress(InetAddress.getLoopbackAddress(), 80),
          new InetSocketAddress(InetAddress.getLoopbackAddress(), 50_000),
          1_000,
          response.isEmpty() ? 0 : 2_000,
          response.isEmpty() ? 0 : 3_000,
          end == ConnectionEnd.NONE ? 0 : 4_000,
          responseBytes < 0 ? response.length() : responseBytes,
          littleEndian(lastBytes),
          headSequence,
          headSequence + head.length() + surplus,
          -1,
          0,
          end,
          false,
          hasGap,
          responseBuffer,
          head.substring(0, Math.min(head.length(), HttpExchangeEventLayout.HEAD_BYTES))
              .getBytes(ISO_8859_1));
    }
  }

  private static long littleEndian(String eightBytes) {
    return ByteBuffer.wrap(eightBytes.getBytes(ISO_8859_1))
        .order(ByteOrder.LITTLE_ENDIAN)
        .getLong();
  }

  private static HttpEvent.Tail tail(
      int exchange, long lastNs, long bytes, String last, ConnectionEnd end) {
    return new HttpEvent.Tail(
        COOKIE,
        exchange,
        lastNs,
        end == ConnectionEnd.NONE ? 0 : lastNs + 1_000,
        bytes,
        littleEndian(last),
        end,
        false,
        null);
  }

  private static HttpEvent.Tail tail(int exchange, long lastNs, long bytes) {
    return tail(exchange, lastNs, bytes, "........", ConnectionEnd.NONE);
  }

  private static HttpEvent.Tail closing(int exchange, ConnectionEnd end) {
    return tail(exchange, 3_000, OK.length(), "........", end);
  }

  private void accept(HttpEvent event) {
    assembler.accept(event, exchanges::add);
  }

  private void accept(Change changed) {
    accept(changed.build());
  }

  private void sweep(HttpEvent.Tail tail) {
    assembler.sweep(tail, exchanges::add);
  }

  private HttpExchange only() {
    assertThat(exchanges).hasSize(1);
    return exchanges.getFirst();
  }

  private static String head(HttpExchange exchange) {
    return new String(exchange.requestHead(), ISO_8859_1);
  }

  @Test
  void reportsAWholeResponseAtOnce() {
    accept(new Change());
    assertThat(only().status()).isEqualTo(200);
    assertThat(only().end()).isEqualTo(End.RESPONSE);
    assertThat(only().headNs()).isEqualTo(1_000);
    assertThat(only().responseNs()).isEqualTo(2_000);
    assertThat(only().tailNs()).isEqualTo(3_000);
    assertThat(only().headSequence()).isEqualTo(HEAD_SEQUENCE);
    assertThat(head(only())).isEqualTo(GET);
    assertThat(assembler.hasUnfinished()).isFalse();
    assertThat(assembler.counted(HttpCounter.EXCHANGES)).isEqualTo(1);
    accept(closing(1, ConnectionEnd.CLOSED));
    only();
  }

  @Test
  void keepsNothingOfTheBody() {
    String request = "POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\n";
    accept(new Change().head(request + "secret"));
    assertThat(head(only())).isEqualTo(request);
  }

  @Test
  void waitsForTheRestOfAResponse() {
    accept(new Change().response(LARGE));
    assertThat(exchanges).isEmpty();
    assertThat(assembler.hasUnfinished()).isTrue();
    sweep(tail(1, 5_000, LARGE.length() + 999));
    assertThat(exchanges).isEmpty();
    sweep(tail(1, 6_000, LARGE.length() + 1_000));
    assertThat(only().tailNs()).isEqualTo(6_000);
    assertThat(only().responseBytes()).isEqualTo(LARGE.length() + 1_000);
    assertThat(assembler.hasUnfinished()).isFalse();
    // The ring tells once more, at the next head.
    accept(tail(1, 6_000, LARGE.length() + 1_000));
    accept(new Change().exchange(2));
    assertThat(exchanges).hasSize(2);
  }

  @Test
  void ignoresASweepThatIsOlderThanTheRing() {
    accept(new Change().response(LARGE).responseBytes(500, "........"));
    sweep(tail(1, 2_500, 200));
    accept(tail(1, 7_000, LARGE.length() + 1_000));
    assertThat(only().tailNs()).isEqualTo(7_000);
    sweep(tail(1, 6_000, LARGE.length() + 1_000));
    sweep(tail(9, 6_000, 1));
    only();
  }

  @Test
  void waitsForBytesThatAreMissingInTheMiddle() {
    accept(new Change().response(LARGE).responseBytes(LARGE.length() + 1_000, "........").gap());
    assertThat(exchanges).isEmpty();
    sweep(tail(1, 8_000, LARGE.length() + 1_000));
    assertThat(only().tailNs()).isEqualTo(8_000);
  }

  @Test
  void readsTheResponseHeadWhenMoreOfItIsThere() {
    accept(new Change().response("HTTP/1.1 200"));
    assertThat(exchanges).isEmpty();
    sweep(
        new HttpEvent.Tail(
            COOKIE,
            1,
            5_000,
            0,
            OK.length(),
            0,
            ConnectionEnd.NONE,
            false,
            OK.getBytes(ISO_8859_1)));
    assertThat(only().status()).isEqualTo(200);
    assertThat(only().responseBytes()).isEqualTo(OK.length());
  }

  @Test
  void endsAResponseOfUnknownLengthAtTheNextHead() {
    String longHead = "HTTP/1.1 200 OK\r\nX: " + "x".repeat(300);
    accept(new Change().response(longHead).responseBytes(400, "........"));
    accept(tail(1, 5_000, 500));
    assertThat(only().tailNs()).isEqualTo(5_000);
    assertThat(only().end()).isEqualTo(End.RESPONSE);
  }

  @Test
  void endsAResponseOfUnknownLengthThatDidNotGrowAtTheNextExchange() {
    String longHead = "HTTP/1.1 200 OK\r\nX: " + "x".repeat(300);
    accept(new Change().response(longHead).responseBytes(400, "........"));
    accept(new Change().exchange(2));
    assertThat(exchanges).hasSize(2);
    assertThat(exchanges.getFirst().responseBytes()).isEqualTo(400);
  }

  @Test
  void endsAResponseOfUnknownLengthAfterSilence() {
    String longHead = "HTTP/1.1 200 OK\r\nX: " + "x".repeat(300);
    accept(new Change().response(longHead).responseBytes(400, "........"));
    assembler.endSilent(3_000 + ExchangeAssembler.QUIET_NS - 1, exchanges::add);
    assertThat(exchanges).isEmpty();
    assembler.endSilent(3_000 + ExchangeAssembler.QUIET_NS, exchanges::add);
    assertThat(only().tailNs()).isEqualTo(3_000);
    assertThat(assembler.counted(HttpCounter.QUIET_ENDS)).isEqualTo(1);
    assertThat(assembler.hasUnfinished()).isFalse();
  }

  @Test
  void doesNotEndAResponseOfKnownLengthByItsSilence() {
    accept(new Change().response(LARGE));
    assembler.endSilent(3_000 + 100 * ExchangeAssembler.QUIET_NS, exchanges::add);
    assertThat(only().end()).isEqualTo(End.OPEN);
    exchanges.clear();
    sweep(tail(1, 200 * ExchangeAssembler.QUIET_NS, LARGE.length() + 1_000));
    only();
  }

  @Test
  void givesUpAResponseWhoseEndNeverCame() {
    accept(new Change().response(LARGE));
    assembler.endSilent(3_000 + ExchangeAssembler.PATIENCE_NS, exchanges::add);
    assertThat(exchanges).isEmpty();
    assertThat(assembler.hasUnfinished()).isFalse();
    assertThat(assembler.counted(HttpCounter.LOST_TAILS)).isEqualTo(1);
  }

  @Test
  void followsChunks() {
    accept(new Change().response(CHUNKED + "2\r\nok\r\n0\r\n\r\n"));
    assertThat(only().status()).isEqualTo(200);
    accept(new Change().exchange(2).response(CHUNKED + "3e8\r\n").responseBytes(900, "abcdefgh"));
    assertThat(exchanges).hasSize(1);
    sweep(tail(2, 5_000, 1_100, "z\r\n0\r\n\r\n", ConnectionEnd.NONE));
    assertThat(exchanges).hasSize(2);
    accept(
        new Change()
            .exchange(3)
            .response(CHUNKED + "3e8\r\n")
            .responseBytes(1100, "z\r\n0\r\n\r\n"));
    assertThat(exchanges).hasSize(3);
  }

  @Test
  void endsTrailersAfterSilence() {
    accept(new Change().response(CHUNKED + "3e8\r\n").responseBytes(1_100, "T: 1\r\n\r\n"));
    assertThat(exchanges).isEmpty();
    assembler.endSilent(3_000 + ExchangeAssembler.QUIET_NS, exchanges::add);
    only();
  }

  @Test
  void keepsChunksOpenThroughSilence() {
    accept(new Change().response(CHUNKED + "5\r\nhello\r\n"));
    assembler.endSilent(3_000 + 10 * ExchangeAssembler.QUIET_NS, exchanges::add);
    assertThat(only().end()).isEqualTo(End.OPEN);
  }

  @Test
  void endsWhatTheConnectionDelimits() {
    accept(new Change().response("HTTP/1.0 200 OK\r\n\r\nsome"));
    assertThat(exchanges).isEmpty();
    accept(tail(1, 9_000, 5_000, "........", ConnectionEnd.CLOSED));
    assertThat(only().end()).isEqualTo(End.RESPONSE);
    assertThat(only().tailNs()).isEqualTo(9_000);
    assertThat(only().responseBytes()).isEqualTo(5_000);
  }

  @Test
  void tellsAResponseThatWasCutOff() {
    accept(new Change().response(LARGE));
    accept(tail(1, 9_000, 500, "........", ConnectionEnd.CLOSED));
    assertThat(only().end()).isEqualTo(End.CLOSED);
    assertThat(only().tailNs()).isEqualTo(10_000);
    exchanges.clear();
    accept(new Change().response("HTTP/1.0 200 OK\r\n\r\nsome"));
    accept(tail(1, 9_000, 500, "........", ConnectionEnd.RESET));
    assertThat(only().end()).isEqualTo(End.RESET);
    assertThat(only().status()).isEqualTo(200);
  }

  @Test
  void tellsARequestWithoutResponse() {
    accept(new Change().response("").end(ConnectionEnd.RESET));
    assertThat(only().end()).isEqualTo(End.RESET);
    assertThat(only().status()).isZero();
    assertThat(only().responseNs()).isZero();
    assertThat(only().tailNs()).isEqualTo(4_000);
  }

  @Test
  void countsAHeadThatNeverEnded() {
    accept(new Change().head("GET / HT").response("").end(ConnectionEnd.CLOSED));
    assertThat(exchanges).isEmpty();
    assertThat(assembler.counted(HttpCounter.UNFINISHED_HEADS)).isEqualTo(1);
  }

  @Test
  void reportsAHeadThatWasAnsweredBeforeItsEnd() {
    accept(new Change().head("GET / HT"));
    assertThat(only().headComplete()).isFalse();
    assertThat(head(only())).isEqualTo("GET / HT");
  }

  @Test
  void joinsThePartsOfALongHead() {
    String request = "GET / HTTP/1.1\r\nX: " + "0123456789".repeat(300) + "\r\n\r\n";
    byte[] bytes = request.getBytes(ISO_8859_1);
    // In another order, overlapping, doubled, and one of another exchange.
    int[][] parts = {{2000, 3000}, {1024, 1500}, {1400, 2048}, {1024, 1500}, {2900, bytes.length}};
    accept(new HttpEvent.HeadPart(COOKIE, 1, 1024, new byte[] {'!', '!'}));
    for (int[] part : parts) {
      accept(
          new HttpEvent.HeadPart(COOKIE, 2, part[0], Arrays.copyOfRange(bytes, part[0], part[1])));
    }
    accept(new Change().exchange(2).head(request));
    assertThat(head(only())).isEqualTo(request);
    assertThat(only().headComplete()).isTrue();
  }

  @Test
  void knowsALongHeadWithAMissingPartAsIncomplete() {
    String request = "GET / HTTP/1.1\r\nX: " + "0123456789".repeat(300) + "\r\n\r\n";
    accept(new HttpEvent.HeadPart(COOKIE, 1, 2000, request.substring(2000).getBytes(ISO_8859_1)));
    accept(new Change().head(request));
    assertThat(only().headComplete()).isFalse();
    assertThat(head(only())).isEqualTo(request.substring(0, 1024));
  }

  @Test
  void boundsTheParts() {
    for (int i = 0; i < 1_000; i++) {
      accept(new HttpEvent.HeadPart(COOKIE, 1, 1024 + i, new byte[] {'x'}));
    }
    assertThat(assembler.counted(HttpCounter.PARTS_REFUSED)).isEqualTo(1_000 - 256);
  }

  @Test
  void reportsNothingMoreOfAConnectionWithPipelinedRequests() {
    accept(new Change().surplus(GET.length()));
    only();
    accept(new Change().exchange(2));
    accept(new Change().exchange(3));
    only();
    assertThat(assembler.counted(HttpCounter.PIPELINED)).isEqualTo(2);
    accept(closing(3, ConnectionEnd.CLOSED));
    // The cookie is not used again, but nothing is remembered either.
    accept(new Change());
    assertThat(exchanges).hasSize(2);
  }

  @Test
  void knowsPipelinedRequestsByTheirSurplusOfResponse() {
    accept(new Change().response(OK + OK));
    accept(new Change().exchange(2));
    only();
    assertThat(assembler.counted(HttpCounter.PIPELINED)).isEqualTo(1);
  }

  @Test
  void seesPipelinedRequestsBehindChunks() {
    String request = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    accept(new Change().head(request));
    accept(new Change().exchange(2).head(request + GET));
    accept(new Change().exchange(3));
    assertThat(exchanges).hasSize(2);
  }

  @Test
  void doesNotTakeABodyForAHead() {
    String request = "POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n";
    accept(new Change().head(request));
    only();
    int bodyAt = HEAD_SEQUENCE + request.length();
    accept(new Change().exchange(2).headSequence(bodyAt + 999));
    only();
    assertThat(assembler.counted(HttpCounter.BODY_AS_HEAD)).isEqualTo(1);
    accept(new Change().exchange(3).headSequence(bodyAt + 1_000));
    assertThat(exchanges).hasSize(2);
  }

  @Test
  void knowsResponsesWithoutBody() {
    accept(new Change().head("HEAD / HTTP/1.1\r\n\r\n").response(LARGE));
    accept(new Change().exchange(2).response(LARGE.replace("200 OK", "304 Same")));
    accept(new Change().exchange(3).response("HTTP/1.1 204 None\r\n\r\n"));
    accept(
        new Change()
            .exchange(4)
            .head("CONNECT x:1 HTTP/1.1\r\n\r\n")
            .response("HTTP/1.1 200 OK\r\n\r\n"));
    assertThat(exchanges).hasSize(4);
  }

  @Test
  void forgetsAConnectionThatIsLeft() {
    accept(new Change().response(LARGE));
    accept(tail(1, 5_000, 500, "........", ConnectionEnd.LEFT));
    assertThat(exchanges).isEmpty();
    assertThat(assembler.hasUnfinished()).isFalse();
    assertThat(assembler.counted(HttpCounter.LOST_TAILS)).isEqualTo(1);
  }

  @Test
  void reportsWhatWaitsForItsResponseAndThenItsEnd() {
    assembler.open(new Change().response("").build(), 6_000_000_000L, exchanges::add);
    HttpExchange open = only();
    assertThat(open.end()).isEqualTo(End.OPEN);
    assertThat(open.tailNs()).isEqualTo(6_000_000_000L);
    assertThat(open.status()).isZero();
    accept(new Change());
    assertThat(exchanges).hasSize(2);
    assertThat(exchanges.getLast().end()).isEqualTo(End.RESPONSE);
    assertThat(exchanges.getLast().headSequence()).isEqualTo(open.headSequence());
    assertThat(assembler.counted(HttpCounter.EXCHANGES)).isEqualTo(1);
  }

  @Test
  void doesNotReportAHeadThatIsStillComing() {
    assembler.open(
        new Change().head("GET / HTTP/1.1\r\nHo").response("").build(),
        6_000_000_000L,
        exchanges::add);
    assertThat(exchanges).isEmpty();
  }

  @Test
  void reportsALongResponseAsOpenEverySecond() {
    accept(new Change().response(LARGE));
    assembler.endSilent(5_000_000_999L, exchanges::add);
    assertThat(exchanges).isEmpty();
    assembler.endSilent(5_000_001_000L, exchanges::add);
    HttpExchange open = only();
    assertThat(open.end()).isEqualTo(End.OPEN);
    assertThat(open.status()).isEqualTo(200);
    assertThat(open.responseNs()).isEqualTo(2_000);
    assembler.endSilent(6_000_000_999L, exchanges::add);
    assertThat(exchanges).hasSize(1);
    assembler.endSilent(6_000_001_000L, exchanges::add);
    assertThat(exchanges).hasSize(2);
  }

  @Test
  void survivesLostRecords() {
    accept(tail(4, 5_000, 500));
    accept(closing(4, ConnectionEnd.CLOSED));
    accept(new Change().exchange(5).response(LARGE));
    // Its tail is lost, and the next exchange's record.
    accept(new Change().exchange(7));
    assertThat(assembler.counted(HttpCounter.LOST_TAILS)).isEqualTo(1);
    only();
    assertThat(assembler.hasUnfinished()).isFalse();
  }
}
