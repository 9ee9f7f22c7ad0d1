package io.headspan.storage.embedded;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class CompressedFramesTest {
  /// `SELECT 1 AS x FORMAT RowBinaryWithNamesAndTypes` as client-v2 0.11.0 sends it with ZSTD.
  private static final byte[] ZSTD_FRAME =
      HexFormat.of()
          .parseHex(
              "1f333607f1b1f74c72dc67b5a8b081e990410000002f00000028b52ffd202f79"
                  + "010053454c4543542031204153207820464f524d415420526f7742696e617279"
                  + "576974684e616d6573416e645479706573");

  @Test
  void returnsWhatWasCompressed() throws IOException {
    Random random = new Random(1);
    ByteArrayOutputStream frames = new ByteArrayOutputStream();
    ByteArrayOutputStream expected = new ByteArrayOutputStream();
    for (int size : new int[] {0, 1, 100, 70_000, 300_000}) {
      byte[] data = new byte[size];
      random.nextBytes(data);
      Arrays.fill(data, 0, size / 2, (byte) 7);
      frames.write(CompressedFrames.compress(data));
      expected.write(data);
    }
    assertThat(read(frames.toByteArray())).isEqualTo(expected.toByteArray());
  }

  @Test
  void refusesFramesThatAreNotWholeAndRight() {
    byte[] frame = CompressedFrames.compress("some data, some more data".repeat(5).getBytes(UTF_8));
    for (int length = 1; length < frame.length; length++) {
      byte[] part = Arrays.copyOf(frame, length);
      assertThatThrownBy(() -> read(part)).isInstanceOf(IOException.class);
    }
    for (int i = 0; i < frame.length; i++) {
      byte[] broken = frame.clone();
      broken[i] ^= 0x10;
      assertThatThrownBy(() -> read(broken)).as("byte " + i).isInstanceOf(IOException.class);
    }
  }

  @Test
  void readsZstdFramesOfTheRealClient() throws IOException {
    assertThat(new String(read(ZSTD_FRAME), UTF_8))
        .isEqualTo("SELECT 1 AS x FORMAT RowBinaryWithNamesAndTypes");
  }

  private static byte[] read(byte[] frames) throws IOException {
    return CompressedFrames.decompress(new ByteArrayInputStream(frames)).readAllBytes();
  }
}
