package io.headspan.storage;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// A block of a result in Native format, and a view of one of its rows.
final class NativeBlock implements Row {
  private final List<NativeColumn> columns;
  private final Map<String, Integer> names;
  private final int rows;
  private int row;

  private NativeBlock(List<NativeColumn> columns, Map<String, Integer> names, int rows) {
    this.columns = columns;
    this.names = names;
    this.rows = rows;
  }

  /// The next block; empty at the end of the stream.
  ///
  /// @throws IOException if the stream breaks or does not hold a block
  static Optional<NativeBlock> read(NativeInput in) throws IOException {
    if (in.atEnd()) {
      return Optional.empty();
    }
    int columnCount = in.readCount();
    int rows = in.readCount();
    List<NativeColumn> columns = new ArrayList<>();
    Map<String, Integer> names = new LinkedHashMap<>();
    for (int i = 0; i < columnCount; i++) {
      names.put(in.readText(), i);
      NativeColumn column = columnOf(in.readText());
      if (rows > 0) {
        column.readPrefix(in);
        column.read(in, rows);
      }
      columns.add(column);
    }
    return Optional.of(new NativeBlock(columns, names, rows));
  }

  private static NativeColumn columnOf(String type) throws IOException {
    try {
      return NativeColumn.of(NativeType.parse(type));
    } catch (IllegalArgumentException e) {
      throw new NativeFormatException(e.getMessage(), e);
    }
  }

  int rows() {
    return rows;
  }

  /// Names of the columns, in order.
  List<String> columnNames() {
    return List.copyOf(names.keySet());
  }

  /// The column of that name.
  NativeColumn column(String name) {
    Integer index = names.get(name);
    if (index == null) {
      throw new IllegalArgumentException("result has no such column: name=" + name);
    }
    return columns.get(index);
  }

  /// The same block, as its row `index`.
  Row row(int index) {
    row = index;
    return this;
  }

  @Override
  public int columns() {
    return columns.size();
  }

  @Override
  public boolean isNull(int column) {
    return switch (columns.get(column)) {
      case NativeColumn.Nullables nullables -> nullables.isNull(row);
      case NativeColumn.LowCardinalities low -> low.isNull(row);
      default -> false;
    };
  }

  @Override
  public String text(int column) {
    return text(columns.get(column), row);
  }

  @Override
  public byte[] bytes(int column) {
    return bytes(columns.get(column), row);
  }

  @Override
  public long integer(int column) {
    return integer(columns.get(column), row);
  }

  @Override
  public double number(int column) {
    return number(columns.get(column), row);
  }

  @Override
  public boolean flag(int column) {
    return integer(column) != 0;
  }

  @Override
  public List<String> texts(int column) {
    NativeColumn.Lists lists = lists(column);
    List<String> texts = new ArrayList<>(lists.end(row) - lists.start(row));
    for (int i = lists.start(row); i < lists.end(row); i++) {
      texts.add(text(lists.elements(), i));
    }
    return texts;
  }

  @Override
  public long[] integers(int column) {
    NativeColumn.Lists lists = lists(column);
    long[] integers = new long[lists.end(row) - lists.start(row)];
    for (int i = 0; i < integers.length; i++) {
      integers[i] = integer(lists.elements(), lists.start(row) + i);
    }
    return integers;
  }

  @Override
  public double[] numbers(int column) {
    NativeColumn.Lists lists = lists(column);
    double[] numbers = new double[lists.end(row) - lists.start(row)];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = number(lists.elements(), lists.start(row) + i);
    }
    return numbers;
  }

  @Override
  public @Nullable Object value(int column) {
    return columns.get(column).value(row);
  }

  private NativeColumn.Lists lists(int column) {
    if (columns.get(column) instanceof NativeColumn.Lists lists) {
      return lists;
    }
    throw wrongType(columns.get(column), "an Array");
  }

  static String text(NativeColumn column, int row) {
    return switch (column) {
      case NativeColumn.Bytes bytes -> bytes.text(row);
      case NativeColumn.LowCardinalities low ->
          low.isNull(row) ? "" : text(low.dictionary(), low.index(row));
      case NativeColumn.Nullables nullables ->
          nullables.isNull(row) ? "" : text(nullables.inner(), row);
      case NativeColumn.Enums enums -> String.valueOf(enums.value(row));
      case NativeColumn.Uuids uuids -> String.valueOf(uuids.value(row));
      default -> throw wrongType(column, "text");
    };
  }

  static byte[] bytes(NativeColumn column, int row) {
    return switch (column) {
      case NativeColumn.Bytes bytes -> bytes.copy(row);
      case NativeColumn.LowCardinalities low ->
          low.isNull(row) ? new byte[0] : bytes(low.dictionary(), low.index(row));
      case NativeColumn.Nullables nullables ->
          nullables.isNull(row) ? new byte[0] : bytes(nullables.inner(), row);
      default -> throw wrongType(column, "bytes");
    };
  }

  static long integer(NativeColumn column, int row) {
    return switch (column) {
      case NativeColumn.Longs longs -> longs.get(row);
      case NativeColumn.Bools bools -> bools.get(row) ? 1 : 0;
      case NativeColumn.LowCardinalities low ->
          low.isNull(row) ? 0 : integer(low.dictionary(), low.index(row));
      case NativeColumn.Nullables nullables ->
          nullables.isNull(row) ? 0 : integer(nullables.inner(), row);
      default -> throw wrongType(column, "an integer");
    };
  }

  static double number(NativeColumn column, int row) {
    return switch (column) {
      case NativeColumn.Doubles doubles -> doubles.get(row);
      case NativeColumn.Longs longs -> toDouble(longs, row);
      case NativeColumn.LowCardinalities low ->
          low.isNull(row) ? 0 : number(low.dictionary(), low.index(row));
      case NativeColumn.Nullables nullables ->
          nullables.isNull(row) ? 0 : number(nullables.inner(), row);
      default -> throw wrongType(column, "a number");
    };
  }

  private static double toDouble(NativeColumn.Longs longs, int row) {
    long value = longs.get(row);
    if (value < 0 && longs.isUnsigned64()) {
      return ((value >>> 1) | (value & 1)) * 2.0;
    }
    return value;
  }

  private static IllegalArgumentException wrongType(NativeColumn column, String wanted) {
    return new IllegalArgumentException(
        "column is not " + wanted + ": type=" + column.type() + "; convert it in the query");
  }
}
