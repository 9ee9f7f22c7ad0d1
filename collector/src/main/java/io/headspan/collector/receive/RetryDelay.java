package io.headspan.collector.receive;

import com.google.protobuf.Any;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;

/// How a sender is told when to come again: without it, OTLP has RESOURCE_EXHAUSTED mean never.
final class RetryDelay {
  private static final Metadata.Key<byte[]> DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

  private RetryDelay() {}

  /// Trailers of gRPC with a `google.rpc.RetryInfo`.
  static Metadata trailers(Status.Code code, String reason, Duration comeAgain) {
    Metadata trailers = new Metadata();
    trailers.put(DETAILS, status(code.value(), reason, comeAgain).toByteArray());
    return trailers;
  }

  /// The status with a `google.rpc.RetryInfo`.
  static com.google.rpc.Status status(int code, String reason, Duration comeAgain) {
    RetryInfo retry =
        RetryInfo.newBuilder()
            .setRetryDelay(
                com.google.protobuf.Duration.newBuilder()
                    .setSeconds(comeAgain.toSeconds())
                    .setNanos(comeAgain.toNanosPart()))
            .build();
    return com.google.rpc.Status.newBuilder()
        .setCode(code)
        .setMessage(reason)
        .addDetails(Any.pack(retry))
        .build();
  }

  /// Value of the header `Retry-After`: whole seconds, rounded up.
  static String seconds(Duration comeAgain) {
    return Long.toString(comeAgain.plusNanos(999_999_999).toSeconds());
  }
}
