package io.headspan.query.logs;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.ByteString;
import io.headspan.query.RunningApi;
import io.headspan.query.TestHttp;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.ArrayValue;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.logs.v1.LogRecord;
import io.opentelemetry.proto.logs.v1.ResourceLogs;
import io.opentelemetry.proto.logs.v1.ScopeLogs;
import io.opentelemetry.proto.logs.v1.SeverityNumber;
import io.opentelemetry.proto.resource.v1.Resource;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Logs that a collector took in by OTLP, beside the trace that they belong to.
class LogsApiIT {
  private static final long NOON_NS = 1_795_176_000_000_000_000L;

  @TempDir static Path directory;
  private static RunningApi api;

  @BeforeAll
  static void start() throws Exception {
    api = RunningApi.start(directory, List.of());
    ScopeLogs.Builder records =
        ScopeLogs.newBuilder()
            .addLogRecords(
                record(2, 7, 9, "ends")
                    .addAttributes(KeyValue.newBuilder().setKey("n").setValue(integer(1L << 60)))
                    .addAttributes(
                        KeyValue.newBuilder()
                            .setKey("list")
                            .setValue(
                                AnyValue.newBuilder()
                                    .setArrayValue(
                                        ArrayValue.newBuilder()
                                            .addValues(text("a"))
                                            .addValues(AnyValue.newBuilder().setBoolValue(true)))))
                    .addAttributes(
                        KeyValue.newBuilder()
                            .setKey("ratio")
                            .setValue(AnyValue.newBuilder().setDoubleValue(0.5))))
            .addLogRecords(
                record(1, 7, 8, "begins").setSeverityNumber(SeverityNumber.SEVERITY_NUMBER_ERROR))
            .addLogRecords(record(3, 6, 9, "of another trace"));
    api.sendLogs(
        List.of(
            ExportLogsServiceRequest.newBuilder()
                .addResourceLogs(
                    ResourceLogs.newBuilder()
                        .setResource(
                            Resource.newBuilder()
                                .addAttributes(
                                    KeyValue.newBuilder()
                                        .setKey("service.name")
                                        .setValue(text("checkout"))))
                        .addScopeLogs(records))
                .build()));
  }

  @AfterAll
  static void stop() {
    if (api != null) {
      api.close();
    }
  }

  private static LogRecord.Builder record(int second, long trace, long span, String body) {
    return LogRecord.newBuilder()
        .setTimeUnixNano(NOON_NS + second * 1_000_000_000L)
        .setTraceId(ByteString.copyFrom(ByteBuffer.allocate(16).putLong(0).putLong(trace).flip()))
        .setSpanId(ByteString.copyFrom(ByteBuffer.allocate(8).putLong(span).flip()))
        .setSeverityNumber(SeverityNumber.SEVERITY_NUMBER_INFO)
        .setBody(text(body));
  }

  private static AnyValue text(String value) {
    return AnyValue.newBuilder().setStringValue(value).build();
  }

  private static AnyValue integer(long value) {
    return AnyValue.newBuilder().setIntValue(value).build();
  }

  private static JsonNode get(String path) throws Exception {
    HttpResponse<byte[]> response = api.get(path, "application/json");
    assertThat(response.statusCode()).as(TestHttp.text(response)).isEqualTo(200);
    return new ObjectMapper().readTree(response.body());
  }

  private static List<String> bodies(JsonNode answer) {
    return StreamSupport.stream(answer.get("logs").spliterator(), false)
        .map(record -> record.get("body").asText())
        .toList();
  }

  @Test
  void areThoseOfTheTraceInOrderOfTime() throws Exception {
    JsonNode answer = get("/api/headspan/v1/traces/7/logs");
    assertThat(bodies(answer)).containsExactly("begins", "ends");
    assertThat(answer.get("partial").asBoolean()).isFalse();
    JsonNode last = answer.at("/logs/1");
    assertThat(last.get("timeUnixNano").asText())
        .isEqualTo(Long.toString(NOON_NS + 2_000_000_000L));
    assertThat(last.get("traceId").asText()).isEqualTo("0".repeat(31) + "7");
    assertThat(last.get("spanId").asText()).isEqualTo("0".repeat(15) + "9");
    assertThat(last.get("service").asText()).isEqualTo("checkout");
    assertThat(last.at("/attributes").toString())
        .isEqualTo("{\"n\":\"1152921504606846976\",\"list\":[\"a\",true],\"ratio\":0.5}");
    assertThat(last.at("/resource/service.name").asText()).isEqualTo("checkout");
  }

  @Test
  void areThoseOfTheSpanOfTheSeverityOfTheService() throws Exception {
    assertThat(bodies(get("/api/headspan/v1/logs?traceId=7&spanId=8"))).containsExactly("begins");
    assertThat(bodies(get("/api/headspan/v1/traces/7/logs?minSeverity=17")))
        .containsExactly("begins");
    String range = "&from=%d&to=%d".formatted(NOON_NS, NOON_NS + 10_000_000_000L);
    assertThat(bodies(get("/api/headspan/v1/logs?service=checkout" + range)))
        .containsExactly("begins", "ends", "of another trace");
    assertThat(bodies(get("/api/headspan/v1/logs?service=other" + range))).isEmpty();
  }

  @Test
  void saysWhenThereAreMore() throws Exception {
    JsonNode answer = get("/api/headspan/v1/traces/7/logs?limit=1");
    assertThat(bodies(answer)).containsExactly("begins");
    assertThat(answer.get("partial").asBoolean()).isTrue();
  }

  @Test
  void refusesWhatIsNoId() throws Exception {
    assertThat(api.get("/api/headspan/v1/logs?traceId=7&spanId=x", "*/*").statusCode())
        .isEqualTo(400);
    assertThat(api.get("/api/headspan/v1/traces/xyz/logs", "*/*").statusCode()).isEqualTo(400);
  }
}
