package io.headspan.storage;

import io.headspan.wire.Utf8Table;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// A growing buffer of ClickHouse's Native format, little-endian. Reused from block to block.
final class NativeSink {
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle SHORT =
      MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle BIG_LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

  /// A larger buffer is not kept for the next block.
  private static final int KEEP_MAX_BYTES = 64 << 20;

  private byte[] bytes;
  private int size;

  NativeSink() {
    bytes = new byte[1 << 16];
  }

  private NativeSink(byte[] bytes) {
    this.bytes = bytes;
    size = bytes.length;
  }

  /// The same content in a buffer of its own that has no room for more, so that this one can be
  /// used again while that one waits to be sent.
  NativeSink copy() {
    return new NativeSink(toByteArray());
  }

  int size() {
    return size;
  }

  void clear() {
    size = 0;
    if (bytes.length > KEEP_MAX_BYTES) {
      bytes = new byte[1 << 16];
    }
  }

  byte[] toByteArray() {
    return Arrays.copyOf(bytes, size);
  }

  void writeTo(OutputStream out) throws IOException {
    out.write(bytes, 0, size);
  }

  /// Makes room for `count` more bytes; the `put…Unchecked` methods need it.
  void ensure(long count) {
    long needed = size + count;
    if (needed > bytes.length) {
      if (needed > Integer.MAX_VALUE - 8) {
        throw new IllegalArgumentException("block is larger than an array: sizeBytes=" + needed);
      }
      bytes =
          Arrays.copyOf(
              bytes, (int) Math.min(Integer.MAX_VALUE - 8, Math.max(needed, 2L * bytes.length)));
    }
  }

  void putByte(int value) {
    ensure(1);
    bytes[size++] = (byte) value;
  }

  void setByte(int index, int value) {
    bytes[index] = (byte) value;
  }

  void putShort(int value) {
    ensure(2);
    SHORT.set(bytes, size, (short) value);
    size += 2;
  }

  void putInt(int value) {
    ensure(4);
    INT.set(bytes, size, value);
    size += 4;
  }

  void putLong(long value) {
    ensure(8);
    LONG.set(bytes, size, value);
    size += 8;
  }

  /// Big-endian, as ids are in a FixedString.
  void putBigLong(long value) {
    ensure(8);
    BIG_LONG.set(bytes, size, value);
    size += 8;
  }

  void putLongs(long[] values, int count) {
    ensure(8L * count);
    for (int i = 0; i < count; i++) {
      LONG.set(bytes, size, values[i]);
      size += 8;
    }
  }

  /// LEB128, as ClickHouse's VarUInt.
  void putVarint(long value) {
    ensure(10);
    long rest = value;
    while ((rest & ~0x7fL) != 0) {
      bytes[size++] = (byte) (rest | 0x80);
      rest >>>= 7;
    }
    bytes[size++] = (byte) rest;
  }

  void putBytes(byte[] source, int offset, int length) {
    ensure(length);
    System.arraycopy(source, offset, bytes, size, length);
    size += length;
  }

  /// A String: its length, then its bytes.
  void putString(byte[] source, int offset, int length) {
    putVarint(length);
    putBytes(source, offset, length);
  }

  void putString(String value) {
    byte[] encoded = value.getBytes(StandardCharsets.UTF_8);
    putString(encoded, 0, encoded.length);
  }

  void putString(Utf8Table table, int id) {
    putString(table.backing(), table.offset(id), table.length(id));
  }

  /// Begins a block.
  void beginBlock(int columns, int rows) {
    putVarint(columns);
    putVarint(rows);
  }

  /// Begins a column; its data follow.
  void beginColumn(String name, String type) {
    putString(name);
    putString(type);
  }
}
