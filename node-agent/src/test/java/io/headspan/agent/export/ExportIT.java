package io.headspan.agent.export;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.export.ArrowCollector.Answer;
import io.headspan.wire.AttributeType;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.Utf8Table;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Against a real gRPC server with the real decoder, killed, silent and refusing.
class ExportIT {
  private static final long SPANS_PER_BATCH = 50;

  private final ArrowCollector collector = new ArrowCollector();
  private @Nullable SpanExporter exporter;
  private long nextSpanId = 1;

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
      sending.submit(batch());
    }
    until(() -> sending.exportedBatches() == 100);
    assertThat(collector.spanIds()).containsExactlyElementsOf(spanIdsMade());
    assertThat(collector.sequences()).hasSize(100).startsWith(1L, 2L).endsWith(100L);
    assertThat(collector.tokenPrefix()).isEqualTo("agent-1/boot-1");
    assertThat(collector.streams()).isEqualTo(1);
    assertThat(sending.sentBatches()).isEqualTo(100);
    assertThat(sending.exportedSpans()).isEqualTo(100L * SPANS_PER_BATCH);
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
      sending.submit(batch());
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
    assertThat(sending.exportedSpans()).isEqualTo(100L * SPANS_PER_BATCH);
    assertThat(sending.brokenStreams()).isGreaterThanOrEqualTo(10);
    assertThat(sending.dropped().total()).isZero();
  }

  @Test
  void sendsAgainWhatTheCollectorHadNoRoomFor() {
    SpanExporter sending = start(settings(true));
    collector.setPolicy((_, before) -> before < 3 ? Answer.UNAVAILABLE : Answer.STORE);
    for (int i = 0; i < 5; i++) {
      sending.submit(batch());
    }
    until(() -> sending.heldBatches() == 0);
    assertThat(collector.spanIds()).containsExactlyElementsOf(spanIdsMade());
    assertThat(collector.streams()).as("a batch refused for now breaks no stream").isEqualTo(1);
    assertThat(sending.sentBatches()).isEqualTo(20);
    assertThat(sending.dropped().total()).isZero();
  }

  @Test
  void givesUpABatchThatIsRefusedForGood() {
    SpanExporter sending = start(settings(true));
    collector.setPolicy((sequence, _) -> sequence == 3 ? Answer.REFUSE : Answer.STORE);
    for (int i = 0; i < 6; i++) {
      sending.submit(batch());
    }
    until(() -> sending.heldBatches() == 0);
    assertThat(collector.sequences()).containsExactly(1L, 2L, 4L, 5L, 6L);
    assertThat(sending.dropped().count(DropReason.REJECTED)).isEqualTo(SPANS_PER_BATCH);
    assertThat(sending.exportedSpans()).isEqualTo(5 * SPANS_PER_BATCH);
  }

  @Test
  void findsOutWhichBatchBreaksTheStream() {
    SpanExporter sending = start(settings(true));
    collector.setPolicy((sequence, _) -> sequence == 4 ? Answer.BREAK_STREAM : Answer.STORE);
    for (int i = 0; i < 12; i++) {
      sending.submit(batch());
    }
    until(() -> sending.heldBatches() == 0);
    assertThat(collector.sequences())
        .containsExactly(1L, 2L, 3L, 5L, 6L, 7L, 8L, 9L, 10L, 11L, 12L);
    assertThat(sending.dropped().count(DropReason.REJECTED)).isEqualTo(SPANS_PER_BATCH);
  }

  @Test
  void sendsAgainWhenNoAnswerComes() {
    SpanExporter sending = start(settings(true));
    collector.setPolicy((_, before) -> before == 0 ? Answer.STORE_IN_SILENCE : Answer.STORE);
    for (int i = 0; i < 3; i++) {
      sending.submit(batch());
    }
    until(() -> sending.heldBatches() == 0);
    assertThat(collector.spanIds()).containsExactlyElementsOf(spanIdsMade());
    assertThat(collector.storedAgain()).isEqualTo(3);
    assertThat(sending.dropped().total()).isZero();
  }

  @Test
  void holdsABoundedNumberOfBatchesAndDropsTheOldest() throws IOException {
    collector.kill();
    SpanExporter sending = start(settings(true));
    for (int i = 0; i < 300; i++) {
      sending.submit(batch());
    }
    assertThat(sending.heldBatches()).isEqualTo(200);
    assertThat(sending.dropped().count(DropReason.QUEUE_FULL)).isEqualTo(100L * SPANS_PER_BATCH);
    collector.start();
    until(() -> sending.heldBatches() == 0);
    assertThat(collector.sequences()).hasSize(200).startsWith(101L).endsWith(300L);
    assertThat(sending.exportedSpans()).isEqualTo(200 * SPANS_PER_BATCH);
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
                true));
    for (int i = 0; i < 100; i++) {
      sending.submit(batch());
      assertThat(sending.heldBytes()).isLessThanOrEqualTo(100_000);
    }
    assertThat(sending.heldBatches()).isBetween(5L, 50L);
  }

  @Test
  void handsOverEverythingBeforeItCloses() {
    SpanExporter sending = start(settings(true));
    for (int i = 0; i < 20; i++) {
      sending.submit(batch());
    }
    sending.close(Duration.ofSeconds(20));
    assertThat(collector.spanIds()).containsExactlyElementsOf(spanIdsMade());
    sending.submit(batch());
    assertThat(sending.dropped().count(DropReason.CLOSED)).isEqualTo(SPANS_PER_BATCH);
  }

  @Test
  void saysWhatIsLostWhenItClosesWithoutACollector() {
    collector.kill();
    SpanExporter sending = start(settings(true));
    for (int i = 0; i < 20; i++) {
      sending.submit(batch());
    }
    long beganNs = System.nanoTime();
    sending.close(Duration.ofMillis(300));
    assertThat(Duration.ofNanos(System.nanoTime() - beganNs)).isLessThan(Duration.ofSeconds(10));
    assertThat(sending.dropped().count(DropReason.CLOSED)).isEqualTo(20 * SPANS_PER_BATCH);
    assertThat(sending.heldBatches()).isZero();
  }

  private SpanExporter start(ExportSettings settings) {
    SpanExporter started = SpanExporter.start(settings);
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
        compressed);
  }

  private SpanBatch batch() {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    Utf8Table table = builder.table();
    int resource = builder.addResource();
    builder
        .resourceAttributes()
        .add(
            resource, table.intern("service.name"), AttributeType.STRING, table.intern("checkout"));
    int scope = builder.addScope(resource);
    for (int i = 0; i < SPANS_PER_BATCH; i++) {
      int span = builder.addSpan(scope);
      builder.spanId(span, nextSpanId);
      builder.traceIdLow(span, 7);
      builder.startNs(span, 1_000_000L * nextSpanId);
      builder.name(span, table.intern("GET /orders/{id}"));
      builder.kind(span, (byte) 2);
      builder
          .spanAttributes()
          .add(
              span,
              table.intern("url.path"),
              AttributeType.STRING,
              table.intern("/orders/" + nextSpanId));
      nextSpanId++;
    }
    return builder.build();
  }

  private List<Long> spanIdsMade() {
    return new ArrayList<>(LongStream.range(1, nextSpanId).boxed().toList());
  }

  private static void until(BooleanSupplier condition) {
    long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - deadlineNs).as("60 s have passed").isNegative();
      LockSupport.parkNanos(1_000_000);
    }
  }
}
