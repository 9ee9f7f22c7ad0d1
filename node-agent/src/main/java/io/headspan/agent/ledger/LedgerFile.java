package io.headspan.agent.ledger;

import io.headspan.agent.ledger.Ledger.Account;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/// The books in a mapped file, where they outlive a process that is killed: the next start reads
/// what the last one held in memory and tells it as lost. After a power failure they may be older
/// than what happened.
///
/// ```
/// 0   magic and version   8 bytes
/// 8   numbers per slot    int
/// 12  slots begun         int
/// 16  pending             long
/// 24  boot id             short length, UTF-8, up to 254 bytes
/// 280 slots, of each      short length, tenant in UTF-8, up to 126 bytes; then its numbers, long
/// ```
///
/// Little-endian. The file is written in full when it is made, so that a full disk cannot take
/// pages away later. Used under the ledger's lock.
public final class LedgerFile {
  private static final String NAME = "ledger";
  private static final long MAGIC = 0x3152474c44534548L; // "HESDLGR1"
  private static final int NUMBERS_AT = 8;
  private static final int SLOTS_AT = 12;
  private static final int PENDING_AT = 16;
  private static final int BOOT_AT = 24;
  private static final int BOOT_BYTES = 256;
  private static final int HEADER_BYTES = BOOT_AT + BOOT_BYTES;
  private static final int TENANT_BYTES = 128;

  /// One more for the tenants beyond, and one for those of none.
  private static final int SLOTS = Ledger.TENANTS_MAX + 2;

  private static final int FILE_BYTES = HEADER_BYTES + SLOTS * slotBytes(Account.SIZE);

  private final MappedByteBuffer buffer;

  /// What the start before left.
  ///
  /// @param bootId its name
  /// @param pending exchanges whose tenant it had not settled
  /// @param rows its accounts
  public record Previous(String bootId, long pending, List<LedgerSnapshot.Row> rows) {
    /// Its books as they end: what is neither acknowledged nor dropped nor in the spool died with
    /// its memory.
    ///
    /// @param spooled what is in the spool now, by tenant
    public LedgerSnapshot closed(Map<String, Long> spooled) {
      Map<String, LedgerSnapshot.Row> closed = new TreeMap<>();
      for (LedgerSnapshot.Row row : rows) {
        long left = spooled.getOrDefault(row.tenant(), 0L);
        Map<DropReason, Long> dropped = new EnumMap<>(DropReason.class);
        dropped.putAll(row.dropped());
        long killed =
            row.captured() + row.recovered() - row.acknowledged() - row.droppedTotal() - left;
        if (killed > 0) {
          var _ = dropped.merge(DropReason.KILLED, killed, Long::sum);
        }
        closed.put(
            row.tenant(),
            new LedgerSnapshot.Row(
                row.tenant(),
                row.recovered(),
                row.captured(),
                row.acknowledged(),
                0,
                left,
                dropped));
      }
      if (pending != 0) {
        closed.merge(
            Ledger.NO_TENANT,
            new LedgerSnapshot.Row(
                Ledger.NO_TENANT, 0, pending, 0, 0, 0, Map.of(DropReason.KILLED, pending)),
            LedgerSnapshot.Row::plus);
      }
      return new LedgerSnapshot(0, List.copyOf(closed.values()));
    }
  }

  private LedgerFile(MappedByteBuffer buffer) {
    this.buffer = buffer;
  }

  /// What the file in `directory` says; empty if there is none that can be read.
  public static Optional<Previous> previous(Path directory) throws IOException {
    Path path = directory.resolve(NAME);
    if (!Files.exists(path)) {
      return Optional.empty();
    }
    ByteBuffer content = ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.LITTLE_ENDIAN);
    if (content.capacity() < HEADER_BYTES || content.getLong(0) != MAGIC) {
      return Optional.empty();
    }
    int numbers = content.getInt(NUMBERS_AT);
    int slots = content.getInt(SLOTS_AT);
    if (numbers < Account.DROPPED
        || numbers > Account.SIZE
        || slots < 0
        || content.capacity() < HEADER_BYTES + (long) slots * slotBytes(numbers)) {
      return Optional.empty();
    }
    List<LedgerSnapshot.Row> rows = new ArrayList<>();
    for (int slot = 0; slot < slots; slot++) {
      int at = HEADER_BYTES + slot * slotBytes(numbers);
      long[] values = new long[Account.SIZE];
      for (int i = 0; i < numbers; i++) {
        values[i] = content.getLong(at + TENANT_BYTES + i * Long.BYTES);
      }
      rows.add(LedgerSnapshot.Row.of(text(content, at, TENANT_BYTES), values));
    }
    String bootId = text(content, BOOT_AT, BOOT_BYTES);
    return Optional.of(new Previous(bootId, content.getLong(PENDING_AT), rows));
  }

  /// Makes a new file in place of the one there, with empty books.
  public static LedgerFile create(Path directory, String bootId) throws IOException {
    ByteBuffer header = ByteBuffer.allocate(FILE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    header.putLong(0, MAGIC).putInt(NUMBERS_AT, Account.SIZE);
    put(header, BOOT_AT, BOOT_BYTES, bootId);
    Path made = directory.resolve(NAME + ".new");
    try (FileChannel channel =
        FileChannel.open(
            made,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE)) {
      while (header.hasRemaining()) {
        var _ = channel.write(header);
      }
      MappedByteBuffer buffer = channel.map(MapMode.READ_WRITE, 0, FILE_BYTES);
      buffer.order(ByteOrder.LITTLE_ENDIAN);
      Files.move(made, directory.resolve(NAME), StandardCopyOption.ATOMIC_MOVE);
      return new LedgerFile(buffer);
    }
  }

  void begin(int slot, String tenant) {
    put(buffer, HEADER_BYTES + slot * slotBytes(Account.SIZE), TENANT_BYTES, tenant);
    buffer.putInt(SLOTS_AT, slot + 1);
  }

  void put(int slot, int index, long value) {
    int at = HEADER_BYTES + slot * slotBytes(Account.SIZE) + TENANT_BYTES;
    buffer.putLong(at + index * Long.BYTES, value);
  }

  void putPending(long pending) {
    buffer.putLong(PENDING_AT, pending);
  }

  private static int slotBytes(int numbers) {
    return TENANT_BYTES + numbers * Long.BYTES;
  }

  private static void put(ByteBuffer to, int at, int bytes, String text) {
    byte[] encoded = text.getBytes(StandardCharsets.UTF_8);
    int length = Math.min(encoded.length, bytes - Short.BYTES);
    to.putShort(at, (short) length);
    to.put(at + Short.BYTES, encoded, 0, length);
  }

  private static String text(ByteBuffer from, int at, int bytes) {
    int length = Math.clamp(from.getShort(at), 0, bytes - Short.BYTES);
    byte[] encoded = new byte[length];
    from.get(at + Short.BYTES, encoded);
    return new String(encoded, StandardCharsets.UTF_8);
  }
}
