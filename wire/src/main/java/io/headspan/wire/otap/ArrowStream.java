package io.headspan.wire.otap;

import com.github.luben.zstd.ZstdDecompressCtx;
import com.github.luben.zstd.ZstdException;
import com.google.protobuf.ByteString;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import net.jpountz.lz4.LZ4FrameInputStream;
import org.apache.arrow.flatbuf.BodyCompression;
import org.apache.arrow.flatbuf.BodyCompressionMethod;
import org.apache.arrow.flatbuf.Buffer;
import org.apache.arrow.flatbuf.CompressionType;
import org.apache.arrow.flatbuf.DictionaryBatch;
import org.apache.arrow.flatbuf.FieldNode;
import org.apache.arrow.flatbuf.Message;
import org.apache.arrow.flatbuf.MessageHeader;
import org.apache.arrow.flatbuf.MetadataVersion;
import org.apache.arrow.flatbuf.RecordBatch;
import org.apache.arrow.flatbuf.Schema;
import org.jspecify.annotations.Nullable;

/// One Arrow IPC stream within an OTAP stream: a schema, then dictionaries and record batches, cut
/// into payloads of one record batch each.
///
/// Reads the messages in place from the payload's bytes, by Arrow's own flatbuffers classes.
/// arrow-vector's reader is not used here: it allocates by lengths that the sender claims, off the
/// heap, before it looks at the data.
final class ArrowStream {
  private static final int CONTINUATION = -1;
  private static final int MAX_SCHEMA_BYTES = 256 << 10;
  private static final long NOT_COMPRESSED = -1;
  private static final byte NO_COMPRESSION = -1;

  private final String schemaId;
  private final MemoryBudget budget;
  private final Supplier<ZstdDecompressCtx> zstd;
  private final Map<Long, Dictionary> dictionaries = new HashMap<>();
  private @Nullable List<ArrowField> fields;

  ArrowStream(String schemaId, MemoryBudget budget, Supplier<ZstdDecompressCtx> zstd) {
    this.schemaId = schemaId;
    this.budget = budget;
    this.zstd = zstd;
  }

  String schemaId() {
    return schemaId;
  }

  /// Gives the memory of the dictionaries back to the budget.
  void close() {
    dictionaries.values().forEach(Dictionary::close);
    dictionaries.clear();
  }

  /// Reads the messages of one payload up to its record batch.
  ///
  /// @throws OtapException if they do not continue this stream
  /// @throws RuntimeException of another type if the flatbuffers are not well-formed
  ArrowTable read(ByteString payload) {
    byte[] bytes = payload.toByteArray();
    ArrowTable table = null;
    int position = 0;
    while (position < bytes.length) {
      int size = int32(bytes, position);
      position += Integer.BYTES;
      if (size == CONTINUATION) {
        size = int32(bytes, position);
        position += Integer.BYTES;
      }
      if (size == 0) {
        break;
      }
      checkRange("metadata", size, bytes.length - position);
      Message message =
          Message.getRootAsMessage(
              ByteBuffer.wrap(bytes, position, size).slice().order(ByteOrder.LITTLE_ENDIAN));
      position += size;
      checkRange("body", message.bodyLength(), bytes.length - position);
      Slice body = new Slice(bytes, position, (int) message.bodyLength());
      position += (int) message.bodyLength();
      if (message.version() < MetadataVersion.V4 || message.version() > MetadataVersion.V5) {
        throw OtapException.invalid(
            "unknown Arrow metadata version: version=" + message.version() + "; send V4 or V5");
      }
      switch (message.headerType()) {
        case MessageHeader.Schema -> schema(message, size);
        case MessageHeader.DictionaryBatch -> dictionary(message, body);
        case MessageHeader.RecordBatch -> {
          if (table != null) {
            throw OtapException.invalid(
                "two record batches in one payload: schema="
                    + schemaId
                    + "; send one in each payload");
          }
          RecordBatch batch = (RecordBatch) header(message, new RecordBatch());
          table = new ArrowTable(rows(batch), columns(batch, body));
        }
        default ->
            throw OtapException.invalid(
                "unknown Arrow message: type="
                    + message.headerType()
                    + "; send schemas, dictionaries and record batches");
      }
    }
    if (table == null) {
      throw OtapException.invalid(
          "no record batch in a payload: schema="
              + schemaId
              + ", bytes="
              + bytes.length
              + "; send one in each payload");
    }
    return table;
  }

  private void schema(Message message, int size) {
    if (fields != null) {
      throw OtapException.invalid(
          "second schema for one schema id: schema="
              + schemaId
              + "; give every schema an id of its own");
    }
    if (size > MAX_SCHEMA_BYTES) {
      throw OtapException.invalid(
          "Arrow schema too large: bytes=" + size + ", limit=" + MAX_SCHEMA_BYTES);
    }
    fields = ArrowField.of((Schema) header(message, new Schema()));
  }

  private void dictionary(Message message, Slice body) {
    DictionaryBatch header = (DictionaryBatch) header(message, new DictionaryBatch());
    ArrowField field = dictionaryField(fields(), header.id());
    if (field == null) {
      throw OtapException.invalid(
          "dictionary that no column uses: schema="
              + schemaId
              + ", dictionary="
              + header.id()
              + "; send the dictionaries of the schema");
    }
    if (field.kind() == ArrowField.Kind.STRUCT
        || field.kind() == ArrowField.Kind.LIST
        || field.kind() == ArrowField.Kind.OTHER) {
      return;
    }
    RecordBatch batch = header.data();
    ArrowField values =
        new ArrowField(
            field.name(), field.kind(), field.width(), null, "", List.of(), ArrowField.Layout.NONE);
    Column column = new BatchReader(batch, body).column(values);
    checkRows(column.name(), column.rows(), rows(batch));
    Dictionary dictionary = header.isDelta() ? dictionaries.get(header.id()) : null;
    if (dictionary == null) {
      Dictionary replaced = dictionaries.remove(header.id());
      if (replaced != null) {
        replaced.close();
      }
      dictionary = new Dictionary(values, budget);
      dictionaries.put(header.id(), dictionary);
    }
    dictionary.append(column);
  }

  private Map<String, Column> columns(RecordBatch batch, Slice body) {
    int rows = rows(batch);
    BatchReader reader = new BatchReader(batch, body);
    Map<String, Column> columns = new LinkedHashMap<>();
    for (ArrowField field : fields()) {
      Column column = reader.columnOrSkip(field);
      if (column != null) {
        checkRows(field.name(), column.rows(), rows);
        if (columns.put(field.name(), column) != null && !field.name().isEmpty()) {
          throw OtapException.invalid(
              "two columns of one name: column=" + field.name() + "; send each once");
        }
      }
    }
    return columns;
  }

  /// Takes nodes and buffers of one batch in the order of the schema.
  private final class BatchReader {
    private final RecordBatch batch;
    private final Slice body;
    private final byte compression;
    private int node;
    private int buffer;
    private int views;

    BatchReader(@Nullable RecordBatch batch, Slice body) {
      if (batch == null) {
        throw OtapException.invalid("Arrow message without its batch; send complete messages");
      }
      this.batch = batch;
      this.body = body;
      BodyCompression codec = batch.compression();
      if (codec == null) {
        compression = NO_COMPRESSION;
      } else if (codec.method() == BodyCompressionMethod.BUFFER
          && (codec.codec() == CompressionType.ZSTD
              || codec.codec() == CompressionType.LZ4_FRAME)) {
        compression = codec.codec();
      } else {
        throw OtapException.invalid(
            "unknown Arrow compression: codec="
                + codec.codec()
                + ", method="
                + codec.method()
                + "; send bodies as zstd, lz4 or uncompressed");
      }
    }

    @Nullable Column columnOrSkip(ArrowField field) {
      if (field.kind() == ArrowField.Kind.OTHER
          || ((field.kind() == ArrowField.Kind.STRUCT || field.kind() == ArrowField.Kind.LIST)
              && field.index() != null)) {
        node += field.layout().nodes();
        buffer += field.layout().buffers();
        for (int i = 0; i < field.layout().views(); i++) {
          checkRange("views", views, batch.variadicBufferCountsLength() - 1L);
          long buffers = batch.variadicBufferCounts(views++);
          checkRange("buffers of a view", buffers, batch.buffersLength() - (long) buffer);
          buffer += (int) buffers;
        }
        return null;
      }
      return column(field);
    }

    Column column(ArrowField field) {
      checkRange("nodes", node, batch.nodesLength() - 1L);
      FieldNode header = batch.nodes(node++);
      int rows = count(header.length(), field.name());
      Slice bits = next();
      Slice validity = null;
      if (header.nullCount() != 0) {
        validity = bits;
        if (bits.length() < (rows + 7L) / 8) {
          throw OtapException.invalid(
              "buffer cut off in OTAP data: column="
                  + field.name()
                  + ", validity bytes="
                  + bits.length()
                  + ", rows="
                  + rows
                  + "; send whole columns");
        }
      }
      ArrowField.Index index = field.index();
      if (index != null) {
        Dictionary dictionary = dictionaries.get(index.dictionary());
        if (dictionary == null) {
          dictionary = new Dictionary(field, budget);
        } else if (dictionary.field().kind() != field.kind()
            || dictionary.field().width() != field.width()) {
          throw OtapException.invalid(
              "dictionary of another type: column="
                  + field.name()
                  + ", dictionary="
                  + index.dictionary());
        }
        return Column.indexed(field, index, rows, validity, next(), dictionary);
      }
      return switch (field.kind()) {
        case UNSIGNED, SIGNED, FLOAT64, TIMESTAMP_NS, DURATION_NS, FIXED ->
            Column.fixed(field, rows, validity, next());
        case BOOL -> Column.bits(field, rows, validity, next());
        case UTF8, BINARY -> {
          Slice offsets = next();
          yield Column.variable(field, rows, validity, offsets, next());
        }
        case STRUCT -> {
          List<Column> children = new ArrayList<>();
          for (ArrowField child : field.children()) {
            Column column = columnOrSkip(child);
            if (column != null) {
              checkRows(field.name() + "." + child.name(), column.rows(), rows);
              children.add(column);
            }
          }
          yield Column.struct(field, rows, validity, children);
        }
        case LIST -> {
          Slice offsets = next();
          Column elements = columnOrSkip(field.children().getFirst());
          yield Column.list(field, rows, validity, offsets, elements);
        }
        case OTHER -> throw new IllegalStateException("not a column of OTAP: " + field);
      };
    }

    private Slice next() {
      checkRange("buffers", buffer, batch.buffersLength() - 1L);
      Buffer range = batch.buffers(buffer++);
      checkRange("buffer", range.offset(), body.length());
      checkRange("buffer", range.length(), body.length() - range.offset());
      Slice raw =
          new Slice(body.array(), body.offset() + (int) range.offset(), (int) range.length());
      return compression == NO_COMPRESSION || raw.length() == 0 ? raw : decompressed(raw);
    }

    private Slice decompressed(Slice raw) {
      checkRange("length of a compressed buffer", Long.BYTES, raw.length());
      long length = (long) Slice.LONG.get(raw.array(), raw.offset());
      int offset = raw.offset() + Long.BYTES;
      int compressed = raw.length() - Long.BYTES;
      if (length == NOT_COMPRESSED) {
        return new Slice(raw.array(), offset, compressed);
      }
      checkRange("decompressed buffer", length, Integer.MAX_VALUE - 8L);
      budget.use(length);
      byte[] out = new byte[(int) length];
      int written =
          compression == CompressionType.ZSTD
              ? zstd(raw.array(), offset, compressed, out)
              : lz4(raw.array(), offset, compressed, out);
      if (written != length) {
        throw OtapException.invalid(
            "bad compressed buffer in OTAP data: bytes=" + written + ", announced=" + length);
      }
      return new Slice(out, 0, out.length);
    }

    private int zstd(byte[] from, int offset, int length, byte[] out) {
      try {
        return zstd.get().decompressByteArray(out, 0, out.length, from, offset, length);
      } catch (ZstdException e) {
        throw new OtapException(
            OtapException.Kind.INVALID,
            "bad zstd buffer in OTAP data: reason=" + e.getMessage(),
            e);
      }
    }

    private static int lz4(byte[] from, int offset, int length, byte[] out) {
      try (LZ4FrameInputStream in =
          new LZ4FrameInputStream(new ByteArrayInputStream(from, offset, length))) {
        int read = in.readNBytes(out, 0, out.length);
        return in.read() < 0 ? read : Integer.MAX_VALUE;
      } catch (IOException e) {
        throw new OtapException(
            OtapException.Kind.INVALID, "bad lz4 buffer in OTAP data: reason=" + e.getMessage(), e);
      }
    }
  }

  private List<ArrowField> fields() {
    if (fields == null) {
      throw OtapException.invalid(
          "Arrow data before its schema: schema="
              + schemaId
              + "; start every new schema id with its schema");
    }
    return fields;
  }

  private static @Nullable ArrowField dictionaryField(List<ArrowField> fields, long id) {
    for (ArrowField field : fields) {
      if (field.index() != null && field.index().dictionary() == id) {
        return field;
      }
      ArrowField inside = dictionaryField(field.children(), id);
      if (inside != null) {
        return inside;
      }
    }
    return null;
  }

  private static com.google.flatbuffers.Table header(
      Message message, com.google.flatbuffers.Table type) {
    com.google.flatbuffers.Table header = message.header(type);
    if (header == null) {
      throw OtapException.invalid("Arrow message without its header; send complete messages");
    }
    return header;
  }

  private static int rows(RecordBatch batch) {
    return count(batch.length(), "");
  }

  private static int count(long length, String column) {
    if (length < 0 || length > Integer.MAX_VALUE / 16) {
      throw OtapException.invalid(
          "bad number of rows in OTAP data: column=" + column + ", rows=" + length);
    }
    return (int) length;
  }

  private static void checkRows(String column, int rows, int expected) {
    if (rows != expected) {
      throw OtapException.invalid(
          "columns of different length in OTAP data: column="
              + column
              + ", rows="
              + rows
              + ", batch="
              + expected);
    }
  }

  private static int int32(byte[] bytes, int position) {
    checkRange("message header", Integer.BYTES, bytes.length - position);
    return (int) Slice.INT.get(bytes, position);
  }

  private static void checkRange(String what, long length, long available) {
    if (length < 0 || length > available) {
      throw OtapException.invalid(
          "cut off or corrupt OTAP data: "
              + what
              + "="
              + length
              + ", available="
              + Math.max(0, available)
              + "; send whole Arrow IPC messages");
    }
  }
}
