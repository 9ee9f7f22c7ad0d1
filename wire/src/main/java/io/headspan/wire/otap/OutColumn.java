package io.headspan.wire.otap;

import com.google.flatbuffers.FlatBufferBuilder;
import io.headspan.wire.Utf8Table;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.arrow.flatbuf.Binary;
import org.apache.arrow.flatbuf.Bool;
import org.apache.arrow.flatbuf.DictionaryEncoding;
import org.apache.arrow.flatbuf.DictionaryKind;
import org.apache.arrow.flatbuf.Duration;
import org.apache.arrow.flatbuf.Field;
import org.apache.arrow.flatbuf.FixedSizeBinary;
import org.apache.arrow.flatbuf.FloatingPoint;
import org.apache.arrow.flatbuf.Int;
import org.apache.arrow.flatbuf.Precision;
import org.apache.arrow.flatbuf.Struct_;
import org.apache.arrow.flatbuf.TimeUnit;
import org.apache.arrow.flatbuf.Timestamp;
import org.apache.arrow.flatbuf.Type;
import org.apache.arrow.flatbuf.Utf8;

/// One column of the tables that the encoder writes, for the life of a stream.
///
/// An optional column is left out of the schema until a row needs it, and stays from then on, so
/// that a stream soon has one schema. Before a batch is written, [#start] makes room for its rows,
/// the encoder fills them, and [#prepare] says whether the schema has to change.
abstract sealed class OutColumn {
  private static final byte[] NO_NULLS = {};

  private final String name;
  private final boolean optional;
  private boolean present;

  OutColumn(String name, boolean optional) {
    this.name = name;
    this.optional = optional;
    present = !optional;
  }

  final String name() {
    return name;
  }

  final boolean nullable() {
    return optional;
  }

  /// Whether the column is in the schema.
  final boolean present() {
    return present;
  }

  /// Puts the column into the schema whatever its rows are.
  final void keep() {
    present = true;
  }

  /// Puts the column into the schema if this batch needs it for the first time. True if the schema
  /// changes.
  boolean appear() {
    if (present || !needed()) {
      return false;
    }
    present = true;
    return true;
  }

  /// Whether the batch has a value other than the default.
  abstract boolean needed();

  /// Makes room for `rows` rows, all of them default or null.
  abstract void start(int rows);

  /// Fits the dictionary to the batch. True if the column has to change its type for that; then all
  /// columns of the schema [#restart], and this is called again.
  boolean prepare(Utf8Table table) {
    return false;
  }

  /// Forgets what the receiver knows, since a new schema begins.
  void restart() {}

  /// Writes the dictionary entries that the receiver does not know yet.
  void dictionaries(IpcWriter out) {}

  /// Describes the column and returns its offset.
  abstract int field(FlatBufferBuilder builder);

  /// Writes the column's node and buffers into the batch that was started.
  abstract void write(IpcWriter out);

  /// Integers of up to 32 bits. Null rows are only possible if the column is optional.
  static final class Ints extends OutColumn {

    private final int bits;
    private final boolean signed;
    private final boolean nulls;
    private int[] values = {};
    private byte[] validity = {};
    private int rows;
    private int nullCount;

    private Ints(String name, boolean optional, int bits, boolean signed, boolean nulls) {
      super(name, optional);
      this.bits = bits;
      this.signed = signed;
      this.nulls = nulls;
    }

    static Ints unsigned(String name, int bits, boolean optional) {
      return new Ints(name, optional, bits, false, false);
    }

    static Ints signed(String name, boolean optional) {
      return new Ints(name, optional, Integer.SIZE, true, false);
    }

    /// The id of a resource or scope: there from the first batch on, since the Go consumer finds no
    /// attributes without it.
    static Ints id(String name) {
      Ints column = unsigned(name, Short.SIZE, true);
      column.keep();
      return column;
    }

    /// An optional column whose rows are null unless set.
    static Ints nullable(String name, int bits) {
      return new Ints(name, true, bits, false, true);
    }

    void set(int row, int value) {
      values[row] = value;
      if (nulls) {
        validity[row >>> 3] |= (byte) (1 << (row & 7));
        nullCount--;
      }
    }

    @Override
    boolean needed() {
      if (nulls) {
        return nullCount < rows;
      }
      for (int row = 0; row < rows; row++) {
        if (values[row] != 0) {
          return true;
        }
      }
      return false;
    }

    @Override
    void start(int rows) {
      this.rows = rows;
      values = cleared(values, rows);
      nullCount = nulls ? rows : 0;
      validity = nulls ? cleared(validity, bitmapBytes(rows)) : validity;
    }

    @Override
    int field(FlatBufferBuilder builder) {
      return OutColumn.field(builder, this, Type.Int, Int.createInt(builder, bits, signed));
    }

    @Override
    void write(IpcWriter out) {
      out.node(rows, nullCount, validity);
      out.startBuffer(rows * bits / Byte.SIZE);
      switch (bits) {
        case 8 -> {
          for (int row = 0; row < rows; row++) {
            out.putByte(values[row]);
          }
        }
        case 16 -> {
          for (int row = 0; row < rows; row++) {
            out.putShort(values[row]);
          }
        }
        default -> {
          for (int row = 0; row < rows; row++) {
            out.putInt(values[row]);
          }
        }
      }
      out.endBuffer();
    }
  }

  /// Values of 64 bits. Rows of an optional column are null unless set.
  static final class Longs extends OutColumn {
    /// What the values are.
    enum Of {
      INTEGERS,
      DOUBLES,
      TIMESTAMPS,
      DURATIONS
    }

    private final Of of;
    private long[] values = {};
    private byte[] validity = {};
    private int rows;
    private int nullCount;

    Longs(String name, Of of, boolean optional) {
      super(name, optional);
      this.of = of;
    }

    void set(int row, long value) {
      values[row] = value;
      if (nullable()) {
        validity[row >>> 3] |= (byte) (1 << (row & 7));
        nullCount--;
      }
    }

    @Override
    boolean needed() {
      return nullCount < rows;
    }

    @Override
    void start(int rows) {
      this.rows = rows;
      values = cleared(values, rows);
      nullCount = nullable() ? rows : 0;
      validity = nullable() ? cleared(validity, bitmapBytes(rows)) : validity;
    }

    @Override
    int field(FlatBufferBuilder builder) {
      return switch (of) {
        case INTEGERS ->
            OutColumn.field(builder, this, Type.Int, Int.createInt(builder, Long.SIZE, true));
        case DOUBLES ->
            OutColumn.field(
                builder,
                this,
                Type.FloatingPoint,
                FloatingPoint.createFloatingPoint(builder, Precision.DOUBLE));
        case TIMESTAMPS -> {
          int zone = builder.createString("UTC");
          yield OutColumn.field(
              builder,
              this,
              Type.Timestamp,
              Timestamp.createTimestamp(builder, TimeUnit.NANOSECOND, zone));
        }
        case DURATIONS ->
            OutColumn.field(
                builder,
                this,
                Type.Duration,
                Duration.createDuration(builder, TimeUnit.NANOSECOND));
      };
    }

    @Override
    void write(IpcWriter out) {
      out.node(rows, nullCount, validity);
      out.startBuffer(rows * Long.BYTES);
      for (int row = 0; row < rows; row++) {
        out.putLong(values[row]);
      }
      out.endBuffer();
    }
  }

  /// Trace ids of 16 or span ids of 8 bytes. Rows of an optional column are null unless set.
  static final class Ids extends OutColumn {
    private final int width;
    private long[] values = {};
    private byte[] validity = {};
    private int rows;
    private int nullCount;

    Ids(String name, int width, boolean optional) {
      super(name, optional);
      this.width = width;
    }

    /// Sets a span id.
    void set(int row, long id) {
      values[row] = id;
      mark(row);
    }

    /// Sets a trace id.
    void set(int row, long high, long low) {
      values[2 * row] = high;
      values[2 * row + 1] = low;
      mark(row);
    }

    private void mark(int row) {
      if (nullable()) {
        validity[row >>> 3] |= (byte) (1 << (row & 7));
        nullCount--;
      }
    }

    @Override
    boolean needed() {
      return nullCount < rows;
    }

    @Override
    void start(int rows) {
      this.rows = rows;
      values = cleared(values, rows * width / Long.BYTES);
      nullCount = nullable() ? rows : 0;
      validity = nullable() ? cleared(validity, bitmapBytes(rows)) : validity;
    }

    @Override
    int field(FlatBufferBuilder builder) {
      return OutColumn.field(
          builder,
          this,
          Type.FixedSizeBinary,
          FixedSizeBinary.createFixedSizeBinary(builder, width));
    }

    @Override
    void write(IpcWriter out) {
      out.node(rows, nullCount, validity);
      out.startBuffer(rows * width);
      for (int i = 0, n = rows * width / Long.BYTES; i < n; i++) {
        out.putBigEndianLong(values[i]);
      }
      out.endBuffer();
    }
  }

  /// Truth values; rows are null unless set.
  static final class Bits extends OutColumn {
    private byte[] values = {};
    private byte[] validity = {};
    private int rows;
    private int nullCount;

    Bits(String name) {
      super(name, true);
    }

    void set(int row, boolean value) {
      int bit = 1 << (row & 7);
      validity[row >>> 3] |= (byte) bit;
      nullCount--;
      if (value) {
        values[row >>> 3] |= (byte) bit;
      }
    }

    @Override
    boolean needed() {
      return nullCount < rows;
    }

    @Override
    void start(int rows) {
      this.rows = rows;
      values = cleared(values, bitmapBytes(rows));
      validity = cleared(validity, bitmapBytes(rows));
      nullCount = rows;
    }

    @Override
    int field(FlatBufferBuilder builder) {
      Bool.startBool(builder);
      return OutColumn.field(builder, this, Type.Bool, Bool.endBool(builder));
    }

    @Override
    void write(IpcWriter out) {
      out.node(rows, nullCount, validity);
      out.startBuffer(bitmapBytes(rows));
      out.put(values, 0, bitmapBytes(rows));
      out.endBuffer();
    }
  }

  /// Texts or byte strings: with a dictionary that grows by deltas, and is replaced when it is
  /// full; plain if values hardly ever repeat.
  static final class Texts extends OutColumn {
    private static final int PLAIN = 0;
    private static final int MAX_BYTES = 4 << 20;
    private static final int ABSENT = -1;

    /// Above this share of distinct values a full dictionary gives way to a plain column.
    private static final double MAX_DISTINCT = 0.5;

    private final long dictionaryId;
    private final boolean binary;
    private final boolean nulls;

    /// Bits of an index, or [#PLAIN].
    private int indexBits;

    private Utf8Table dictionary = new Utf8Table();
    private boolean replaced;
    private int sentEntries;
    private long rowsSeen;

    private int[] ids = {};
    private int[] indices = {};
    private byte[] validity = {};
    private int[] indexOfId = {};
    private Utf8Table table = dictionary;
    private int rows;
    private int nullCount;

    private Texts(
        String name,
        boolean optional,
        boolean binary,
        boolean nulls,
        int indexBits,
        long dictionaryId) {
      super(name, optional);
      this.binary = binary;
      this.nulls = nulls;
      this.indexBits = indexBits;
      this.dictionaryId = dictionaryId;
    }

    /// A column of texts, empty unless set.
    static Texts of(String name, boolean optional, long dictionaryId) {
      return new Texts(name, optional, false, false, Byte.SIZE, dictionaryId);
    }

    /// An optional column of many different values, null unless set.
    static Texts values(String name, boolean binary, long dictionaryId) {
      return new Texts(name, true, binary, true, Short.SIZE, dictionaryId);
    }

    /// Sets a value by its id in the batch's table.
    void set(int row, int id) {
      ids[row] = id;
      if (nulls) {
        validity[row >>> 3] |= (byte) (1 << (row & 7));
        nullCount--;
      }
    }

    @Override
    boolean needed() {
      if (nulls) {
        return nullCount < rows;
      }
      for (int row = 0; row < rows; row++) {
        if (ids[row] != Utf8Table.EMPTY) {
          return true;
        }
      }
      return false;
    }

    @Override
    void start(int rows) {
      this.rows = rows;
      ids = cleared(ids, rows);
      nullCount = nulls ? rows : 0;
      validity = nulls ? cleared(validity, bitmapBytes(rows)) : validity;
    }

    @Override
    boolean prepare(Utf8Table batchTable) {
      table = batchTable;
      if (indexBits == PLAIN) {
        return false;
      }
      int distinct = index();
      rowsSeen += rows - nullCount;
      if (fits()) {
        return false;
      }
      if (indexBits == Byte.SIZE && dictionary.size() > 1 << Byte.SIZE) {
        indexBits = Short.SIZE;
        return true;
      }
      if (distinct >= 1 << Short.SIZE || dictionary.size() > MAX_DISTINCT * rowsSeen) {
        indexBits = PLAIN;
        return true;
      }
      restart();
      replaced = true;
      index();
      return false;
    }

    @Override
    void restart() {
      dictionary = new Utf8Table();
      sentEntries = 0;
      rowsSeen = 0;
      replaced = false;
    }

    /// Finds the dictionary index of every row, adding what is new; returns how many different
    /// values the batch has.
    private int index() {
      if (indexOfId.length < table.size()) {
        indexOfId = new int[table.size() + table.size() / 2];
      }
      Arrays.fill(indexOfId, 0, table.size(), ABSENT);
      if (indices.length < rows) {
        indices = new int[ids.length];
      }
      int distinct = 0;
      for (int row = 0; row < rows; row++) {
        int id = ids[row];
        int index = indexOfId[id];
        if (index == ABSENT) {
          index = dictionary.intern(table.backing(), table.offset(id), table.length(id));
          indexOfId[id] = index;
          distinct++;
        }
        indices[row] = index;
      }
      return distinct;
    }

    private boolean fits() {
      return dictionary.size() <= 1 << indexBits && sizeOf(dictionary) <= MAX_BYTES;
    }

    private static int sizeOf(Utf8Table values) {
      int last = values.size() - 1;
      return values.offset(last) + values.length(last);
    }

    @Override
    void dictionaries(IpcWriter out) {
      if (indexBits == PLAIN || (sentEntries == dictionary.size() && !replaced)) {
        return;
      }
      int from = sentEntries;
      int entries = dictionary.size() - from;
      int start = dictionary.offset(from);
      int bytes = sizeOf(dictionary) - start;
      out.startBatch();
      out.node(entries, 0, NO_NULLS);
      out.startBuffer((entries + 1) * Integer.BYTES);
      out.putInt(0);
      for (int entry = from; entry < dictionary.size(); entry++) {
        out.putInt(dictionary.offset(entry) + dictionary.length(entry) - start);
      }
      out.endBuffer();
      out.startBuffer(bytes);
      out.put(dictionary.backing(), start, bytes);
      out.endBuffer();
      out.endDictionary(dictionaryId, from > 0, entries);
      sentEntries = dictionary.size();
      replaced = false;
    }

    @Override
    int field(FlatBufferBuilder builder) {
      int type;
      if (binary) {
        Binary.startBinary(builder);
        type = Binary.endBinary(builder);
      } else {
        Utf8.startUtf8(builder);
        type = Utf8.endUtf8(builder);
      }
      int encoding = 0;
      if (indexBits != PLAIN) {
        int index = Int.createInt(builder, indexBits, false);
        encoding =
            DictionaryEncoding.createDictionaryEncoding(
                builder, dictionaryId, index, false, DictionaryKind.DenseArray);
      }
      return OutColumn.field(
          builder, this, binary ? Type.Binary : Type.Utf8, type, encoding, new int[0]);
    }

    @Override
    void write(IpcWriter out) {
      out.node(rows, nullCount, validity);
      switch (indexBits) {
        case Byte.SIZE -> {
          out.startBuffer(rows);
          for (int row = 0; row < rows; row++) {
            out.putByte(indices[row]);
          }
          out.endBuffer();
        }
        case Short.SIZE -> {
          out.startBuffer(rows * Short.BYTES);
          for (int row = 0; row < rows; row++) {
            out.putShort(indices[row]);
          }
          out.endBuffer();
        }
        default -> writePlain(out);
      }
    }

    private void writePlain(IpcWriter out) {
      out.startBuffer((rows + 1) * Integer.BYTES);
      out.putInt(0);
      int end = 0;
      for (int row = 0; row < rows; row++) {
        end = Math.addExact(end, table.length(ids[row]));
        out.putInt(end);
      }
      out.endBuffer();
      out.startBuffer(end);
      for (int row = 0; row < rows; row++) {
        out.put(table.backing(), table.offset(ids[row]), table.length(ids[row]));
      }
      out.endBuffer();
    }
  }

  /// A struct that is never null itself.
  static final class Struct extends OutColumn {
    private final List<OutColumn> children;
    private int rows;

    Struct(String name, OutColumn... children) {
      super(name, true);
      this.children = List.of(children);
    }

    private List<OutColumn> presentChildren() {
      return presentOf(children);
    }

    @Override
    boolean appear() {
      boolean changed = false;
      for (OutColumn child : children) {
        changed |= child.appear();
      }
      return super.appear() || changed;
    }

    @Override
    boolean needed() {
      return children.stream().anyMatch(OutColumn::present);
    }

    @Override
    void start(int rows) {
      this.rows = rows;
      children.forEach(child -> child.start(rows));
    }

    @Override
    boolean prepare(Utf8Table table) {
      boolean changed = false;
      for (OutColumn child : presentChildren()) {
        changed |= child.prepare(table);
      }
      return changed;
    }

    @Override
    void restart() {
      children.forEach(OutColumn::restart);
    }

    @Override
    void dictionaries(IpcWriter out) {
      presentChildren().forEach(child -> child.dictionaries(out));
    }

    @Override
    int field(FlatBufferBuilder builder) {
      int[] fields = presentChildren().stream().mapToInt(child -> child.field(builder)).toArray();
      Struct_.startStruct_(builder);
      int type = Struct_.endStruct_(builder);
      return OutColumn.field(builder, this, Type.Struct_, type, 0, fields);
    }

    @Override
    void write(IpcWriter out) {
      out.node(rows, 0, NO_NULLS);
      presentChildren().forEach(child -> child.write(out));
    }
  }

  /// Those of `columns` that are in the schema.
  static List<OutColumn> presentOf(List<OutColumn> columns) {
    List<OutColumn> present = new ArrayList<>(columns.size());
    for (OutColumn column : columns) {
      if (column.present()) {
        present.add(column);
      }
    }
    return present;
  }

  private static int field(FlatBufferBuilder builder, OutColumn column, byte kind, int type) {
    return field(builder, column, kind, type, 0, new int[0]);
  }

  private static int field(
      FlatBufferBuilder builder,
      OutColumn column,
      byte kind,
      int type,
      int dictionary,
      int[] children) {
    int name = builder.createString(column.name);
    int childrenVector = Field.createChildrenVector(builder, children);
    return Field.createField(
        builder, name, column.optional, kind, type, dictionary, childrenVector, 0);
  }

  static int bitmapBytes(int rows) {
    return (rows + 7) / 8;
  }

  private static int[] cleared(int[] array, int size) {
    if (array.length < size) {
      return new int[size];
    }
    Arrays.fill(array, 0, size, 0);
    return array;
  }

  private static long[] cleared(long[] array, int size) {
    if (array.length < size) {
      return new long[size];
    }
    Arrays.fill(array, 0, size, 0);
    return array;
  }

  private static byte[] cleared(byte[] array, int size) {
    if (array.length < size) {
      return new byte[size];
    }
    Arrays.fill(array, 0, size, (byte) 0);
    return array;
  }
}
