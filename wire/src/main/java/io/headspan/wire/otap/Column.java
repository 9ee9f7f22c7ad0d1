package io.headspan.wire.otap;

import io.headspan.wire.Utf8Table;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// One column of a record batch, read in place. Whole ranges of rows are decoded at a time, by a
/// loop for each representation; nothing is allocated per value.
///
/// Every length and index comes from outside: those of buffers are checked when the column is made,
/// those of values when they are read. A null value reads as 0 or the empty text.
final class Column {
  private final ArrowField field;
  private final int rows;

  /// Bit i set: row i is not null. Null if no row is null.
  private final @Nullable Slice validity;

  /// Values, or indices into [#dictionary]; for texts the bytes that [#offsets] point into.
  private final Slice data;

  private final Slice offsets;
  private final @Nullable Dictionary dictionary;
  private final List<Column> children;

  private Column(
      ArrowField field,
      int rows,
      @Nullable Slice validity,
      Slice data,
      Slice offsets,
      @Nullable Dictionary dictionary,
      List<Column> children) {
    this.field = field;
    this.rows = rows;
    this.validity = validity;
    this.data = data;
    this.offsets = offsets;
    this.dictionary = dictionary;
    this.children = children;
  }

  /// A column of indices into `dictionary`.
  static Column indexed(
      ArrowField field,
      ArrowField.Index index,
      int rows,
      @Nullable Slice validity,
      Slice data,
      Dictionary dictionary) {
    if (index.width() != 1 && index.width() != 2 && index.width() != 4) {
      throw OtapException.invalid(
          "bad dictionary index in OTAP data: column="
              + field.name()
              + ", bytes="
              + index.width()
              + "; use 8, 16 or 32 bits");
    }
    checkLength(field, data, (long) rows * index.width());
    return new Column(field, rows, validity, data, Slice.EMPTY, dictionary, List.of());
  }

  /// A column of values of one width.
  static Column fixed(ArrowField field, int rows, @Nullable Slice validity, Slice data) {
    if (field.width() < 0
        || (field.kind() != ArrowField.Kind.FIXED
            && field.width() != 1
            && field.width() != 2
            && field.width() != 4
            && field.width() != 8)) {
      throw OtapException.invalid(
          "bad width in OTAP data: column=" + field.name() + ", bytes=" + field.width());
    }
    checkLength(field, data, (long) rows * field.width());
    return new Column(field, rows, validity, data, Slice.EMPTY, null, List.of());
  }

  /// A column of bits.
  static Column bits(ArrowField field, int rows, @Nullable Slice validity, Slice data) {
    checkLength(field, data, (rows + 7L) / 8);
    return new Column(field, rows, validity, data, Slice.EMPTY, null, List.of());
  }

  /// A column of texts or byte strings.
  static Column variable(
      ArrowField field, int rows, @Nullable Slice validity, Slice offsets, Slice data) {
    checkLength(field, offsets, rows == 0 ? 0 : (rows + 1L) * Integer.BYTES);
    return new Column(field, rows, validity, data, offsets, null, List.of());
  }

  /// A struct. A row that is null in the struct is null in its children.
  static Column struct(
      ArrowField field, int rows, @Nullable Slice validity, List<Column> children) {
    List<Column> masked =
        validity == null ? children : children.stream().map(c -> c.masked(validity)).toList();
    return new Column(field, rows, validity, Slice.EMPTY, Slice.EMPTY, null, masked);
  }

  /// A column of lists. Elements of a type that no column of OTAP has are left out.
  static Column list(
      ArrowField field,
      int rows,
      @Nullable Slice validity,
      Slice offsets,
      @Nullable Column elements) {
    checkLength(field, offsets, rows == 0 ? 0 : (rows + 1L) * Integer.BYTES);
    return new Column(
        field,
        rows,
        validity,
        Slice.EMPTY,
        offsets,
        null,
        elements == null ? List.of() : List.of(elements));
  }

  String name() {
    return field.name();
  }

  ArrowField field() {
    return field;
  }

  int rows() {
    return rows;
  }

  /// Columns of a struct.
  List<Column> children() {
    return children;
  }

  boolean isNull(int row) {
    return validity != null && !bit(validity, row);
  }

  /// Reads rows `from` to `to` of a column of numbers into the start of `out`; doubles as their
  /// bits, truth values as 0 and 1.
  void longs(int from, int to, long[] out) {
    int count = to - from;
    if (dictionary != null) {
      require(!isText() && dictionary.field().kind() != ArrowField.Kind.FIXED, "a number");
      int[] indices = new int[count];
      indices(from, to, indices);
      for (int i = 0; i < count; i++) {
        out[i] = indices[i] < 0 ? 0 : dictionary.number(indices[i]);
      }
      return;
    }
    byte[] array = data.array();
    int at = data.offset() + from * field.width();
    switch (field.kind()) {
      case UNSIGNED -> {
        switch (field.width()) {
          case 1 -> {
            for (int i = 0; i < count; i++) {
              out[i] = array[at + i] & 0xff;
            }
          }
          case 2 -> {
            for (int i = 0; i < count; i++) {
              out[i] = (short) Slice.SHORT.get(array, at + 2 * i) & 0xffff;
            }
          }
          case 4 -> {
            for (int i = 0; i < count; i++) {
              out[i] = (int) Slice.INT.get(array, at + 4 * i) & 0xffff_ffffL;
            }
          }
          default -> eightBytes(array, at, count, out);
        }
      }
      case SIGNED -> {
        switch (field.width()) {
          case 1 -> {
            for (int i = 0; i < count; i++) {
              out[i] = array[at + i];
            }
          }
          case 2 -> {
            for (int i = 0; i < count; i++) {
              out[i] = (short) Slice.SHORT.get(array, at + 2 * i);
            }
          }
          case 4 -> {
            for (int i = 0; i < count; i++) {
              out[i] = (int) Slice.INT.get(array, at + 4 * i);
            }
          }
          default -> eightBytes(array, at, count, out);
        }
      }
      case TIMESTAMP_NS, DURATION_NS, FLOAT64 -> eightBytes(array, at, count, out);
      case BOOL -> {
        for (int i = 0; i < count; i++) {
          out[i] = bit(data, from + i) ? 1 : 0;
        }
      }
      case UTF8, BINARY, FIXED, STRUCT, LIST, OTHER -> require(false, "a number");
    }
    for (int row = nextNull(from, to); row < to; row = nextNull(row + 1, to)) {
      out[row - from] = 0;
    }
  }

  /// Reads rows `from` to `to` of a column of texts or byte strings into the start of `out`, as ids
  /// in the table of `interner`.
  void texts(int from, int to, int[] out, Dictionary.Interner interner) {
    require(isText(), "a text");
    int count = to - from;
    if (dictionary != null) {
      indices(from, to, out);
      int[] ids = dictionary.textIds(interner);
      for (int i = 0; i < count; i++) {
        int entry = out[i];
        if (entry < 0) {
          out[i] = Utf8Table.EMPTY;
        } else {
          int id = ids[entry];
          out[i] = id >= 0 ? id : dictionary.internText(entry, interner);
        }
      }
      return;
    }
    for (int i = 0; i < count; i++) {
      int row = from + i;
      out[i] =
          isNull(row)
              ? Utf8Table.EMPTY
              : interner.text(data.array(), data.offset() + start(row), length(row));
    }
  }

  /// Reads rows `from` to `to` of a column of CBOR values into the start of `out`, as ids of their
  /// normal form; a null row becomes `empty`.
  void containers(int from, int to, int[] out, int empty, Dictionary.Interner interner) {
    require(isText(), "a CBOR value");
    int count = to - from;
    if (dictionary != null) {
      indices(from, to, out);
      int[] ids = dictionary.containerIds(interner);
      for (int i = 0; i < count; i++) {
        int entry = out[i];
        if (entry < 0) {
          out[i] = empty;
        } else {
          int id = ids[entry];
          out[i] = id >= 0 ? id : dictionary.internContainer(entry, interner);
        }
      }
      return;
    }
    for (int i = 0; i < count; i++) {
      int row = from + i;
      out[i] =
          isNull(row)
              ? empty
              : interner.container(data.array(), data.offset() + start(row), length(row));
    }
  }

  /// Reads 8 bytes from `skip` of every value of a column of ids of `width` bytes, big-endian. A
  /// null row reads as 0.
  void ids(int width, int skip, long[] out) {
    require(
        field.kind() == ArrowField.Kind.FIXED && field.width() == width,
        "an id of " + width + " bytes");
    if (dictionary != null) {
      int[] indices = new int[rows];
      indices(0, rows, indices);
      byte[] array = dictionary.bytes();
      for (int i = 0; i < rows; i++) {
        boolean absent = indices[i] < 0 || dictionary.length(indices[i]) != width;
        out[i] =
            absent
                ? 0
                : (long) Slice.BIG_ENDIAN_LONG.get(array, dictionary.offset(indices[i]) + skip);
      }
      return;
    }
    byte[] array = data.array();
    int at = data.offset() + skip;
    for (int i = 0; i < rows; i++) {
      out[i] = (long) Slice.BIG_ENDIAN_LONG.get(array, at + i * width);
    }
    for (int row = nextNull(0, rows); row < rows; row = nextNull(row + 1, rows)) {
      out[row] = 0;
    }
  }

  /// The elements of a column of lists.
  Column elements() {
    require(field.kind() == ArrowField.Kind.LIST && !children.isEmpty(), "a list");
    return children.getFirst();
  }

  /// The first element of the list in `row`; the first of the next row is the one after its last.
  int listBegin(int row) {
    return rows == 0 ? 0 : (int) Slice.INT.get(offsets.array(), offsets.offset() + 4 * row);
  }

  /// How many elements the list in `row` has; none if it is null.
  int listLength(int row) {
    if (isNull(row)) {
      return 0;
    }
    int begin = listBegin(row);
    int end = listBegin(row + 1);
    if (begin < 0 || end < begin || end > elements().rows()) {
      throw OtapException.invalid(
          "bad offsets in OTAP data: column="
              + name()
              + ", row="
              + row
              + ", start="
              + begin
              + ", end="
              + end
              + ", elements="
              + elements().rows()
              + "; send ascending offsets into the elements");
    }
    return end - begin;
  }

  /// Total length of all texts, byte strings or fixed-size values of a plain column.
  long payloadBytes() {
    long total = 0;
    for (int row = 0; row < rows; row++) {
      total += isNull(row) ? 0 : valueLength(row);
    }
    return total;
  }

  /// Copies the value of `row` of a plain column to `to` from `at` and returns its length.
  int copyBytes(int row, byte[] to, int at) {
    if (isNull(row)) {
      return 0;
    }
    int length = valueLength(row);
    int from = field.kind() == ArrowField.Kind.FIXED ? row * field.width() : start(row);
    System.arraycopy(data.array(), data.offset() + from, to, at, length);
    return length;
  }

  private int valueLength(int row) {
    return field.kind() == ArrowField.Kind.FIXED ? field.width() : length(row);
  }

  /// Reads dictionary indices into the start of `out`, -1 for a null row.
  private void indices(int from, int to, int[] out) {
    int count = to - from;
    ArrowField.Index index = index();
    byte[] array = data.array();
    int at = data.offset() + from * index.width();
    switch (index.width()) {
      case 1 -> {
        for (int i = 0; i < count; i++) {
          out[i] = array[at + i] & 0xff;
        }
      }
      case 2 -> {
        for (int i = 0; i < count; i++) {
          out[i] = (short) Slice.SHORT.get(array, at + 2 * i) & 0xffff;
        }
      }
      default -> {
        for (int i = 0; i < count; i++) {
          out[i] = (int) Slice.INT.get(array, at + 4 * i);
        }
      }
    }
    int size = dictionary == null ? 0 : dictionary.size();
    for (int i = 0; i < count; i++) {
      if (out[i] < 0 || out[i] >= size) {
        if (!isNull(from + i)) {
          throw OtapException.invalid(
              "bad dictionary index in OTAP data: column="
                  + name()
                  + ", row="
                  + (from + i)
                  + ", index="
                  + Integer.toUnsignedString(out[i])
                  + ", entries="
                  + size
                  + "; send the entries before the rows that name them");
        }
        out[i] = -1;
      }
    }
    for (int row = nextNull(from, to); row < to; row = nextNull(row + 1, to)) {
      out[row - from] = -1;
    }
  }

  /// The first null row from `from` on, or `to` if there is none before it. Skips 64 rows at a time
  /// where all have values.
  private int nextNull(int from, int to) {
    if (validity == null) {
      return to;
    }
    int row = from;
    while (row < to) {
      int at = validity.offset() + (row >>> 3);
      if ((row & 7) == 0
          && row + Long.SIZE <= to
          && (long) Slice.LONG.get(validity.array(), at) == -1) {
        row += Long.SIZE;
      } else if (bit(validity, row)) {
        row++;
      } else {
        return row;
      }
    }
    return to;
  }

  private ArrowField.Index index() {
    ArrowField.Index index = field.index();
    if (index == null) {
      throw new IllegalStateException("no dictionary: column=" + name());
    }
    return index;
  }

  private int start(int row) {
    return (int) Slice.INT.get(offsets.array(), offsets.offset() + Integer.BYTES * row);
  }

  private int length(int row) {
    int start = start(row);
    int end = start(row + 1);
    if (start < 0 || end < start || end > data.length()) {
      throw OtapException.invalid(
          "bad offsets in OTAP data: column="
              + name()
              + ", row="
              + row
              + ", start="
              + start
              + ", end="
              + end
              + ", bytes="
              + data.length()
              + "; send ascending offsets into the buffer");
    }
    return end - start;
  }

  private boolean isText() {
    return field.kind() == ArrowField.Kind.UTF8 || field.kind() == ArrowField.Kind.BINARY;
  }

  private void require(boolean holds, String expected) {
    if (!holds) {
      throw OtapException.invalid(
          "wrong column type in OTAP data: column="
              + name()
              + ", type="
              + field.kind()
              + ", bytes="
              + field.width()
              + "; it must be "
              + expected);
    }
  }

  private Column masked(Slice outer) {
    Slice both = outer;
    if (validity != null) {
      byte[] bits = new byte[(rows + 7) / 8];
      for (int i = 0; i < bits.length; i++) {
        int own = validity.array()[validity.offset() + i];
        bits[i] = (byte) (own & outer.array()[outer.offset() + i]);
      }
      both = new Slice(bits, 0, bits.length);
    }
    Slice mask = both;
    return new Column(
        field,
        rows,
        mask,
        data,
        offsets,
        dictionary,
        // Elements of lists are no rows.
        field.kind() == ArrowField.Kind.LIST
            ? children
            : children.stream().map(c -> c.masked(mask)).toList());
  }

  private static void eightBytes(byte[] array, int at, int count, long[] out) {
    for (int i = 0; i < count; i++) {
      out[i] = (long) Slice.LONG.get(array, at + 8 * i);
    }
  }

  private static boolean bit(Slice bits, int row) {
    return (bits.array()[bits.offset() + (row >>> 3)] >>> (row & 7) & 1) != 0;
  }

  private static void checkLength(ArrowField field, Slice buffer, long needed) {
    if (buffer.length() < needed) {
      throw OtapException.invalid(
          "buffer cut off in OTAP data: column="
              + field.name()
              + ", bytes="
              + buffer.length()
              + ", needed="
              + needed
              + "; send whole columns");
    }
  }
}
