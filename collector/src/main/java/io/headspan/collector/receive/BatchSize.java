package io.headspan.collector.receive;

import com.google.protobuf.ByteString;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;

/// About how much memory a decoded batch takes, from the widths of its columns.
final class BatchSize {
  private static final int SPAN_BYTES = 6 * Long.BYTES + 11 * Integer.BYTES + 2;
  private static final int EVENT_BYTES = Long.BYTES + 3 * Integer.BYTES;
  private static final int LINK_BYTES = 3 * Long.BYTES + 4 * Integer.BYTES;
  private static final int SCOPE_BYTES = 6 * Integer.BYTES;
  private static final int ATTRIBUTE_BYTES = Long.BYTES + Integer.BYTES + 1;

  /// Per text: its end, its hash, its string once asked for, two slots.
  private static final int TEXT_BYTES = 5 * Integer.BYTES;

  private BatchSize() {}

  static long heapBytes(SpanBatch batch) {
    return (long) batch.size() * SPAN_BYTES
        + (long) batch.events() * EVENT_BYTES
        + (long) batch.links() * LINK_BYTES
        + (long) (batch.scopes() + batch.resources()) * SCOPE_BYTES
        + attributes(batch.spanAttributes())
        + attributes(batch.eventAttributes())
        + attributes(batch.linkAttributes())
        + attributes(batch.scopeAttributes())
        + attributes(batch.resourceAttributes())
        + batch.table().backing().length
        + (long) batch.table().size() * TEXT_BYTES;
  }

  /// What records decoded from a message take, roughly: objects and texts of two bytes a character
  /// where the message has a few bytes.
  static long heapBytes(ByteString message) {
    return 6L * message.size();
  }

  private static long attributes(Attributes attributes) {
    return (long) attributes.size() * ATTRIBUTE_BYTES + (long) attributes.owners() * Integer.BYTES;
  }
}
