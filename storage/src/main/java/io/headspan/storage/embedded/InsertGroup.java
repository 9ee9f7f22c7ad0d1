package io.headspan.storage.embedded;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/// INSERTs that are put together, in a file: what they are, then their blocks in Native format one
/// after another. It is one INSERT for the engine, the same each time it is carried out, under one
/// token.
///
/// @param file where it is
/// @param table the table's name in the journal
/// @param token what the engine knows it by
/// @param tokens what its senders know its members by
/// @param dataOffset where in the file the blocks begin
record InsertGroup(
    Path file, String table, InsertForm form, String token, List<String> tokens, long dataOffset) {
  private static final int VERSION = 1;
  private static final int APPEND_BYTES = 1 << 20;

  /// The token of one INSERT is its own, so that the engine knows it from before there were groups.
  static String token(List<String> tokens) {
    if (tokens.size() == 1) {
      return tokens.getFirst();
    }
    MessageDigest digest = sha256();
    for (String each : tokens) {
      byte[] bytes = each.getBytes(StandardCharsets.UTF_8);
      digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(0, bytes.length));
      digest.update(bytes);
    }
    return "group/" + HexFormat.of().formatHex(digest.digest());
  }

  /// Writes a group. The file has its name once it is whole.
  static InsertGroup write(Path file, String table, InsertForm form, List<WaitingInsert> members)
      throws IOException {
    List<String> tokens = members.stream().map(WaitingInsert::token).toList();
    String token = token(tokens);
    ByteArrayOutputStream head = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(head)) {
      out.writeInt(VERSION);
      out.writeUTF(table);
      form.writeTo(out);
      out.writeUTF(token);
      out.writeInt(tokens.size());
      for (String each : tokens) {
        out.writeUTF(each);
      }
    }
    Path draft = file.resolveSibling(file.getFileName() + ".draft");
    try (FileChannel channel =
        FileChannel.open(
            draft,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      write(channel, ByteBuffer.wrap(head.toByteArray()));
      for (WaitingInsert member : members) {
        for (byte[] part : member.data().parts()) {
          write(channel, ByteBuffer.wrap(part));
        }
      }
      Files.move(draft, file);
    } catch (IOException e) {
      var _ = Files.deleteIfExists(draft);
      throw e;
    }
    return new InsertGroup(file, table, form, token, tokens, head.size());
  }

  /// Reads what a group is.
  ///
  /// @throws IOException if it was not written by this version of the program
  static InsertGroup read(Path file) throws IOException {
    CountingInput counting = new CountingInput(Files.newInputStream(file));
    try (DataInputStream in = new DataInputStream(counting)) {
      int version = in.readInt();
      if (version != VERSION) {
        throw new IOException("unknown version of a group of inserts: version=" + version);
      }
      String table = in.readUTF();
      InsertForm form = InsertForm.readFrom(in);
      String token = in.readUTF();
      List<String> tokens = new ArrayList<>();
      int size = in.readInt();
      for (int i = 0; i < size; i++) {
        tokens.add(in.readUTF());
      }
      return new InsertGroup(file, table, form, token, tokens, counting.read);
    }
  }

  /// Hands the blocks to the engine.
  void appendTo(EngineSession.Insert insert) throws IOException, EngineException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
        Arena arena = Arena.ofConfined()) {
      long length = channel.size() - dataOffset;
      MemorySegment data = channel.map(FileChannel.MapMode.READ_ONLY, dataOffset, length, arena);
      for (long at = 0; at < length; at += APPEND_BYTES) {
        long count = Math.min(APPEND_BYTES, length - at);
        insert.append(data.asSlice(at, count), count);
      }
    }
  }

  private static void write(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      var _ = channel.write(bytes);
    }
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  /// Says how far a file was read, whatever is buffered.
  private static final class CountingInput extends FilterInputStream {
    private long read;

    CountingInput(InputStream in) {
      super(new BufferedInputStream(in));
    }

    @Override
    public int read() throws IOException {
      int value = super.read();
      read += value < 0 ? 0 : 1;
      return value;
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
      int count = super.read(target, offset, length);
      read += Math.max(0, count);
      return count;
    }
  }
}
