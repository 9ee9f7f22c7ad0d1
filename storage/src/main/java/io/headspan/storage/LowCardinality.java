package io.headspan.storage;

import io.headspan.wire.Utf8Table;
import java.util.Arrays;

/// Writes `LowCardinality` data: the distinct values once, then small indexes into them. Layout
/// after ClickHouse's `src/DataTypes/Serializations/SerializationLowCardinality.cpp`.
///
/// The type's default value always comes first, as ClickHouse itself writes it, the others in order
/// of appearance. Values are ids of a [Utf8Table], so finding the distinct ones takes an array
/// lookup for each value and no hashing.
final class LowCardinality {
  /// Key version SharedDictionariesWithAdditionalKeys; a prefix of the column, before any offsets.
  private static final long KEY_VERSION = 1;

  /// HasAdditionalKeys and NeedUpdateDictionary: the block brings its own values.
  private static final long OWN_KEYS = 1 << 9 | 1 << 10;

  private int[] stamps = new int[0];
  private int[] indexes = new int[0];
  private int[] distinct = new int[16];
  private int epoch;

  static void prefix(NativeSink sink) {
    sink.putLong(KEY_VERSION);
  }

  /// The data of `count` texts, their ids in `ids`, which are replaced by indexes.
  void texts(NativeSink sink, Utf8Table table, int[] ids, int count) {
    if (count == 0) {
      return;
    }
    int size = collect(table.size(), Utf8Table.EMPTY, ids, count);
    begin(sink, size);
    for (int i = 0; i < size; i++) {
      sink.putString(table, distinct[i]);
    }
    indexes(sink, size, ids, count);
  }

  /// The data of `count` numbers: number `i` is `values[positions[i]]`. `positions` are replaced by
  /// indexes.
  void numbers(NativeSink sink, long[] values, int valueCount, int[] positions, int count) {
    if (count == 0) {
      return;
    }
    // The default has a position of its own, after the last one.
    int size = collect(valueCount + 1, valueCount, positions, count);
    begin(sink, size);
    sink.putLong(0);
    for (int i = 1; i < size; i++) {
      sink.putLong(values[distinct[i]]);
    }
    indexes(sink, size, positions, count);
  }

  /// Numbers the distinct ids, `first` and then the others in order of appearance, replaces ids by
  /// numbers, and returns how many there are.
  private int collect(int idCount, int first, int[] ids, int count) {
    if (stamps.length < idCount) {
      stamps = new int[idCount];
      indexes = new int[idCount];
      epoch = 0;
    }
    if (++epoch == 0) {
      Arrays.fill(stamps, 0);
      epoch = 1;
    }
    stamps[first] = epoch;
    indexes[first] = 0;
    distinct[0] = first;
    int size = 1;
    for (int i = 0; i < count; i++) {
      int id = ids[i];
      if (stamps[id] != epoch) {
        stamps[id] = epoch;
        indexes[id] = size;
        if (size == distinct.length) {
          distinct = Arrays.copyOf(distinct, 2 * size);
        }
        distinct[size++] = id;
      }
      ids[i] = indexes[id];
    }
    return size;
  }

  private static void begin(NativeSink sink, int size) {
    sink.putLong(OWN_KEYS | indexType(size));
    sink.putLong(size);
  }

  private static void indexes(NativeSink sink, int size, int[] indexes, int count) {
    sink.putLong(count);
    switch (indexType(size)) {
      case 0 -> {
        sink.ensure(count);
        for (int i = 0; i < count; i++) {
          sink.putByte(indexes[i]);
        }
      }
      case 1 -> {
        sink.ensure(2L * count);
        for (int i = 0; i < count; i++) {
          sink.putShort(indexes[i]);
        }
      }
      default -> {
        sink.ensure(4L * count);
        for (int i = 0; i < count; i++) {
          sink.putInt(indexes[i]);
        }
      }
    }
  }

  /// Bytes of an index as a power of two.
  private static int indexType(int size) {
    if (size <= 1 << 8) {
      return 0;
    }
    return size <= 1 << 16 ? 1 : 2;
  }
}
