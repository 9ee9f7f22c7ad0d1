package io.headspan.wire.otap;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.arrow.flatbuf.DictionaryEncoding;
import org.apache.arrow.flatbuf.Duration;
import org.apache.arrow.flatbuf.Endianness;
import org.apache.arrow.flatbuf.Field;
import org.apache.arrow.flatbuf.FixedSizeBinary;
import org.apache.arrow.flatbuf.FloatingPoint;
import org.apache.arrow.flatbuf.Int;
import org.apache.arrow.flatbuf.KeyValue;
import org.apache.arrow.flatbuf.Precision;
import org.apache.arrow.flatbuf.Schema;
import org.apache.arrow.flatbuf.TimeUnit;
import org.apache.arrow.flatbuf.Timestamp;
import org.apache.arrow.flatbuf.Type;
import org.apache.arrow.flatbuf.Union;
import org.apache.arrow.flatbuf.UnionMode;
import org.jspecify.annotations.Nullable;

/// A field of an Arrow schema, as far as OTAP's columns need it.
///
/// @param name "" if it is longer than any name of OTAP
/// @param kind of the values; with a dictionary, of the dictionary's values
/// @param width bytes of a value, 0 if they vary
/// @param index how the rows name dictionary entries, null if the column is plain
/// @param encoding of ids, as the field's metadata names it; "" for the column's own
/// @param children of a struct; the only one of a list is its elements
/// @param layout nodes and buffers of a column that is only skipped
record ArrowField(
    String name,
    Kind kind,
    int width,
    @Nullable Index index,
    String encoding,
    List<ArrowField> children,
    Layout layout) {

  /// What is told apart.
  enum Kind {
    UNSIGNED,
    SIGNED,
    FLOAT64,
    BOOL,
    UTF8,
    BINARY,
    FIXED,
    TIMESTAMP_NS,
    DURATION_NS,
    STRUCT,
    LIST,
    /// Anything else: not a column of OTAP, skipped.
    OTHER
  }

  /// A dictionary's id in the stream, and the type of the indices into it.
  record Index(long dictionary, int width, boolean signed) {}

  /// What a column takes of a record batch: nodes, buffers, and of them columns of views, which
  /// have a variable number of buffers each.
  record Layout(int nodes, int buffers, int views) {
    static final Layout NONE = new Layout(0, 0, 0);

    Layout plus(Layout other) {
      return new Layout(nodes + other.nodes, buffers + other.buffers, views + other.views);
    }
  }

  private static final int MAX_FIELDS = 1_024;
  private static final int MAX_METADATA = 4_096;
  private static final int MAX_DEPTH = 16;
  private static final int MAX_NAME_BYTES = 256;
  private static final String ENCODING = "encoding";

  /// Reads the fields of a schema.
  static List<ArrowField> of(Schema schema) {
    if (schema.endianness() != Endianness.Little) {
      throw OtapException.invalid("big-endian Arrow schema; send little-endian data");
    }
    Reader reader = new Reader();
    List<ArrowField> fields = new ArrayList<>();
    for (int i = 0, n = schema.fieldsLength(); i < n; i++) {
      fields.add(reader.field(schema.fields(i), 1));
    }
    return List.copyOf(fields);
  }

  /// Counts what it reads, since parts of a hostile schema may be shared or refer to each other.
  private static final class Reader {
    private int fields;
    private int metadata;

    ArrowField field(Field field, int depth) {
      if (++fields > MAX_FIELDS || depth > MAX_DEPTH) {
        throw OtapException.invalid(
            "Arrow schema too large: more than "
                + MAX_FIELDS
                + " fields, or nested deeper than "
                + MAX_DEPTH
                + "; send the columns that OTAP names");
      }
      ByteBuffer nameBytes = field.nameAsByteBuffer();
      boolean named = nameBytes != null && nameBytes.remaining() <= MAX_NAME_BYTES;
      String name = named ? StandardCharsets.UTF_8.decode(nameBytes).toString() : "";
      Layout layout = Layout.NONE;
      List<ArrowField> children = new ArrayList<>();
      for (int i = 0, n = field.childrenLength(); i < n; i++) {
        ArrowField child = field(field.children(i), depth + 1);
        children.add(child);
        layout = layout.plus(child.layout);
      }
      layout = layout.plus(own(field));
      Index index = null;
      DictionaryEncoding dictionary = field.dictionary();
      if (dictionary != null) {
        Int type = dictionary.indexType();
        index =
            type == null
                ? new Index(dictionary.id(), Integer.BYTES, true)
                : new Index(dictionary.id(), type.bitWidth() / Byte.SIZE, type.isSigned());
        layout = new Layout(1, 2, 0);
      }
      Kind kind = kind(field);
      return new ArrowField(
          name, kind, width(field, kind), index, encoding(field), List.copyOf(children), layout);
    }

    private String encoding(Field field) {
      for (int i = 0, n = field.customMetadataLength(); i < n; i++) {
        if (++metadata > MAX_METADATA) {
          throw OtapException.invalid(
              "Arrow schema too large: more than "
                  + MAX_METADATA
                  + " entries of metadata; leave them out");
        }
        KeyValue entry = field.customMetadata(i);
        ByteBuffer key = entry.keyAsByteBuffer();
        ByteBuffer value = entry.valueAsByteBuffer();
        if (key != null
            && value != null
            && key.remaining() == ENCODING.length()
            && value.remaining() <= MAX_NAME_BYTES
            && StandardCharsets.UTF_8.decode(key).toString().equals(ENCODING)) {
          return StandardCharsets.UTF_8.decode(value).toString();
        }
      }
      return "";
    }
  }

  private static Kind kind(Field field) {
    return switch (field.typeType()) {
      case Type.Int -> type(field, new Int()).isSigned() ? Kind.SIGNED : Kind.UNSIGNED;
      case Type.FloatingPoint ->
          type(field, new FloatingPoint()).precision() == Precision.DOUBLE
              ? Kind.FLOAT64
              : Kind.OTHER;
      case Type.Bool -> Kind.BOOL;
      case Type.Utf8 -> Kind.UTF8;
      case Type.Binary -> Kind.BINARY;
      case Type.FixedSizeBinary -> Kind.FIXED;
      case Type.Timestamp ->
          type(field, new Timestamp()).unit() == TimeUnit.NANOSECOND
              ? Kind.TIMESTAMP_NS
              : Kind.OTHER;
      case Type.Duration ->
          type(field, new Duration()).unit() == TimeUnit.NANOSECOND ? Kind.DURATION_NS : Kind.OTHER;
      case Type.Struct_ -> Kind.STRUCT;
      case Type.List -> field.childrenLength() == 1 ? Kind.LIST : Kind.OTHER;
      default -> Kind.OTHER;
    };
  }

  private static int width(Field field, Kind kind) {
    return switch (kind) {
      case UNSIGNED, SIGNED -> type(field, new Int()).bitWidth() / Byte.SIZE;
      case FLOAT64, TIMESTAMP_NS, DURATION_NS -> Long.BYTES;
      case FIXED -> type(field, new FixedSizeBinary()).byteWidth();
      case BOOL, UTF8, BINARY, STRUCT, LIST, OTHER -> 0;
    };
  }

  private static <T extends com.google.flatbuffers.Table> T type(Field field, T table) {
    if (field.type(table) == null) {
      throw OtapException.invalid("Arrow field without its type; send a complete schema");
    }
    return table;
  }

  /// What a type takes for itself, without its children (Arrow columnar format 1.5, "Buffer Listing
  /// for Each Layout").
  private static Layout own(Field field) {
    return switch (field.typeType()) {
      case Type.Null, Type.RunEndEncoded -> new Layout(1, 0, 0);
      case Type.Struct_, Type.FixedSizeList -> new Layout(1, 1, 0);
      case Type.Union ->
          new Layout(1, type(field, new Union()).mode() == UnionMode.Dense ? 2 : 1, 0);
      case Type.Utf8, Type.Binary, Type.LargeUtf8, Type.LargeBinary -> new Layout(1, 3, 0);
      case Type.ListView, Type.LargeListView -> new Layout(1, 3, 0);
      case Type.Utf8View, Type.BinaryView -> new Layout(1, 2, 1);
      default -> new Layout(1, 2, 0);
    };
  }
}
