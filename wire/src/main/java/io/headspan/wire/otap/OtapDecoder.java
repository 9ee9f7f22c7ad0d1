package io.headspan.wire.otap;

import io.headspan.wire.SpanBatch;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;

/// Decodes the trace batches of one gRPC stream, in their order. Dictionaries and schemas live as
/// long as the stream; close it when the stream ends. Not thread-safe.
public final class OtapDecoder implements AutoCloseable {
  /// Decodes one batch.
  ///
  /// @throws OtapException if it is not a valid continuation of the stream, holds another signal,
  ///   or needs more memory than allowed
  public SpanBatch decode(BatchArrowRecords records) {
    if (records.getArrowPayloadsCount() == 0) {
      return new SpanBatch.Builder().build();
    }
    throw new OtapException(
        OtapException.Kind.UNSUPPORTED, "decoding is not built yet: batch=" + records.getBatchId());
  }

  @Override
  public void close() {}
}
