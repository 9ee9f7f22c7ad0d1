package io.headspan.collector.receive;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdCompressCtx;
import com.github.luben.zstd.ZstdOutputStreamNoFinalizer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.xerial.snappy.Snappy;
import org.xerial.snappy.SnappyFramedOutputStream;

class CompressionTest {
  private static final int LIMIT = 1024 * 1024;

  /// A way of compressing, and what it is announced as.
  record Form(String name, Compression compression, Compressor compressor) {
    @Override
    public String toString() {
      return name;
    }
  }

  @FunctionalInterface
  interface Compressor {
    byte[] compress(byte[] plain) throws IOException;
  }

  @FunctionalInterface
  interface Wrapper {
    OutputStream wrap(OutputStream out) throws IOException;
  }

  static Stream<Form> forms() {
    return Stream.of(
        new Form("identity", Compression.IDENTITY, plain -> plain),
        new Form("gzip", Compression.GZIP, plain -> streamed(plain, GZIPOutputStream::new)),
        new Form("zstd with its size", Compression.ZSTD, Zstd::compress),
        new Form(
            "zstd as a stream",
            Compression.ZSTD,
            plain -> streamed(plain, ZstdOutputStreamNoFinalizer::new)),
        new Form("zstd in two frames", Compression.ZSTD, CompressionTest::twoFrames),
        new Form(
            "snappy framed",
            Compression.SNAPPY,
            plain -> streamed(plain, SnappyFramedOutputStream::new)),
        new Form("snappy block", Compression.SNAPPY, Snappy::compress));
  }

  /// Without two frames, which are whole when cut in the middle.
  static Stream<Form> formsThatAreOnePiece() {
    return forms()
        .filter(form -> form.compression != Compression.IDENTITY)
        .filter(form -> !form.name.equals("zstd in two frames"));
  }

  @ParameterizedTest
  @MethodSource("forms")
  void givesBackWhatWentIn(Form form) throws IOException {
    for (int size : new int[] {1, 1000, 100_000, LIMIT}) {
      byte[] plain = text(size);
      byte[] compressed = form.compressor.compress(plain);
      byte[] shifted = new byte[compressed.length + 3];
      System.arraycopy(compressed, 0, shifted, 2, compressed.length);

      assertThat(form.compression.expand(shifted, 2, compressed.length, LIMIT)).isEqualTo(plain);
    }
  }

  @ParameterizedTest
  @MethodSource("forms")
  void refusesWhatExpandsAboveTheLimit(Form form) throws IOException {
    byte[] compressed = form.compressor.compress(new byte[LIMIT + 1]);

    assertThatThrownBy(() -> form.compression.expand(compressed, 0, compressed.length, LIMIT))
        .isInstanceOfSatisfying(
            MessageException.class,
            e -> assertThat(e.kind()).isEqualTo(MessageException.Kind.TOO_LARGE))
        .hasMessage("message too large when expanded: limitBytes=" + LIMIT);
  }

  @ParameterizedTest
  @MethodSource("formsThatAreOnePiece")
  void refusesATruncatedMessage(Form form) throws IOException {
    byte[] compressed = form.compressor.compress(text(100_000));
    for (int length : new int[] {1, 5, compressed.length / 2, compressed.length - 1}) {
      assertThatThrownBy(() -> form.compression.expand(compressed, 0, length, LIMIT))
          .describedAs("%d of %d bytes", length, compressed.length)
          .isInstanceOfSatisfying(
              MessageException.class,
              e -> assertThat(e.kind()).isEqualTo(MessageException.Kind.MALFORMED))
          .hasMessageStartingWith("cannot expand ");
    }
  }

  @ParameterizedTest
  @MethodSource("forms")
  void survivesAnyByteChanged(Form form) throws IOException {
    byte[] compressed = form.compressor.compress(text(2_000));
    Random random = new Random(3);
    for (int i = 0; i < 2_000; i++) {
      byte[] changed = compressed.clone();
      changed[random.nextInt(changed.length)] ^= (byte) (1 << random.nextInt(8));
      try {
        assertThat(form.compression.expand(changed, 0, changed.length, LIMIT))
            .hasSizeLessThanOrEqualTo(LIMIT);
      } catch (MessageException e) {
        assertThat(e.getMessage()).isNotEmpty();
      }
    }
  }

  @Test
  void refusesAWindowAbove32Mib() throws IOException {
    byte[] plain = text(1000);
    byte[] compressed = streamed(plain, out -> new ZstdOutputStreamNoFinalizer(out).setLong(26));

    assertThatThrownBy(() -> Compression.ZSTD.expand(compressed, 0, compressed.length, LIMIT))
        .isInstanceOf(MessageException.class);
  }

  @Test
  void knowsTheNamesThatExportersUse() {
    assertThat(Compression.grpcEncodings())
        .containsEntry("zstd", Compression.ZSTD)
        .containsEntry("zstdarrow1", Compression.ZSTD)
        .containsEntry("zstdarrow5", Compression.ZSTD)
        .containsEntry("zstdarrow10", Compression.ZSTD)
        .containsEntry("gzip", Compression.GZIP)
        .containsEntry("snappy", Compression.SNAPPY)
        .hasSize(13);
    assertThat(Compression.ofContentEncoding("GZIP")).contains(Compression.GZIP);
    assertThat(Compression.ofContentEncoding("br")).isEmpty();
  }

  private static byte[] text(int size) {
    byte[] bytes = new byte[size];
    Random random = new Random(size);
    for (int i = 0; i < size; i++) {
      bytes[i] = (byte) ('a' + random.nextInt(6));
    }
    return bytes;
  }

  private static byte[] streamed(byte[] plain, Wrapper wrapper) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (OutputStream out = wrapper.wrap(bytes)) {
      out.write(plain);
    }
    return bytes.toByteArray();
  }

  private static byte[] twoFrames(byte[] plain) throws IOException {
    try (ZstdCompressCtx context = new ZstdCompressCtx()) {
      int half = plain.length / 2;
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      bytes.write(context.compress(Arrays.copyOf(plain, half)));
      bytes.write(context.compress(Arrays.copyOfRange(plain, half, plain.length)));
      return bytes.toByteArray();
    }
  }
}
