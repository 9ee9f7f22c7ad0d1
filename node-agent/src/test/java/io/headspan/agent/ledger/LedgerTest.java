package io.headspan.agent.ledger;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LedgerTest {
  @TempDir Path directory;

  @Test
  void followsASpanFromPlaceToPlace() {
    Ledger ledger = new Ledger();
    TenantCounts two = TenantCounts.of(Map.of("a", 2));
    for (int i = 0; i < 2; i++) {
      ledger.captured();
      ledger.batched("a");
    }
    ledger.captured();
    ledger.leftOut(null, DropReason.UNREADABLE);
    ledger.captured();
    assertThat(ledger.snapshot().pending()).isEqualTo(1);
    ledger.moved(two, Place.MEMORY, Place.SPOOL);
    ledger.acknowledged(two, Place.SPOOL);
    ledger.recovered(TenantCounts.of(Map.of("a", 5)));
    ledger.dropped(TenantCounts.of(Map.of("a", 5)), Place.SPOOL, DropReason.SPOOL_FULL);
    assertThat(ledger.snapshot().rows())
        .containsExactly(
            new LedgerSnapshot.Row("", 0, 1, 0, 0, 0, Map.of(DropReason.UNREADABLE, 1L)),
            new LedgerSnapshot.Row("a", 5, 2, 2, 0, 0, Map.of(DropReason.SPOOL_FULL, 5L)))
        .allSatisfy(row -> assertThat(row.imbalance()).isZero());
  }

  @Test
  void countsALossOnceThatIsToldAgain() {
    Ledger ledger = new Ledger();
    ledger.lost(DropReason.RING_FULL, 7);
    ledger.lost(DropReason.RING_FULL, 7);
    ledger.lost(DropReason.RING_FULL, 9);
    ledger.lost(DropReason.UNASSEMBLED, 1);
    LedgerSnapshot.Row total = ledger.snapshot().total();
    assertThat(total.captured()).isEqualTo(10);
    assertThat(total.dropped())
        .isEqualTo(Map.of(DropReason.RING_FULL, 9L, DropReason.UNASSEMBLED, 1L));
    assertThat(total.imbalance()).isZero();
  }

  @Test
  void knowsEveryReasonByItsNumber() {
    assertThat(Arrays.stream(DropReason.values()).mapToInt(DropReason::number))
        .containsExactlyElementsOf(IntStream.range(0, DropReason.values().length).boxed().toList());
  }

  @Test
  void hasABoundedNumberOfAccounts() {
    Ledger ledger = new Ledger();
    for (int i = 0; i < 5_000; i++) {
      ledger.captured();
      ledger.batched("tenant-" + i);
    }
    ledger.captured();
    ledger.leftOut(null, DropReason.UNREADABLE);
    TenantCounts late = TenantCounts.of(Map.of("tenant-4999", 1));
    ledger.acknowledged(late, Place.MEMORY);
    LedgerSnapshot snapshot = ledger.snapshot();
    assertThat(snapshot.rows()).hasSize(Ledger.TENANTS_MAX + 2);
    assertThat(snapshot.rows()).allSatisfy(row -> assertThat(row.imbalance()).isZero());
    assertThat(snapshot.total().captured()).isEqualTo(5_001);
    assertThat(snapshot.rows())
        .filteredOn(row -> row.tenant().equals(Ledger.OTHER_TENANTS))
        .singleElement()
        .satisfies(row -> assertThat(row.captured()).isEqualTo(4_000))
        .satisfies(row -> assertThat(row.acknowledged()).isEqualTo(1));
  }

  @Test
  void tellsWhatAKilledAgentHeld() throws IOException {
    Ledger killed = new Ledger(LedgerFile.create(directory, "boot-1"));
    for (int i = 0; i < 10; i++) {
      killed.captured();
      killed.batched("a");
      killed.captured();
    }
    killed.leftOut("b", DropReason.EXCLUDED);
    killed.acknowledged(TenantCounts.of(Map.of("a", 3)), Place.MEMORY);
    killed.moved(TenantCounts.of(Map.of("a", 4)), Place.MEMORY, Place.SPOOL);
    // Nothing is closed: the next start finds the file as it is.
    LedgerFile.Previous previous = LedgerFile.previous(directory).orElseThrow();
    assertThat(previous.bootId()).isEqualTo("boot-1");
    assertThat(previous.closed(Map.of("a", 4L)).rows())
        .containsExactly(
            new LedgerSnapshot.Row("", 0, 9, 0, 0, 0, Map.of(DropReason.KILLED, 9L)),
            new LedgerSnapshot.Row("a", 0, 10, 3, 0, 4, Map.of(DropReason.KILLED, 3L)),
            new LedgerSnapshot.Row("b", 0, 1, 0, 0, 0, Map.of(DropReason.EXCLUDED, 1L)))
        .allSatisfy(row -> assertThat(row.imbalance()).isZero());

    Ledger next = new Ledger(LedgerFile.create(directory, "boot-2"));
    next.recovered(TenantCounts.of(Map.of("a", 4)));
    assertThat(LedgerFile.previous(directory).orElseThrow())
        .isEqualTo(
            new LedgerFile.Previous(
                "boot-2", 0, List.of(new LedgerSnapshot.Row("a", 4, 0, 0, 0, 4, Map.of()))));
  }

  @Test
  void keepsEveryTenantItHasRoomFor() throws IOException {
    Ledger ledger = new Ledger(LedgerFile.create(directory, "boot-1"));
    Map<String, Long> captured = new HashMap<>();
    for (int i = 0; i < 3_000; i++) {
      ledger.captured();
      ledger.batched("tenant-ü-" + i);
      var _ = captured.merge(i < 1_000 ? "tenant-ü-" + i : Ledger.OTHER_TENANTS, 1L, Long::sum);
    }
    Map<String, Long> read = new HashMap<>();
    LedgerFile.previous(directory)
        .orElseThrow()
        .rows()
        .forEach(row -> read.put(row.tenant(), row.captured()));
    assertThat(read).isEqualTo(captured);
  }

  @Test
  void readsNoFileThatIsNone() throws IOException {
    assertThat(LedgerFile.previous(directory)).isEmpty();
    Files.writeString(directory.resolve("ledger"), "x".repeat(100_000));
    assertThat(LedgerFile.previous(directory)).isEmpty();
  }
}
