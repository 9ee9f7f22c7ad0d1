package io.headspan.wire.otap;

import com.google.flatbuffers.FlatBufferBuilder;
import com.google.protobuf.ByteString;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import org.apache.arrow.flatbuf.Buffer;
import org.apache.arrow.flatbuf.DictionaryBatch;
import org.apache.arrow.flatbuf.Endianness;
import org.apache.arrow.flatbuf.FieldNode;
import org.apache.arrow.flatbuf.Message;
import org.apache.arrow.flatbuf.MessageHeader;
import org.apache.arrow.flatbuf.MetadataVersion;
import org.apache.arrow.flatbuf.RecordBatch;
import org.apache.arrow.flatbuf.Schema;

/// Writes the Arrow IPC messages of one payload after each other. arrow-vector's writer is not used
/// because it cannot write delta dictionaries. A batch is written in two steps: [Layout] first
/// gathers what its columns will take, which the message says ahead of its body; then the columns
/// put their bytes.
final class IpcWriter {
  private static final int CONTINUATION = -1;
  private static final int ALIGNMENT = 8;

  private byte[] out = new byte[64 << 10];
  private int size;
  private int bufferStart;

  /// Nodes and buffers of a batch, in the order of the schema.
  static final class Layout {
    private long[] nodes = new long[64];
    private int nodeCount;
    private long[] buffers = new long[128];
    private int bufferCount;
    private long bodyBytes;

    void node(long rows, long nulls) {
      if (2 * nodeCount == nodes.length) {
        nodes = Arrays.copyOf(nodes, 2 * nodes.length);
      }
      nodes[2 * nodeCount] = rows;
      nodes[2 * nodeCount + 1] = nulls;
      nodeCount++;
    }

    void buffer(long bytes) {
      if (2 * bufferCount == buffers.length) {
        buffers = Arrays.copyOf(buffers, 2 * buffers.length);
      }
      buffers[2 * bufferCount] = bodyBytes;
      buffers[2 * bufferCount + 1] = bytes;
      bufferCount++;
      bodyBytes += aligned(bytes);
    }
  }

  /// The messages written since the last call.
  ByteString take() {
    ByteString messages = ByteString.copyFrom(out, 0, size);
    size = 0;
    return messages;
  }

  /// Writes the schema of `columns`.
  void schema(List<OutColumn> columns) {
    FlatBufferBuilder builder = new FlatBufferBuilder(4 << 10);
    int[] fields = columns.stream().mapToInt(column -> column.field(builder)).toArray();
    int fieldsVector = Schema.createFieldsVector(builder, fields);
    int schema = Schema.createSchema(builder, Endianness.Little, fieldsVector, 0, 0);
    message(builder, MessageHeader.Schema, schema, 0);
  }

  /// Starts a record batch of `rows` rows; its buffers follow.
  void batch(long rows, Layout layout) {
    FlatBufferBuilder builder = new FlatBufferBuilder(2 << 10);
    int batch = recordBatch(builder, rows, layout);
    message(builder, MessageHeader.RecordBatch, batch, layout.bodyBytes);
  }

  /// Starts a dictionary batch of `entries` values; its buffers follow.
  void dictionary(long id, boolean delta, long entries, Layout layout) {
    FlatBufferBuilder builder = new FlatBufferBuilder(256);
    int batch = recordBatch(builder, entries, layout);
    int dictionary = DictionaryBatch.createDictionaryBatch(builder, id, batch, delta);
    message(builder, MessageHeader.DictionaryBatch, dictionary, layout.bodyBytes);
  }

  /// Starts a buffer of `bytes` bytes.
  void startBuffer(int bytes) {
    reserve(bytes + ALIGNMENT);
    bufferStart = size;
  }

  /// Ends the buffer with the padding that its alignment needs.
  void endBuffer() {
    int end = bufferStart + (int) aligned(size - bufferStart);
    Arrays.fill(out, size, end, (byte) 0);
    size = end;
  }

  void putByte(int value) {
    out[size++] = (byte) value;
  }

  void putShort(int value) {
    Slice.SHORT.set(out, size, (short) value);
    size += Short.BYTES;
  }

  void putInt(int value) {
    Slice.INT.set(out, size, value);
    size += Integer.BYTES;
  }

  void putLong(long value) {
    Slice.LONG.set(out, size, value);
    size += Long.BYTES;
  }

  void putBigEndianLong(long value) {
    Slice.BIG_ENDIAN_LONG.set(out, size, value);
    size += Long.BYTES;
  }

  void put(byte[] source, int offset, int length) {
    System.arraycopy(source, offset, out, size, length);
    size += length;
  }

  private static int recordBatch(FlatBufferBuilder builder, long rows, Layout layout) {
    RecordBatch.startBuffersVector(builder, layout.bufferCount);
    for (int i = layout.bufferCount - 1; i >= 0; i--) {
      Buffer.createBuffer(builder, layout.buffers[2 * i], layout.buffers[2 * i + 1]);
    }
    int buffers = builder.endVector();
    RecordBatch.startNodesVector(builder, layout.nodeCount);
    for (int i = layout.nodeCount - 1; i >= 0; i--) {
      FieldNode.createFieldNode(builder, layout.nodes[2 * i], layout.nodes[2 * i + 1]);
    }
    int nodes = builder.endVector();
    return RecordBatch.createRecordBatch(builder, rows, nodes, buffers, 0, 0);
  }

  private void message(FlatBufferBuilder builder, byte type, int header, long bodyBytes) {
    builder.finish(Message.createMessage(builder, MetadataVersion.V5, type, header, bodyBytes, 0));
    ByteBuffer metadata = builder.dataBuffer();
    int length = metadata.remaining();
    int padded = (int) aligned(length);
    reserve(2 * Integer.BYTES + padded);
    putInt(CONTINUATION);
    putInt(padded);
    metadata.get(out, size, length);
    Arrays.fill(out, size + length, size + padded, (byte) 0);
    size += padded;
  }

  private void reserve(int more) {
    int needed = Math.addExact(size, more);
    if (needed > out.length) {
      out = Arrays.copyOf(out, (int) Math.max(needed, Math.min(2L * out.length, 1 << 30)));
    }
  }

  private static long aligned(long bytes) {
    return (bytes + ALIGNMENT - 1) & -ALIGNMENT;
  }
}
