package io.headspan.wire;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// Writes map and slice values as CBOR (RFC 8949) in the one form that a [Utf8Table] holds:
/// containers of indefinite length, integers in their shortest form, doubles in 8 bytes, texts and
/// byte strings of definite length. Equal values thus have equal bytes, whoever sent them.
///
/// Writes into one growing array, reused after [#reset()]. Not thread-safe.
public final class CborWriter {
  private static final int UNSIGNED = 0;
  private static final int NEGATIVE = 1;
  private static final int BYTES = 2;
  private static final int TEXT = 3;
  private static final byte ARRAY_OF_INDEFINITE_LENGTH = (byte) 0x9f;
  private static final byte MAP_OF_INDEFINITE_LENGTH = (byte) 0xbf;
  private static final byte FALSE = (byte) 0xf4;
  private static final byte TRUE = (byte) 0xf5;
  private static final byte NULL = (byte) 0xf6;
  private static final byte FLOAT64 = (byte) 0xfb;
  private static final byte BREAK = (byte) 0xff;

  private byte[] buffer = new byte[256];
  private int size;

  /// Forgets what was written.
  public void reset() {
    size = 0;
  }

  /// Number of bytes written since the last [#reset()].
  public int size() {
    return size;
  }

  /// The array whose first [#size()] bytes were written, valid until the next call. Read only.
  public byte[] backing() {
    return buffer;
  }

  /// Interns what was written.
  public int internInto(Utf8Table table) {
    return table.intern(buffer, 0, size);
  }

  /// Opens a map: keys (texts) and values follow in turn, then [#end()].
  public void beginMap() {
    put(MAP_OF_INDEFINITE_LENGTH);
  }

  /// Opens an array: its values follow, then [#end()].
  public void beginArray() {
    put(ARRAY_OF_INDEFINITE_LENGTH);
  }

  /// Closes the map or array opened last.
  public void end() {
    put(BREAK);
  }

  public void text(String value) {
    byte[] encoded = value.getBytes(StandardCharsets.UTF_8);
    text(encoded, 0, encoded.length);
  }

  /// Writes a text given as UTF-8.
  public void text(byte[] source, int offset, int length) {
    head(TEXT, length);
    raw(source, offset, length);
  }

  public void bytes(byte[] source, int offset, int length) {
    head(BYTES, length);
    raw(source, offset, length);
  }

  public void integer(long value) {
    if (value >= 0) {
      head(UNSIGNED, value);
    } else {
      head(NEGATIVE, ~value);
    }
  }

  public void real(double value) {
    put(FLOAT64);
    bigEndian(Double.doubleToRawLongBits(value), Long.BYTES);
  }

  public void bool(boolean value) {
    put(value ? TRUE : FALSE);
  }

  /// Writes null, the form of an empty value.
  public void nothing() {
    put(NULL);
  }

  private void head(int major, long argument) {
    int top = major << 5;
    if (argument < 24) {
      put((byte) (top | argument));
    } else if (argument < 1L << 8) {
      put((byte) (top | 24));
      bigEndian(argument, 1);
    } else if (argument < 1L << 16) {
      put((byte) (top | 25));
      bigEndian(argument, 2);
    } else if (argument < 1L << 32) {
      put((byte) (top | 26));
      bigEndian(argument, 4);
    } else {
      put((byte) (top | 27));
      bigEndian(argument, 8);
    }
  }

  private void bigEndian(long value, int width) {
    reserve(width);
    for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) {
      buffer[size++] = (byte) (value >>> shift);
    }
  }

  private void raw(byte[] source, int offset, int length) {
    reserve(length);
    System.arraycopy(source, offset, buffer, size, length);
    size += length;
  }

  private void put(byte value) {
    reserve(1);
    buffer[size++] = value;
  }

  private void reserve(int more) {
    int needed = Math.addExact(size, more);
    if (needed > buffer.length) {
      buffer = Arrays.copyOf(buffer, Math.max(needed, 2 * buffer.length));
    }
  }
}
