package io.headspan.wire.otlp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.WireException;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.ArrayValue;
import io.opentelemetry.proto.common.v1.InstrumentationScope;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.common.v1.KeyValueList;
import io.opentelemetry.proto.resource.v1.Resource;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import io.opentelemetry.proto.trace.v1.Status;
import java.util.List;
import org.junit.jupiter.api.Test;

class OtlpCodecTest {
  @Test
  void keepsEverythingASpanSays() {
    Span full =
        span()
            .setParentSpanId(id(8, 9))
            .setTraceState("vendor=1")
            .setFlags(0x301)
            .setKind(Span.SpanKind.SPAN_KIND_CONSUMER)
            .setDroppedAttributesCount(-1)
            .setDroppedEventsCount(2)
            .setDroppedLinksCount(3)
            .setStatus(
                Status.newBuilder().setCode(Status.StatusCode.STATUS_CODE_ERROR).setMessage("no"))
            .addAllAttributes(everyType())
            .addEvents(
                Span.Event.newBuilder()
                    .setName("retry")
                    .setTimeUnixNano(5)
                    .setDroppedAttributesCount(4)
                    .addAllAttributes(everyType()))
            .addLinks(
                Span.Link.newBuilder()
                    .setTraceId(id(16, 3))
                    .setSpanId(id(8, 4))
                    .setTraceState("a=b")
                    .setFlags(1)
                    .setDroppedAttributesCount(5)
                    .addAllAttributes(everyType()))
            .build();
    ExportTraceServiceRequest request =
        ExportTraceServiceRequest.newBuilder()
            .addResourceSpans(
                ResourceSpans.newBuilder()
                    .setSchemaUrl("https://resource")
                    .setResource(
                        Resource.newBuilder()
                            .setDroppedAttributesCount(6)
                            .addAllAttributes(everyType()))
                    .addScopeSpans(
                        ScopeSpans.newBuilder()
                            .setSchemaUrl("https://scope")
                            .setScope(
                                InstrumentationScope.newBuilder()
                                    .setName("scope")
                                    .setVersion("1")
                                    .setDroppedAttributesCount(7)
                                    .addAllAttributes(everyType()))
                            .addSpans(full)
                            .addSpans(span())))
            .build();

    SpanBatch batch = OtlpDecoder.decode(request);

    assertThat(batch.size()).isEqualTo(2);
    assertThat(OtlpEncoder.encode(batch).getResourceSpansList())
        .isEqualTo(request.getResourceSpansList());
  }

  @Test
  void keepsResourcesAndScopesWithoutSpans() {
    ExportTraceServiceRequest request =
        ExportTraceServiceRequest.newBuilder()
            .addResourceSpans(
                ResourceSpans.newBuilder()
                    .setResource(Resource.getDefaultInstance())
                    .addScopeSpans(
                        ScopeSpans.newBuilder()
                            .setScope(InstrumentationScope.getDefaultInstance())))
            .build();
    assertThat(OtlpEncoder.encode(OtlpDecoder.decode(request)).getResourceSpansList())
        .isEqualTo(request.getResourceSpansList());
  }

  @Test
  void keepsASpanThatEndsBeforeItStarts() {
    Span span = span().setStartTimeUnixNano(10).setEndTimeUnixNano(3).build();
    SpanBatch batch = OtlpDecoder.decode(request(span));
    assertThat(batch.durationNs(0)).isEqualTo(-7);
    assertThat(encoded(batch)).isEqualTo(span);
  }

  @Test
  void rejectsIdsOfAnotherLength() {
    assertRejected(span().setTraceId(id(15, 1)), "name=GET /, trace id bytes=15, expected=16");
    assertRejected(span().setTraceId(ByteString.EMPTY), "trace id bytes=0, expected=16");
    assertRejected(span().setSpanId(id(9, 1)), "span id bytes=9, expected=8");
    assertRejected(span().setSpanId(ByteString.EMPTY), "span id bytes=0, expected=8");
    assertRejected(span().setParentSpanId(id(16, 1)), "parent span id bytes=16, expected=8");
    assertRejected(
        span().addLinks(Span.Link.newBuilder().setTraceId(id(32, 1))),
        "linked trace id bytes=32, expected=16");
  }

  @Test
  void rejectsValuesNestedTooDeeply() {
    AnyValue value = AnyValue.getDefaultInstance();
    for (int i = 0; i < 70; i++) {
      value = AnyValue.newBuilder().setArrayValue(ArrayValue.newBuilder().addValues(value)).build();
    }
    assertRejected(span().addAttributes(attribute("deep", value)), "nesting deeper than 64");
  }

  private static void assertRejected(Span.Builder span, String reason) {
    assertThatThrownBy(() -> OtlpDecoder.decode(request(span.build())))
        .isInstanceOf(WireException.class)
        .hasMessageStartingWith("bad ")
        .hasMessageContaining(reason)
        .hasMessageContaining("; send ");
  }

  private static ExportTraceServiceRequest request(Span span) {
    return ExportTraceServiceRequest.newBuilder()
        .addResourceSpans(
            ResourceSpans.newBuilder().addScopeSpans(ScopeSpans.newBuilder().addSpans(span)))
        .build();
  }

  private static Span encoded(SpanBatch batch) {
    return OtlpEncoder.encode(batch).getResourceSpans(0).getScopeSpans(0).getSpans(0);
  }

  private static Span.Builder span() {
    return Span.newBuilder()
        .setTraceId(id(16, 1))
        .setSpanId(id(8, 2))
        .setName("GET /")
        .setStartTimeUnixNano(1_000)
        .setEndTimeUnixNano(3_000);
  }

  private static ByteString id(int length, int last) {
    byte[] id = new byte[length];
    id[length - 1] = (byte) last;
    return ByteString.copyFrom(id);
  }

  private static List<KeyValue> everyType() {
    AnyValue bytes =
        AnyValue.newBuilder().setBytesValue(ByteString.copyFrom(new byte[] {0, -1})).build();
    AnyValue array =
        AnyValue.newBuilder()
            .setArrayValue(
                ArrayValue.newBuilder()
                    .addValues(AnyValue.newBuilder().setIntValue(Long.MIN_VALUE))
                    .addValues(AnyValue.newBuilder().setDoubleValue(1))
                    .addValues(AnyValue.getDefaultInstance())
                    .addValues(bytes))
            .build();
    AnyValue map =
        AnyValue.newBuilder()
            .setKvlistValue(
                KeyValueList.newBuilder()
                    .addValues(attribute("array", array))
                    .addValues(attribute("", AnyValue.newBuilder().setBoolValue(true).build()))
                    .addValues(attribute("ä", AnyValue.newBuilder().setStringValue("ö").build())))
            .build();
    return List.of(
        attribute("empty", AnyValue.getDefaultInstance()),
        attribute("text", AnyValue.newBuilder().setStringValue("päth").build()),
        attribute("empty text", AnyValue.newBuilder().setStringValue("").build()),
        attribute("int", AnyValue.newBuilder().setIntValue(Long.MAX_VALUE).build()),
        attribute("zero", AnyValue.newBuilder().setIntValue(0).build()),
        attribute("double", AnyValue.newBuilder().setDoubleValue(Double.NEGATIVE_INFINITY).build()),
        attribute("bool", AnyValue.newBuilder().setBoolValue(false).build()),
        attribute("bytes", bytes),
        attribute("array", array),
        attribute("map", map),
        attribute(
            "empty array",
            AnyValue.newBuilder().setArrayValue(ArrayValue.getDefaultInstance()).build()),
        attribute(
            "empty map",
            AnyValue.newBuilder().setKvlistValue(KeyValueList.getDefaultInstance()).build()));
  }

  private static KeyValue attribute(String key, AnyValue value) {
    return KeyValue.newBuilder().setKey(key).setValue(value).build();
  }
}
