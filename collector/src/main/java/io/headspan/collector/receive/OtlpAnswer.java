package io.headspan.collector.receive;

import java.time.Duration;

/// What an OTLP request is answered, whichever way it came.
sealed interface OtlpAnswer {
  /// Stored, except for `rejected` spans, log records or data points; `message` says why the first.
  record Accepted(long rejected, String message) implements OtlpAnswer {}

  /// To be sent again later.
  record Unavailable(String reason) implements OtlpAnswer {}

  /// Never to be sent again.
  record Invalid(String reason) implements OtlpAnswer {}

  /// Never to be sent again by this sender, which may not.
  record Forbidden(String reason) implements OtlpAnswer {}

  /// To be sent again when the tenant may send more.
  record RateLimited(String reason, Duration comeAgain) implements OtlpAnswer {}

  /// Above the limit of a message.
  record TooLarge(String reason) implements OtlpAnswer {}
}
