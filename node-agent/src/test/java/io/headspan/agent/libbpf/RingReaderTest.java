package io.headspan.agent.libbpf;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RingReaderTest {
  private static final int SIZE_BYTES = 128;

  private final Arena arena = Arena.ofConfined();
  private final MemorySegment consumerPage = arena.allocate(4096, 8);
  private final MemorySegment producerPage = arena.allocate(4096, 8);
  private final MemorySegment data = arena.allocate(2 * SIZE_BYTES, 8);
  private final RingReader reader = new RingReader(consumerPage, producerPage, data);
  private final List<Long> seen = new ArrayList<>();

  @AfterEach
  void close() {
    arena.close();
  }

  @Test
  void givesNothingWhenEmpty() {
    assertThat(drain()).isZero();
    assertThat(consumed()).isZero();
  }

  @Test
  void roundsRecordsUpToEightBytes() {
    assertThat(RingLayout.recordSizeBytes(0)).isEqualTo(8);
    assertThat(RingLayout.recordSizeBytes(1)).isEqualTo(16);
    assertThat(RingLayout.recordSizeBytes(8)).isEqualTo(16);
    assertThat(RingLayout.recordSizeBytes(9)).isEqualTo(24);
    assertThat(RingLayout.recordSizeBytes(72)).isEqualTo(80);
    assertThat(RingLayout.recordSizeBytes(RingLayout.LENGTH_MASK)).isEqualTo((1L << 30) + 8);
  }

  @Test
  void givesRecordsInOrderWithTheirLengths() {
    write(8, 0, 1);
    write(13, 0, 2);
    write(16, 0, 3);
    var sizes = new ArrayList<Long>();
    assertThat(reader.drain(sample -> sizes.add(sample.byteSize()), 100)).isEqualTo(3);
    assertThat(sizes).containsExactly(8L, 13L, 16L);
    assertThat(consumed()).isEqualTo(16 + 24 + 24);
  }

  @Test
  void givesSamplesReadOnly() {
    write(8, 0, 1);
    var readOnly = new ArrayList<Boolean>();
    var mapped = new RingReader(consumerPage, producerPage, data.asReadOnly());
    mapped.drain(sample -> readOnly.add(sample.isReadOnly()), 1);
    assertThat(readOnly).containsExactly(true);
  }

  @Test
  void stopsAtARecordThatIsStillBeingWritten() {
    write(8, 0, 1);
    long busyAt = produced();
    write(8, RingLayout.BUSY_BIT, 2);
    write(8, 0, 3);
    assertThat(drain()).isEqualTo(1);
    assertThat(consumed()).isEqualTo(busyAt);
    assertThat(reader.pendingBytes()).isEqualTo(32);

    commit(busyAt);
    assertThat(drain()).isEqualTo(2);
    assertThat(seen).containsExactly(1L, 2L, 3L);
    assertThat(reader.pendingBytes()).isZero();
  }

  @Test
  void passesOverDiscardedRecordsWithoutCountingThem() {
    write(8, RingLayout.DISCARD_BIT, 1);
    write(8, 0, 2);
    write(24, RingLayout.DISCARD_BIT, 3);
    assertThat(drain()).isEqualTo(1);
    assertThat(seen).containsExactly(2L);
    assertThat(consumed()).isEqualTo(16 + 16 + 32);
  }

  @Test
  void stopsAtADiscardedRecordThatIsStillBusy() {
    write(8, RingLayout.BUSY_BIT | RingLayout.DISCARD_BIT, 1);
    assertThat(drain()).isZero();
    assertThat(consumed()).isZero();
  }

  @Test
  void givesARecordThatWrapsInOnePiece() {
    // Three records of 40 fill 120 of 128 bytes; the fourth begins with its header in the last 8.
    for (int record = 0; record < 3; record++) {
      write(32, 0, record);
    }
    assertThat(drain()).isEqualTo(3);
    write(32, 0, 3);
    assertThat(drain()).isEqualTo(1);
    assertThat(seen).containsExactly(0L, 1L, 2L, 3L);
    assertThat(consumed()).isEqualTo(160);
  }

  @Test
  void keepsItsPlaceOverManyTurns() {
    long expected = 0;
    for (int turn = 0; turn < 10_000; turn++) {
      int lengthBytes = 8 + turn % 41;
      write(lengthBytes, turn % 7 == 0 ? RingLayout.DISCARD_BIT : 0, turn);
      if (turn % 2 == 1) {
        drain();
      }
    }
    drain();
    for (long turn = 0; turn < 10_000; turn++) {
      if (turn % 7 != 0) {
        assertThat(seen.get((int) expected++)).isEqualTo(turn);
      }
    }
    assertThat(seen).hasSize((int) expected);
    assertThat(consumed()).isEqualTo(produced());
  }

  @Test
  void continuesWhereAnEarlierReaderStopped() {
    write(8, 0, 1);
    write(8, 0, 2);
    reader.drain(this::remember, 1);
    var next = new RingReader(consumerPage, producerPage, data);
    assertThat(next.drain(this::remember, 100)).isEqualTo(1);
    assertThat(seen).containsExactly(1L, 2L);
  }

  @Test
  void handsOutNoMoreThanAsked() {
    for (int record = 0; record < 5; record++) {
      write(8, 0, record);
    }
    assertThat(reader.drain(this::remember, 2)).isEqualTo(2);
    assertThat(consumed()).isEqualTo(32);
    assertThat(reader.drain(this::remember, 0)).isZero();
    assertThat(drain()).isEqualTo(3);
  }

  @Test
  void releasesSpaceWithinALongBatch() {
    for (int record = 0; record < 8; record++) {
      write(8, 0, record);
    }
    var consumedDuring = new ArrayList<Long>();
    reader.drain(_ -> consumedDuring.add(consumed()), 100);
    // A quarter of 128 bytes is two records of 16.
    assertThat(consumedDuring).containsExactly(0L, 0L, 32L, 32L, 64L, 64L, 96L, 96L);
  }

  @Test
  void takesRecordsThatArriveDuringTheBatch() {
    write(8, 0, 1);
    int drained =
        reader.drain(
            sample -> {
              remember(sample);
              if (seen.size() < 3) {
                write(8, 0, seen.size() + 1);
              }
            },
            100);
    assertThat(drained).isEqualTo(3);
    assertThat(seen).containsExactly(1L, 2L, 3L);
  }

  @Test
  void losesOneSampleToAHandlerThatThrows() {
    write(8, 0, 1);
    write(8, 0, 2);
    write(8, 0, 3);
    int drained =
        reader.drain(
            sample -> {
              remember(sample);
              if (seen.size() == 2) {
                throw new IllegalArgumentException("second");
              }
            },
            100);
    assertThat(drained).isEqualTo(3);
    assertThat(seen).containsExactly(1L, 2L, 3L);
    assertThat(consumed()).isEqualTo(48);
    assertThat(reader.failures()).isEqualTo(1);
    assertThat(reader.takeFailure()).get().isInstanceOf(IllegalArgumentException.class);
    assertThat(reader.takeFailure()).isEmpty();
    assertThat(reader.failures()).isEqualTo(1);
  }

  @Test
  void keepsItsPlaceWhenAnErrorEndsTheBatch() {
    write(8, 0, 1);
    write(8, 0, 2);
    assertThatThrownBy(() ->
            reader.drain(
                _ -> {
                  throw new StackOverflowError("deep");
                },
                100))
        .isInstanceOf(StackOverflowError.class);
    assertThat(consumed()).isEqualTo(16);
    assertThat(drain()).isEqualTo(1);
    assertThat(seen).containsExactly(2L);
  }

  @Test
  void refusesADataAreaThatIsNoPowerOfTwo() {
    assertThatThrownBy(() -> new RingReader(consumerPage, producerPage, arena.allocate(96, 8)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("not twice a power of two: dataSizeBytes=96");
  }

  private int drain() {
    return reader.drain(this::remember, Integer.MAX_VALUE);
  }

  private void remember(MemorySegment sample) {
    seen.add(sample.get(JAVA_LONG, 0));
  }

  private long consumed() {
    return consumerPage.get(JAVA_LONG, 0);
  }

  private long produced() {
    return producerPage.get(JAVA_LONG, 0);
  }

  /// Does what the kernel does: the sample's first word is `value`; both images of the data show
  /// it.
  private void write(int lengthBytes, int flags, long value) {
    long at = produced();
    long end = at + RingLayout.recordSizeBytes(lengthBytes);
    assertThat(end - consumed()).as("the simulated ring is full").isLessThanOrEqualTo(SIZE_BYTES);
    setBoth(at, lengthBytes | flags);
    setBoth(at + 8, (int) value);
    setBoth(at + 12, (int) (value >>> 32));
    producerPage.set(JAVA_LONG, 0, end);
  }

  private void commit(long at) {
    setBoth(at, data.get(JAVA_INT, at % SIZE_BYTES) & ~RingLayout.BUSY_BIT);
  }

  private void setBoth(long position, int value) {
    data.set(JAVA_INT, position % SIZE_BYTES, value);
    data.set(JAVA_INT, position % SIZE_BYTES + SIZE_BYTES, value);
    assertThat(data.get(JAVA_BYTE, 0)).isEqualTo(data.get(JAVA_BYTE, SIZE_BYTES));
  }
}
