package io.headspan.wire;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Objects;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/// Byte strings stored once each and named by a dense id, in order of first appearance. Id 0 is
/// always the empty string. Columns of a [SpanBatch] hold such ids, so a value that appears in
/// 10,000 rows is hashed and stored once per appearance and encoded once.
///
/// Most entries are UTF-8 text; byte attributes and CBOR values live here too, unchanged. Not
/// thread-safe while it grows; safe to read from any thread afterwards, if handed over safely.
public final class Utf8Table {
  /// The id of the empty string.
  public static final int EMPTY = 0;

  private static final int INITIAL_SLOTS = 64;
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final long SEED = new SplittableRandom().nextLong();

  /// Odd, with as many ones as zeros: the fractional part of the golden ratio.
  private static final long MULTIPLIER = 0x9E37_79B9_7F4A_7C15L;

  private byte[] bytes = new byte[1024];
  private int[] ends = new int[32];
  private int[] hashes = new int[32];
  private @Nullable String[] strings = new String[32];
  private int[] slots = new int[INITIAL_SLOTS];
  private int size;

  public Utf8Table() {
    intern(new byte[0], 0, 0);
  }

  /// Number of distinct values, at least 1.
  public int size() {
    return size;
  }

  /// The id of `value`, added if it is new.
  public int intern(String value) {
    if (value.isEmpty()) {
      return EMPTY;
    }
    byte[] encoded = value.getBytes(StandardCharsets.UTF_8);
    return intern(encoded, 0, encoded.length);
  }

  /// The id of the `length` bytes of `source` from `offset`, copied in if they are new.
  ///
  /// @throws IndexOutOfBoundsException if the range lies outside `source`
  public int intern(byte[] source, int offset, int length) {
    Objects.checkFromIndexSize(offset, length, source.length);
    int hash = hash(source, offset, length);
    int mask = slots.length - 1;
    int slot = hash & mask;
    while (true) {
      int entry = slots[slot] - 1;
      if (entry < 0) {
        break;
      }
      if (hashes[entry] == hash) {
        int from = offset(entry);
        if (Arrays.equals(bytes, from, ends[entry], source, offset, offset + length)) {
          return entry;
        }
      }
      slot = (slot + 1) & mask;
    }
    return append(source, offset, length, hash, slot);
  }

  /// The value as text. Decoded once and kept.
  public String string(int id) {
    String cached = strings[Objects.checkIndex(id, size)];
    if (cached == null) {
      cached = new String(bytes, offset(id), length(id), StandardCharsets.UTF_8);
      strings[id] = cached;
    }
    return cached;
  }

  /// A copy of the value's bytes.
  public byte[] bytes(int id) {
    Objects.checkIndex(id, size);
    return Arrays.copyOfRange(bytes, offset(id), ends[id]);
  }

  /// The array that holds all values back to back, valid until the next `intern`. The value of `id`
  /// is at `offset(id)`, `length(id)` bytes long. Read only.
  public byte[] backing() {
    return bytes;
  }

  public int offset(int id) {
    return id == 0 ? 0 : ends[id - 1];
  }

  public int length(int id) {
    return ends[id] - offset(id);
  }

  private int append(byte[] source, int offset, int length, int hash, int slot) {
    int id = size;
    int start = id == 0 ? 0 : ends[id - 1];
    int end = Math.addExact(start, length);
    if (end > bytes.length) {
      bytes =
          Arrays.copyOf(
              bytes, (int) Math.min(Integer.MAX_VALUE - 8, Math.max(end, 2L * bytes.length)));
    }
    if (id == ends.length) {
      ends = Arrays.copyOf(ends, 2 * id);
      hashes = Arrays.copyOf(hashes, 2 * id);
      strings = Arrays.copyOf(strings, 2 * id);
    }
    System.arraycopy(source, offset, bytes, start, length);
    ends[id] = end;
    hashes[id] = hash;
    size++;
    slots[slot] = id + 1;
    if (2 * size > slots.length) {
      grow();
    }
    return id;
  }

  private void grow() {
    int[] larger = new int[2 * slots.length];
    int mask = larger.length - 1;
    for (int id = 0; id < size; id++) {
      int slot = hashes[id] & mask;
      while (larger[slot] != 0) {
        slot = (slot + 1) & mask;
      }
      larger[slot] = id + 1;
    }
    slots = larger;
  }

  /// Multiplies 8 bytes at a time and folds the 128-bit product, as wyhash does. The seed keeps
  /// senders from choosing texts that collide.
  private static int hash(byte[] source, int offset, int length) {
    long hash = SEED ^ length;
    int end = offset + length;
    if (length >= Long.BYTES) {
      int last = end - Long.BYTES;
      for (int i = offset; i < last; i += Long.BYTES) {
        hash = fold(hash ^ (long) LONG.get(source, i));
      }
      hash = fold(hash ^ (long) LONG.get(source, last));
    } else {
      long tail = 0;
      for (int i = offset; i < end; i++) {
        tail = tail << Byte.SIZE | (source[i] & 0xff);
      }
      hash = fold(hash ^ tail);
    }
    return (int) (hash ^ hash >>> Integer.SIZE);
  }

  private static long fold(long value) {
    return value * MULTIPLIER ^ Math.unsignedMultiplyHigh(value, MULTIPLIER);
  }
}
