package io.headspan.collector.receive;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdDecompressCtx;
import com.github.luben.zstd.ZstdException;
import com.github.luben.zstd.ZstdInputStreamNoFinalizer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.zip.GZIPInputStream;
import org.xerial.snappy.Snappy;
import org.xerial.snappy.SnappyFramedInputStream;

/// How a message is compressed on the wire, and how it is expanded without trusting it: never more
/// than a given number of bytes, never with a zstd window above 32 MiB.
enum Compression {
  IDENTITY(0) {
    @Override
    byte[] expandBounded(byte[] source, int offset, int length, int limitBytes) {
      if (length > limitBytes) {
        throw MessageException.tooLarge(limitBytes);
      }
      return Arrays.copyOfRange(source, offset, offset + length);
    }
  },

  GZIP(1) {
    @Override
    byte[] expandBounded(byte[] source, int offset, int length, int limitBytes) throws IOException {
      try (InputStream in = new GZIPInputStream(stream(source, offset, length), 8192)) {
        return readBounded(in, limitBytes);
      }
    }
  },

  ZSTD(2) {
    @Override
    byte[] expandBounded(byte[] source, int offset, int length, int limitBytes) throws IOException {
      long announced = Zstd.getFrameContentSize(source, offset, length);
      if (announced > limitBytes) {
        throw MessageException.tooLarge(limitBytes);
      }
      try {
        if (announced > 0 && Zstd.findFrameCompressedSize(source, offset, length) == length) {
          // One frame of known size: the destination is the window, so no window is allocated.
          return expandFrame(source, offset, length, (int) announced);
        }
      } catch (ZstdException e) {
        throw new IOException(e.getMessage(), e);
      }
      try (ZstdInputStreamNoFinalizer in =
          new ZstdInputStreamNoFinalizer(stream(source, offset, length))) {
        in.setLongMax(ZSTD_WINDOW_LOG_MAX);
        return readBounded(in, limitBytes);
      }
    }
  },

  /// The framed format, as gRPC senders write it, or one raw block, as some HTTP senders do.
  SNAPPY(3) {
    @Override
    byte[] expandBounded(byte[] source, int offset, int length, int limitBytes) throws IOException {
      if (startsWith(source, offset, length, SNAPPY_STREAM_IDENTIFIER)) {
        try (InputStream in = new SnappyFramedInputStream(stream(source, offset, length))) {
          return readBounded(in, limitBytes);
        }
      }
      int announced = Snappy.uncompressedLength(source, offset, length);
      if (announced < 0 || announced > limitBytes) {
        throw MessageException.tooLarge(limitBytes);
      }
      if (!Snappy.isValidCompressedBuffer(source, offset, length)) {
        throw new IOException("corrupt snappy block");
      }
      byte[] expanded = new byte[announced];
      Snappy.uncompress(source, offset, length, expanded, 0);
      return expanded;
    }
  };

  /// Windows up to 2^25 = 32 MiB, the default limit of the Go receiver.
  private static final int ZSTD_WINDOW_LOG_MAX = 25;

  private static final byte[] SNAPPY_STREAM_IDENTIFIER = {
    (byte) 0xff, 6, 0, 0, 's', 'N', 'a', 'P', 'p', 'Y'
  };

  private static final Map<String, Compression> BY_GRPC_ENCODING = byGrpcEncoding();

  private final byte mark;

  Compression(int mark) {
    this.mark = (byte) mark;
  }

  /// The names of `grpc-encoding` that are understood, with what each means. OTel-Arrow exporters
  /// announce zstd under a name of its own per level.
  static Map<String, Compression> grpcEncodings() {
    return BY_GRPC_ENCODING;
  }

  /// What an HTTP `Content-Encoding` means; empty if it is not understood.
  static Optional<Compression> ofContentEncoding(String contentEncoding) {
    return switch (contentEncoding.strip().toLowerCase(Locale.ROOT)) {
      case "", "identity" -> Optional.of(IDENTITY);
      case "gzip" -> Optional.of(GZIP);
      case "zstd" -> Optional.of(ZSTD);
      case "snappy" -> Optional.of(SNAPPY);
      default -> Optional.empty();
    };
  }

  /// One byte that stands for this value.
  byte mark() {
    return mark;
  }

  /// What `mark` stands for, empty if nothing.
  static Optional<Compression> ofMark(byte mark) {
    return Arrays.stream(values()).filter(value -> value.mark == mark).findFirst();
  }

  /// The expanded bytes, in an array of their own.
  ///
  /// @throws MessageException if they would be more than `limitBytes`, or `source` is truncated or
  ///   not of this form
  byte[] expand(byte[] source, int offset, int length, int limitBytes) {
    try {
      return expandBounded(source, offset, length, limitBytes);
    } catch (IOException e) {
      throw MessageException.malformed("cannot expand " + name().toLowerCase(Locale.ROOT), e);
    }
  }

  abstract byte[] expandBounded(byte[] source, int offset, int length, int limitBytes)
      throws IOException;

  private static Map<String, Compression> byGrpcEncoding() {
    Map<String, Compression> names = new LinkedHashMap<>();
    names.put("zstd", ZSTD);
    for (int level = 1; level <= 10; level++) {
      names.put("zstdarrow" + level, ZSTD);
    }
    names.put("gzip", GZIP);
    names.put("snappy", SNAPPY);
    return Map.copyOf(names);
  }

  private static byte[] expandFrame(byte[] source, int offset, int length, int size) {
    byte[] expanded = new byte[size];
    try (ZstdDecompressCtx context = new ZstdDecompressCtx()) {
      int actual = context.decompressByteArray(expanded, 0, size, source, offset, length);
      return actual == size ? expanded : Arrays.copyOf(expanded, actual);
    }
  }

  private static boolean startsWith(byte[] source, int offset, int length, byte[] prefix) {
    return length >= prefix.length
        && Arrays.equals(source, offset, offset + prefix.length, prefix, 0, prefix.length);
  }

  private static InputStream stream(byte[] source, int offset, int length) {
    return new ByteArrayInputStream(source, offset, length);
  }

  private static byte[] readBounded(InputStream in, int limitBytes) throws IOException {
    byte[] bytes = in.readNBytes(limitBytes);
    if (bytes.length == limitBytes && in.read() >= 0) {
      throw MessageException.tooLarge(limitBytes);
    }
    return bytes;
  }
}
