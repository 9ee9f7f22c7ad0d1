package io.headspan.storage;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/// One column of a Native block. Reading goes in two steps, as the format does: the prefixes of the
/// column and all within it, then the data.
sealed interface NativeColumn {
  /// The type's name, for messages.
  String type();

  /// Reads what stands before the data.
  default void readPrefix(NativeInput in) throws IOException {}

  /// Reads `rows` rows, replacing those read before.
  void read(NativeInput in, int rows) throws IOException;

  /// The value as an object; see [Row#value(int)].
  @Nullable Object value(int row);

  /// An empty column for `type`.
  ///
  /// @throws IllegalArgumentException if the type is not supported
  static NativeColumn of(NativeType type) {
    return switch (type.name()) {
      case "UInt8" -> new Longs("UInt8", 1, false);
      case "UInt16", "Date" -> new Longs(type.name(), 2, false);
      case "UInt32", "DateTime", "IPv4" -> new Longs(type.name(), 4, false);
      case "UInt64" -> new Longs("UInt64", 8, false);
      case "Int8" -> new Longs("Int8", 1, true);
      case "Int16" -> new Longs("Int16", 2, true);
      case "Int32", "Date32" -> new Longs(type.name(), 4, true);
      case "Int64", "DateTime64" -> new Longs(type.name(), 8, true);
      case "Bool" -> new Bools();
      case "Float32" -> new Doubles("Float32", 4);
      case "Float64" -> new Doubles("Float64", 8);
      case "String" -> new Texts();
      case "FixedString" ->
          new FixedTexts("FixedString", Integer.parseInt(type.argument(0).name()));
      case "UInt128", "Int128" -> new FixedTexts(type.name(), 16);
      case "UUID" -> new Uuids();
      case "Enum8" -> new Enums(type, 1);
      case "Enum16" -> new Enums(type, 2);
      case "LowCardinality" -> new LowCardinalities(of(type.argument(0)), isNullable(type));
      case "Nullable" -> new Nullables(of(type.argument(0)));
      case "Nothing" -> new Longs("Nothing", 1, false);
      case "Array" -> new Lists(of(type.argument(0)));
      case "Map" -> new Maps(of(type.argument(0)), of(type.argument(1)));
      case "Tuple" -> new Tuples(type.arguments().stream().map(NativeColumn::of).toList());
      // What a SELECT of such a column gives is the plain value.
      case "SimpleAggregateFunction" -> of(type.argument(type.arguments().size() - 1));
      default ->
          throw new IllegalArgumentException(
              "column of a type that is not read: type="
                  + type.name()
                  + "; convert it in the query");
    };
  }

  private static boolean isNullable(NativeType lowCardinality) {
    return lowCardinality.argument(0).name().equals("Nullable");
  }

  /// Integers, dates and times.
  final class Longs implements NativeColumn {
    private final String type;
    private final int width;
    private final boolean signed;
    private long[] values = new long[0];

    Longs(String type, int width, boolean signed) {
      this.type = type;
      this.width = width;
      this.signed = signed;
    }

    @Override
    public String type() {
      return type;
    }

    @Override
    public void read(NativeInput in, int rows) throws IOException {
      values = in.readNumbers(rows, width);
      if (signed && width < 8) {
        int unused = 64 - 8 * width;
        for (int i = 0; i < rows; i++) {
          values[i] = values[i] << unused >> unused;
        }
      }
    }

    long get(int row) {
      return values[row];
    }

    boolean isUnsigned64() {
      return width == 8 && !signed;
    }

    @Override
    public Object value(int row) {
      return values[row];
    }
  }

  /// Bools.
  final class Bools implements NativeColumn {
    private byte[] values = new byte[0];

    @Override
    public String type() {
      return "Bool";
    }

    @Override
    public void read(NativeInput in, int rows) throws IOException {
      values = in.readBytes(rows);
    }

    boolean get(int row) {
      return values[row] != 0;
    }

    @Override
    public Object value(int row) {
      return get(row);
    }
  }

  /// Floating-point numbers.
  final class Doubles implements NativeColumn {
    private final String type;
    private final int width;
    private double[] values = new double[0];

    Doubles(String type, int width) {
      this.type = type;
      this.width = width;
    }

    @Override
    public String type() {
      return type;
    }

    @Override
    public void read(NativeInput in, int rows) throws IOException {
      long[] bits = in.readNumbers(rows, width);
      values = new double[rows];
      for (int i = 0; i < rows; i++) {
        values[i] =
            width == 8 ? Double.longBitsToDouble(bits[i]) : Float.intBitsToFloat((int) bits[i]);
      }
    }

    double get(int row) {
      return values[row];
    }

    @Override
    public Object value(int row) {
      return values[row];
    }
  }

  /// Anything made of bytes: the value of row `i` is `bytes` from `start(i)` to `end(i)`.
  sealed interface Bytes extends NativeColumn {
    byte[] bytes();

    int start(int row);

    int end(int row);

    default byte[] copy(int row) {
      return Arrays.copyOfRange(bytes(), start(row), end(row));
    }

    default String text(int row) {
      return new String(bytes(), start(row), end(row) - start(row), StandardCharsets.UTF_8);
    }

    @Override
    default Object value(int row) {
      return text(row);
    }
  }

  /// Strings.
  final class Texts implements Bytes {
    /// Rows that are allocated before any has been seen.
    private static final int STEP = 1 << 16;

    private static final int MAX = Integer.MAX_VALUE - 8;

    private byte[] bytes = new byte[0];
    private int[] ends = new int[0];

    @Override
    public String type() {
      return "String";
    }

    @Override
    public void read(NativeInput in, int rows) throws IOException {
      ends = new int[Math.min(rows, STEP)];
      bytes = new byte[Math.min(rows, STEP)];
      int end = 0;
      for (int i = 0; i < rows; i++) {
        end = readText(in, end);
        if (i == ends.length) {
          ends = Arrays.copyOf(ends, (int) Math.min(rows, 2L * i));
        }
        ends[i] = end;
      }
    }

    /// Appends one value and returns where it ends.
    private int readText(NativeInput in, int start) throws IOException {
      int length = in.readCount();
      if (length > MAX - start) {
        throw new NativeFormatException("strings of one block are larger than an array");
      }
      int end = start + length;
      if (length <= STEP) {
        reserve(end);
        in.readFully(bytes, start, length);
      } else {
        byte[] value = in.readBytes(length);
        reserve(end);
        System.arraycopy(value, 0, bytes, start, length);
      }
      return end;
    }

    private void reserve(int end) {
      if (end > bytes.length) {
        bytes = Arrays.copyOf(bytes, (int) Math.min(MAX, Math.max(end, 2L * bytes.length)));
      }
    }

    @Override
    public byte[] bytes() {
      return bytes;
    }

    @Override
    public int start(int row) {
      return row == 0 ? 0 : ends[row - 1];
    }

    @Override
    public int end(int row) {
      return ends[row];
    }
  }

  /// Strings of one length.
  final class FixedTexts implements Bytes {
    private final String type;
    private final int width;
    private byte[] bytes = new byte[0];

    FixedTexts(String type, int width) {
      this.type = type;
      this.width = width;
    }

    @Override
    public String type() {
      return type;
    }

    @Override
    public void read(NativeInput in, int rows) throws IOException {
      bytes = in.readBytes(in.checkCount((long) width * rows));
    }

    @Override
    public byte[] bytes() {
      return bytes;
    }

    @Override
    public int start(int row) {
      return width * row;
    }

    @Override
    public int end(int row) {
      return width * (row + 1);
    }
  }

  /// UUIDs as text.
  final class Uuids implements NativeColumn {
    private UUID[] values = new UUID[0];

    @Override
    public String type() {
      return "UUID";
    }

    @Override
    public void read(NativeInput in, int rows) throws IOException {
      long[] halves = in.readNumbers(in.checkCount(2L * rows), 8);
      values = new UUID[rows];
      for (int i = 0; i < rows; i++) {
        values[i] = new UUID(halves[2 * i], halves[2 * i + 1]);
      }
    }

    @Override
    public Object value(int row) {
      return values[row].toString();
    }
  }

  /// Enums by name.
  final class Enums implements NativeColumn {
    private final Map<Long, String> names = new LinkedHashMap<>();
    private final Longs numbers;

    Enums(NativeType type, int width) {
      numbers = new Longs(type.name(), width, true);
      for (NativeType each : type.arguments()) {
        int equals = each.name().lastIndexOf(" = ");
        String name = each.name().substring(1, equals - 1).replaceAll("\\\\(.)", "$1");
        names.put(Long.valueOf(each.name().substring(equals + 3)), name);
      }
    }

    @Override
    public String type() {
      return numbers.type();
    }

    @Override
    public void read(NativeInput in, int rows) throws IOException {
      numbers.read(in, rows);
    }

    @Override
    public Object value(int row) {
      return names.getOrDefault(numbers.get(row), "");
    }
  }

  /// Values that may be missing.
  final class Nullables implements NativeColumn {
    private final NativeColumn inner;
    private byte[] nulls = new byte[0];

    Nullables(NativeColumn inner) {
      this.inner = inner;
    }

    @Override
    public String type() {
      return "Nullable(" + inner.type() + ")";
    }

    @Override
    public void readPrefix(NativeInput in) throws IOException {
      inner.readPrefix(in);
    }

    @Override
    public void read(NativeInput in, int rows) throws IOException {
      nulls = in.readBytes(rows);
      inner.read(in, rows);
    }

    boolean isNull(int row) {
      return nulls[row] != 0;
    }

    NativeColumn inner() {
      return inner;
    }

    @Override
    public @Nullable Object value(int row) {
      return isNull(row) ? null : inner.value(row);
    }
  }

  /// Values kept once each. In a nullable one the first of them stands for NULL.
  final class LowCardinalities implements NativeColumn {
    private static final long INDEX_TYPE = 0xff;
    private static final long NEEDS_GLOBAL_DICTIONARY = 1 << 8;

    private final NativeColumn dictionary;
    private final boolean nullable;
    private int[] indexes = new int[0];

    LowCardinalities(NativeColumn inner, boolean nullable) {
      dictionary = inner instanceof Nullables nullables ? nullables.inner() : inner;
      this.nullable = nullable;
    }

    @Override
    public String type() {
      return "LowCardinality(" + dictionary.type() + ")";
    }

    @Override
    public void readPrefix(NativeInput in) throws IOException {
      long version = in.readLong();
      if (version != 1) {
        throw new NativeFormatException("LowCardinality of unknown version: version=" + version);
      }
    }

    @Override
    public void read(NativeInput in, int rows) throws IOException {
      if (rows == 0) {
        indexes = new int[0];
        return;
      }
      long flags = in.readLong();
      if ((flags & NEEDS_GLOBAL_DICTIONARY) != 0) {
        throw new NativeFormatException("LowCardinality with a dictionary outside the block");
      }
      int type = (int) (flags & INDEX_TYPE);
      if (type > 3) {
        throw new NativeFormatException(
            "LowCardinality with indexes of unknown type: type=" + type);
      }
      int size = in.checkCount(in.readLong());
      dictionary.read(in, size);
      long count = in.readLong();
      if (count != rows) {
        throw new NativeFormatException(
            "LowCardinality of wrong length: rows=" + rows + ", keys=" + count);
      }
      long[] numbers = in.readNumbers(rows, 1 << type);
      indexes = new int[rows];
      for (int i = 0; i < rows; i++) {
        if (Long.compareUnsigned(numbers[i], size) >= 0) {
          throw new NativeFormatException("LowCardinality with an index outside its dictionary");
        }
        indexes[i] = (int) numbers[i];
      }
    }

    boolean isNull(int row) {
      return nullable && indexes[row] == 0;
    }

    NativeColumn dictionary() {
      return dictionary;
    }

    /// The row of the dictionary.
    int index(int row) {
      return indexes[row];
    }

    @Override
    public @Nullable Object value(int row) {
      return isNull(row) ? null : dictionary.value(indexes[row]);
    }
  }

  /// Arrays: row `i` is the elements from `start(i)` to `end(i)`.
  final class Lists implements NativeColumn {
    private final NativeColumn elements;
    private int[] ends = new int[0];

    Lists(NativeColumn elements) {
      this.elements = elements;
    }

    @Override
    public String type() {
      return "Array(" + elements.type() + ")";
    }

    @Override
    public void readPrefix(NativeInput in) throws IOException {
      elements.readPrefix(in);
    }

    @Override
    public void read(NativeInput in, int rows) throws IOException {
      long[] numbers = in.readNumbers(rows, 8);
      ends = new int[rows];
      int end = 0;
      for (int i = 0; i < rows; i++) {
        int next = in.checkCount(numbers[i]);
        if (next < end) {
          throw new NativeFormatException("arrays that end before they begin");
        }
        end = next;
        ends[i] = end;
      }
      elements.read(in, end);
    }

    NativeColumn elements() {
      return elements;
    }

    int start(int row) {
      return row == 0 ? 0 : ends[row - 1];
    }

    int end(int row) {
      return ends[row];
    }

    @Override
    public Object value(int row) {
      List<@Nullable Object> list = new ArrayList<>(end(row) - start(row));
      for (int i = start(row); i < end(row); i++) {
        list.add(elements.value(i));
      }
      return list;
    }
  }

  /// Tuples: one column for each element.
  final class Tuples implements NativeColumn {
    private final List<NativeColumn> elements;

    Tuples(List<NativeColumn> elements) {
      this.elements = elements;
    }

    @Override
    public String type() {
      return "Tuple";
    }

    @Override
    public void readPrefix(NativeInput in) throws IOException {
      for (NativeColumn each : elements) {
        each.readPrefix(in);
      }
    }

    @Override
    public void read(NativeInput in, int rows) throws IOException {
      for (NativeColumn each : elements) {
        each.read(in, rows);
      }
    }

    NativeColumn element(int index) {
      return elements.get(index);
    }

    @Override
    public Object value(int row) {
      List<@Nullable Object> list = new ArrayList<>(elements.size());
      for (NativeColumn each : elements) {
        list.add(each.value(row));
      }
      return list;
    }
  }

  /// Maps: an array of tuples of key and value.
  final class Maps implements NativeColumn {
    private final Tuples entries;
    private final Lists array;

    Maps(NativeColumn keys, NativeColumn values) {
      entries = new Tuples(List.of(keys, values));
      array = new Lists(entries);
    }

    @Override
    public String type() {
      return "Map";
    }

    @Override
    public void readPrefix(NativeInput in) throws IOException {
      array.readPrefix(in);
    }

    @Override
    public void read(NativeInput in, int rows) throws IOException {
      array.read(in, rows);
    }

    NativeColumn keys() {
      return entries.element(0);
    }

    NativeColumn values() {
      return entries.element(1);
    }

    int start(int row) {
      return array.start(row);
    }

    int end(int row) {
      return array.end(row);
    }

    @Override
    public Object value(int row) {
      Map<@Nullable Object, @Nullable Object> map = new LinkedHashMap<>();
      for (int i = start(row); i < end(row); i++) {
        map.put(keys().value(i), values().value(i));
      }
      return map;
    }
  }
}
