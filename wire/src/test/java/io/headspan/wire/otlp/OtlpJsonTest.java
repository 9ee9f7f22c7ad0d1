package io.headspan.wire.otlp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import io.headspan.wire.WireException;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest;
import io.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.logs.v1.LogRecord;
import io.opentelemetry.proto.logs.v1.SeverityNumber;
import io.opentelemetry.proto.metrics.v1.HistogramDataPoint;
import io.opentelemetry.proto.metrics.v1.NumberDataPoint;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import io.opentelemetry.proto.trace.v1.Status;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class OtlpJsonTest {
  @Test
  void readsSpansAsTheirSpecificationWritesThem() {
    ExportTraceServiceRequest request =
        traces(
            """
            {"resourceSpans": [{
              "resource": {"attributes": [
                {"key": "service.name", "value": {"stringValue": "my.service"}}]},
              "futureField": {"deep": [1, {"x": null}]},
              "scopeSpans": [{
                "scope": {"name": "my.library", "version": "1.0.0"},
                "spans": [{
                  "traceId": "5B8EFFF798038103D269B633813FC60C",
                  "spanId": "eee19b7ec3c1b174",
                  "parentSpanId": "",
                  "name": "I'm a server span",
                  "startTimeUnixNano": "1544712660000000000",
                  "endTimeUnixNano": 1544712661000000000,
                  "kind": 2,
                  "droppedAttributesCount": null,
                  "status": {"code": "STATUS_CODE_ERROR"},
                  "attributes": [
                    {"key": "i", "value": {"intValue": "-9223372036854775808"}},
                    {"key": "d", "value": {"doubleValue": "-Infinity"}},
                    {"key": "b", "value": {"boolValue": false}},
                    {"key": "y", "value": {"bytesValue": "AP8="}},
                    {"key": "e", "value": {}},
                    {"key": "a", "value": {"arrayValue": {"values": [{"intValue": 7}]}}}]
                }]}]}]}
            """);

    ResourceSpans resource = request.getResourceSpans(0);
    ScopeSpans scope = resource.getScopeSpans(0);
    assertThat(resource.getResource().getAttributes(0).getValue().getStringValue())
        .isEqualTo("my.service");
    assertThat(scope.getScope().getVersion()).isEqualTo("1.0.0");
    assertThat(scope.getSpans(0))
        .isEqualTo(
            Span.newBuilder()
                .setTraceId(hex("5b8efff798038103d269b633813fc60c"))
                .setSpanId(hex("eee19b7ec3c1b174"))
                .setName("I'm a server span")
                .setStartTimeUnixNano(1544712660000000000L)
                .setEndTimeUnixNano(1544712661000000000L)
                .setKind(Span.SpanKind.SPAN_KIND_SERVER)
                .setStatus(Status.newBuilder().setCode(Status.StatusCode.STATUS_CODE_ERROR))
                .addAttributes(attribute("i", AnyValue.newBuilder().setIntValue(Long.MIN_VALUE)))
                .addAttributes(
                    attribute("d", AnyValue.newBuilder().setDoubleValue(Double.NEGATIVE_INFINITY)))
                .addAttributes(attribute("b", AnyValue.newBuilder().setBoolValue(false)))
                .addAttributes(
                    attribute(
                        "y",
                        AnyValue.newBuilder()
                            .setBytesValue(ByteString.copyFrom(new byte[] {0, -1}))))
                .addAttributes(attribute("e", AnyValue.newBuilder()))
                .addAttributes(
                    attribute(
                        "a",
                        AnyValue.newBuilder()
                            .setArrayValue(
                                io.opentelemetry.proto.common.v1.ArrayValue.newBuilder()
                                    .addValues(AnyValue.newBuilder().setIntValue(7)))))
                .build());
  }

  @Test
  void readsLogsAndMetrics() {
    LogRecord log =
        OtlpJson.read(
                bytes(
                    """
                    {"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1544712660300000000",
                    "severityNumber":10,"severityText":"Information","body":{"stringValue":"text"},
                    "traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"}]}]}]}
                    """),
                ExportLogsServiceRequest.getDefaultInstance())
            .getResourceLogs(0)
            .getScopeLogs(0)
            .getLogRecords(0);
    assertThat(log.getSeverityNumber()).isEqualTo(SeverityNumber.SEVERITY_NUMBER_INFO2);
    assertThat(log.getTraceId()).isEqualTo(hex("5b8efff798038103d269b633813fc60c"));

    var metrics =
        OtlpJson.read(
                bytes(
                    """
                    {"resourceMetrics":[{"scopeMetrics":[{"metrics":[
                    {"name":"c","sum":{"aggregationTemporality":1,"isMonotonic":true,
                     "dataPoints":[{"asInt":"5"},{"asDouble":5}]}},
                    {"name":"h","histogram":{"dataPoints":[{"count":"18446744073709551615",
                     "bucketCounts":["1",2],"explicitBounds":[0.5],
                     "exemplars":[{"spanId":"eee19b7ec3c1b174","asDouble":0.25}]}]}}]}]}]}
                    """),
                ExportMetricsServiceRequest.getDefaultInstance())
            .getResourceMetrics(0)
            .getScopeMetrics(0);
    NumberDataPoint first = metrics.getMetrics(0).getSum().getDataPoints(0);
    assertThat(first.getAsInt()).isEqualTo(5);
    assertThat(metrics.getMetrics(0).getSum().getDataPoints(1).getAsDouble()).isEqualTo(5.0);
    HistogramDataPoint histogram = metrics.getMetrics(1).getHistogram().getDataPoints(0);
    assertThat(histogram.getCount()).isEqualTo(-1);
    assertThat(histogram.getBucketCountsList()).containsExactly(1L, 2L);
    assertThat(histogram.getExemplars(0).getSpanId()).isEqualTo(hex("eee19b7ec3c1b174"));
  }

  @Test
  void readsWhatItWrites() {
    ExportTraceServiceRequest request =
        traces(
            """
            {"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c",
            "name":"n","flags":4294967295,"startTimeUnixNano":"18446744073709551615",
            "attributes":[{"key":"y","value":{"bytesValue":"AP8="}},
            {"key":"n","value":{"doubleValue":"NaN"}}]}]}]}]}
            """);
    byte[] json = OtlpJson.write(request);

    assertThat(new String(json, StandardCharsets.UTF_8))
        .contains("\"traceId\":\"5b8efff798038103d269b633813fc60c\"")
        .contains("\"flags\":4294967295")
        .contains("\"startTimeUnixNano\":\"18446744073709551615\"");
    assertThat(OtlpJson.read(ByteString.copyFrom(json), request)).isEqualTo(request);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "[] | expected an object",
        "{\"resourceSpans\":{}} | expected an array for resourceSpans",
        "{\"resourceSpans\":[3]} | expected an object for resourceSpans",
        "{\"resourceSpans\":[ | cannot parse JSON",
        "{} {} | expected nothing after the message",
        "{\"resourceSpans\":[{\"schemaUrl\":7}]} | expected a string for schemaUrl",
      })
  void saysWhereItIsNoMessage(String json, String message) {
    assertThatThrownBy(() -> traces(json))
        .isInstanceOf(WireException.class)
        .hasMessageContaining(message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "\"traceId\":\"xyz\" | hex digits for traceId",
        "\"flags\":-1 | an integer from 0 to 4294967295 for flags",
        "\"flags\":1.5 | an integer for flags",
        "\"flags\":\"1e99999999\" | an integer for flags",
        "\"startTimeUnixNano\":\"18446744073709551616\" | an integer from 0 to",
        "\"kind\":\"NO_SUCH_KIND\" | an integer for kind",
      })
  void saysWhichValueIsWrong(String field, String message) {
    assertThatThrownBy(
            () -> traces("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{" + field + "}]}]}]}"))
        .isInstanceOf(WireException.class)
        .hasMessageContaining("bad JSON: line=1, column=")
        .hasMessageContaining(message);
  }

  @Test
  void refusesWhatIsNestedTooDeeply() {
    int depth = 100_000;
    String json = "{\"x\":" + "[".repeat(depth) + "]".repeat(depth) + "}";
    assertThatThrownBy(() -> traces(json)).isInstanceOf(WireException.class);

    String value = "{\"stringValue\":\"\"}";
    for (int i = 0; i < 300; i++) {
      value = "{\"arrayValue\":{\"values\":[" + value + "]}}";
    }
    String attribute =
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"value\":" + value + "}]}}]}";
    assertThatThrownBy(() -> traces(attribute)).isInstanceOf(WireException.class);
  }

  private static ExportTraceServiceRequest traces(String json) {
    return OtlpJson.read(bytes(json), ExportTraceServiceRequest.getDefaultInstance());
  }

  private static ByteString bytes(String text) {
    return ByteString.copyFromUtf8(text);
  }

  private static ByteString hex(String digits) {
    return ByteString.copyFrom(HexFormat.of().parseHex(digits));
  }

  private static KeyValue attribute(String key, AnyValue.Builder value) {
    return KeyValue.newBuilder().setKey(key).setValue(value).build();
  }
}
