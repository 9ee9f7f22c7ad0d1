package io.headspan.agent.export;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.export.ArrowCollector.Answer;
import io.headspan.agent.export.ArrowCollector.Token;
import io.headspan.agent.ledger.DropReason;
import io.headspan.agent.ledger.Ledger;
import io.headspan.agent.ledger.LedgerSnapshot;
import io.headspan.agent.spool.Spool;
import io.headspan.agent.spool.SpoolSettings;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The exporter with a spool, against a real gRPC server that is killed and comes back.
class SpoolingIT {
  private static final int SPANS_PER_BATCH = 50;
  private static final Duration AT_ONCE = Duration.ofMillis(100);
  private static final Duration NEVER = Duration.ofHours(1);

  @TempDir private Path directory;
  private final ArrowCollector collector = new ArrowCollector();
  private Ledger ledger = new Ledger();
  private MadeBatches made = new MadeBatches(ledger, SPANS_PER_BATCH, 1);
  private @Nullable Spool spool;
  private @Nullable SpanExporter exporter;

  @BeforeEach
  void startCollector() throws IOException {
    collector.start();
  }

  @AfterEach
  void close() {
    end();
    collector.close();
  }

  @Test
  void sendsEverythingInOrderAfterAnOutageLargerThanMemory() throws IOException {
    collector.kill();
    SpanExporter sending = start("boot-1", 20, NEVER, 64 << 20);
    for (int i = 0; i < 500; i++) {
      made.submit(sending);
      // As fast as a disk is, not faster: what is tested is not the loss.
      until(() -> sending.heldBatches() - sending.spooledBatches() <= 15);
    }
    assertThat(sending.spooledBatches()).isGreaterThan(450);
    assertThat(ledger.snapshot().total().spooled()).isGreaterThan(450L * SPANS_PER_BATCH);
    collector.start();
    untilQuiet();
    assertThat(collector.order()).isEqualTo(tokens("boot-1", 500));
    assertThat(collector.spanIds()).isEqualTo(spanIdsMade());
    assertThat(sending.spool().orElseThrow().segments()).isZero();
    assertBalance(spanIdsMade().size(), 0);
  }

  @Test
  void spoolsAllWhenTheCollectorStaysAway() {
    collector.kill();
    SpanExporter sending = start("boot-1", 1_000, AT_ONCE, 64 << 20);
    for (int i = 0; i < 30; i++) {
      made.submit(sending);
    }
    until(() -> sending.spooledBatches() == 30);
    assertThat(sending.heldBytes()).isZero();
  }

  @Test
  void spoolsWhatIsUnderWayToACollectorThatIsSilent() {
    collector.setPolicy((_, before) -> before == 0 ? Answer.STORE_IN_SILENCE : Answer.STORE);
    SpanExporter sending = start("boot-1", 1_000, AT_ONCE, 64 << 20);
    for (int i = 0; i < 3; i++) {
      made.submit(sending);
    }
    until(() -> sending.spooledBatches() == 3);
    untilQuiet();
    assertThat(collector.spanIds()).isEqualTo(spanIdsMade());
    assertThat(collector.storedAgain()).isEqualTo(3);
    assertBalance(3 * SPANS_PER_BATCH, 0);
  }

  @Test
  void handsWhatItHoldsToTheNextStart() throws IOException {
    collector.kill();
    SpanExporter first = start("boot-1", 1_000, NEVER, 64 << 20);
    for (int i = 0; i < 25; i++) {
      made.submit(first);
    }
    end();
    assertThat(ledger.snapshot().total().spooled()).isEqualTo(25 * SPANS_PER_BATCH);
    assertThat(ledger.snapshot().total().inMemory()).isZero();

    ledger = new Ledger();
    made = new MadeBatches(ledger, SPANS_PER_BATCH, made.nextSpanId());
    SpanExporter second = start("boot-2", 1_000, NEVER, 64 << 20);
    for (int i = 0; i < 5; i++) {
      made.submit(second);
    }
    collector.start();
    untilQuiet();
    List<Token> expected = new ArrayList<>(tokens("boot-1", 25));
    expected.addAll(tokens("boot-2", 5));
    assertThat(collector.order()).isEqualTo(expected);
    assertThat(collector.spanIds()).isEqualTo(spanIdsMade());
    LedgerSnapshot.Row total = ledger.snapshot().total();
    assertThat(total.recovered()).isEqualTo(25 * SPANS_PER_BATCH);
    assertThat(total.captured()).isEqualTo(5 * SPANS_PER_BATCH);
    assertThat(total.acknowledged()).isEqualTo(30 * SPANS_PER_BATCH);
  }

  @Test
  void dropsTheOldestSegmentWhenTheSpoolIsFull() throws IOException {
    collector.kill();
    SpanExporter sending = start("boot-1", 20, AT_ONCE, 100_000);
    for (int i = 0; i < 500; i++) {
      made.submit(sending);
      until(() -> sending.heldBatches() - sending.spooledBatches() <= 15);
      assertThat(sending.spool().orElseThrow().sizeBytes()).isLessThan(120_000);
    }
    until(() -> ledger.snapshot().total().inMemory() == 0);
    long dropped = ledger.dropped(DropReason.SPOOL_FULL);
    assertThat(dropped).isGreaterThan(100L * SPANS_PER_BATCH);
    assertThat(dropped % SPANS_PER_BATCH).isZero();
    collector.start();
    untilQuiet();
    long lostBatches = dropped / SPANS_PER_BATCH;
    assertThat(collector.order()).isEqualTo(tokens("boot-1", 500).subList((int) lostBatches, 500));
    assertBalance(500L * SPANS_PER_BATCH - dropped, dropped);
  }

  @Test
  void countsWhatWasDamagedOnDisk() throws IOException {
    collector.kill();
    SpanExporter first = start("boot-1", 1_000, NEVER, 64 << 20);
    for (int i = 0; i < 10; i++) {
      made.submit(first);
    }
    end();
    try (Stream<Path> files = Files.list(directory.resolve("spool"));
        RandomAccessFile segment =
            new RandomAccessFile(
                files
                    .filter(path -> path.toString().endsWith(".spool"))
                    .findFirst()
                    .orElseThrow()
                    .toFile(),
                "rw")) {
      // The last bytes are of the last payload.
      segment.seek(segment.length() - 10);
      int value = segment.read();
      segment.seek(segment.length() - 10);
      segment.write(value ^ 1);
    }
    ledger = new Ledger();
    start("boot-2", 1_000, NEVER, 64 << 20);
    collector.start();
    untilQuiet();
    assertThat(collector.order()).isEqualTo(tokens("boot-1", 9));
    assertThat(ledger.dropped(DropReason.SPOOL_DAMAGED)).isEqualTo(SPANS_PER_BATCH);
    assertBalance(9 * SPANS_PER_BATCH, SPANS_PER_BATCH);
  }

  /// Whatever happens, the books balance at every moment; and when all is quiet, what they call
  /// acknowledged is what the collector has, each batch once.
  @Test
  void keepsTheBooksThroughRandomFailures() throws IOException {
    SplittableRandom random = new SplittableRandom(5);
    collector.setPolicy((sequence, before) -> {
      long kind = (sequence * 31 + before * 17L) % 20;
      if (sequence % 29 == 0) {
        return Answer.REFUSE;
      }
      if (before > 2) {
        return Answer.STORE;
      }
      return switch ((int) kind) {
        case 1 -> Answer.UNAVAILABLE;
        case 2 -> Answer.STORE_IN_SILENCE;
        case 3 -> Answer.BREAK_STREAM;
        default -> Answer.STORE;
      };
    });
    int boot = 1;
    boolean up = true;
    LedgerSnapshot.Row ended = ledger.snapshot().total();
    SpanExporter sending = start("boot-1", 30, AT_ONCE, 300_000);
    for (int step = 0; step < 400; step++) {
      int action = random.nextInt(100);
      if (action < 85) {
        for (int i = random.nextInt(6); i > 0; i--) {
          made.submit(sending);
        }
      } else if (action < 95) {
        if (up) {
          collector.kill();
        } else {
          collector.start();
        }
        up = !up;
      } else if (action < 97) {
        end();
        ended = ended(ended);
        ledger = new Ledger();
        made = new MadeBatches(ledger, SPANS_PER_BATCH, made.nextSpanId());
        sending = start("boot-" + ++boot, 30, AT_ONCE, 300_000);
      } else {
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(random.nextInt(200)));
      }
      assertThat(ledger.snapshot().rows())
          .allSatisfy(row -> assertThat(row.imbalance()).as("step %s", row).isZero());
    }
    if (!up) {
      collector.start();
    }
    untilQuiet();
    end();
    ended = ended(ended);
    assertThat(ended.spooled() + ended.inMemory()).isZero();
    assertThat(ended.captured()).isEqualTo(made.nextSpanId() - 1);
    List<Long> stored = collector.spanIds();
    Set<Long> distinct = new HashSet<>(stored);
    assertThat(stored).as("no span twice").hasSameSizeAs(distinct);
    long refused = ended.dropped().getOrDefault(DropReason.REJECTED, 0L);
    assertThat(refused).isPositive();
    // Stored but dropped for want of an acknowledgement is possible, lost but acknowledged is not.
    assertThat((long) stored.size()).isGreaterThanOrEqualTo(ended.acknowledged());
    assertThat(ended.acknowledged() + ended.droppedTotal()).isEqualTo(ended.captured());
  }

  /// All starts together, as if they were one: what one leaves in the spool, the next recovers.
  private LedgerSnapshot.Row ended(LedgerSnapshot.Row before) {
    LedgerSnapshot.Row total = ledger.snapshot().total();
    assertThat(total.imbalance()).isZero();
    assertThat(total.inMemory()).isZero();
    assertThat(total.recovered()).isEqualTo(before.spooled());
    Map<DropReason, Long> dropped = new EnumMap<>(DropReason.class);
    dropped.putAll(before.dropped());
    total.dropped().forEach((reason, count) -> dropped.merge(reason, count, Long::sum));
    return new LedgerSnapshot.Row(
        "",
        0,
        before.captured() + total.captured(),
        before.acknowledged() + total.acknowledged(),
        0,
        total.spooled(),
        dropped);
  }

  private void assertBalance(long acknowledged, long dropped) {
    LedgerSnapshot snapshot = ledger.snapshot();
    assertThat(snapshot.pending()).isZero();
    assertThat(snapshot.rows()).allSatisfy(row -> assertThat(row.imbalance()).isZero());
    LedgerSnapshot.Row total = snapshot.total();
    assertThat(total.acknowledged()).isEqualTo(acknowledged);
    assertThat(total.droppedTotal()).isEqualTo(dropped);
    assertThat(total.inMemory() + total.spooled()).isZero();
  }

  private SpanExporter start(String bootId, int queueBatches, Duration spoolAfter, long bytes) {
    Spool opened = Spool.open(SpoolSettings.of(directory.resolve("spool"), bytes), bootId);
    spool = opened;
    SpanExporter started =
        SpanExporter.start(
            new ExportSettings(
                "127.0.0.1",
                collector.port(),
                "agent-1",
                bootId,
                64L << 20,
                queueBatches,
                8,
                Duration.ofSeconds(1),
                spoolAfter,
                true),
            CollectorChannel.open("127.0.0.1", collector.port(), null),
            ledger,
            opened);
    exporter = started;
    return started;
  }

  private void end() {
    if (exporter != null) {
      exporter.close();
      exporter = null;
    }
    if (spool != null) {
      spool.close();
      spool = null;
    }
  }

  private static List<Token> tokens(String bootId, long last) {
    return LongStream.rangeClosed(1, last).mapToObj(each -> new Token(bootId, each)).toList();
  }

  private List<Long> spanIdsMade() {
    return LongStream.range(1, made.nextSpanId()).boxed().toList();
  }

  private void untilQuiet() {
    SpanExporter sending = Objects.requireNonNull(exporter);
    until(() -> sending.heldBatches() == 0);
  }

  private static void until(BooleanSupplier condition) {
    long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - deadlineNs).as("60 s have passed").isNegative();
      LockSupport.parkNanos(1_000_000);
    }
  }
}
