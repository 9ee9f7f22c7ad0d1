package io.headspan.wire.otap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.RandomBatches;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.SpanMultiset;
import io.headspan.wire.otlp.OtlpEncoder;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayload;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayloadType;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OtapEncoderTest {
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void givesBackWhatWentInWhileColumnsAppearAndDictionariesGrow(long seed) {
    RandomBatches random = new RandomBatches(seed);
    Set<String> schemas = new HashSet<>();
    try (OtapEncoder encoder = new OtapEncoder();
        OtapDecoder decoder = new OtapDecoder()) {
      for (int i = 0; i < 60; i++) {
        int spans = i % 7 == 0 ? 1 : 6 * i;
        SpanBatch batch = random.next(spans, i / 5, 2 + i * i);
        BatchArrowRecords records = encoder.encode(i, batch, Map.of());
        checkRules(records, schemas);
        assertSame(decoder.decode(records), batch, "batch " + i);
      }
      assertThat(decoder.ignoredRows()).isZero();
    }
    assertThat(schemas).hasSizeGreaterThan(20);
  }

  @Test
  void replacesFullDictionariesAndTurnsUnrepetitiveColumnsPlain() {
    RandomBatches random = new RandomBatches(4);
    Set<String> schemas = new HashSet<>();
    long dictionaryBytes = 0;
    try (OtapEncoder encoder = new OtapEncoder();
        OtapDecoder decoder = new OtapDecoder()) {
      // Repetitive at first, then hardly any text twice.
      for (int i = 0; i < 24; i++) {
        SpanBatch batch = random.next(5_000, 3, i < 16 ? 100_000 : 1_000_000_000);
        BatchArrowRecords records = encoder.encode(i, batch, Map.of());
        checkRules(records, schemas);
        SpanBatch decoded = decoder.decode(records);
        if (i % 4 == 1) {
          assertSame(decoded, batch, "batch " + i);
        }
        dictionaryBytes = Math.max(dictionaryBytes, decoder.dictionaryBytes());
      }
    }
    assertThat(dictionaryBytes).isLessThan(16L << 20);
  }

  @Test
  void writesWhatArrowsOwnReaderReads() {
    RandomBatches random = new RandomBatches(8);
    Map<String, ArrowReaderOracle> readers = new HashMap<>();
    try (OtapEncoder encoder = new OtapEncoder()) {
      for (int i = 0; i < 30; i++) {
        SpanBatch batch = random.next(300, i / 2, 2 + i * i);
        for (ArrowPayload payload : encoder.encode(i, batch, Map.of()).getArrowPayloadsList()) {
          ArrowReaderOracle reader =
              readers.computeIfAbsent(payload.getSchemaId(), _ -> new ArrowReaderOracle());
          switch (payload.getType()) {
            case SPANS ->
                assertThat(reader.values(payload, "name").stream().sorted())
                    .containsExactlyElementsOf(names(batch));
            case SPAN_ATTRS ->
                assertThat(reader.values(payload, "str").stream().sorted())
                    .containsExactlyElementsOf(texts(batch.spanAttributes(), batch));
            case RESOURCE_ATTRS, SCOPE_ATTRS -> reader.values(payload, "int");
            case SPAN_EVENTS ->
                assertThat(reader.values(payload, "parent_id")).hasSize(batch.events());
            case SPAN_LINKS -> assertThat(reader.values(payload, "span_id")).hasSize(batch.links());
            case SPAN_EVENT_ATTRS ->
                assertThat(reader.values(payload, "str").stream().sorted())
                    .containsExactlyElementsOf(texts(batch.eventAttributes(), batch));
            default ->
                assertThat(reader.values(payload, "type")).hasSize(batch.linkAttributes().size());
          }
        }
      }
    } finally {
      readers.values().forEach(ArrowReaderOracle::close);
    }
  }

  private static List<String> names(SpanBatch batch) {
    List<String> names = new ArrayList<>();
    for (int row = 0; row < batch.size(); row++) {
      names.add(batch.text(batch.name(row)));
    }
    return names.stream().sorted().toList();
  }

  private static List<String> texts(Attributes attributes, SpanBatch batch) {
    List<String> texts = new ArrayList<>();
    for (int row = 0; row < attributes.size(); row++) {
      if (attributes.type(row) == AttributeType.STRING) {
        texts.add(batch.text((int) attributes.value(row)));
      }
    }
    return texts.stream().sorted().toList();
  }

  @Test
  void keepsSchemaAndDictionariesWhileNothingNewAppears() {
    RandomBatches random = new RandomBatches(5);
    try (OtapEncoder encoder = new OtapEncoder();
        OtapDecoder decoder = new OtapDecoder()) {
      SpanBatch batch = random.next(2_000, 10, 100);
      int first = encoder.encode(0, batch, Map.of()).getSerializedSize();
      BatchArrowRecords records = encoder.encode(1, batch, Map.of());
      assertThat(first - records.getSerializedSize()).isGreaterThan(3_000);
      assertThatThrownBy(() -> decoder.decode(records))
          .isInstanceOfSatisfying(
              OtapException.class, e -> assertThat(e.kind()).isEqualTo(OtapException.Kind.INVALID))
          .hasMessageContaining("Arrow data before its schema: schema=40.1");
    }
  }

  @Test
  void leavesOutWhatIsEmpty() {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    builder.addSpan(builder.addScope(builder.addResource()));
    builder.traceIdLow(0, 1);
    builder.spanId(0, 2);
    try (OtapEncoder encoder = new OtapEncoder();
        OtapDecoder decoder = new OtapDecoder()) {
      BatchArrowRecords records = encoder.encode(0, builder.build(), Map.of());
      assertThat(records.getArrowPayloadsList())
          .extracting(ArrowPayload::getType)
          .containsExactly(ArrowPayloadType.SPANS);
      assertThat(ArrowReaderOracle.columns(records.getArrowPayloads(0)))
          .containsExactly(
              "resource.id",
              "scope.id",
              "start_time_unix_nano",
              "duration_time_unix_nano",
              "trace_id",
              "span_id",
              "name");
      assertThat(decoder.decode(records).spanId(0)).isEqualTo(2);

      BatchArrowRecords empty = encoder.encode(1, new SpanBatch.Builder().build(), Map.of());
      assertThat(empty.getArrowPayloadsList()).isEmpty();
      assertThat(decoder.decode(empty).size()).isZero();
    }
  }

  @Test
  void sendsHeadersWithTheBatch() {
    OtapHeaders receiver = new OtapHeaders();
    SpanBatch batch = new RandomBatches(6).next(3, 0, 3);
    try (OtapEncoder encoder = new OtapEncoder()) {
      for (int i = 0; i < 3; i++) {
        Map<String, String> headers = Map.of("headspan-sequence", "" + i, "headspan-boot-id", "b");
        assertThat(receiver.decode(encoder.encode(i, batch, headers).getHeaders()))
            .isEqualTo(headers);
      }
    }
  }

  @Test
  void refusesMoreSpansThanIdsAndGoesOn() {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    int scope = builder.addScope(builder.addResource());
    int key = builder.table().intern("key");
    for (int i = 0; i < 65_536; i++) {
      int span = builder.addSpan(scope);
      builder.spanId(span, i + 1L);
      builder.spanAttributes().add(span, key, (byte) 2, i);
    }
    SpanBatch tooMany = builder.build();
    try (OtapEncoder encoder = new OtapEncoder();
        OtapDecoder decoder = new OtapDecoder()) {
      assertThatThrownBy(() -> encoder.encode(0, tooMany, Map.of()))
          .isInstanceOfSatisfying(
              OtapException.class, e -> assertThat(e.kind()).isEqualTo(OtapException.Kind.LIMIT))
          .hasMessage(
              "too many spans with attributes, events or links for one OTAP batch:"
                  + " count=65536, limit=65535; send the batch in parts");
      SpanBatch batch = new RandomBatches(7).next(70, 10, 10);
      assertSame(decoder.decode(encoder.encode(1, batch, Map.of())), batch, "after the refusal");
    }
  }

  /// What every batch owes to a strict receiver and to the Go consumer.
  private static void checkRules(BatchArrowRecords records, Set<String> schemas) {
    assertThat(records.getArrowPayloads(0).getType()).isEqualTo(ArrowPayloadType.SPANS);
    Map<String, ArrowPayloadType> typeOfSchema = new HashMap<>();
    List<ArrowPayloadType> types = new ArrayList<>();
    for (ArrowPayload payload : records.getArrowPayloadsList()) {
      types.add(payload.getType());
      schemas.add(payload.getSchemaId());
      assertThat(typeOfSchema.put(payload.getSchemaId(), payload.getType())).isNull();
      assertThat(payload.getSchemaId()).startsWith(payload.getTypeValue() + ".");
    }
    assertThat(types).doesNotHaveDuplicates();
  }

  private static void assertSame(SpanBatch actual, SpanBatch expected, String what) {
    assertThat(SpanMultiset.of(OtlpEncoder.encode(actual).getResourceSpansList()))
        .describedAs(what)
        .isEqualTo(SpanMultiset.of(OtlpEncoder.encode(expected).getResourceSpansList()));
  }
}
