package io.headspan.agent.spool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.agent.ledger.TenantCounts;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SpoolTest {
  private static final int SEGMENT_BYTES = 4_000;
  private static final int BYTES_MAX = 40_000;

  @TempDir Path directory;
  private final List<Spool> opened = new ArrayList<>();

  @AfterEach
  void close() {
    opened.forEach(Spool::close);
  }

  @Test
  void givesBackWhatWasAppendedAfterARestart() {
    Spool first = open("boot-1");
    for (long sequence = 1; sequence <= 50; sequence++) {
      append(first, sequence);
    }
    first.sync();
    first.close();
    Spool second = open("boot-2");
    List<SpooledBatch> held = second.held();
    assertThat(held).extracting(SpooledBatch::sequence).containsExactlyElementsOf(range(1, 50));
    for (SpooledBatch each : held) {
      assertThat(each.bootId()).isEqualTo("boot-1");
      assertThat(each.madeMillis()).isEqualTo(1_000 + each.sequence());
      assertThat(each.spans()).isEqualTo(spans(each.sequence()));
      assertThat(second.read(each)).isEqualTo(payload(each.sequence()));
    }
    assertThat(second.tornBytes()).isZero();
  }

  @Test
  void keepsTheOrderOfStartsAndSequences() {
    Spool first = open("boot-b");
    append(first, 2);
    append(first, 3);
    append(first, 1);
    first.close();
    Spool second = open("boot-a");
    append(second, 1);
    assertThat(second.held())
        .extracting(each -> each.bootId() + "/" + each.sequence())
        .containsExactly("boot-b/1", "boot-b/2", "boot-b/3", "boot-a/1");
  }

  /// Each start counts from 1, so a batch of an earlier one that comes back must keep its name.
  @Test
  void tellsBatchesOfDifferentStartsWithTheSameSequenceApart() {
    Spool second = open("boot-2");
    append(second, 1);
    second.append("boot-1", 1, 1_001, spans(2), payload(2));
    append(second, 2);
    second.sync();
    second.close();
    Spool third = open("boot-3");
    assertThat(third.held())
        .extracting(each -> each.bootId() + "/" + each.sequence())
        .containsExactlyInAnyOrder("boot-2/1", "boot-1/1", "boot-2/2");
    assertThat(third.held())
        .filteredOn(each -> each.bootId().equals("boot-1"))
        .singleElement()
        .satisfies(each -> assertThat(third.read(each)).isEqualTo(payload(2)));
  }

  @Test
  void deletesASegmentOnlyWhenAllOfItIsReleased() {
    Spool spool = open("boot-1");
    List<SpooledBatch> appended = new ArrayList<>();
    for (long sequence = 1; sequence <= 60; sequence++) {
      appended.add(append(spool, sequence));
    }
    int segments = spool.segments();
    assertThat(segments).isGreaterThanOrEqualTo(3);
    List<SpooledBatch> ofFirst =
        appended.stream().filter(each -> each.segment() == appended.getFirst().segment()).toList();
    ofFirst.subList(1, ofFirst.size()).forEach(spool::release);
    assertThat(spool.segments()).isEqualTo(segments);
    spool.release(ofFirst.getFirst());
    assertThat(spool.segments()).isEqualTo(segments - 1);
    assertThat(files()).hasSize(segments - 1);
    assertThat(spool.read(appended.getLast())).isEqualTo(payload(60));
  }

  @Test
  void takesNoRoomWhenNothingIsHeld() {
    Spool spool = open("boot-1");
    SpooledBatch first = append(spool, 1);
    SpooledBatch second = append(spool, 2);
    spool.release(second);
    assertThat(files()).hasSize(1);
    spool.release(first);
    assertThat(files()).isEmpty();
    assertThat(spool.sizeBytes()).isZero();
    SpooledBatch third = append(spool, 3);
    spool.sync();
    assertThat(spool.read(third)).isEqualTo(payload(3));
  }

  @Test
  void doesNotBringBackWhatWasReleased() {
    Spool first = open("boot-1");
    List<SpooledBatch> appended = new ArrayList<>();
    for (long sequence = 1; sequence <= 10; sequence++) {
      appended.add(append(first, sequence));
    }
    first.release(appended.get(3));
    first.release(appended.get(7));
    first.close();
    assertThat(open("boot-2").held())
        .extracting(SpooledBatch::sequence)
        .containsExactly(1L, 2L, 3L, 5L, 6L, 7L, 9L, 10L);
  }

  @Test
  void dropsTheOldestSegmentWhenItIsFull() {
    Spool spool = open("boot-1");
    List<Long> gone = new ArrayList<>();
    for (long sequence = 1; sequence <= 500; sequence++) {
      spool.makeRoom(payload(sequence).length).forEach(each -> gone.add(each.sequence()));
      append(spool, sequence);
      assertThat(spool.sizeBytes()).isLessThan(BYTES_MAX + 200);
    }
    assertThat(gone).isNotEmpty().isEqualTo(range(1, gone.size()));
    assertThat(spool.held())
        .extracting(SpooledBatch::sequence)
        .containsExactlyElementsOf(range(gone.size() + 1, 500));
    assertThat(spool.sizeBytes()).isGreaterThan(BYTES_MAX - 2 * SEGMENT_BYTES);
  }

  @Test
  void holdsABoundedNumberOfBatches() {
    Spool spool = Spool.open(new SpoolSettings(directory, 1 << 20, SEGMENT_BYTES, 100), "boot-1");
    opened.add(spool);
    for (long sequence = 1; sequence <= 300; sequence++) {
      var _ = spool.makeRoom(payload(sequence).length);
      append(spool, sequence);
      assertThat(spool.held()).hasSizeLessThanOrEqualTo(100);
    }
  }

  @Test
  void belongsToOneProcess() {
    var _ = open("boot-1");
    assertThatThrownBy(() -> open("boot-2"))
        .isInstanceOfSatisfying(
            SpoolException.class, e -> assertThat(e.kind()).isEqualTo(SpoolException.Kind.LOCKED))
        .hasMessageContaining(directory + "; stop the other agent");
  }

  @Test
  void saysThatItCannotUseAFile() throws IOException {
    Path file = Files.writeString(directory.resolve("file"), "");
    assertThatThrownBy(() -> Spool.open(SpoolSettings.of(file.resolve("spool"), 1), "boot-1"))
        .isInstanceOfSatisfying(
            SpoolException.class,
            e -> assertThat(e.kind()).isEqualTo(SpoolException.Kind.UNUSABLE));
  }

  /// What is written when the process or the machine dies may end anywhere.
  @Test
  void cutsOffATornTailWhereverItIs() throws IOException {
    Spool whole = Spool.open(new SpoolSettings(directory, 1 << 20, 1 << 20, 100), "boot-1");
    long[] ends = new long[4];
    for (int i = 1; i <= 3; i++) {
      append(whole, i);
      ends[i] = whole.sizeBytes();
    }
    whole.close();
    byte[] content = Files.readAllBytes(files().getFirst());
    Path again = directory.resolve("again");
    Path file = again.resolve("0000000000000000.spool");
    for (int length = content.length - 1; length > 0; length--) {
      Files.createDirectories(again);
      try (RandomAccessFile torn = new RandomAccessFile(file.toFile(), "rw")) {
        torn.setLength(0);
        torn.write(content, 0, length);
      }
      int wholeRecords = 0;
      while (wholeRecords < 3 && length >= ends[wholeRecords + 1]) {
        wholeRecords++;
      }
      try (Spool read = Spool.open(SpoolSettings.of(again, 1 << 20), "boot-2")) {
        assertThat(read.held())
            .as("length %d", length)
            .extracting(SpooledBatch::sequence)
            .containsExactlyElementsOf(range(1, wholeRecords));
        if (wholeRecords > 0) {
          assertThat(read.tornBytes()).isEqualTo(length - ends[wholeRecords]);
        }
        SpooledBatch more = append(read, 9);
        assertThat(read.read(more)).isEqualTo(payload(9));
      }
      try (Stream<Path> all = Files.list(again)) {
        for (Path each : all.toList()) {
          Files.delete(each);
        }
      }
    }
  }

  /// Whatever bit flips, no wrong payload comes out, and what is before it is there.
  @Test
  void neverGivesBackAnythingElse() throws IOException {
    Spool whole = Spool.open(new SpoolSettings(directory, 1 << 20, 1 << 20, 100), "boot-1");
    for (int i = 1; i <= 20; i++) {
      append(whole, i);
    }
    whole.close();
    Path file = files().getFirst();
    byte[] content = Files.readAllBytes(file);
    SplittableRandom random = new SplittableRandom(11);
    int damaged = 0;
    for (int round = 0; round < 500; round++) {
      byte[] flipped = content.clone();
      int at = random.nextInt(flipped.length);
      flipped[at] ^= (byte) (1 << random.nextInt(8));
      Files.write(file, flipped);
      try (Spool read = Spool.open(SpoolSettings.of(directory, 1 << 20), "boot-2")) {
        for (SpooledBatch each : read.held()) {
          try {
            assertThat(read.read(each)).isEqualTo(payload(each.sequence()));
            assertThat(each.spans()).isEqualTo(spans(each.sequence()));
          } catch (SpoolException e) {
            assertThat(e.kind()).isEqualTo(SpoolException.Kind.DAMAGED);
            damaged++;
          }
        }
      }
    }
    assertThat(damaged).as("payloads found to be damaged").isGreaterThan(100);
  }

  @Test
  void agreesWithAModelOverRandomUse() {
    SplittableRandom random = new SplittableRandom(3);
    Map<Long, SpooledBatch> model = new HashMap<>();
    long sequence = 0;
    int boot = 1;
    Spool spool = open("boot-1");
    for (int step = 0; step < 3_000; step++) {
      int action = random.nextInt(100);
      if (action < 55) {
        spool
            .makeRoom(payload(sequence + 1).length)
            .forEach(each -> assertThat(model.remove(each.sequence())).isNotNull());
        sequence++;
        model.put(sequence, append(spool, sequence));
      } else if (action < 98) {
        List<Long> held = model.keySet().stream().sorted().toList();
        if (!held.isEmpty()) {
          spool.release(
              Objects.requireNonNull(model.remove(held.get(random.nextInt(held.size())))));
        }
      } else {
        spool.close();
        spool = open("boot-" + ++boot);
        model.clear();
        spool.held().forEach(each -> model.put(each.sequence(), each));
      }
      if (step % 50 == 0) {
        assertThat(spool.held())
            .extracting(SpooledBatch::sequence)
            .containsExactlyInAnyOrderElementsOf(model.keySet());
      }
    }
  }

  private Spool open(String bootId) {
    Spool spool =
        Spool.open(new SpoolSettings(directory, BYTES_MAX, SEGMENT_BYTES, 10_000), bootId);
    opened.add(spool);
    return spool;
  }

  private static SpooledBatch append(Spool spool, long sequence) {
    return spool.append(sequence, 1_000 + sequence, spans(sequence), payload(sequence));
  }

  private static TenantCounts spans(long sequence) {
    return TenantCounts.of(Map.of("tenant-" + sequence % 3, (int) sequence, "", 1));
  }

  private static byte[] payload(long sequence) {
    return ("payload of " + sequence)
        .repeat(1 + (int) (sequence % 17))
        .getBytes(StandardCharsets.UTF_8);
  }

  private static List<Long> range(long from, long to) {
    List<Long> range = new ArrayList<>();
    for (long each = from; each <= to; each++) {
      range.add(each);
    }
    return range;
  }

  private List<Path> files() {
    try (Stream<Path> all = Files.list(directory)) {
      return all.filter(path -> path.toString().endsWith(".spool")).sorted().toList();
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }
}
