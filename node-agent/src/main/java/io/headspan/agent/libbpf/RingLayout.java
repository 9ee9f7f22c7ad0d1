package io.headspan.agent.libbpf;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.invoke.VarHandle;

/// How a `BPF_MAP_TYPE_RINGBUF` looks to user space (`kernel/bpf/ringbuf.c`, the same since 5.8).
///
/// ```
/// offset in the map     one page   consumer position, u64: ours, the only writable page
///         1 page        one page   producer position, u64
///         2 pages       size       data
///         2 pages+size  size       the same data again, so that no record is split
/// ```
///
/// Positions count bytes and never wrap; a position's place in the data is its low bits. A record
/// is an 8-byte header, whose first word holds the length and two flags, and the sample; the next
/// record starts at the next multiple of 8. The kernel stores the producer position when it
/// reserves a record and clears the busy flag, with a full barrier, when it commits it.
final class RingLayout {
  static final int HEADER_SIZE_BYTES = 8;
  static final int BUSY_BIT = 1 << 31;
  static final int DISCARD_BIT = 1 << 30;
  static final int LENGTH_MASK = DISCARD_BIT - 1;

  /// Coordinates: segment, offset in bytes.
  static final VarHandle POSITION = JAVA_LONG.varHandle();

  /// Coordinates: segment, offset in bytes.
  static final VarHandle HEADER = JAVA_INT.varHandle();

  private RingLayout() {}

  /// Bytes from a record's header to the next one's, given the sample's length.
  static long recordSizeBytes(int lengthBytes) {
    return ((long) lengthBytes + HEADER_SIZE_BYTES + 7) & ~7L;
  }
}
