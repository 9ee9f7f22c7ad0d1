package io.headspan.agent.export;

import io.headspan.agent.ledger.Place;
import io.headspan.agent.ledger.TenantCounts;
import io.headspan.agent.spool.SpooledBatch;
import io.headspan.wire.SpanBatch;
import org.jspecify.annotations.Nullable;

/// A batch that is not acknowledged. It is in memory until it is in the spool; while it is under
/// way it may be in both. Guarded by the exporter's lock.
final class Outgoing {
  /// Its place in the order of sending, over all starts of the agent.
  final long position;

  final String bootId;
  final long sequence;
  final TenantCounts spans;

  /// When it was filled, ms since the Unix epoch.
  final long madeMillis;

  /// Memory it takes while it is not in the spool.
  final long bytes;

  @Nullable SpanBatch batch;
  @Nullable SpooledBatch spooled;

  /// The spool is writing it.
  boolean spooling;

  boolean underWay;

  /// Acknowledged or dropped.
  boolean done;

  /// It may have been sent before, by this start of the agent or an earlier one.
  boolean sentBefore;

  /// It was set aside, and is sent to see whether it can be stored now.
  boolean probing;

  int streamsBroken;

  private Outgoing(
      long position,
      String bootId,
      long sequence,
      TenantCounts spans,
      long madeMillis,
      long bytes) {
    this.position = position;
    this.bootId = bootId;
    this.sequence = sequence;
    this.spans = spans;
    this.madeMillis = madeMillis;
    this.bytes = bytes;
  }

  /// A batch of this start.
  static Outgoing made(
      long position,
      String bootId,
      long sequence,
      SpanBatch batch,
      TenantCounts spans,
      long madeMillis) {
    Outgoing made = new Outgoing(position, bootId, sequence, spans, madeMillis, bytes(batch));
    made.batch = batch;
    return made;
  }

  /// A batch of an earlier start.
  static Outgoing recovered(long position, SpooledBatch spooled) {
    Outgoing recovered =
        new Outgoing(
            position,
            spooled.bootId(),
            spooled.sequence(),
            spooled.spans(),
            spooled.madeMillis(),
            0);
    recovered.spooled = spooled;
    recovered.sentBefore = true;
    return recovered;
  }

  Place place() {
    return spooled == null ? Place.MEMORY : Place.SPOOL;
  }

  /// Memory of a batch: its columns, attribute rows and texts.
  private static long bytes(SpanBatch batch) {
    int texts = batch.table().size();
    int textBytes = batch.table().offset(texts - 1) + batch.table().length(texts - 1);
    long rows = (long) batch.spanAttributes().size() + batch.resourceAttributes().size();
    return 90L * batch.size() + 17 * rows + 2L * textBytes + 16L * texts;
  }
}
