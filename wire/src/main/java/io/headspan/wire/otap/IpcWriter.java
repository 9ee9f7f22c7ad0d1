package io.headspan.wire.otap;

import com.github.luben.zstd.ZstdCompressCtx;
import com.google.flatbuffers.FlatBufferBuilder;
import com.google.protobuf.ByteString;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import org.apache.arrow.flatbuf.BodyCompression;
import org.apache.arrow.flatbuf.BodyCompressionMethod;
import org.apache.arrow.flatbuf.Buffer;
import org.apache.arrow.flatbuf.CompressionType;
import org.apache.arrow.flatbuf.DictionaryBatch;
import org.apache.arrow.flatbuf.Endianness;
import org.apache.arrow.flatbuf.FieldNode;
import org.apache.arrow.flatbuf.Message;
import org.apache.arrow.flatbuf.MessageHeader;
import org.apache.arrow.flatbuf.MetadataVersion;
import org.apache.arrow.flatbuf.RecordBatch;
import org.apache.arrow.flatbuf.Schema;

/// Writes the Arrow IPC messages of one payload after each other. arrow-vector's writer is not used
/// because it cannot write delta dictionaries.
///
/// A batch is started, its columns put their nodes and buffers into the body, and when it ends the
/// message is written ahead of it. Buffers are compressed by zstd, each for itself, where that
/// saves something; others go as they are.
final class IpcWriter implements AutoCloseable {
  private static final int CONTINUATION = -1;
  private static final int ALIGNMENT = 8;
  private static final long NOT_COMPRESSED = -1;
  private static final int LEVEL = 3;

  /// Shorter buffers gain nothing over the compression of the whole message.
  private static final int MIN_COMPRESSED_BYTES = 2_048;

  private final ZstdCompressCtx zstd = new ZstdCompressCtx();
  private byte[] messages = new byte[64 << 10];
  private int messagesSize;
  private byte[] body = new byte[64 << 10];
  private int bodySize;
  private byte[] buffer = new byte[16 << 10];
  private int bufferSize;

  /// Rows and nulls of each node; offset and length of each buffer.
  private long[] nodes = new long[64];

  private int nodeCount;
  private long[] buffers = new long[128];
  private int bufferCount;

  IpcWriter() {
    zstd.setLevel(LEVEL).setContentSize(false);
  }

  @Override
  public void close() {
    zstd.close();
  }

  /// The messages written since the last call.
  ByteString take() {
    ByteString taken = ByteString.copyFrom(messages, 0, messagesSize);
    messagesSize = 0;
    return taken;
  }

  /// Writes the schema of `columns`.
  void schema(List<OutColumn> columns) {
    FlatBufferBuilder builder = new FlatBufferBuilder(4 << 10);
    int[] fields = columns.stream().mapToInt(column -> column.field(builder)).toArray();
    int fieldsVector = Schema.createFieldsVector(builder, fields);
    int schema = Schema.createSchema(builder, Endianness.Little, fieldsVector, 0, 0);
    startBatch();
    message(builder, MessageHeader.Schema, schema);
  }

  /// Starts a record batch or dictionary.
  void startBatch() {
    bodySize = 0;
    nodeCount = 0;
    bufferCount = 0;
  }

  /// Writes the record batch of `rows` rows.
  void endBatch(long rows) {
    FlatBufferBuilder builder = new FlatBufferBuilder(2 << 10);
    message(builder, MessageHeader.RecordBatch, recordBatch(builder, rows));
  }

  /// Writes the dictionary of `entries` values.
  void endDictionary(long id, boolean delta, long entries) {
    FlatBufferBuilder builder = new FlatBufferBuilder(256);
    int batch = recordBatch(builder, entries);
    int dictionary = DictionaryBatch.createDictionaryBatch(builder, id, batch, delta);
    message(builder, MessageHeader.DictionaryBatch, dictionary);
  }

  /// Starts a column: its node, and its validity, which is left out if no row is null.
  void node(int rows, int nulls, byte[] validity) {
    if (2 * nodeCount == nodes.length) {
      nodes = Arrays.copyOf(nodes, 2 * nodes.length);
    }
    nodes[2 * nodeCount] = rows;
    nodes[2 * nodeCount + 1] = nulls;
    nodeCount++;
    int bytes = nulls == 0 ? 0 : OutColumn.bitmapBytes(rows);
    startBuffer(bytes);
    put(validity, 0, bytes);
    endBuffer();
  }

  /// Starts a buffer of up to `bytes` bytes.
  void startBuffer(int bytes) {
    if (buffer.length < bytes) {
      buffer = new byte[Math.max(bytes, (int) Math.min(2L * buffer.length, 1 << 30))];
    }
    bufferSize = 0;
  }

  void putByte(int value) {
    buffer[bufferSize++] = (byte) value;
  }

  void putShort(int value) {
    Slice.SHORT.set(buffer, bufferSize, (short) value);
    bufferSize += Short.BYTES;
  }

  void putInt(int value) {
    Slice.INT.set(buffer, bufferSize, value);
    bufferSize += Integer.BYTES;
  }

  void putLong(long value) {
    Slice.LONG.set(buffer, bufferSize, value);
    bufferSize += Long.BYTES;
  }

  void putBigEndianLong(long value) {
    Slice.BIG_ENDIAN_LONG.set(buffer, bufferSize, value);
    bufferSize += Long.BYTES;
  }

  void put(byte[] source, int offset, int length) {
    System.arraycopy(source, offset, buffer, bufferSize, length);
    bufferSize += length;
  }

  /// Moves the buffer into the body.
  void endBuffer() {
    int start = bodySize;
    if (bufferSize > 0) {
      body = roomFor(body, bodySize, 2 * bufferSize + 1_024);
      bodySize += Long.BYTES;
      if (compressed()) {
        Slice.LONG.set(body, start, (long) bufferSize);
      } else {
        Slice.LONG.set(body, start, NOT_COMPRESSED);
        System.arraycopy(buffer, 0, body, bodySize, bufferSize);
        bodySize += bufferSize;
      }
    }
    if (2 * bufferCount == buffers.length) {
      buffers = Arrays.copyOf(buffers, 2 * buffers.length);
    }
    buffers[2 * bufferCount] = start;
    buffers[2 * bufferCount + 1] = (long) bodySize - start;
    bufferCount++;
    int aligned = aligned(bodySize);
    Arrays.fill(body, bodySize, aligned, (byte) 0);
    bodySize = aligned;
  }

  /// Whether the buffer was put into the body compressed.
  private boolean compressed() {
    if (bufferSize < MIN_COMPRESSED_BYTES) {
      return false;
    }
    int length =
        zstd.compressByteArray(body, bodySize, body.length - bodySize, buffer, 0, bufferSize);
    if (length > bufferSize - bufferSize / 16) {
      return false;
    }
    bodySize += length;
    return true;
  }

  private int recordBatch(FlatBufferBuilder builder, long rows) {
    RecordBatch.startBuffersVector(builder, bufferCount);
    for (int i = bufferCount - 1; i >= 0; i--) {
      Buffer.createBuffer(builder, buffers[2 * i], buffers[2 * i + 1]);
    }
    int bufferVector = builder.endVector();
    RecordBatch.startNodesVector(builder, nodeCount);
    for (int i = nodeCount - 1; i >= 0; i--) {
      FieldNode.createFieldNode(builder, nodes[2 * i], nodes[2 * i + 1]);
    }
    int nodeVector = builder.endVector();
    int compression =
        BodyCompression.createBodyCompression(
            builder, CompressionType.ZSTD, BodyCompressionMethod.BUFFER);
    return RecordBatch.createRecordBatch(builder, rows, nodeVector, bufferVector, compression, 0);
  }

  private void message(FlatBufferBuilder builder, byte type, int header) {
    builder.finish(Message.createMessage(builder, MetadataVersion.V5, type, header, bodySize, 0));
    ByteBuffer metadata = builder.dataBuffer();
    int length = metadata.remaining();
    int padded = aligned(length);
    messages = roomFor(messages, messagesSize, 2 * Integer.BYTES + padded + bodySize);
    Slice.INT.set(messages, messagesSize, CONTINUATION);
    Slice.INT.set(messages, messagesSize + Integer.BYTES, padded);
    messagesSize += 2 * Integer.BYTES;
    metadata.get(messages, messagesSize, length);
    Arrays.fill(messages, messagesSize + length, messagesSize + padded, (byte) 0);
    messagesSize += padded;
    System.arraycopy(body, 0, messages, messagesSize, bodySize);
    messagesSize += bodySize;
  }

  private static byte[] roomFor(byte[] array, int size, int more) {
    int needed = Math.addExact(size, more);
    return needed <= array.length
        ? array
        : Arrays.copyOf(array, (int) Math.max(needed, Math.min(2L * array.length, 1 << 30)));
  }

  private static int aligned(int bytes) {
    return Math.addExact(bytes, ALIGNMENT - 1) & -ALIGNMENT;
  }
}
