package io.headspan.storage;

import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// Reads the primitives of ClickHouse's Native format, little-endian, from a stream.
final class NativeInput {
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  /// Longest String or array that is believed; more is not our protocol.
  private static final int LENGTH_MAX = 1 << 30;

  /// Elements that are allocated before any has been seen.
  private static final int STEP = 1 << 16;

  private final InputStream source;
  private final byte[] buffer = new byte[1 << 16];
  private int position;
  private int limit;

  NativeInput(InputStream source) {
    this.source = source;
  }

  /// Whether the stream has ended.
  boolean atEnd() throws IOException {
    return position == limit && !fill();
  }

  int readByte() throws IOException {
    if (position == limit && !fill()) {
      throw ended();
    }
    return buffer[position++] & 0xff;
  }

  long readLong() throws IOException {
    if (limit - position >= 8) {
      long value = (long) LONG.get(buffer, position);
      position += 8;
      return value;
    }
    return readNumber(8);
  }

  /// An unsigned number of `width` bytes, at most 8.
  long readNumber(int width) throws IOException {
    long value = 0;
    for (int i = 0; i < width; i++) {
      value |= (long) readByte() << (8 * i);
    }
    return value;
  }

  long readVarint() throws IOException {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      int b = readByte();
      value |= (long) (b & 0x7f) << shift;
      if (b < 0x80) {
        return value;
      }
    }
    throw new NativeFormatException("varint longer than 64 bits");
  }

  /// `count` bytes. Memory grows with what really arrives: the count may be wrong.
  byte[] readBytes(int count) throws IOException {
    byte[] bytes = new byte[Math.min(count, STEP)];
    int done = 0;
    while (true) {
      readFully(bytes, done, bytes.length - done);
      done = bytes.length;
      if (done == count) {
        return bytes;
      }
      bytes = Arrays.copyOf(bytes, (int) Math.min(count, 2L * done));
    }
  }

  /// `count` unsigned numbers of `width` bytes.
  long[] readNumbers(int count, int width) throws IOException {
    long[] numbers = new long[Math.min(count, STEP)];
    for (int i = 0; i < count; i++) {
      if (i == numbers.length) {
        numbers = Arrays.copyOf(numbers, (int) Math.min(count, 2L * i));
      }
      numbers[i] = width == 8 ? readLong() : readNumber(width);
    }
    return numbers;
  }

  /// A count that is to be held in memory.
  int readCount() throws IOException {
    return checkCount(readVarint());
  }

  int checkCount(long count) throws IOException {
    if (count < 0 || count > LENGTH_MAX) {
      throw new NativeFormatException("impossible count: count=" + Long.toUnsignedString(count));
    }
    return (int) count;
  }

  void readFully(byte[] target, int offset, int length) throws IOException {
    int done = Math.min(length, limit - position);
    System.arraycopy(buffer, position, target, offset, done);
    position += done;
    if (done < length && source.readNBytes(target, offset + done, length - done) < length - done) {
      throw ended();
    }
  }

  String readText() throws IOException {
    return new String(readBytes(readCount()), StandardCharsets.UTF_8);
  }

  private boolean fill() throws IOException {
    position = 0;
    limit = Math.max(0, source.read(buffer, 0, buffer.length));
    return limit > 0;
  }

  private static NativeFormatException ended() {
    return new NativeFormatException("answer ends within a block");
  }
}
