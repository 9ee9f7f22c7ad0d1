package io.headspan.wire.otap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayload;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayloadType;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.apache.arrow.vector.LargeVarCharVector;
import org.apache.arrow.vector.ViewVarCharVector;
import org.apache.arrow.vector.complex.ListVector;
import org.apache.arrow.vector.complex.impl.UnionListWriter;
import org.apache.arrow.vector.compression.CompressionUtil;
import org.apache.arrow.vector.types.FloatingPointPrecision;
import org.apache.arrow.vector.types.TimeUnit;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Forms that senders other than Go's may use, and the rules that only odd data show.
class OtapDecoderFormsTest {
  private static final ArrowType.Int U8 = new ArrowType.Int(8, false);
  private static final ArrowType.Int U16 = new ArrowType.Int(16, false);
  private static final ArrowType.Int U32 = new ArrowType.Int(32, false);
  private static final ArrowType.Int I8 = new ArrowType.Int(8, true);
  private static final ArrowType.Int I32 = new ArrowType.Int(32, true);
  private static final ArrowType.Int I64 = new ArrowType.Int(64, true);
  private static final ArrowType UTF8 = ArrowType.Utf8.INSTANCE;
  private static final ArrowType BINARY = ArrowType.Binary.INSTANCE;
  private static final ArrowType BOOL = ArrowType.Bool.INSTANCE;
  private static final ArrowType DOUBLE =
      new ArrowType.FloatingPoint(FloatingPointPrecision.DOUBLE);
  private static final ArrowType TIME = new ArrowType.Timestamp(TimeUnit.NANOSECOND, "UTC");
  private static final ArrowType ZONELESS = new ArrowType.Timestamp(TimeUnit.NANOSECOND, null);
  private static final ArrowType DURATION = new ArrowType.Duration(TimeUnit.NANOSECOND);
  private static final ArrowType TRACE_ID = new ArrowType.FixedSizeBinary(16);
  private static final ArrowType SPAN_ID = new ArrowType.FixedSizeBinary(8);

  @Test
  void sumsParentsByTheWorkedExample() {
    try (HandmadePayload rows = new HandmadePayload()) {
      rows.column("type", U8, 1, 1, 1, 1, 6, 6);
      rows.column("key", UTF8, "a", "a", "a", "b", "s", "s");
      rows.column("str", UTF8, "x", "x", "y", "y", null, null);
      rows.column("ser", BINARY, null, null, null, null, hex("80"), hex("80"));
      rows.column("parent_id", U16, 3, 2, 1, 4, 2, 7);
      assertThat(attributes(rows, 8))
          .containsExactlyInAnyOrder(
              "3 a=x", "5 a=x", "1 a=y", "4 b=y", "2 s=slice 9fff", "7 s=slice 9fff");
    }
  }

  @Test
  void wrapsParentsInTheWidthOfTheirColumn() {
    try (HandmadePayload rows = new HandmadePayload()) {
      rows.column("type", U8, 2, 2, 2);
      rows.column("key", UTF8, "a", "a", "a");
      rows.column("int", I64, 7L, 7L, 7L);
      rows.column("parent_id", U16, 5, 65_533, 65_535);
      assertThat(attributes(rows, 8)).containsExactlyInAnyOrder("5 a=7", "2 a=7", "1 a=7");
    }
  }

  @Test
  void comparesDoublesAsNumbers() {
    try (HandmadePayload rows = new HandmadePayload()) {
      rows.column("type", U8, 3, 3, 3, 3);
      rows.column("key", UTF8, "a", "a", "a", "a");
      rows.column("double", DOUBLE, 0.0, -0.0, Double.NaN, Double.NaN);
      rows.column("parent_id", U16, 1, 1, 1, 1);
      assertThat(attributes(rows, 4))
          .containsExactlyInAnyOrder("1 a=0.0", "2 a=-0.0", "1 a=NaN", "1 a=NaN");
    }
  }

  @Test
  void readsMissingAndNullValuesAsDefaults() {
    try (HandmadePayload rows = new HandmadePayload()) {
      rows.column("type", U8, 0, 1, 1, 2, 3, 4, 5, 6, 7, 7);
      rows.column("key", UTF8, "e", "s", "s", "i", "d", "b", "m", "l", "y", "y");
      rows.column("str", UTF8, null, null, "", null, null, null, null, null, null, null);
      rows.column("bytes", BINARY, null, null, null, null, null, null, null, null, null, hex(""));
      // Null and empty are one value, so the second of each pair is a step.
      rows.column("parent_id", U16, 0, 1, 1, 3, 4, 5, 6, 7, 1, 1);
      assertThat(attributes(rows, 9))
          .containsExactlyInAnyOrder(
              "0 e=empty",
              "1 s=",
              "2 s=",
              "3 i=0",
              "4 d=0.0",
              "5 b=false",
              "6 m=map bfff",
              "7 l=slice 9fff",
              "1 y=bytes ",
              "2 y=bytes ");
    }
  }

  @Test
  void obeysTheEncodingThatAFieldNames() {
    for (String encoding : List.of("plain", "delta", "quasidelta")) {
      try (HandmadePayload rows = new HandmadePayload()) {
        rows.column("type", U8, 4, 4, 4);
        rows.column("key", UTF8, "a", "a", "b");
        rows.column("bool", BOOL, true, true, true);
        rows.encoded("parent_id", U16, encoding, 1, 2, 3);
        assertThat(attributes(rows, 8))
            .containsExactlyInAnyOrderElementsOf(
                switch (encoding) {
                  case "plain" -> List.of("1 a=true", "2 a=true", "3 b=true");
                  case "delta" -> List.of("1 a=true", "3 a=true", "6 b=true");
                  default -> List.of("1 a=true", "3 a=true", "3 b=true");
                });
      }
    }
    try (HandmadePayload rows = new HandmadePayload()) {
      rows.column("type", U8, 4);
      rows.column("key", UTF8, "a");
      rows.encoded("parent_id", U16, "gorilla", 1);
      assertThatThrownBy(() -> attributes(rows, 8))
          .hasMessageStartingWith(
              "unknown encoding of an id column: column=parent_id, encoding=gorilla");
    }
  }

  @Test
  void countsRowsWithoutOwnerOrOfUnknownType() {
    try (HandmadePayload rows = new HandmadePayload();
        HandmadePayload spans = new HandmadePayload();
        OtapDecoder decoder = new OtapDecoder()) {
      rows.column("type", U8, 1, 1, 8);
      rows.column("key", UTF8, "a", "b", "c");
      rows.column("str", UTF8, "x", "y", "z");
      rows.column("parent_id", U16, 0, 9, 0);
      SpanBatch batch =
          decoder.decode(
              batch(
                  spans(spans, 1).build(ArrowPayloadType.SPANS, "s"),
                  rows.build(ArrowPayloadType.SPAN_ATTRS, "a")));
      assertThat(describe(batch, batch.spanAttributes())).containsExactly("0 a=x");
      assertThat(decoder.ignoredRows()).isEqualTo(2);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"NO_COMPRESSION", "LZ4_FRAME", "ZSTD"})
  void readsDictionariesOfEveryIndexAndType(CompressionUtil.CodecType codec) {
    try (HandmadePayload rows = new HandmadePayload().compressed(codec);
        OtapDecoder decoder = new OtapDecoder()) {
      rows.indexed("trace_id", U8, TRACE_ID, List.of(id(16, 1), id(16, 2)), 1, 0, 1);
      rows.indexed("span_id", U16, SPAN_ID, List.of(id(8, 5), id(8, 6), id(8, 7)), 0, 1, 2);
      rows.indexed("parent_span_id", U32, SPAN_ID, List.of(id(8, 5)), null, 0, 0);
      rows.indexed("start_time_unix_nano", I8, ZONELESS, List.of(10L, 20L), 0, 1, 1);
      rows.indexed("duration_time_unix_nano", U8, DURATION, List.of(3L), 0, 0, 0);
      rows.indexed("name", I32, UTF8, List.of("a", "b"), 1, null, 0);
      rows.indexed("kind", U8, I32, List.of(2, 3), 0, 1, null);
      rows.indexed("flags", U8, U32, List.of(-1), 0, null, 0);
      SpanBatch batch = decoder.decode(batch(rows.build(ArrowPayloadType.SPANS, "x")));
      assertThat(batch.traceIdLow(0)).isEqualTo(2);
      assertThat(batch.traceIdLow(1)).isEqualTo(1);
      assertThat(batch.spanId(2)).isEqualTo(7);
      assertThat(batch.parentSpanId(0)).isZero();
      assertThat(batch.parentSpanId(2)).isEqualTo(5);
      assertThat(batch.startNs(2)).isEqualTo(20);
      assertThat(batch.durationNs(1)).isEqualTo(3);
      assertThat(batch.text(batch.name(0))).isEqualTo("b");
      assertThat(batch.text(batch.name(1))).isEmpty();
      assertThat(batch.kind(1)).isEqualTo((byte) 3);
      assertThat(batch.kind(2)).isZero();
      assertThat(batch.flags(0)).isEqualTo(-1);
      assertThat(batch.flags(1)).isZero();
    }
  }

  @Test
  void skipsColumnsItDoesNotKnow() {
    try (HandmadePayload rows = new HandmadePayload();
        OtapDecoder decoder = new OtapDecoder()) {
      ListVector list = ListVector.empty("list", rows.allocator());
      UnionListWriter writer = list.getWriter();
      for (int row = 0; row < 2; row++) {
        writer.setPosition(row);
        writer.startList();
        writer.bigInt().writeBigInt(row);
        writer.endList();
      }
      list.setValueCount(2);
      LargeVarCharVector large = new LargeVarCharVector("large", rows.allocator());
      large.setSafe(0, "x".getBytes(StandardCharsets.UTF_8));
      large.setValueCount(2);
      ViewVarCharVector view = new ViewVarCharVector("view", rows.allocator());
      view.allocateNew();
      view.setSafe(0, "longer than the twelve bytes inside".getBytes(StandardCharsets.UTF_8));
      view.setSafe(1, "short".getBytes(StandardCharsets.UTF_8));
      view.setValueCount(2);
      rows.vector(list).vector(large);
      rows.column("time", new ArrowType.Timestamp(TimeUnit.SECOND, null), 1L, 2L);
      rows.vector(view);
      rows.indexed("color", U8, UTF8, List.of("red"), 0, 0);
      spans(rows, 2);
      SpanBatch batch = decoder.decode(batch(rows.build(ArrowPayloadType.SPANS, "x")));
      assertThat(batch.size()).isEqualTo(2);
      assertThat(batch.spanId(1)).isEqualTo(2);
      assertThat(batch.text(batch.name(1))).isEqualTo("span-1");
    }
  }

  @Test
  void readsNullStructsAsDefaultsAndNullIdsAsTheOneBefore() {
    try (HandmadePayload rows = new HandmadePayload();
        HandmadePayload resources = new HandmadePayload();
        OtapDecoder decoder = new OtapDecoder()) {
      spans(rows, 4);
      rows.struct(
          "resource",
          new boolean[] {true, true, false, true},
          List.of(
              rows.child("id", U16, 0, 1, 9, null),
              rows.child("schema_url", UTF8, "u", "", "", "")));
      rows.struct(
          "status",
          new boolean[] {false, true, true, false},
          List.of(
              rows.child("code", I32, 2, 2, null, 1),
              rows.child("status_message", UTF8, "x", "bad", "worse", "y")));
      resources.column("type", U8, 1, 1);
      resources.column("key", UTF8, "name", "name");
      resources.column("str", UTF8, "first", "second");
      resources.column("parent_id", U16, 0, 1);
      SpanBatch batch =
          decoder.decode(
              batch(
                  resources.build(ArrowPayloadType.RESOURCE_ATTRS, "r"),
                  rows.build(ArrowPayloadType.SPANS, "s")));
      assertThat(batch.resources()).isEqualTo(2);
      assertThat(resourceName(batch, 0)).isEqualTo("first");
      assertThat(batch.text(batch.resourceSchemaUrl(batch.scopeResource(batch.scope(0)))))
          .isEqualTo("u");
      assertThat(resourceName(batch, 1)).isEqualTo("second");
      assertThat(resourceName(batch, 2)).isEqualTo("second");
      assertThat(resourceName(batch, 3)).isEqualTo("second");
      assertThat(batch.statusCode(0)).isZero();
      assertThat(batch.text(batch.statusMessage(0))).isEmpty();
      assertThat(batch.statusCode(1)).isEqualTo((byte) 2);
      assertThat(batch.statusCode(2)).isZero();
      assertThat(batch.text(batch.statusMessage(2))).isEqualTo("worse");
      assertThat(batch.statusCode(3)).isZero();
    }
  }

  @Test
  void tellsScopesApartThatHaveNoId() {
    try (HandmadePayload rows = new HandmadePayload();
        OtapDecoder decoder = new OtapDecoder()) {
      spans(rows, 3);
      rows.struct(
          "scope",
          new boolean[] {true, true, true},
          List.of(rows.child("name", UTF8, "a", "b", "a")));
      SpanBatch batch = decoder.decode(batch(rows.build(ArrowPayloadType.SPANS, "s")));
      assertThat(batch.scopes()).isEqualTo(2);
      assertThat(batch.scope(0)).isEqualTo(batch.scope(2));
      assertThat(batch.text(batch.scopeName(batch.scope(1)))).isEqualTo("b");
    }
  }

  @Test
  void rejectsWrongTypesMissingColumnsAndMissingIds() {
    try (HandmadePayload rows = new HandmadePayload()) {
      rows.column("name", I64, 1L);
      spans(rows, 1, "name");
      assertRejected(rows, "wrong column type in OTAP data: column=name, type=SIGNED, bytes=8");
    }
    try (HandmadePayload rows = new HandmadePayload()) {
      rows.column("trace_id", SPAN_ID, id(8, 1));
      spans(rows, 1, "trace_id");
      assertRejected(rows, "wrong column type in OTAP data: column=trace_id, type=FIXED, bytes=8");
    }
    try (HandmadePayload rows = new HandmadePayload()) {
      rows.column("span_id", SPAN_ID, new Object[] {null});
      spans(rows, 1, "span_id");
      assertRejected(rows, "span without its id in OTAP data: column=span_id, row=0");
    }
    try (HandmadePayload rows = new HandmadePayload()) {
      spans(rows, 1, "duration_time_unix_nano");
      assertRejected(
          rows, "required column missing in OTAP data: column=duration_time_unix_nano, columns=[");
    }
    try (HandmadePayload rows = new HandmadePayload()) {
      rows.column("id", U16, 0, 0);
      spans(rows, 2, "id");
      assertRejected(rows, "two spans of one id in a batch: spans=2");
    }
    try (HandmadePayload rows = new HandmadePayload()) {
      rows.indexed("trace_state", U8, UTF8, List.of("a"), 1);
      spans(rows, 1);
      assertRejected(
          rows, "bad dictionary index in OTAP data: column=trace_state, row=0, index=1, entries=1");
    }
  }

  private static void assertRejected(HandmadePayload rows, String reason) {
    try (OtapDecoder decoder = new OtapDecoder()) {
      BatchArrowRecords batch = batch(rows.build(ArrowPayloadType.SPANS, "s"));
      assertThatThrownBy(() -> decoder.decode(batch))
          .isInstanceOfSatisfying(
              OtapException.class, e -> assertThat(e.kind()).isEqualTo(OtapException.Kind.INVALID))
          .hasMessageStartingWith(reason);
    }
  }

  /// The attributes of `rows` on a batch of `spans` spans with the ids 0, 1, …
  private static List<String> attributes(HandmadePayload rows, int spans) {
    try (HandmadePayload spanRows = new HandmadePayload();
        OtapDecoder decoder = new OtapDecoder()) {
      SpanBatch batch =
          decoder.decode(
              batch(
                  rows.build(ArrowPayloadType.SPAN_ATTRS, "a"),
                  spans(spanRows, spans).build(ArrowPayloadType.SPANS, "s")));
      return describe(batch, batch.spanAttributes());
    }
  }

  /// Adds the columns that spans need, but for `without`.
  private static HandmadePayload spans(HandmadePayload rows, int count, String... without) {
    Object[] ids = new Object[count];
    Object[] traceIds = new Object[count];
    Object[] spanIds = new Object[count];
    Object[] times = new Object[count];
    Object[] names = new Object[count];
    for (int i = 0; i < count; i++) {
      ids[i] = i == 0 ? 0 : 1;
      traceIds[i] = id(16, i + 1);
      spanIds[i] = id(8, i + 1);
      times[i] = 1_000L + i;
      names[i] = "span-" + i;
    }
    List<String> left = List.of(without);
    if (!left.contains("id")) {
      rows.column("id", U16, ids);
    }
    if (!left.contains("trace_id")) {
      rows.column("trace_id", TRACE_ID, traceIds);
    }
    if (!left.contains("span_id")) {
      rows.column("span_id", SPAN_ID, spanIds);
    }
    if (!left.contains("start_time_unix_nano")) {
      rows.column("start_time_unix_nano", TIME, times);
    }
    if (!left.contains("duration_time_unix_nano")) {
      rows.column("duration_time_unix_nano", DURATION, times);
    }
    if (!left.contains("name")) {
      rows.column("name", UTF8, names);
    }
    return rows;
  }

  private static BatchArrowRecords batch(ArrowPayload... payloads) {
    return BatchArrowRecords.newBuilder().addAllArrowPayloads(List.of(payloads)).build();
  }

  private static String resourceName(SpanBatch batch, int span) {
    Attributes attributes = batch.resourceAttributes();
    int resource = batch.scopeResource(batch.scope(span));
    return batch.text((int) attributes.value(attributes.begin(resource)));
  }

  private static List<String> describe(SpanBatch batch, Attributes attributes) {
    List<String> all = new ArrayList<>();
    for (int owner = 0; owner < attributes.owners(); owner++) {
      for (int row = attributes.begin(owner); row < attributes.end(owner); row++) {
        int id = (int) attributes.value(row);
        String value =
            switch (attributes.type(row)) {
              case AttributeType.EMPTY -> "empty";
              case AttributeType.STRING -> batch.text(id);
              case AttributeType.INT -> Long.toString(attributes.value(row));
              case AttributeType.DOUBLE -> Double.toString(attributes.doubleValue(row));
              case AttributeType.BOOL -> Boolean.toString(id == 1);
              case AttributeType.MAP -> "map " + hex(batch, id);
              case AttributeType.SLICE -> "slice " + hex(batch, id);
              default -> "bytes " + hex(batch, id);
            };
        all.add(owner + " " + batch.text(attributes.key(row)) + "=" + value);
      }
    }
    return all;
  }

  private static String hex(SpanBatch batch, int id) {
    return HexFormat.of().formatHex(batch.table().bytes(id));
  }

  private static byte[] hex(String digits) {
    return HexFormat.of().parseHex(digits);
  }

  private static byte[] id(int length, long value) {
    return ByteBuffer.allocate(length).putLong(length - Long.BYTES, value).array();
  }
}
