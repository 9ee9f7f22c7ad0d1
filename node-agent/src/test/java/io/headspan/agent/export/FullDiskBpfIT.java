package io.headspan.agent.export;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.ledger.DropReason;
import io.headspan.agent.ledger.Ledger;
import io.headspan.agent.ledger.LedgerSnapshot;
import io.headspan.agent.spool.Spool;
import io.headspan.agent.spool.SpoolSettings;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A spool on a small file system of its own that runs full.
@Tag("privileged")
class FullDiskBpfIT {
  private static final int SPANS_PER_BATCH = 50;
  private static final int QUEUE_BATCHES = 20;

  @TempDir private Path directory;
  private Path disk;
  private final ArrowCollector collector = new ArrowCollector();
  private final Ledger ledger = new Ledger();
  private final MadeBatches made = new MadeBatches(ledger, SPANS_PER_BATCH, 1);

  @BeforeEach
  void mount() throws Exception {
    disk = Files.createDirectory(directory.resolve("disk"));
    run("mount", "-t", "tmpfs", "-o", "size=512k", "headspan-test", disk.toString());
    collector.start();
  }

  @AfterEach
  void unmount() throws Exception {
    collector.close();
    run("umount", disk.toString());
  }

  @Test
  void countsWhatItCannotKeepAndRecovers() throws IOException {
    try (Spool spool = Spool.open(SpoolSettings.of(disk.resolve("spool"), 64 << 20), "boot-1");
        SpanExporter sending = start(spool)) {
      collector.kill();
      long fed = 0;
      while (ledger.dropped(DropReason.DISK_FULL) == 0) {
        made.submit(sending);
        fed++;
        assertThat(fed).as("batches until the disk is full").isLessThan(10_000);
        if (fed % QUEUE_BATCHES == 0) {
          LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
        }
      }
      assertThat(sending.isRunning()).isTrue();
      assertThat(sending.spoolFailures()).isPositive();
      assertThat(sending.spooledBatches()).isPositive();
      assertThat(sending.heldBatches() - sending.spooledBatches())
          .isLessThanOrEqualTo(QUEUE_BATCHES);
      assertBalance();

      collector.start();
      until(() -> sending.heldBatches() == 0);
      LedgerSnapshot.Row total = ledger.snapshot().total();
      assertBalance();
      assertThat(total.inMemory() + total.spooled()).isZero();
      assertThat((long) collector.spanIds().size()).isEqualTo(total.acknowledged());
      assertThat(collector.spanIds()).isSorted().doesNotHaveDuplicates();
      assertThat(total.acknowledged() + total.droppedTotal()).isEqualTo(made.nextSpanId() - 1);

      // There is room again: nothing is lost in the next outage.
      collector.kill();
      for (int i = 0; i < QUEUE_BATCHES / 2; i++) {
        made.submit(sending);
      }
      until(() -> sending.spooledBatches() == QUEUE_BATCHES / 2);
      assertThat(ledger.snapshot().total().droppedTotal()).isEqualTo(total.droppedTotal());
    }
    assertBalance();
  }

  private SpanExporter start(Spool spool) {
    return SpanExporter.start(
        new ExportSettings(
            "127.0.0.1",
            collector.port(),
            "agent-1",
            "boot-1",
            64L << 20,
            QUEUE_BATCHES,
            8,
            Duration.ofSeconds(1),
            Duration.ofMillis(100),
            true),
        CollectorChannel.open("127.0.0.1", collector.port(), null),
        ledger,
        spool);
  }

  private void assertBalance() {
    assertThat(ledger.snapshot().rows())
        .allSatisfy(row -> assertThat(row.imbalance()).as("%s", row).isZero());
  }

  private static void run(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as("%s: %s", String.join(" ", command), output).isZero();
  }

  private static void until(BooleanSupplier condition) {
    long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - deadlineNs).as("60 s have passed").isNegative();
      LockSupport.parkNanos(1_000_000);
    }
  }
}
