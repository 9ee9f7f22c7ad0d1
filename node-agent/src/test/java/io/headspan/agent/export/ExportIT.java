package io.headspan.agent.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import io.headspan.agent.export.ArrowCollector.Answer;
import io.headspan.agent.ledger.DropReason;
import io.headspan.agent.ledger.Ledger;
import io.headspan.wire.SpanBatch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Against a real gRPC server with the real decoder, killed, silent and refusing.
class ExportIT {
  private static final int SPANS_PER_BATCH = 50;

  @TempDir private Path directory;

  private final ArrowCollector collector = new ArrowCollector();
  private final Ledger ledger = new Ledger();
  private final MadeBatches made = new MadeBatches(ledger, SPANS_PER_BATCH, 1);
  private @Nullable SpanExporter exporter;

  @BeforeEach
  void startCollector() throws IOException {
    collector.start();
  }

  @AfterEach
  void close() {
    if (exporter != null) {
      exporter.close();
    }
    collector.close();
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void deliversBatchesOnceAndInOrder(boolean compressed) {
    SpanExporter sending = start(settings(compressed));
    for (int i = 0; i < 100; i++) {
      submit(sending);
    }
    until(() -> sending.exportedBatches() == 100);
    assertThat(collector.spanIds()).containsExactlyElementsOf(spanIdsMade());
    assertThat(collector.sequences()).hasSize(100).startsWith(1L, 2L).endsWith(100L);
    assertThat(collector.tokenPrefix()).isEqualTo("agent-1/boot-1");
    assertThat(collector.streams()).isEqualTo(1);
    assertThat(sending.sentBatches()).isEqualTo(100);
    assertThat(ledger.acknowledged()).isEqualTo(100L * SPANS_PER_BATCH);
    assertThat(sending.heldBatches()).isZero();
    assertThat(sending.heldBytes()).isZero();
    SpanBatch arrived = collector.batches().getFirst();
    assertThat(arrived.text(arrived.name(0))).isEqualTo("GET /orders/{id}");
    assertThat(arrived.traceIdLow(0)).isEqualTo(7);
    int row = arrived.resourceAttributes().begin(0);
    assertThat(arrived.text(arrived.resourceAttributes().key(row))).isEqualTo("service.name");
    assertThat(arrived.text((int) arrived.resourceAttributes().value(row))).isEqualTo("checkout");
  }

  @Test
  void losesNothingAndStoresNothingTwiceWhenTheCollectorIsKilled() throws IOException {
    SpanExporter sending = start(settings(true));
    // Every tenth batch is the collector's last: stored, but not acknowledged.
    collector.setPolicy((sequence, before) ->
        sequence % 10 == 0 && before == 0 ? Answer.STORE_AND_DIE : Answer.STORE);
    for (int i = 0; i < 100; i++) {
      submit(sending);
      if (i % 10 == 9) {
        long deaths = (i + 1L) / 10;
        until(() -> collector.sequences().contains(deaths * 10));
        collector.kill();
        collector.start();
      }
    }
    until(() -> sending.heldBatches() == 0);
    assertThat(collector.spanIds()).containsExactlyElementsOf(spanIdsMade());
    assertThat(collector.storedAgain()).as("replays of what was stored").isGreaterThanOrEqualTo(10);
    assertThat(ledger.acknowledged()).isEqualTo(100L * SPANS_PER_BATCH);
    assertThat(sending.brokenStreams()).isGreaterThanOrEqualTo(10);
    assertThat(ledger.snapshot().total().droppedTotal()).isZero();
  }

  @Test
  void sendsAgainWhatTheCollectorHadNoRoomFor() {
    SpanExporter sending = start(settings(true));
    collector.setPolicy((_, before) -> before < 3 ? Answer.UNAVAILABLE : Answer.STORE);
    for (int i = 0; i < 5; i++) {
      submit(sending);
    }
    until(() -> sending.heldBatches() == 0);
    assertThat(collector.spanIds()).containsExactlyElementsOf(spanIdsMade());
    assertThat(collector.streams()).as("a batch refused for now breaks no stream").isEqualTo(1);
    assertThat(sending.sentBatches()).isEqualTo(20);
    assertThat(ledger.snapshot().total().droppedTotal()).isZero();
  }

  @Test
  void givesUpABatchThatIsRefusedForGood() {
    SpanExporter sending = start(settings(true));
    collector.setPolicy((sequence, _) -> sequence == 3 ? Answer.REFUSE : Answer.STORE);
    for (int i = 0; i < 6; i++) {
      submit(sending);
    }
    until(() -> sending.heldBatches() == 0);
    assertThat(collector.sequences()).containsExactly(1L, 2L, 4L, 5L, 6L);
    assertThat(ledger.dropped(DropReason.REJECTED)).isEqualTo(SPANS_PER_BATCH);
    assertThat(ledger.acknowledged()).isEqualTo(5L * SPANS_PER_BATCH);
  }

  @Test
  void findsOutWhichBatchBreaksTheStream() {
    SpanExporter sending = start(settings(true));
    collector.setPolicy((sequence, _) -> sequence == 4 ? Answer.BREAK_STREAM : Answer.STORE);
    for (int i = 0; i < 12; i++) {
      submit(sending);
    }
    until(() -> sending.heldBatches() == 0);
    assertThat(collector.sequences())
        .containsExactly(1L, 2L, 3L, 5L, 6L, 7L, 8L, 9L, 10L, 11L, 12L);
    assertThat(ledger.dropped(DropReason.REJECTED)).isEqualTo(SPANS_PER_BATCH);
  }

  @Test
  void aRegionThatIsAwayHoldsBackNoOtherBatch() {
    AtomicBoolean away = new AtomicBoolean(true);
    collector.setPolicy(
        (sequence, _) -> sequence % 2 == 1 && away.get() ? Answer.REGION_AWAY : Answer.STORE);
    SpanExporter sending = start(settings(true));
    for (int i = 0; i < 40; i++) {
      submit(sending);
    }
    until(() -> sending.exportedBatches() == 20);
    assertThat(collector.sequences()).allMatch(sequence -> sequence % 2 == 0);
    assertThat(sending.heldBatches()).isEqualTo(20);
    assertThat(sending.sentBatches()).as("only the oldest is tried").isLessThan(60);
    away.set(false);
    until(() -> sending.heldBatches() == 0);
    assertThat(collector.spanIds()).containsExactlyElementsOf(spanIdsMade());
    assertThat(collector.streams()).isEqualTo(1);
    assertThat(ledger.acknowledged()).isEqualTo(40L * SPANS_PER_BATCH);
    assertThat(ledger.snapshot().total().droppedTotal()).isZero();
  }

  @Test
  void holdsEverythingUntilItIsLetIn() throws IOException {
    Path file = Files.writeString(directory.resolve("token"), "an-old-token");
    collector.letIn("Bearer the-token");
    SpanExporter sending =
        start(settings(true), CollectorToken.inFile(file, e -> fail("token not taken", e)));
    for (int i = 0; i < 3; i++) {
      submit(sending);
    }
    // More often than a batch may break streams.
    until(() -> collector.refused() >= 5);
    assertThat(sending.heldBatches()).isEqualTo(3);
    assertThat(ledger.snapshot().total().droppedTotal()).isZero();

    Files.writeString(file, "the-token\n");
    until(() -> sending.heldBatches() == 0);
    assertThat(collector.spanIds()).containsExactlyElementsOf(spanIdsMade());
    assertThat(ledger.acknowledged()).isEqualTo(3L * SPANS_PER_BATCH);
  }

  @Test
  void sendsAgainWhenNoAnswerComes() {
    SpanExporter sending = start(settings(true));
    collector.setPolicy((_, before) -> before == 0 ? Answer.STORE_IN_SILENCE : Answer.STORE);
    for (int i = 0; i < 3; i++) {
      submit(sending);
    }
    until(() -> sending.heldBatches() == 0);
    assertThat(collector.spanIds()).containsExactlyElementsOf(spanIdsMade());
    assertThat(collector.storedAgain()).isEqualTo(3);
    assertThat(ledger.snapshot().total().droppedTotal()).isZero();
  }

  @Test
  void holdsABoundedNumberOfBatchesAndDropsTheOldest() throws IOException {
    collector.kill();
    SpanExporter sending = start(settings(true));
    for (int i = 0; i < 300; i++) {
      submit(sending);
    }
    assertThat(sending.heldBatches()).isEqualTo(200);
    assertThat(ledger.dropped(DropReason.QUEUE_FULL)).isEqualTo(100L * SPANS_PER_BATCH);
    collector.start();
    until(() -> sending.heldBatches() == 0);
    assertThat(collector.sequences()).hasSize(200).startsWith(101L).endsWith(300L);
    assertThat(ledger.acknowledged()).isEqualTo(200L * SPANS_PER_BATCH);
  }

  @Test
  void holdsABoundedNumberOfBytes() {
    collector.kill();
    ExportSettings roomy = settings(true);
    SpanExporter sending =
        start(
            new ExportSettings(
                roomy.collectorHost(),
                roomy.collectorPort(),
                roomy.agentId(),
                roomy.bootId(),
                100_000,
                roomy.queueBatchesMax(),
                roomy.inFlightMax(),
                roomy.acknowledgeTimeout(),
                roomy.spoolAfter(),
                true));
    for (int i = 0; i < 100; i++) {
      submit(sending);
      assertThat(sending.heldBytes()).isLessThanOrEqualTo(100_000);
    }
    assertThat(sending.heldBatches()).isBetween(5L, 50L);
  }

  @Test
  void handsOverEverythingBeforeItCloses() {
    SpanExporter sending = start(settings(true));
    for (int i = 0; i < 20; i++) {
      submit(sending);
    }
    sending.close(Duration.ofSeconds(20));
    assertThat(collector.spanIds()).containsExactlyElementsOf(spanIdsMade());
    submit(sending);
    assertThat(ledger.dropped(DropReason.CLOSED)).isEqualTo(SPANS_PER_BATCH);
  }

  @Test
  void saysWhatIsLostWhenItClosesWithoutACollector() {
    collector.kill();
    SpanExporter sending = start(settings(true));
    for (int i = 0; i < 20; i++) {
      submit(sending);
    }
    long beganNs = System.nanoTime();
    sending.close(Duration.ofMillis(300));
    assertThat(Duration.ofNanos(System.nanoTime() - beganNs)).isLessThan(Duration.ofSeconds(10));
    assertThat(ledger.dropped(DropReason.CLOSED)).isEqualTo(20L * SPANS_PER_BATCH);
    assertThat(sending.heldBatches()).isZero();
  }

  private SpanExporter start(ExportSettings settings) {
    return start(settings, null);
  }

  private SpanExporter start(ExportSettings settings, @Nullable CollectorToken token) {
    SpanExporter started =
        SpanExporter.start(
            settings,
            CollectorChannel.open(settings.collectorHost(), settings.collectorPort(), null, token),
            ledger,
            null);
    exporter = started;
    return started;
  }

  private ExportSettings settings(boolean compressed) {
    return new ExportSettings(
        "127.0.0.1",
        collector.port(),
        "agent-1",
        "boot-1",
        64L << 20,
        200,
        8,
        Duration.ofSeconds(1),
        Duration.ofSeconds(10),
        compressed);
  }

  private void submit(SpanExporter sending) {
    made.submit(sending);
  }

  private List<Long> spanIdsMade() {
    return new ArrayList<>(LongStream.range(1, made.nextSpanId()).boxed().toList());
  }

  private static void until(BooleanSupplier condition) {
    long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - deadlineNs).as("60 s have passed").isNegative();
      LockSupport.parkNanos(1_000_000);
    }
  }
}
