package io.headspan.agent.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// Heads put together from pieces of real ones and noise: whatever comes, the parser ends, throws
/// nothing and keeps no more than it may. `-Dheadspan.fuzz.seconds` sets the time.
class RequestHeadFuzzTest {
  private static final String SECRET = "hush";
  private static final List<String> PIECES =
      List.of(
          "GET ",
          "POST ",
          "CONNECT ",
          "PRI * HTTP/2.0\r\n\r\n",
          "/",
          "/a/b",
          "?" + SECRET,
          "#" + SECRET,
          "http://" + SECRET + "@host",
          "*",
          " ",
          " HTTP/1.1",
          " HTTP/1.0\n",
          "\r\n",
          "\r\n",
          "\n",
          "\t",
          ":",
          "-",
          "traceparent: ",
          "TraceParent:",
          "tracestate: a=b",
          "tracestate:",
          "b3: ",
          "x-b3-traceid: ",
          "X-B3-SpanId:",
          "x-b3-sampled: 1",
          "Cookie: " + SECRET + "\r\n",
          "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
          "4bf92f3577b34da6a3ce929d0e0e4736",
          "00f067aa0ba902b7");

  @Test
  void keepsNothingThatItMayNot() {
    long seed = System.nanoTime();
    long endNs =
        System.nanoTime() + Duration.ofSeconds(Long.getLong("headspan.fuzz.seconds", 1)).toNanos();
    int readable = 0;
    do {
      seed++;
      var random = new Random(seed);
      byte[] bytes = bytes(random);
      String about = "seed=" + seed + ", head=" + new String(bytes, ISO_8859_1);
      if (RequestHead.parse(bytes, random.nextBoolean()) instanceof RequestHead head) {
        readable++;
        assertThat(head.method()).as(about).isNotEmpty().hasSizeLessThanOrEqualTo(32);
        // A path may hold anything that is not a blank, a control character or a query.
        assertThat(head.path()).as(about).doesNotContain("?", "#", " ", "\r", "\n");
        assertThat(head.path()).as(about).doesNotStartWith(SECRET + "@");
        assertThat(head.context() != null)
            .as(about)
            .isEqualTo(head.carried() == CarriedContext.VALID);
        if (head.context() != null) {
          assertThat(head.context().spanId()).as(about).isNotZero();
          assertThat(head.context().traceState()).as(about).matches("[\\x20-\\x7e\\t]*");
        }
      }
    } while (System.nanoTime() - endNs < 0);
    assertThat(readable).isPositive();
  }

  private static byte[] bytes(Random random) {
    var text = new StringBuilder();
    if (random.nextInt(4) > 0) {
      text.append("GET /x HTTP/1.1\r\n");
    }
    for (int i = 0; i < random.nextInt(25); i++) {
      text.append(PIECES.get(random.nextInt(PIECES.size())));
    }
    byte[] bytes = text.toString().getBytes(ISO_8859_1);
    for (int i = 0; bytes.length > 0 && i < random.nextInt(3); i++) {
      bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
    }
    return bytes;
  }
}
