package io.headspan.storage.embedded;

import com.clickhouse.data.ClickHouseCityHash;
import com.github.luben.zstd.Zstd;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import net.jpountz.lz4.LZ4Compressor;
import net.jpountz.lz4.LZ4Exception;
import net.jpountz.lz4.LZ4Factory;
import net.jpountz.lz4.LZ4SafeDecompressor;

/// ClickHouse's own compression of HTTP bodies (`compress=1`, `decompress=1`): a sequence of
/// frames, little-endian, after its `src/Compression/CompressedWriteBuffer.cpp`:
///
/// ```
///  0  16  CityHash128 (version 1.0.2) of everything after it in the frame
/// 16   1  method: 0x82 LZ4, 0x90 ZSTD, 0x02 none
/// 17   4  size of the compressed data, plus 9 for the header from the method on
/// 21   4  size of the data once decompressed
/// 25   …  the compressed data
/// ```
// The client library keeps its CityHash to itself by deprecating it, but uses it for the same
// frames.
@SuppressWarnings("deprecation")
final class CompressedFrames {
  private static final int CHECKSUM_BYTES = 16;
  private static final int HEADER_BYTES = 9;
  private static final byte METHOD_LZ4 = (byte) 0x82;
  private static final byte METHOD_ZSTD = (byte) 0x90;
  private static final byte METHOD_NONE = 0x02;

  /// ClickHouse refuses larger frames, too.
  private static final int MAX_FRAME_BYTES = 1 << 30;

  private static final LZ4Compressor COMPRESSOR = LZ4Factory.fastestInstance().fastCompressor();
  private static final LZ4SafeDecompressor DECOMPRESSOR =
      LZ4Factory.fastestInstance().safeDecompressor();

  private CompressedFrames() {}

  /// One LZ4 frame that holds `data`.
  static byte[] compress(byte[] data) {
    int start = CHECKSUM_BYTES + HEADER_BYTES;
    byte[] frame = new byte[start + COMPRESSOR.maxCompressedLength(data.length)];
    int compressed = COMPRESSOR.compress(data, 0, data.length, frame, start);
    ByteBuffer header = ByteBuffer.wrap(frame).order(ByteOrder.LITTLE_ENDIAN);
    header.put(CHECKSUM_BYTES, METHOD_LZ4);
    header.putInt(CHECKSUM_BYTES + 1, compressed + HEADER_BYTES);
    header.putInt(CHECKSUM_BYTES + 5, data.length);
    long[] checksum =
        ClickHouseCityHash.cityHash128(frame, CHECKSUM_BYTES, compressed + HEADER_BYTES);
    header.putLong(0, checksum[0]);
    header.putLong(8, checksum[1]);
    return java.util.Arrays.copyOf(frame, start + compressed);
  }

  /// The data of the frames in `source`, with an [IOException] for any that is not whole and right.
  static InputStream decompress(InputStream source) {
    return new Input(source);
  }

  private static final class Input extends InputStream {
    private final InputStream source;
    private final byte[] checksum = new byte[CHECKSUM_BYTES];
    private byte[] frame = new byte[1 << 16];
    private byte[] data = new byte[0];
    private int position;
    private int limit;

    Input(InputStream source) {
      this.source = source;
    }

    @Override
    public int read() throws IOException {
      return fill() ? data[position++] & 0xff : -1;
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
      if (length == 0) {
        return 0;
      }
      if (!fill()) {
        return -1;
      }
      int count = Math.min(length, limit - position);
      System.arraycopy(data, position, target, offset, count);
      position += count;
      return count;
    }

    @Override
    public void close() throws IOException {
      source.close();
    }

    private boolean fill() throws IOException {
      while (position == limit) {
        int read = source.readNBytes(checksum, 0, CHECKSUM_BYTES);
        if (read == 0) {
          return false;
        }
        if (read < CHECKSUM_BYTES) {
          throw new EOFException("compressed body ends in a frame's checksum");
        }
        readFrame();
      }
      return true;
    }

    private void readFrame() throws IOException {
      readFully(0, HEADER_BYTES);
      ByteBuffer header = ByteBuffer.wrap(frame).order(ByteOrder.LITTLE_ENDIAN);
      byte method = header.get(0);
      int size = header.getInt(1);
      int dataSize = header.getInt(5);
      if (size < HEADER_BYTES
          || size > MAX_FRAME_BYTES
          || dataSize < 0
          || dataSize > MAX_FRAME_BYTES) {
        throw new IOException(
            "compressed frame of impossible size: compressed=" + size + ", data=" + dataSize);
      }
      if (frame.length < size) {
        frame = java.util.Arrays.copyOf(frame, size);
      }
      readFully(HEADER_BYTES, size - HEADER_BYTES);
      ByteBuffer expected = ByteBuffer.wrap(checksum).order(ByteOrder.LITTLE_ENDIAN);
      long[] actual = ClickHouseCityHash.cityHash128(frame, 0, size);
      if (actual[0] != expected.getLong(0) || actual[1] != expected.getLong(8)) {
        throw new IOException("compressed frame has a wrong checksum");
      }
      if (data.length < dataSize) {
        data = new byte[dataSize];
      }
      position = 0;
      limit = dataSize;
      switch (method) {
        case METHOD_LZ4 -> decompressLz4(size, dataSize);
        case METHOD_ZSTD -> decompressZstd(size, dataSize);
        case METHOD_NONE -> {
          if (size - HEADER_BYTES != dataSize) {
            throw new IOException("uncompressed frame of wrong size: data=" + dataSize);
          }
          System.arraycopy(frame, HEADER_BYTES, data, 0, dataSize);
        }
        default ->
            throw new IOException(
                "compressed frame of unknown method: method="
                    + (method & 0xff)
                    + ", known=LZ4,ZSTD");
      }
    }

    private void decompressLz4(int size, int dataSize) throws IOException {
      try {
        int actual =
            DECOMPRESSOR.decompress(frame, HEADER_BYTES, size - HEADER_BYTES, data, 0, dataSize);
        checkSize(dataSize, actual);
      } catch (LZ4Exception e) {
        throw new IOException("compressed frame cannot be decompressed", e);
      }
    }

    private void decompressZstd(int size, int dataSize) throws IOException {
      long actual =
          Zstd.decompressByteArray(data, 0, dataSize, frame, HEADER_BYTES, size - HEADER_BYTES);
      if (Zstd.isError(actual)) {
        throw new IOException(
            "compressed frame cannot be decompressed: error=" + Zstd.getErrorName(actual));
      }
      checkSize(dataSize, actual);
    }

    private static void checkSize(int stated, long actual) throws IOException {
      if (actual != stated) {
        throw new IOException(
            "compressed frame of wrong size: stated=" + stated + ", actual=" + actual);
      }
    }

    private void readFully(int offset, int length) throws IOException {
      if (source.readNBytes(frame, offset, length) < length) {
        throw new EOFException("compressed body ends within a frame");
      }
    }
  }
}
