package io.headspan.wire.otap;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.Utf8Table;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayload;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayloadType;
import java.util.Arrays;
import java.util.Comparator;

/// Writes a payload of attributes. Rows are sorted by type, key, value and parent, where values
/// come in the order of their first appearance: parents of equal values then follow each other by
/// small steps, and keys whose values all differ list the same parents in the same order, which a
/// compressor notices. All by counting, nothing is compared but the keys.
final class AttributeTable {
  private static final int TYPES = AttributeType.BYTES + 1;
  private static final int ABSENT = -1;

  private final ArrowPayloadType type;
  private final OutColumn.Ints parent;
  private final OutColumn.Texts key = OutColumn.Texts.of("key", false, 0);
  private final OutColumn.Ints valueType = OutColumn.Ints.unsigned("type", 8, false);
  private final OutColumn.Texts str = OutColumn.Texts.values("str", false, 1);
  private final OutColumn.Longs integer =
      new OutColumn.Longs("int", OutColumn.Longs.Of.INTEGERS, true);
  private final OutColumn.Longs real =
      new OutColumn.Longs("double", OutColumn.Longs.Of.DOUBLES, true);
  private final OutColumn.Bits bool = new OutColumn.Bits("bool");
  private final OutColumn.Texts bytes = OutColumn.Texts.values("bytes", true, 2);
  private final OutColumn.Texts ser = OutColumn.Texts.values("ser", true, 3);
  private final OutTable table;

  // The rows of the batch, in the order of their parents.
  private int[] rowKeys = {};
  private byte[] rowTypes = {};
  private long[] rowValues = {};
  private int[] rowParents = {};
  private int rows;

  /// Rows in the order in which they are written.
  private int[] order = {};

  private int[] orderOfValues = {};

  /// Key id to its position among the keys of the batch.
  private int[] keyOfId = {};

  private int[] keys = {};
  private final ValueRanks ranks = new ValueRanks();

  AttributeTable(ArrowPayloadType type, int parentBits) {
    this.type = type;
    parent = OutColumn.Ints.unsigned("parent_id", parentBits, false);
    table = new OutTable(type, parent, key, valueType, str, integer, real, bool, bytes, ser);
  }

  ArrowPayloadType type() {
    return type;
  }

  /// Forgets the rows of the last batch and makes room for `capacity`.
  void start(int capacity) {
    rows = 0;
    if (rowKeys.length < capacity) {
      rowKeys = new int[capacity];
      rowTypes = new byte[capacity];
      rowValues = new long[capacity];
      rowParents = new int[capacity];
      order = new int[capacity];
      orderOfValues = new int[capacity];
    }
  }

  /// Adds the attributes of `owner` for the parent id `parentId`, which ascends from call to call.
  void add(Attributes attributes, int owner, int parentId) {
    for (int row = attributes.begin(owner), end = attributes.end(owner); row < end; row++) {
      rowKeys[rows] = attributes.key(row);
      rowTypes[rows] = attributes.type(row);
      rowValues[rows] = attributes.value(row);
      rowParents[rows] = parentId;
      rows++;
    }
  }

  boolean isEmpty() {
    return rows == 0;
  }

  ArrowPayload payload(Utf8Table texts, IpcWriter out) {
    sort(texts);
    table.start(rows);
    int previous = -1;
    for (int to = 0; to < rows; to++) {
      int row = order[to];
      boolean continues = previous >= 0 && continues(row, previous);
      parent.set(to, continues ? rowParents[row] - rowParents[previous] : rowParents[row]);
      key.set(to, rowKeys[row]);
      valueType.set(to, rowTypes[row]);
      long value = rowValues[row];
      switch (rowTypes[row]) {
        case AttributeType.STRING -> str.set(to, (int) value);
        case AttributeType.INT -> integer.set(to, value);
        case AttributeType.DOUBLE -> real.set(to, value);
        case AttributeType.BOOL -> bool.set(to, value != 0);
        case AttributeType.BYTES -> bytes.set(to, (int) value);
        case AttributeType.MAP, AttributeType.SLICE -> ser.set(to, (int) value);
        default -> {} // an empty value needs no column
      }
      previous = row;
    }
    return table.payload(rows, texts, out);
  }

  /// Whether the parent of `row` is written as a step from that of `previous`.
  private boolean continues(int row, int previous) {
    return rowKeys[row] == rowKeys[previous]
        && rowTypes[row] == rowTypes[previous]
        && IdColumns.equalValues(rowTypes[row], rowValues[row], rowValues[previous]);
  }

  /// Orders the rows: counts them by type and key, then by the rank of their value.
  private void sort(Utf8Table texts) {
    int keyCount = findKeys(texts);
    int[] ends = new int[TYPES * keyCount + 1];
    for (int row = 0; row < rows; row++) {
      ends[group(row, keyCount) + 1]++;
    }
    for (int group = 0; group < TYPES * keyCount; group++) {
      ends[group + 1] += ends[group];
    }
    int[] next = ends.clone();
    for (int row = 0; row < rows; row++) {
      order[next[group(row, keyCount)]++] = row;
    }
    for (int group = 0; group < TYPES * keyCount; group++) {
      sortByValue(ends[group], ends[group + 1], texts.size());
    }
  }

  private int group(int row, int keyCount) {
    return rowTypes[row] * keyCount + keyOfId[rowKeys[row]];
  }

  /// Numbers the keys of the batch in the order of their text.
  private int findKeys(Utf8Table texts) {
    if (keyOfId.length < texts.size()) {
      keyOfId = new int[texts.size() + texts.size() / 2];
    }
    Arrays.fill(keyOfId, 0, texts.size(), ABSENT);
    int count = 0;
    for (int row = 0; row < rows; row++) {
      int id = rowKeys[row];
      if (keyOfId[id] == ABSENT) {
        keyOfId[id] = count;
        if (count == keys.length) {
          keys = Arrays.copyOf(keys, 2 * count + 64);
        }
        keys[count++] = id;
      }
    }
    Integer[] sorted = new Integer[count];
    for (int i = 0; i < count; i++) {
      sorted[i] = keys[i];
    }
    Arrays.sort(sorted, Comparator.comparing(texts::string));
    for (int i = 0; i < count; i++) {
      keyOfId[sorted[i]] = i;
    }
    return count;
  }

  /// Orders rows of one type and key by the rank of their value, those of one value as they were.
  private void sortByValue(int from, int to, int tableSize) {
    int count = to - from;
    if (count < 2) {
      return;
    }
    byte groupType = rowTypes[order[from]];
    ranks.start(count, AttributeType.isTableId(groupType) ? tableSize : 0);
    int[] rankOf = ranks.array();
    for (int i = 0; i < count; i++) {
      rankOf[i] = ranks.rank(rowValues[order[from + i]]);
    }
    int distinct = ranks.distinct();
    if (distinct == 1 || distinct == count) {
      return;
    }
    int[] next = new int[distinct + 1];
    for (int i = 0; i < count; i++) {
      next[rankOf[i] + 1]++;
    }
    for (int rank = 0; rank < distinct; rank++) {
      next[rank + 1] += next[rank];
    }
    for (int i = 0; i < count; i++) {
      orderOfValues[next[rankOf[i]]++] = order[from + i];
    }
    System.arraycopy(orderOfValues, 0, order, from, count);
  }
}
