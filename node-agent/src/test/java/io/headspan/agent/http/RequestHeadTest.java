package io.headspan.agent.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.wire.TraceContext;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RequestHeadTest {
  private static final String TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
  private static final String PARENT = "00-" + TRACE + "-00f067aa0ba902b7-01";

  @Test
  void readsMethodPathVersionAndContext() {
    RequestHead head =
        readable(
            "POST /orders/7?card=4111#top HTTP/1.1\r\n"
                + "Host: shop\r\nTraceParent: "
                + PARENT
                + "\r\ntracestate: rojo=1\r\nCookie: secret\r\n\r\nbody");
    assertThat(head.method()).isEqualTo("POST");
    assertThat(head.path()).isEqualTo("/orders/7");
    assertThat(head.minorVersion()).isEqualTo(1);
    assertThat(head.carried()).isEqualTo(CarriedContext.VALID);
    TraceContext context = context(head);
    assertThat(context.traceparent()).isEqualTo(PARENT);
    assertThat(context.traceState()).isEqualTo("rojo=1");
  }

  @Test
  void keepsNothingElseOfTheRequest() {
    RequestHead head =
        readable(
            "GET http://user:secret@shop/a?secret HTTP/1.1\r\n"
                + "Cookie: secret\r\nAuthorization: secret\r\n\r\nsecret");
    assertThat(head.toString()).doesNotContain("secret").contains("/a");
  }

  @ParameterizedTest
  @CsvSource({
    "/, /",
    "/a/b, /a/b",
    "/a?b=c, /a",
    "/a#b, /a",
    "/?, /",
    "//double, //double",
    "*, *",
    "http://host, /",
    "http://host?x, /",
    "http://host:80/a/b?x, /a/b",
    "HTTPS://host/a, /a",
    "/%2e%2e/a%20b, /%2e%2e/a%20b",
    "/a/http://host/b, /a/http://host/b"
  })
  void takesThePathOutOfTheTarget(String target, String path) {
    assertThat(readable("GET " + target + " HTTP/1.1\r\n\r\n").path()).isEqualTo(path);
  }

  @Test
  void givesNoPathForConnect() {
    assertThat(readable("CONNECT db:5432 HTTP/1.1\r\n\r\n").path()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'' | EMPTY",
        "'\\r\\n\\r\\n' | EMPTY",
        "'\\26\\3\\1' | TLS",
        "'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n' | HTTP_2",
        "'SSH-2.0-OpenSSH\\r\\n' | NOT_HTTP",
        "' GET / HTTP/1.1\\r\\n' | NOT_HTTP",
        "'GET\\t/ HTTP/1.1\\r\\n' | NOT_HTTP",
        "'ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHI / HTTP/1.1\\r\\n' | NOT_HTTP",
        "'GET a HTTP/1.1\\r\\n' | TARGET",
        "'GET ://host/ HTTP/1.1\\r\\n' | TARGET",
        "'GET /a\\1b HTTP/1.1\\r\\n' | TARGET",
        "'GET /\\r\\n' | VERSION",
        "'GET / HTTP/3.1\\r\\n' | VERSION",
        "'GET / HTTP/1.x\\r\\n' | VERSION",
        "'GET / HTTP/1.11\\r\\n' | VERSION",
        "'GET / b HTTP/1.1\\r\\n' | VERSION",
        "'GET' | CUT_OFF",
        "'GET /a' | CUT_OFF",
        "'GET /a HTTP/1.1' | CUT_OFF",
      })
  void namesWhyARequestCannotBeRead(String request, UnreadableHead reason) {
    assertThat(parse(request.translateEscapes(), false)).isEqualTo(reason);
  }

  @Test
  void acceptsWhatServersAccept() {
    assertThat(readable("\r\n\r\nGET / HTTP/1.1\n\n").path()).isEqualTo("/");
    assertThat(readable("GET  /a  HTTP/1.0 \r\n\r\n").path()).isEqualTo("/a");
    assertThat(readable("PROPFIND /a HTTP/1.1\r\n\r\n").method()).isEqualTo("PROPFIND");
    assertThat(readable("GET /\u00c3\u00a4 HTTP/1.1\r\n\r\n").path()).isEqualTo("/\u00e4");
  }

  @Test
  void joinsSeveralTracestateHeadersInOrder() {
    RequestHead head =
        withHeaders("tracestate: a=1\r\ntraceparent: " + PARENT + "\r\nTraceState:b=2,c=3\r\n");
    assertThat(context(head).traceState()).isEqualTo("a=1,b=2,c=3");
  }

  @ParameterizedTest
  @CsvSource({"a", "'a=1,b'", "'=1'", "'a=\u00e4'"})
  void leavesOutATracestateThatIsNoList(String state) {
    RequestHead head = withHeaders("traceparent: " + PARENT + "\r\ntracestate: " + state + "\r\n");
    assertThat(context(head).traceState()).isEmpty();
  }

  @Test
  void leavesOutATracestateOfTooManyMembers() {
    String members = "a=1,".repeat(32) + "a=1";
    RequestHead head =
        withHeaders("traceparent: " + PARENT + "\r\ntracestate: " + members + "\r\n");
    assertThat(context(head).traceState()).isEmpty();
  }

  @Test
  void takesSeveralTraceparentsForNone() {
    RequestHead head =
        withHeaders("traceparent: " + PARENT + "\r\nA: b\r\ntraceparent: " + PARENT + "\r\n");
    assertThat(head.carried()).isEqualTo(CarriedContext.INVALID);
    assertThat(head.context()).isNull();
  }

  @ParameterizedTest
  @CsvSource({
    "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
    "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
    "''"
  })
  void countsAMalformedTraceparentAsInvalid(String value) {
    assertThat(withHeaders("traceparent: " + value + "\r\n").carried())
        .isEqualTo(CarriedContext.INVALID);
  }

  @Test
  void readsALaterVersionOfTheContext() {
    String later = "cc-" + TRACE + "-00f067aa0ba902b7-01-what-comes";
    assertThat(context(withHeaders("traceparent: " + later + "\r\n")).traceId()).isEqualTo(TRACE);
  }

  @Test
  void takesAFoldedTraceparentForInvalid() {
    assertThat(withHeaders("traceparent: " + PARENT + "\r\n 00\r\n").carried())
        .isEqualTo(CarriedContext.INVALID);
  }

  @Test
  void ignoresHeadersWithASpaceBeforeTheColon() {
    assertThat(withHeaders("traceparent : " + PARENT + "\r\n").carried())
        .isEqualTo(CarriedContext.NONE);
  }

  @Test
  void doesNotLookIntoTheBody() {
    RequestHead head =
        readable("POST / HTTP/1.1\r\nHost: a\r\n\r\ntraceparent: " + PARENT + "\r\n\r\n");
    assertThat(head.carried()).isEqualTo(CarriedContext.NONE);
  }

  @Test
  void doesNotKnowTheContextBehindACut() {
    String cut = "GET / HTTP/1.1\r\nA: b\r\ntraceparent: 00-4bf9";
    assertThat(((RequestHead) parse(cut, false)).carried()).isEqualTo(CarriedContext.UNKNOWN);
    assertThat(((RequestHead) parse(cut, true)).carried()).isEqualTo(CarriedContext.NONE);
  }

  /// A whole head, cut at every byte: the path is either right or not there, and so is the context.
  @Test
  void neverGivesPartsOfACutHead() {
    String whole = "PUT /a/b?c HTTP/1.1\r\nX: y\r\ntraceparent: " + PARENT + "\r\nZ: 1\r\n\r\n";
    for (int length = 0; length <= whole.length(); length++) {
      switch (parse(whole.substring(0, length), false)) {
        case RequestHead head -> {
          assertThat(head.method()).isEqualTo("PUT");
          assertThat(head.path()).isEqualTo("/a/b");
          if (head.carried() == CarriedContext.VALID) {
            assertThat(context(head).traceparent()).isEqualTo(PARENT);
          } else {
            assertThat(head.carried()).isEqualTo(CarriedContext.UNKNOWN);
          }
        }
        case UnreadableHead reason ->
            assertThat(reason).isIn(UnreadableHead.EMPTY, UnreadableHead.CUT_OFF);
      }
    }
  }

  /// Hostile bytes: random ones, and heads with bytes changed, cut out, doubled and spliced. The
  /// parser must answer, and what it answers must keep its promises.
  @Test
  void survivesHostileBytes() {
    SplittableRandom random = new SplittableRandom(20261121);
    List<byte[]> seeds = new ArrayList<>();
    seeds.add(new byte[0]);
    for (String seed :
        List.of(
            "GET / HTTP/1.1\r\n\r\n",
            "POST http://a:b@c/d?e#f HTTP/1.0\nTraceParent:" + PARENT + "\n tracestate: a=b\n\n",
            "OPTIONS * HTTP/1.1\r\ntracestate: a=1,b=2\r\ntracestate: \r\ntraceparent:\t"
                + PARENT
                + " \r\n\r\n",
            "CONNECT h:1 HTTP/1.1\r\ntraceparent: " + PARENT + "\r\n\r\n\0\0\0")) {
      seeds.add(seed.getBytes(ISO_8859_1));
    }
    int readable = 0;
    for (int round = 0; round < 200_000; round++) {
      byte[] bytes = mutate(seeds.get(random.nextInt(seeds.size())), random);
      boolean complete = random.nextBoolean();
      if (RequestHead.parse(bytes, complete) instanceof RequestHead head) {
        readable++;
        assertThat(head.method()).hasSizeBetween(1, 32).doesNotContainAnyWhitespaces();
        assertThat(head.path()).doesNotContain("?", "#", " ", "\r", "\n", "\0");
        assertThat(head.minorVersion()).isBetween(0, 9);
        assertThat(head.context() != null).isEqualTo(head.carried() == CarriedContext.VALID);
        if (head.context() != null) {
          assertThat(head.context().spanId()).isNotZero();
          assertThat(head.context().traceState()).hasSizeLessThanOrEqualTo(512);
        }
      }
    }
    assertThat(readable).as("mutations that are still requests").isGreaterThan(10_000);
  }

  private static byte[] mutate(byte[] seed, SplittableRandom random) {
    byte[] bytes = seed.clone();
    for (int change = random.nextInt(4); change >= 0; change--) {
      int at = bytes.length == 0 ? 0 : random.nextInt(bytes.length);
      bytes =
          switch (random.nextInt(5)) {
            case 0 -> Arrays.copyOf(bytes, at);
            case 1 -> Arrays.copyOfRange(bytes, at, bytes.length);
            case 2 -> splice(bytes, at, random.nextInt(1, 64), random);
            case 3 -> concat(bytes, Arrays.copyOfRange(bytes, at, bytes.length));
            default -> flip(bytes, at, random);
          };
    }
    return bytes;
  }

  private static byte[] splice(byte[] bytes, int at, int length, SplittableRandom random) {
    byte[] noise = new byte[length];
    random.nextBytes(noise);
    return concat(
        concat(Arrays.copyOf(bytes, at), noise), Arrays.copyOfRange(bytes, at, bytes.length));
  }

  private static byte[] flip(byte[] bytes, int at, SplittableRandom random) {
    if (bytes.length > 0) {
      String likely = " \t\r\n:/?#*=,-0aZ\0\u007f\u00ff";
      bytes[at] = (byte) likely.charAt(random.nextInt(likely.length()));
    }
    return bytes;
  }

  private static byte[] concat(byte[] first, byte[] second) {
    byte[] joined = Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, joined, first.length, second.length);
    return joined;
  }

  private static ParsedHead parse(String request, boolean complete) {
    return RequestHead.parse(request.getBytes(ISO_8859_1), complete);
  }

  private static RequestHead readable(String request) {
    return (RequestHead) parse(request, true);
  }

  private static RequestHead withHeaders(String headers) {
    return readable("GET / HTTP/1.1\r\n" + headers + "\r\n");
  }

  private static TraceContext context(RequestHead head) {
    return Objects.requireNonNull(head.context(), "no context was read");
  }
}
