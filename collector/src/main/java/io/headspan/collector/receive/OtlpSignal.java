package io.headspan.collector.receive;

import com.google.protobuf.Message;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsPartialSuccess;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsServiceResponse;
import io.opentelemetry.proto.collector.metrics.v1.ExportMetricsPartialSuccess;
import io.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceResponse;
import io.opentelemetry.proto.collector.trace.v1.ExportTracePartialSuccess;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse;

/// The signals of OTLP: where each is posted, and how a request is answered of which all but
/// `rejected` spans, records or points are stored.
enum OtlpSignal {
  TRACES("/v1/traces") {
    @Override
    Message response(long rejected, String message) {
      ExportTraceServiceResponse.Builder response = ExportTraceServiceResponse.newBuilder();
      if (rejected > 0) {
        response.setPartialSuccess(
            ExportTracePartialSuccess.newBuilder()
                .setRejectedSpans(rejected)
                .setErrorMessage(message));
      }
      return response.build();
    }
  },

  LOGS("/v1/logs") {
    @Override
    Message response(long rejected, String message) {
      ExportLogsServiceResponse.Builder response = ExportLogsServiceResponse.newBuilder();
      if (rejected > 0) {
        response.setPartialSuccess(
            ExportLogsPartialSuccess.newBuilder()
                .setRejectedLogRecords(rejected)
                .setErrorMessage(message));
      }
      return response.build();
    }
  },

  METRICS("/v1/metrics") {
    @Override
    Message response(long rejected, String message) {
      ExportMetricsServiceResponse.Builder response = ExportMetricsServiceResponse.newBuilder();
      if (rejected > 0) {
        response.setPartialSuccess(
            ExportMetricsPartialSuccess.newBuilder()
                .setRejectedDataPoints(rejected)
                .setErrorMessage(message));
      }
      return response.build();
    }
  };

  private final String path;

  OtlpSignal(String path) {
    this.path = path;
  }

  /// Where HTTP requests go.
  String path() {
    return path;
  }

  abstract Message response(long rejected, String message);
}
