package io.headspan.agent.probe.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

class ChunkedBodyTest {
  private static int end(String text) {
    return ChunkedBody.end(text.getBytes(ISO_8859_1), 0);
  }

  /// The last 8 bytes as the kernel keeps them.
  private static long lastBytes(String text) {
    String last = text.substring(text.length() - 8);
    return ByteBuffer.wrap(last.getBytes(ISO_8859_1)).order(ByteOrder.LITTLE_ENDIAN).getLong();
  }

  @Test
  void findsTheEnd() {
    assertThat(end("0\r\n\r\n")).isEqualTo(5);
    assertThat(end("5\r\nhello\r\n0\r\n\r\nGET /")).isEqualTo(15);
    assertThat(end("A;name=value\r\n0123456789\r\n000\r\n\r\n")).isEqualTo(33);
    assertThat(end("1\nx\n0\n\n")).isEqualTo(7);
    assertThat(end("0\r\nTrailer: 1\r\nMore: 2\r\n\r\n")).isEqualTo(26);
  }

  @Test
  void findsNoEndBeforeIt() {
    String body = "5\r\nhello\r\n0\r\nT: 1\r\n\r\n";
    for (int length = 0; length < body.length(); length++) {
      assertThat(end(body.substring(0, length))).isEqualTo(-1);
    }
    assertThat(end(body)).isEqualTo(body.length());
  }

  @Test
  void findsNoEndInWhatIsNoChunks() {
    assertThat(end("hello\r\n\r\n")).isEqualTo(-1);
    assertThat(end("\r\n\r\n")).isEqualTo(-1);
    assertThat(end("fffffffff\r\n")).isEqualTo(-1);
    assertThat(end("2\r\nhello\r\n0\r\n\r\n")).isEqualTo(-1);
  }

  @Test
  void knowsTheLastChunkByItsBytes() {
    assertThat(ChunkedBody.endsWithLastChunk(lastBytes("x\r\n0\r\n\r\n"))).isTrue();
    assertThat(ChunkedBody.endsWithLastChunk(lastBytes("...\n00\r\n\r\n"))).isTrue();
    assertThat(ChunkedBody.endsWithLastChunk(lastBytes("0000\r\n\r\n"))).isTrue();
    assertThat(ChunkedBody.endsWithLastChunk(lastBytes("...10\r\n\r\n"))).isFalse();
    assertThat(ChunkedBody.endsWithLastChunk(lastBytes("xx\r\n0\r\n\r"))).isFalse();
    assertThat(ChunkedBody.endsWithLastChunk(lastBytes("abcdefgh"))).isFalse();
    assertThat(ChunkedBody.endsWithLastChunk(0)).isFalse();
  }

  @Test
  void knowsWhatMayBeTheEndOfTrailers() {
    assertThat(ChunkedBody.endsWithEmptyLine(lastBytes("T: 1\r\n\r\n"))).isTrue();
    assertThat(ChunkedBody.endsWithEmptyLine(lastBytes("T: 1234\r\n"))).isFalse();
  }
}
