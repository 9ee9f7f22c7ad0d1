package io.headspan.wire.otap;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.CborWriter;
import io.headspan.wire.Utf8Table;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Decodes the payloads of attributes (OTAP specification, section 5.4). Rows come sorted by type
/// and key, so each value column is read in long runs.
final class AttributeRows {
  private final Dictionary.Interner interner;
  private final int emptyMap;
  private final int emptySlice;
  private long ignored;

  AttributeRows(Dictionary.Interner interner, Utf8Table table) {
    this.interner = interner;
    CborWriter cbor = new CborWriter();
    cbor.beginMap();
    cbor.end();
    emptyMap = cbor.internInto(table);
    cbor.reset();
    cbor.beginArray();
    cbor.end();
    emptySlice = cbor.internInto(table);
  }

  /// Rows left out so far because their owner or their type is unknown.
  long ignored() {
    return ignored;
  }

  /// Adds the attributes of `table` to those of their owners.
  void decode(ArrowTable table, OwnerIndex owners, Attributes.Builder to) {
    int rows = table.rows();
    if (rows == 0) {
      return;
    }
    Column parentColumn = table.require("parent_id");
    Column typeColumn = table.require("type");
    int[] keys = new int[rows];
    table.require("key").texts(0, rows, keys, interner);
    long[] types = new long[rows];
    typeColumn.longs(0, rows, types);
    long[] parents = new long[rows];
    parentColumn.longs(0, rows, parents);
    long[] values = values(table, types);
    IdColumns.sumParents(
        parentColumn,
        parents,
        (row, previous) ->
            keys[row] == keys[previous]
                && types[row] == types[previous]
                && IdColumns.equalValues(types[row], values[row], values[previous]));
    to.reserve(to.size() + rows);
    for (int row = 0; row < rows; row++) {
      int owner = owners.first(parents[row]);
      if (owner == OwnerIndex.NONE || types[row] > AttributeType.BYTES) {
        ignored++;
        continue;
      }
      while (owner != OwnerIndex.NONE) {
        to.add(owner, keys[row], (byte) types[row], values[row]);
        owner = owners.next(owner);
      }
    }
  }

  /// Reads the values of a table that has a column for each type of value.
  ///
  /// @param types of all rows
  long[] values(ArrowTable table, long[] types) {
    int rows = types.length;
    long[] values = new long[rows];
    for (int from = 0; from < rows; ) {
      int end = from + 1;
      while (end < rows && types[end] == types[from]) {
        end++;
      }
      values(table, types[from], from, end, values);
      from = end;
    }
    return values;
  }

  /// Reads the values of a run of rows of one type; a null value is the type's default.
  private void values(ArrowTable table, long type, int from, int to, long[] values) {
    switch ((int) type) {
      case AttributeType.STRING -> texts(table.find("str"), from, to, values);
      case AttributeType.BYTES -> texts(table.find("bytes"), from, to, values);
      case AttributeType.INT -> numbers(table.find("int"), from, to, values);
      case AttributeType.DOUBLE -> numbers(table.find("double"), from, to, values);
      case AttributeType.BOOL -> numbers(table.find("bool"), from, to, values);
      case AttributeType.MAP -> containers(table.find("ser"), from, to, emptyMap, values);
      case AttributeType.SLICE -> containers(table.find("ser"), from, to, emptySlice, values);
      default -> {} // empty, or a type of the future
    }
  }

  private void texts(@Nullable Column column, int from, int to, long[] values) {
    if (column == null) {
      return;
    }
    int[] ids = new int[to - from];
    column.texts(from, to, ids, interner);
    for (int i = 0; i < ids.length; i++) {
      values[from + i] = ids[i];
    }
  }

  private static void numbers(@Nullable Column column, int from, int to, long[] values) {
    if (column == null) {
      return;
    }
    long[] numbers = new long[to - from];
    column.longs(from, to, numbers);
    System.arraycopy(numbers, 0, values, from, numbers.length);
  }

  private void containers(@Nullable Column column, int from, int to, int empty, long[] values) {
    int[] ids = new int[to - from];
    if (column == null) {
      Arrays.fill(ids, empty);
    } else {
      column.containers(from, to, ids, empty, interner);
    }
    for (int i = 0; i < ids.length; i++) {
      values[from + i] = ids[i];
    }
  }
}
