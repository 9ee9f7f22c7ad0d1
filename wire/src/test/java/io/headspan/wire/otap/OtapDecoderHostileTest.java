package io.headspan.wire.otap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import io.headspan.wire.RandomBatches;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otlp.OtlpEncoder;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayload;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayloadType;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class OtapDecoderHostileTest {
  private static final long LIMIT_BYTES = 16L << 20;

  /// Mutations of recorded streams: flipped bits, cut and inserted bytes, huge lengths, exchanged
  /// types, schemas and payloads. Each gives spans or one OtapException, nothing else, and soon.
  @ParameterizedTest
  @Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  @ValueSource(
      strings = {
        "02-everything-zstd",
        "03-everything-uncompressed",
        "04-columns-appear-later",
        "06-dictionary-limit-u8-reset-or-plain",
        "07-no-dictionaries"
      })
  void survivesMutations(String name) throws IOException {
    List<BatchArrowRecords> batches = RecordedStream.batches(name);
    SplittableRandom random = new SplittableRandom(name.hashCode());
    int rejected = 0;
    for (int round = 0; round < 400; round++) {
      int victim = random.nextInt(Math.min(3, batches.size()));
      BatchArrowRecords mutated = mutate(batches.get(victim), random);
      OtapDecoder decoder = new OtapDecoder(LIMIT_BYTES);
      try (decoder) {
        for (int i = 0; i < victim; i++) {
          decoder.decode(batches.get(i));
        }
        try {
          SpanBatch spans = decoder.decode(mutated);
          assertThat(OtlpEncoder.encode(spans).getResourceSpansCount())
              .isEqualTo(spans.resources());
        } catch (OtapException e) {
          rejected++;
          assertThat(e.getMessage()).isNotBlank();
          if (e.kind() != OtapException.Kind.UNSUPPORTED) {
            assertThatThrownBy(() -> decoder.decode(batches.getFirst()))
                .hasMessageStartingWith("OTAP stream has ended");
          }
        }
      }
      assertThat(decoder.dictionaryBytes()).isZero();
    }
    assertThat(rejected).isPositive();
  }

  @Test
  void rejectsEveryTruncation() throws IOException {
    BatchArrowRecords batch = RecordedStream.batches("03-everything-uncompressed").getFirst();
    for (int p = 0; p < batch.getArrowPayloadsCount(); p++) {
      ByteString record = batch.getArrowPayloads(p).getRecord();
      for (int length = 0; length < record.size() - 8; length += 1 + record.size() / 60) {
        BatchArrowRecords cut = withRecord(batch, p, record.substring(0, length));
        try (OtapDecoder decoder = new OtapDecoder()) {
          assertThatThrownBy(() -> decoder.decode(cut))
              .isInstanceOfSatisfying(
                  OtapException.class,
                  e -> assertThat(e.kind()).isEqualTo(OtapException.Kind.INVALID));
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"20-logs, LOGS", "30-metrics, UNIVARIATE_METRICS"})
  void refusesOtherSignalsAndGoesOn(String name, String type) throws IOException {
    RecordedStream traces = RecordedStream.traces("04-columns-appear-later");
    try (OtapDecoder decoder = new OtapDecoder()) {
      decoder.decode(traces.batches().getFirst());
      for (BatchArrowRecords batch : RecordedStream.batches(name)) {
        assertThatThrownBy(() -> decoder.decode(batch))
            .isInstanceOfSatisfying(
                OtapException.class,
                e -> assertThat(e.kind()).isEqualTo(OtapException.Kind.UNSUPPORTED))
            .hasMessage(
                "not a payload of traces: type="
                    + type
                    + "; send other signals to their own receivers");
      }
      assertThat(decoder.decode(traces.batches().get(1)).size()).isPositive();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3, 99, -1})
  void rejectsUnknownPayloadTypes(int type) throws IOException {
    BatchArrowRecords batch = RecordedStream.batches("01-one-bare-span").getFirst();
    BatchArrowRecords unknown =
        batch.toBuilder().addArrowPayloads(ArrowPayload.newBuilder().setTypeValue(type)).build();
    try (OtapDecoder decoder = new OtapDecoder()) {
      assertThatThrownBy(() -> decoder.decode(unknown))
          .isInstanceOfSatisfying(
              OtapException.class, e -> assertThat(e.kind()).isEqualTo(OtapException.Kind.INVALID))
          .hasMessage("unknown payload type: type=" + type + "; send the payloads of traces");
      assertThat(decoder.decode(batch).size()).isEqualTo(1);
    }
  }

  @Test
  void rejectsABatchWithoutSpansAndOneWithTwoSpansPayloads() throws IOException {
    BatchArrowRecords batch = RecordedStream.batches("01-one-bare-span").getFirst();
    try (OtapDecoder decoder = new OtapDecoder()) {
      BatchArrowRecords headless = batch.toBuilder().removeArrowPayloads(0).build();
      assertThatThrownBy(() -> decoder.decode(headless))
          .hasMessageStartingWith("batch without spans: batch=0, payloads=[RESOURCE_ATTRS");
    }
    try (OtapEncoder encoder = new OtapEncoder();
        OtapDecoder decoder = new OtapDecoder()) {
      SpanBatch spans = new RandomBatches(1).next(3, 0, 5);
      ArrowPayload first = encoder.encode(0, spans, Map.of()).getArrowPayloads(0);
      ArrowPayload second = encoder.encode(1, spans, Map.of()).getArrowPayloads(0);
      BatchArrowRecords twice =
          BatchArrowRecords.newBuilder().addArrowPayloads(first).addArrowPayloads(second).build();
      assertThatThrownBy(() -> decoder.decode(twice))
          .hasMessage("more than one payload of a type: type=SPANS; send one in each batch");
    }
  }

  @Test
  void staysWithinItsMemoryLimit() throws IOException {
    List<BatchArrowRecords> batches = RecordedStream.batches("02-everything-zstd");
    try (OtapDecoder decoder = new OtapDecoder(50_000)) {
      assertThatThrownBy(() -> decoder.decode(batches.getFirst()))
          .isInstanceOfSatisfying(
              OtapException.class, e -> assertThat(e.kind()).isEqualTo(OtapException.Kind.LIMIT))
          .hasMessageStartingWith("OTAP stream needs too much memory: dictionaries=")
          .hasMessageContaining("limit=50000");
    }
  }

  @Test
  void neverDecodesAnotherBatchAfterAFailure() throws IOException {
    List<BatchArrowRecords> batches = RecordedStream.batches("04-columns-appear-later");
    try (OtapDecoder decoder = new OtapDecoder()) {
      decoder.decode(batches.get(0));
      BatchArrowRecords broken = withRecord(batches.get(1), 0, ByteString.EMPTY);
      assertThatThrownBy(() -> decoder.decode(broken)).hasMessageStartingWith("no record batch");
      assertThatThrownBy(() -> decoder.decode(batches.get(1)))
          .hasMessage(
              "OTAP stream has ended: batch=1, reason=an earlier batch could not be decoded;"
                  + " start another one");
    }
  }

  private static BatchArrowRecords mutate(BatchArrowRecords batch, SplittableRandom random) {
    int p = random.nextInt(batch.getArrowPayloadsCount());
    byte[] bytes = batch.getArrowPayloads(p).getRecord().toByteArray();
    // Half of the time where the metadata of the first message is: that is where it hurts most.
    int bound = random.nextBoolean() ? bytes.length : Math.min(bytes.length, 2_000);
    int at = random.nextInt(bound);
    switch (random.nextInt(8)) {
      case 0, 1 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
      case 2 -> {
        for (int i = 0; i < 8; i++) {
          bytes[random.nextInt(bound)] = (byte) random.nextInt(256);
        }
      }
      case 3 -> {
        int[] lengths = {Integer.MAX_VALUE, Integer.MIN_VALUE, -1, 0, 1, 0xffff};
        int word = Math.min(at & ~3, bytes.length - 4);
        Slice.INT.set(bytes, word, lengths[random.nextInt(lengths.length)]);
      }
      case 4 -> {
        return withRecord(batch, p, ByteString.copyFrom(bytes, 0, at));
      }
      case 5 -> {
        ByteString record = ByteString.copyFrom(bytes);
        return withRecord(
            batch,
            p,
            record
                .substring(0, at)
                .concat(ByteString.fromHex("0011223344556677"))
                .concat(record.substring(at)));
      }
      case 6 -> {
        ArrowPayload payload = batch.getArrowPayloads(p);
        ArrowPayload other =
            payload.toBuilder()
                .setType(
                    ArrowPayloadType.forNumber(
                        new int[] {1, 2, 30, 40, 41, 42, 43, 44, 45}[random.nextInt(9)]))
                .build();
        return batch.toBuilder().setArrowPayloads(p, other).build();
      }
      default -> {
        ArrowPayload other = batch.getArrowPayloads(random.nextInt(batch.getArrowPayloadsCount()));
        return withRecord(batch, p, other.getRecord());
      }
    }
    return withRecord(batch, p, ByteString.copyFrom(bytes));
  }

  private static BatchArrowRecords withRecord(BatchArrowRecords batch, int p, ByteString record) {
    ArrowPayload payload = batch.getArrowPayloads(p).toBuilder().setRecord(record).build();
    return batch.toBuilder().setArrowPayloads(p, payload).build();
  }
}
