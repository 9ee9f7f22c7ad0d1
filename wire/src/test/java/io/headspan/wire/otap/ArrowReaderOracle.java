package io.headspan.wire.otap;

import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayload;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.apache.arrow.compression.CommonsCompressionFactory;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.dictionary.Dictionary;
import org.apache.arrow.vector.ipc.ArrowStreamReader;
import org.apache.arrow.vector.types.pojo.DictionaryEncoding;
import org.apache.arrow.vector.types.pojo.Field;
import org.jspecify.annotations.Nullable;

/// Arrow's own reader, to check what we write against: the payloads of one type of a stream.
final class ArrowReaderOracle implements AutoCloseable {
  private final BufferAllocator allocator = new RootAllocator(256L << 20);
  private final Pipe pipe = new Pipe();
  private final ArrowStreamReader reader =
      new ArrowStreamReader(pipe, allocator, CommonsCompressionFactory.INSTANCE);

  /// The names of the columns of the first payload of a schema, those of structs with a dot.
  static List<String> columns(ArrowPayload payload) {
    try (ArrowReaderOracle oracle = new ArrowReaderOracle()) {
      oracle.pipe.feed(payload);
      List<String> names = new ArrayList<>();
      for (Field field : oracle.reader.getVectorSchemaRoot().getSchema().getFields()) {
        if (field.getChildren().isEmpty()) {
          names.add(field.getName());
        }
        for (Field child : field.getChildren()) {
          names.add(field.getName() + "." + child.getName());
        }
      }
      return names;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// The next payload's column `name`, nulls left out, as text.
  List<String> values(ArrowPayload payload, String name) {
    try {
      pipe.feed(payload);
      if (!reader.loadNextBatch()) {
        throw new IllegalStateException("no record batch: type=" + payload.getType());
      }
      VectorSchemaRoot root = reader.getVectorSchemaRoot();
      List<String> values = new ArrayList<>();
      FieldVector vector = root.getVector(name);
      for (int row = 0; vector != null && row < root.getRowCount(); row++) {
        if (!vector.isNull(row)) {
          values.add(String.valueOf(value(vector, row)));
        }
      }
      return values;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private @Nullable Object value(FieldVector vector, int row) throws IOException {
    DictionaryEncoding encoding = vector.getField().getDictionary();
    if (encoding == null) {
      return vector.getObject(row);
    }
    Dictionary dictionary =
        Objects.requireNonNull(reader.getDictionaryVectors().get(encoding.getId()));
    // Java has no unsigned types: Arrow gives an index of 8 bits as a byte, one of 16 as a char.
    Object index = Objects.requireNonNull(vector.getObject(row));
    int entry = index instanceof Byte b ? b & 0xff : (Character) index;
    return dictionary.getVector().getObject(entry);
  }

  @Override
  public void close() {
    try {
      reader.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      allocator.close();
    }
  }

  /// A stream whose end is never reached, only where no more was fed.
  private static final class Pipe extends InputStream {
    private ByteArrayInputStream current = new ByteArrayInputStream(new byte[0]);

    void feed(ArrowPayload payload) {
      if (current.available() > 0) {
        throw new IllegalStateException("payload not read to its end: " + current.available());
      }
      current = new ByteArrayInputStream(payload.getRecord().toByteArray());
    }

    @Override
    public int read() {
      return current.read();
    }

    @Override
    public int read(byte[] to, int offset, int length) {
      return current.read(to, offset, length);
    }
  }
}
