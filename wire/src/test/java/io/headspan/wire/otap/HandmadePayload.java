package io.headspan.wire.otap;

import com.google.protobuf.ByteString;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayload;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayloadType;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.arrow.compression.CommonsCompressionFactory;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.BaseFixedWidthVector;
import org.apache.arrow.vector.BigIntVector;
import org.apache.arrow.vector.BitVector;
import org.apache.arrow.vector.DurationVector;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.FixedSizeBinaryVector;
import org.apache.arrow.vector.Float8Vector;
import org.apache.arrow.vector.IntVector;
import org.apache.arrow.vector.TimeStampVector;
import org.apache.arrow.vector.TinyIntVector;
import org.apache.arrow.vector.UInt1Vector;
import org.apache.arrow.vector.UInt2Vector;
import org.apache.arrow.vector.UInt4Vector;
import org.apache.arrow.vector.VarBinaryVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.complex.StructVector;
import org.apache.arrow.vector.compression.CompressionUtil;
import org.apache.arrow.vector.compression.NoCompressionCodec;
import org.apache.arrow.vector.dictionary.Dictionary;
import org.apache.arrow.vector.dictionary.DictionaryProvider;
import org.apache.arrow.vector.ipc.ArrowStreamWriter;
import org.apache.arrow.vector.ipc.message.IpcOption;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.arrow.vector.types.pojo.DictionaryEncoding;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.arrow.vector.types.pojo.FieldType;
import org.jspecify.annotations.Nullable;

/// A payload written column by column with Arrow's own writer, for what no recorded stream has.
/// Values are Java objects, null for null.
final class HandmadePayload implements AutoCloseable {
  private final BufferAllocator allocator = new RootAllocator();
  private final List<FieldVector> vectors = new ArrayList<>();
  private final DictionaryProvider.MapDictionaryProvider dictionaries =
      new DictionaryProvider.MapDictionaryProvider();
  private CompressionUtil.CodecType codec = CompressionUtil.CodecType.NO_COMPRESSION;
  private long nextDictionary;

  HandmadePayload compressed(CompressionUtil.CodecType bodies) {
    codec = bodies;
    return this;
  }

  /// A plain column.
  HandmadePayload column(String name, ArrowType type, @Nullable Object... values) {
    vectors.add(vector(name, new FieldType(true, type, null), values));
    return this;
  }

  /// A column of ids whose field says how they are encoded.
  HandmadePayload encoded(String name, ArrowType type, String encoding, Object... values) {
    FieldType field = new FieldType(true, type, null, Map.of("encoding", encoding, "x", "y"));
    vectors.add(vector(name, field, values));
    return this;
  }

  /// A column of indices of `index` into a dictionary of `entries`.
  HandmadePayload indexed(
      String name,
      ArrowType.Int index,
      ArrowType type,
      List<Object> entries,
      @Nullable Object... indices) {
    vectors.add(indexedVector(name, index, type, entries, indices));
    return this;
  }

  /// A struct; row `i` is null if `present[i]` is not.
  HandmadePayload struct(String name, boolean[] present, List<FieldVector> children) {
    StructVector struct = StructVector.empty(name, allocator);
    List<Field> fields = children.stream().map(FieldVector::getField).toList();
    struct.initializeChildrenFromFields(fields);
    for (int i = 0; i < children.size(); i++) {
      FieldVector child = children.get(i);
      child
          .makeTransferPair(struct.getChildByOrdinal(i) instanceof FieldVector v ? v : child)
          .transfer();
      child.close();
    }
    struct.setValueCount(present.length);
    for (int row = 0; row < present.length; row++) {
      if (present[row]) {
        struct.setIndexDefined(row);
      }
    }
    vectors.add(struct);
    return this;
  }

  /// A column to put into a struct.
  FieldVector child(String name, ArrowType type, @Nullable Object... values) {
    return vector(name, new FieldType(true, type, null), values);
  }

  /// Adds a vector that the caller made with [#allocator()].
  HandmadePayload vector(FieldVector vector) {
    vectors.add(vector);
    return this;
  }

  BufferAllocator allocator() {
    return allocator;
  }

  ArrowPayload build(ArrowPayloadType type, String schemaId) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    VectorSchemaRoot root = VectorSchemaRoot.of(vectors.toArray(FieldVector[]::new));
    try (ArrowStreamWriter writer =
        new ArrowStreamWriter(
            root,
            dictionaries,
            Channels.newChannel(out),
            IpcOption.DEFAULT,
            codec == CompressionUtil.CodecType.NO_COMPRESSION
                ? NoCompressionCodec.Factory.INSTANCE
                : CommonsCompressionFactory.INSTANCE,
            codec)) {
      writer.start();
      writer.writeBatch();
      writer.end();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return ArrowPayload.newBuilder()
        .setType(type)
        .setSchemaId(schemaId)
        .setRecord(ByteString.copyFrom(out.toByteArray()))
        .build();
  }

  @Override
  public void close() {
    vectors.forEach(FieldVector::close);
    for (long id : dictionaries.getDictionaryIds()) {
      dictionaries.lookup(id).getVector().close();
    }
    allocator.close();
  }

  private FieldVector indexedVector(
      String name,
      ArrowType.Int index,
      ArrowType type,
      List<Object> entries,
      @Nullable Object[] indices) {
    DictionaryEncoding encoding = new DictionaryEncoding(nextDictionary++, false, index);
    FieldVector values = vector(name, new FieldType(true, type, null), entries.toArray());
    dictionaries.put(new Dictionary(values, encoding));
    return vector(name, new FieldType(true, index, encoding), indices);
  }

  private FieldVector vector(String name, FieldType type, @Nullable Object[] values) {
    FieldVector vector = new Field(name, type, null).createVector(allocator);
    vector.setInitialCapacity(values.length);
    vector.allocateNew();
    for (int row = 0; row < values.length; row++) {
      Object value = values[row];
      if (value == null) {
        if (vector instanceof BaseFixedWidthVector fixed) {
          fixed.setNull(row);
        }
        continue;
      }
      set(vector, row, value);
    }
    vector.setValueCount(values.length);
    return vector;
  }

  private static void set(FieldVector vector, int row, Object value) {
    switch (vector) {
      case TinyIntVector v -> v.setSafe(row, ((Number) value).byteValue());
      case UInt1Vector v -> v.setSafe(row, ((Number) value).byteValue());
      case UInt2Vector v -> v.setSafe(row, ((Number) value).shortValue());
      case UInt4Vector v -> v.setSafe(row, ((Number) value).intValue());
      case IntVector v -> v.setSafe(row, ((Number) value).intValue());
      case BigIntVector v -> v.setSafe(row, ((Number) value).longValue());
      case DurationVector v -> v.setSafe(row, ((Number) value).longValue());
      case TimeStampVector v -> v.setSafe(row, ((Number) value).longValue());
      case Float8Vector v -> v.setSafe(row, ((Number) value).doubleValue());
      case BitVector v -> v.setSafe(row, (Boolean) value ? 1 : 0);
      case FixedSizeBinaryVector v -> v.setSafe(row, (byte[]) value);
      case VarBinaryVector v -> v.setSafe(row, (byte[]) value);
      case VarCharVector v -> v.setSafe(row, ((String) value).getBytes(StandardCharsets.UTF_8));
      default -> throw new IllegalArgumentException("no value for " + vector.getField());
    }
  }
}
