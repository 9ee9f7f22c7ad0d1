package io.headspan.wire;

import java.util.Arrays;

/// The attributes of a sequence of owners (spans, resources, scopes, events or links) as columns.
/// Row `i` is one key and value; the rows of owner `o` are `begin(o)` to `end(o)`, in the order
/// they were added. Keys and texts are ids into the batch's [Utf8Table].
///
/// Values are longs: the id of a [AttributeType#STRING], [AttributeType#BYTES], [AttributeType#MAP]
/// or [AttributeType#SLICE]; an `INT` as it is; a `DOUBLE` as [Double#doubleToRawLongBits]; a
/// `BOOL` as 0 or 1; an `EMPTY` as 0.
public final class Attributes {
  static final Attributes NONE = new Attributes(new int[1], new int[0], new byte[0], new long[0]);

  private final int[] offsets;
  private final int[] keys;
  private final byte[] types;
  private final long[] values;

  private Attributes(int[] offsets, int[] keys, byte[] types, long[] values) {
    this.offsets = offsets;
    this.keys = keys;
    this.types = types;
    this.values = values;
  }

  /// Number of owners.
  public int owners() {
    return offsets.length - 1;
  }

  /// Number of rows of all owners.
  public int size() {
    return offsets[offsets.length - 1];
  }

  /// First row of `owner`.
  public int begin(int owner) {
    return offsets[owner];
  }

  /// Row after the last one of `owner`.
  public int end(int owner) {
    return offsets[owner + 1];
  }

  public int key(int row) {
    return keys[row];
  }

  /// One of [AttributeType].
  public byte type(int row) {
    return types[row];
  }

  public long value(int row) {
    return values[row];
  }

  public double doubleValue(int row) {
    return Double.longBitsToDouble(values[row]);
  }

  /// The first row of `owner` whose key is `key`, or -1.
  public int find(int owner, int key) {
    for (int row = offsets[owner], end = offsets[owner + 1]; row < end; row++) {
      if (keys[row] == key) {
        return row;
      }
    }
    return -1;
  }

  /// Collects attributes in any order of owners; sorts them by owner at the end, keeping the order
  /// within each.
  public static final class Builder {
    private int[] owners = new int[64];
    private int[] keys = new int[64];
    private byte[] types = new byte[64];
    private long[] values = new long[64];
    private int size;
    private boolean ascending = true;

    public int size() {
      return size;
    }

    /// Makes room for `rows` attributes in all.
    public void reserve(int rows) {
      if (rows > owners.length) {
        resize(rows);
      }
    }

    /// Adds one attribute.
    ///
    /// @param owner index of the owner, from 0
    /// @param key id of the key in the batch's table
    /// @param type one of [AttributeType]
    /// @param value as described at [Attributes]
    public void add(int owner, int key, byte type, long value) {
      if (size == owners.length) {
        resize(2 * size);
      }
      if (size > 0 && owner < owners[size - 1]) {
        ascending = false;
      }
      owners[size] = owner;
      keys[size] = key;
      types[size] = type;
      values[size] = value;
      size++;
    }

    private void resize(int capacity) {
      owners = Arrays.copyOf(owners, capacity);
      keys = Arrays.copyOf(keys, capacity);
      types = Arrays.copyOf(types, capacity);
      values = Arrays.copyOf(values, capacity);
    }

    /// The columns for owners 0 to `ownerCount` - 1.
    ///
    /// @throws IllegalArgumentException if an attribute names an owner outside that range
    public Attributes build(int ownerCount) {
      int[] offsets = new int[ownerCount + 1];
      for (int i = 0; i < size; i++) {
        int owner = owners[i];
        if (owner < 0 || owner >= ownerCount) {
          throw new IllegalArgumentException(
              "attribute without an owner: owner=" + owner + ", owners=" + ownerCount);
        }
        offsets[owner + 1]++;
      }
      for (int i = 0; i < ownerCount; i++) {
        offsets[i + 1] += offsets[i];
      }
      if (ascending) {
        return new Attributes(
            offsets,
            Arrays.copyOf(keys, size),
            Arrays.copyOf(types, size),
            Arrays.copyOf(values, size));
      }
      int[] next = Arrays.copyOf(offsets, ownerCount);
      int[] sortedKeys = new int[size];
      byte[] sortedTypes = new byte[size];
      long[] sortedValues = new long[size];
      for (int i = 0; i < size; i++) {
        int to = next[owners[i]]++;
        sortedKeys[to] = keys[i];
        sortedTypes[to] = types[i];
        sortedValues[to] = values[i];
      }
      return new Attributes(offsets, sortedKeys, sortedTypes, sortedValues);
    }
  }
}
