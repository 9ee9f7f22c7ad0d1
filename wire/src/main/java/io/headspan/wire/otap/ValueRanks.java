package io.headspan.wire.otap;

/// Numbers values in the order of their first appearance. Ids of a table index an array; other
/// values go through a hash table. Both are kept from use to use: an entry counts only if it
/// carries the stamp of the current one.
final class ValueRanks {
  private int[] stamps = {};
  private int[] rankOfId = {};
  private long[] slots = {};
  private int[] slotStamps = {};
  private int[] slotRanks = {};
  private int[] ranks = {};
  private boolean ids;
  private int mask;
  private int stamp;
  private int distinct;

  /// Starts over.
  ///
  /// @param count how many values will come
  /// @param tableSize bound of the values if they are ids of a table, else 0
  void start(int count, int tableSize) {
    stamp++;
    distinct = 0;
    ids = tableSize > 0;
    if (ranks.length < count) {
      ranks = new int[Math.max(count, 2 * ranks.length)];
    }
    if (ids && stamps.length < tableSize) {
      stamps = new int[tableSize + tableSize / 2];
      rankOfId = new int[stamps.length];
    }
    if (!ids && slots.length < 2 * count) {
      int capacity = Integer.highestOneBit(4 * count);
      slots = new long[capacity];
      slotStamps = new int[capacity];
      slotRanks = new int[capacity];
    }
    mask = slots.length - 1;
  }

  /// Room for the ranks of all values.
  int[] array() {
    return ranks;
  }

  int distinct() {
    return distinct;
  }

  int rank(long value) {
    return ids ? rankOfId((int) value) : rankOfNumber(value);
  }

  private int rankOfId(int id) {
    if (stamps[id] != stamp) {
      stamps[id] = stamp;
      rankOfId[id] = distinct++;
    }
    return rankOfId[id];
  }

  private int rankOfNumber(long value) {
    long mixed = value * 0x9E37_79B9_7F4A_7C15L;
    int slot = (int) (mixed >>> 32) & mask;
    while (slotStamps[slot] == stamp) {
      if (slots[slot] == value) {
        return slotRanks[slot];
      }
      slot = (slot + 1) & mask;
    }
    slotStamps[slot] = stamp;
    slots[slot] = value;
    slotRanks[slot] = distinct;
    return distinct++;
  }
}
