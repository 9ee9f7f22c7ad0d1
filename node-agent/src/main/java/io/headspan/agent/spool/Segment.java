package io.headspan.agent.spool;

import io.headspan.agent.ledger.TenantCounts;
import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32C;

/// One file of the spool: a header that names the agent's start, then records, only ever appended.
///
/// ```
/// header:  magic 8 | length of the rest int | its CRC32C int | boot id text
/// record:  length of meta int | length of payload int | CRC32C of meta and both lengths int
///          | CRC32C of payload int | state byte | meta | payload
/// meta:    sequence long | made ms long | tenants int | of each: text, spans int
/// text:    length short | UTF-8
/// ```
///
/// Little-endian. The state is the one byte that is written again: 0 until the batch need not be
/// kept any more. Meta and payload are checked apart, so that a start reads no payloads, and that a
/// damaged one costs only itself.
final class Segment {
  static final int RECORD_HEADER_BYTES = 17;

  private static final long MAGIC = 0x314c4f4f50534548L; // "HESPOOL1"
  private static final int FILE_HEADER_BYTES = 16;
  private static final int STATE_AT = 16;
  private static final byte RELEASED = 1;

  /// No length beyond is believed.
  private static final int META_BYTES_MAX = 1 << 20;

  private static final int PAYLOAD_BYTES_MAX = 1 << 30;

  private final Path path;
  private final FileChannel channel;
  private final String bootId;
  private final Set<SpooledBatch> held = new LinkedHashSet<>();
  private long sizeBytes;

  /// Bytes behind the last whole record when the file was read.
  private long tornBytes;

  private Segment(Path path, FileChannel channel, String bootId, long sizeBytes) {
    this.path = path;
    this.channel = channel;
    this.bootId = bootId;
    this.sizeBytes = sizeBytes;
  }

  /// Begins a new file.
  static Segment create(Path path, String bootId) throws IOException {
    ByteBuffer rest = buffer(Short.BYTES + 3 * bootId.length());
    putText(rest, bootId);
    rest.flip();
    ByteBuffer header = buffer(FILE_HEADER_BYTES + rest.remaining());
    header.putLong(MAGIC).putInt(rest.remaining()).putInt(crc(rest)).put(rest).flip();
    FileChannel channel =
        FileChannel.open(
            path, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE);
    try {
      int headerBytes = header.remaining();
      writeFully(channel, header, 0);
      return new Segment(path, channel, bootId, headerBytes);
    } catch (IOException e) {
      channel.close();
      Files.deleteIfExists(path);
      throw e;
    }
  }

  /// Reads what an earlier start wrote. What is behind the last whole record is cut off.
  ///
  /// @throws SpoolException of kind DAMAGED if the file's header cannot be read
  static Segment read(Path path) throws IOException {
    FileChannel channel = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
    try {
      ByteBuffer header = readFully(channel, 0, FILE_HEADER_BYTES);
      if (header.remaining() < FILE_HEADER_BYTES || header.getLong() != MAGIC) {
        throw damaged(path, 0, "no header");
      }
      int restBytes = header.getInt();
      int crc = header.getInt();
      if (restBytes < 0 || restBytes > META_BYTES_MAX) {
        throw damaged(path, 0, "no header");
      }
      ByteBuffer rest = readFully(channel, FILE_HEADER_BYTES, restBytes);
      if (rest.remaining() < restBytes || crc(rest) != crc) {
        throw damaged(path, 0, "header differs from its checksum");
      }
      Segment segment =
          new Segment(path, channel, text(rest), FILE_HEADER_BYTES + (long) restBytes);
      segment.scan();
      return segment;
    } catch (IOException | SpoolException e) {
      channel.close();
      throw e;
    }
  }

  private void scan() throws IOException {
    long fileBytes = channel.size();
    while (true) {
      ByteBuffer header = readFully(channel, sizeBytes, RECORD_HEADER_BYTES);
      if (header.remaining() < RECORD_HEADER_BYTES) {
        break;
      }
      int metaBytes = header.getInt(0);
      int payloadBytes = header.getInt(4);
      long end = sizeBytes + RECORD_HEADER_BYTES + metaBytes + payloadBytes;
      if (metaBytes < 0
          || metaBytes > META_BYTES_MAX
          || payloadBytes < 0
          || payloadBytes > PAYLOAD_BYTES_MAX
          || end > fileBytes) {
        break;
      }
      ByteBuffer meta = readFully(channel, sizeBytes + RECORD_HEADER_BYTES, metaBytes);
      if (metaCrc(metaBytes, payloadBytes, meta) != header.getInt(8)) {
        break;
      }
      SpooledBatch batch = batch(sizeBytes, meta, metaBytes, payloadBytes);
      if (header.get(STATE_AT) != RELEASED) {
        held.add(batch);
      }
      sizeBytes = end;
    }
    tornBytes = fileBytes - sizeBytes;
    if (tornBytes > 0) {
      channel.truncate(sizeBytes);
    }
  }

  private SpooledBatch batch(long offset, ByteBuffer meta, int metaBytes, int payloadBytes) {
    try {
      long sequence = meta.getLong();
      long madeMillis = meta.getLong();
      int tenants = meta.getInt();
      Map<String, Integer> spans = new HashMap<>();
      for (int i = 0; i < tenants; i++) {
        String tenant = text(meta);
        spans.put(tenant, meta.getInt());
      }
      return new SpooledBatch(
          this, offset, metaBytes, payloadBytes, sequence, madeMillis, TenantCounts.of(spans));
    } catch (BufferUnderflowException e) {
      // Its checksum holds, so somebody else wrote it.
      throw damaged(path, offset, "record of another form");
    }
  }

  /// Writes a record at the end. If that fails, the file is as it was.
  SpooledBatch append(long sequence, long madeMillis, TenantCounts spans, byte[] payload)
      throws IOException {
    ByteBuffer meta = meta(sequence, madeMillis, spans);
    int metaBytes = meta.remaining();
    ByteBuffer record = buffer(RECORD_HEADER_BYTES + metaBytes + payload.length);
    record
        .putInt(metaBytes)
        .putInt(payload.length)
        .putInt(metaCrc(metaBytes, payload.length, meta))
        .putInt(crc(ByteBuffer.wrap(payload)))
        .put((byte) 0)
        .put(meta)
        .put(payload)
        .flip();
    int recordBytes = record.remaining();
    try {
      writeFully(channel, record, sizeBytes);
    } catch (IOException e) {
      cutBack(e);
      throw e;
    }
    SpooledBatch batch =
        new SpooledBatch(this, sizeBytes, metaBytes, payload.length, sequence, madeMillis, spans);
    held.add(batch);
    sizeBytes += recordBytes;
    return batch;
  }

  private void cutBack(IOException failure) {
    try {
      channel.truncate(sizeBytes);
    } catch (IOException e) {
      // The next append writes over it, and a start cuts it off.
      failure.addSuppressed(e);
    }
  }

  private static ByteBuffer meta(long sequence, long madeMillis, TenantCounts spans) {
    int[] bytes = {2 * Long.BYTES + Integer.BYTES};
    spans.forEach((tenant, _) -> bytes[0] += Short.BYTES + 3 * tenant.length() + Integer.BYTES);
    ByteBuffer meta = buffer(bytes[0]);
    meta.putLong(sequence).putLong(madeMillis).putInt(spans.size());
    spans.forEach((tenant, count) -> {
      putText(meta, tenant);
      meta.putInt(count);
    });
    return meta.flip();
  }

  /// The payload of one of this segment's batches.
  ///
  /// @throws SpoolException of kind DAMAGED if it is not what was written
  byte[] payload(SpooledBatch batch) throws IOException {
    ByteBuffer header = readFully(channel, batch.offset(), RECORD_HEADER_BYTES);
    ByteBuffer payload =
        readFully(
            channel,
            batch.offset() + RECORD_HEADER_BYTES + batch.metaBytes(),
            batch.payloadBytes());
    if (header.remaining() < RECORD_HEADER_BYTES
        || payload.remaining() < batch.payloadBytes()
        || crc(payload) != header.getInt(12)) {
      throw damaged(path, batch.offset(), "payload differs from its checksum");
    }
    byte[] bytes = new byte[payload.remaining()];
    payload.get(bytes);
    return bytes;
  }

  /// A batch need not be kept any more, also not over a restart.
  void release(SpooledBatch batch) throws IOException {
    if (held.remove(batch)) {
      ByteBuffer state = ByteBuffer.allocate(1).put(RELEASED).flip();
      writeFully(channel, state, batch.offset() + STATE_AT);
    }
  }

  /// None of its batches has to be kept.
  void forget() {
    held.clear();
  }

  void sync() throws IOException {
    channel.force(false);
  }

  void close() throws IOException {
    channel.close();
  }

  void delete() throws IOException {
    channel.close();
    Files.deleteIfExists(path);
  }

  String bootId() {
    return bootId;
  }

  Path path() {
    return path;
  }

  long sizeBytes() {
    return sizeBytes;
  }

  long tornBytes() {
    return tornBytes;
  }

  /// Batches that have to be kept.
  Set<SpooledBatch> held() {
    return held;
  }

  private static ByteBuffer buffer(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static void putText(ByteBuffer to, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    if (bytes.length > Short.MAX_VALUE) {
      throw new IllegalArgumentException("name is too long for the spool: bytes=" + bytes.length);
    }
    to.putShort((short) bytes.length).put(bytes);
  }

  private static String text(ByteBuffer from) {
    int length = from.getShort();
    if (length < 0 || length > from.remaining()) {
      throw new BufferUnderflowException();
    }
    byte[] bytes = new byte[length];
    from.get(bytes);
    return new String(bytes, StandardCharsets.UTF_8);
  }

  private static int crc(ByteBuffer bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes.duplicate());
    return (int) crc.getValue();
  }

  private static int metaCrc(int metaBytes, int payloadBytes, ByteBuffer meta) {
    CRC32C crc = new CRC32C();
    crc.update(buffer(2 * Integer.BYTES).putInt(metaBytes).putInt(payloadBytes).flip());
    crc.update(meta.duplicate());
    return (int) crc.getValue();
  }

  private static void writeFully(FileChannel channel, ByteBuffer bytes, long position)
      throws IOException {
    long at = position;
    while (bytes.hasRemaining()) {
      at += channel.write(bytes, at);
    }
  }

  /// Up to `length` bytes; fewer at the end of the file.
  private static ByteBuffer readFully(FileChannel channel, long position, int length)
      throws IOException {
    ByteBuffer bytes = buffer((int) Math.min(length, Math.max(0, channel.size() - position)));
    while (bytes.hasRemaining()) {
      if (channel.read(bytes, position + bytes.position()) < 0) {
        break;
      }
    }
    return bytes.flip();
  }

  private static SpoolException damaged(Path path, long offset, String reason) {
    return new SpoolException(
        SpoolException.Kind.DAMAGED,
        "segment of the spool is damaged: file="
            + path
            + ", offset="
            + offset
            + ", reason="
            + reason);
  }
}
