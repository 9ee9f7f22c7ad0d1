package io.headspan.agent.probe.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

class MessageFramingTest {
  private static MessageFraming read(String text) {
    return MessageFraming.read(text.getBytes(ISO_8859_1));
  }

  @Test
  void readsALength() {
    assertThat(read("POST / HTTP/1.1\r\nContent-Length: 42\r\n\r\nbody"))
        .isEqualTo(new MessageFraming(39, 42, false, true));
    assertThat(read("POST / HTTP/1.1\ncontent-LENGTH:\t42 \n\nbody"))
        .isEqualTo(new MessageFraming(37, 42, false, true));
  }

  @Test
  void countsLineEndsBeforeTheFirstLineAsHead() {
    assertThat(read("\r\n\nGET / HTTP/1.1\r\n\r\n").headLength()).isEqualTo(21);
  }

  @Test
  void knowsNoLengthWithoutHeader() {
    assertThat(read("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
        .isEqualTo(new MessageFraming(27, -1, false, true));
  }

  @Test
  void prefersChunksToALength() {
    assertThat(
            read("P / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n"))
        .isEqualTo(new MessageFraming(69, -1, true, true));
  }

  @Test
  void knowsNoLengthOfOtherCodings() {
    assertThat(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 3\r\n\r\n"))
        .isEqualTo(new MessageFraming(63, -1, false, true));
  }

  @Test
  void isNotWholeBeforeTheEmptyLine() {
    String head = "GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\n";
    for (int length = 0; length < head.length(); length++) {
      assertThat(read(head.substring(0, length)).isWhole()).isFalse();
    }
    assertThat(read(head).isWhole()).isTrue();
  }

  @Test
  void refusesContradictions() {
    assertThat(read("P / H\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n").valid()).isFalse();
    assertThat(read("P / H\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n").valid()).isTrue();
    for (String number : new String[] {"", "-1", "1,1", "0x10", "9".repeat(19), "1 2"}) {
      assertThat(read("P / H\r\nContent-Length: " + number + "\r\n\r\n").valid())
          .as(number)
          .isFalse();
    }
  }

  @Test
  void doesNotTakeTheFirstLineForAHeader() {
    assertThat(read("Content-Length: 5\r\n\r\n").bodyLength()).isEqualTo(-1);
  }

  @Test
  void readsAnythingWithoutFailing() {
    var random = new Random(7);
    byte[] alphabet = "\r\n: \tContent-Length:chunked0123\u0000\u00ff".getBytes(ISO_8859_1);
    for (int i = 0; i < 20_000; i++) {
      byte[] bytes = new byte[random.nextInt(80)];
      for (int j = 0; j < bytes.length; j++) {
        bytes[j] = alphabet[random.nextInt(alphabet.length)];
      }
      MessageFraming framing = MessageFraming.read(bytes);
      assertThat(framing.headLength()).isBetween(-1, bytes.length);
      assertThat(ChunkedBody.end(bytes, 0)).isBetween(-1, bytes.length);
      assertThat(ResponseHead.parse(bytes).status()).isBetween(0, 999);
    }
  }
}
