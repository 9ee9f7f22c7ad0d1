package io.headspan.wire.otap;

import java.util.Arrays;

/// The values of one dictionary of a stream. It only grows; a replacement is another dictionary, so
/// columns read before it keep theirs.
///
/// Remembers for the batch being decoded which of its texts are in the batch's table already, so
/// that a text is hashed once per batch however many rows name it.
final class Dictionary {
  private static final int UNKNOWN = -1;

  private final MemoryBudget budget;
  private final ArrowField field;
  private int size;
  private long heldBytes;

  /// Texts, byte strings and fixed-size values back to back, ends by entry.
  private byte[] bytes = {};

  private int[] ends = {};

  /// Values of all other kinds.
  private long[] numbers = {};

  /// Table ids by entry, for texts as they are and for CBOR values in normal form.
  private final Ids texts = new Ids();

  private final Ids containers = new Ids();

  Dictionary(ArrowField field, MemoryBudget budget) {
    this.field = field;
    this.budget = budget;
  }

  ArrowField field() {
    return field;
  }

  int size() {
    return size;
  }

  /// Adds the values of a dictionary batch; a null value counts as empty or 0.
  void append(Column values) {
    int count = values.rows();
    switch (field.kind()) {
      case UTF8, BINARY, FIXED -> appendBytes(values, count);
      case UNSIGNED, SIGNED, TIMESTAMP_NS, DURATION_NS, FLOAT64, BOOL -> {
        hold((long) Long.BYTES * count);
        if (size + count > numbers.length) {
          numbers = Arrays.copyOf(numbers, roomier(numbers.length, size + count));
        }
        long[] added = new long[count];
        values.longs(0, count, added);
        System.arraycopy(added, 0, numbers, size, count);
      }
      case STRUCT, LIST, OTHER ->
          throw new IllegalStateException("not a dictionary of OTAP: " + field);
    }
    size += count;
  }

  /// Gives its memory back to the budget.
  void close() {
    budget.release(heldBytes);
    heldBytes = 0;
  }

  long number(int entry) {
    return numbers[entry];
  }

  byte[] bytes() {
    return bytes;
  }

  int offset(int entry) {
    return entry == 0 ? 0 : ends[entry - 1];
  }

  int length(int entry) {
    return ends[entry] - offset(entry);
  }

  /// Ids of the texts in the table of `interner` by entry; negative for those that no row named
  /// yet, which [#internText] fills in.
  int[] textIds(Interner interner) {
    return texts.of(interner.batch(), size);
  }

  int internText(int entry, Interner interner) {
    int id = interner.text(bytes, offset(entry), length(entry));
    texts.ids[entry] = id;
    return id;
  }

  /// Ids of the CBOR values in normal form, as [#textIds].
  int[] containerIds(Interner interner) {
    return containers.of(interner.batch(), size);
  }

  int internContainer(int entry, Interner interner) {
    int id = interner.container(bytes, offset(entry), length(entry));
    containers.ids[entry] = id;
    return id;
  }

  private void appendBytes(Column values, int count) {
    long more = values.payloadBytes();
    hold(more + (long) Integer.BYTES * count);
    int start = size == 0 ? 0 : ends[size - 1];
    int needed = Math.toIntExact(start + more);
    if (needed > bytes.length) {
      bytes = Arrays.copyOf(bytes, roomier(bytes.length, needed));
    }
    if (size + count > ends.length) {
      ends = Arrays.copyOf(ends, roomier(ends.length, size + count));
    }
    int end = start;
    for (int row = 0; row < count; row++) {
      end += values.copyBytes(row, bytes, end);
      ends[size + row] = end;
    }
  }

  /// The next capacity when `needed` does not fit: many small deltas stay cheap.
  private static int roomier(int capacity, int needed) {
    return needed <= capacity ? capacity : (int) Math.max(needed, Math.min(2L * capacity, 1 << 30));
  }

  private void hold(long more) {
    heldBytes += more;
    budget.hold(more);
  }

  /// A cache by entry that starts afresh with each batch.
  private static final class Ids {
    private int[] ids = {};
    private int filled;
    private long batch = -1;

    int[] of(long currentBatch, int entries) {
      if (batch == currentBatch && filled >= entries) {
        return ids;
      }
      int from = batch == currentBatch ? filled : 0;
      if (entries > ids.length) {
        ids = Arrays.copyOf(ids, Math.max(entries, 2 * ids.length));
      }
      Arrays.fill(ids, from, entries, UNKNOWN);
      filled = entries;
      batch = currentBatch;
      return ids;
    }
  }

  /// Puts values into the table of the batch being decoded.
  interface Interner {
    /// Different for every batch.
    long batch();

    int text(byte[] source, int offset, int length);

    /// Checks a CBOR value and interns it in the form that [Utf8Table] holds.
    int container(byte[] source, int offset, int length);
  }
}
