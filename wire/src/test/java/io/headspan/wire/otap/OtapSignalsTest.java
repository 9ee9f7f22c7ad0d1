package io.headspan.wire.otap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest;
import io.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayload;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import io.opentelemetry.proto.logs.v1.LogRecord;
import io.opentelemetry.proto.logs.v1.ResourceLogs;
import io.opentelemetry.proto.logs.v1.ScopeLogs;
import io.opentelemetry.proto.metrics.v1.Metric;
import io.opentelemetry.proto.metrics.v1.ResourceMetrics;
import io.opentelemetry.proto.metrics.v1.ScopeMetrics;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Logs and metrics as the Go implementation sent them, and as it reads them.
final class OtapSignalsTest {
  @Test
  void readsLogsAsTheGoConsumerDoes() throws IOException {
    List<BatchArrowRecords> batches = RecordedStream.batches("20-logs");
    List<ByteString> expected = RecordedStream.messages("20-logs.otlp");
    try (OtapDecoder decoder = new OtapDecoder()) {
      for (int i = 0; i < batches.size(); i++) {
        assertThat(flat(decoder.decodeLogs(batches.get(i))))
            .describedAs("batch %d", i)
            .isNotEmpty()
            .containsExactlyInAnyOrderElementsOf(
                flat(ExportLogsServiceRequest.parseFrom(expected.get(i))));
      }
      assertThat(decoder.ignoredRows()).isZero();
    }
  }

  @Test
  void readsMetricsAsTheGoConsumerDoes() throws IOException {
    List<BatchArrowRecords> batches = RecordedStream.batches("30-metrics");
    List<ByteString> expected = RecordedStream.messages("30-metrics.otlp");
    try (OtapDecoder decoder = new OtapDecoder()) {
      for (int i = 0; i < batches.size(); i++) {
        assertThat(flat(decoder.decodeMetrics(batches.get(i))))
            .describedAs("batch %d", i)
            .isNotEmpty()
            .containsExactlyInAnyOrderElementsOf(
                flat(ExportMetricsServiceRequest.parseFrom(expected.get(i))));
      }
      assertThat(decoder.ignoredRows()).isZero();
    }
  }

  @Test
  void refusesAnotherSignalAndGoesOn() throws IOException {
    List<BatchArrowRecords> logs = RecordedStream.batches("20-logs");
    BatchArrowRecords metrics = RecordedStream.batches("30-metrics").getFirst();
    try (OtapDecoder decoder = new OtapDecoder()) {
      assertThatThrownBy(() -> decoder.decodeLogs(metrics))
          .isInstanceOfSatisfying(
              OtapException.class,
              e -> assertThat(e.kind()).isEqualTo(OtapException.Kind.UNSUPPORTED))
          .hasMessageContaining("not a payload of logs: type=UNIVARIATE_METRICS");
      assertThat(flat(decoder.decodeLogs(logs.getFirst()))).isNotEmpty();
    }
  }

  @Test
  void wantsTheRecordsThatOthersBelongTo() throws IOException {
    BatchArrowRecords whole = RecordedStream.batches("20-logs").getFirst();
    BatchArrowRecords.Builder without = whole.toBuilder().clearArrowPayloads();
    whole.getArrowPayloadsList().stream()
        .filter(each -> !each.getType().name().equals("LOGS"))
        .forEach(without::addArrowPayloads);
    try (OtapDecoder decoder = new OtapDecoder()) {
      assertThatThrownBy(() -> decoder.decodeLogs(without.build()))
          .isInstanceOf(OtapException.class)
          .hasMessageContaining("batch without log records");
    }
  }

  /// Whatever the bytes are: a result or an [OtapException].
  @ParameterizedTest
  @ValueSource(strings = {"20-logs", "30-metrics"})
  void survivesDamagedBytes(String name) throws IOException {
    List<BatchArrowRecords> batches = RecordedStream.batches(name);
    Random random = new Random(5);
    int refused = 0;
    for (int round = 0; round < 400; round++) {
      try (OtapDecoder decoder = new OtapDecoder(32 << 20)) {
        for (BatchArrowRecords batch : batches) {
          if (name.equals("20-logs")) {
            var _ = decoder.decodeLogs(damaged(batch, random));
          } else {
            var _ = decoder.decodeMetrics(damaged(batch, random));
          }
        }
      } catch (OtapException e) {
        refused++;
      }
    }
    assertThat(refused).isGreaterThan(100);
  }

  private static BatchArrowRecords damaged(BatchArrowRecords batch, Random random) {
    BatchArrowRecords.Builder result = batch.toBuilder();
    int at = random.nextInt(batch.getArrowPayloadsCount());
    ArrowPayload payload = batch.getArrowPayloads(at);
    byte[] bytes = payload.getRecord().toByteArray();
    for (int i = random.nextInt(4); i > 0 && bytes.length > 0; i--) {
      bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
    }
    return result
        .setArrowPayloads(at, payload.toBuilder().setRecord(ByteString.copyFrom(bytes)))
        .build();
  }

  private static List<List<Message>> flat(ExportLogsServiceRequest request) {
    List<List<Message>> all = new ArrayList<>();
    for (ResourceLogs resource : request.getResourceLogsList()) {
      for (ScopeLogs scope : resource.getScopeLogsList()) {
        for (LogRecord log : scope.getLogRecordsList()) {
          all.add(
              List.of(
                  sorted(resource.toBuilder().clearScopeLogs().build()),
                  sorted(scope.toBuilder().clearLogRecords().build()),
                  sorted(log)));
        }
      }
    }
    return all;
  }

  private static List<List<Message>> flat(ExportMetricsServiceRequest request) {
    List<List<Message>> all = new ArrayList<>();
    for (ResourceMetrics resource : request.getResourceMetricsList()) {
      for (ScopeMetrics scope : resource.getScopeMetricsList()) {
        for (Metric metric : scope.getMetricsList()) {
          all.add(
              List.of(
                  sorted(resource.toBuilder().clearScopeMetrics().build()),
                  sorted(scope.toBuilder().clearMetrics().build()),
                  sorted(metric)));
        }
      }
    }
    return all;
  }

  /// The message with its attributes, points and exemplars in an order of their own: which they
  /// have says nothing.
  private static Message sorted(Message message) {
    Message.Builder result = message.toBuilder();
    message
        .getAllFields()
        .forEach((field, value) -> {
          if (field.getJavaType()
              != com.google.protobuf.Descriptors.FieldDescriptor.JavaType.MESSAGE) {
            return;
          }
          if (!field.isRepeated()) {
            result.setField(field, sorted((Message) value));
            return;
          }
          List<Message> elements = new ArrayList<>();
          ((List<?>) value).forEach(each -> elements.add(sorted((Message) each)));
          boolean ordered =
              !field.getMessageType().equals(KeyValue.getDescriptor())
                  && !field.getName().equals("data_points")
                  && !field.getName().equals("exemplars");
          if (!ordered) {
            elements.sort(Comparator.comparing(Message::toString));
          }
          result.setField(field, elements);
        });
    return result.build();
  }
}
