package io.headspan.wire.otap;

import io.headspan.wire.SpanBatch;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import java.util.Map;

/// Encodes trace batches for one gRPC stream, in the order they are sent. Dictionaries and schemas
/// live as long as the stream; close it when the stream ends. Not thread-safe.
public final class OtapEncoder implements AutoCloseable {
  /// Most spans with attributes, events or links, most resources and most scopes in one batch.
  public static final int MAX_PARENTS = 65_535;

  /// Encodes one batch.
  ///
  /// @param batchId counts up over the stream
  /// @param headers sent with the batch, in lower case
  /// @throws OtapException of kind LIMIT if there are more than [#MAX_PARENTS] of a kind; the
  ///   stream can go on, send the batch in parts
  public BatchArrowRecords encode(long batchId, SpanBatch batch, Map<String, String> headers) {
    if (batch.size() == 0 && headers.isEmpty()) {
      return BatchArrowRecords.newBuilder().setBatchId(batchId).build();
    }
    throw new OtapException(
        OtapException.Kind.UNSUPPORTED,
        "encoding is not built yet: batch=" + batchId + ", spans=" + batch.size());
  }

  @Override
  public void close() {}
}
