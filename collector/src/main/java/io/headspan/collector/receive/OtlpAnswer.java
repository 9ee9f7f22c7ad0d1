package io.headspan.collector.receive;

import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse;

/// What an OTLP request is answered, whichever way it came.
sealed interface OtlpAnswer {
  /// Stored, except for spans that the response lists as rejected.
  record Accepted(ExportTraceServiceResponse response) implements OtlpAnswer {}

  /// To be sent again later.
  record Unavailable(String reason) implements OtlpAnswer {}

  /// Never to be sent again.
  record Invalid(String reason) implements OtlpAnswer {}

  /// Above the limit of a message.
  record TooLarge(String reason) implements OtlpAnswer {}
}
