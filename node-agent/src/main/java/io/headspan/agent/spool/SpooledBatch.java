package io.headspan.agent.spool;

import io.headspan.agent.ledger.TenantCounts;

/// A batch in the spool: where it is, and what names it.
public final class SpooledBatch {
  private final Segment segment;
  private final long offset;
  private final int metaBytes;
  private final int payloadBytes;
  private final long sequence;
  private final long madeMillis;
  private final TenantCounts spans;

  SpooledBatch(
      Segment segment,
      long offset,
      int metaBytes,
      int payloadBytes,
      long sequence,
      long madeMillis,
      TenantCounts spans) {
    this.segment = segment;
    this.offset = offset;
    this.metaBytes = metaBytes;
    this.payloadBytes = payloadBytes;
    this.sequence = sequence;
    this.madeMillis = madeMillis;
    this.spans = spans;
  }

  /// The start of the agent that captured it.
  public String bootId() {
    return segment.bootId();
  }

  /// Its number in that start.
  public long sequence() {
    return sequence;
  }

  /// When it was filled, ms since the Unix epoch.
  public long madeMillis() {
    return madeMillis;
  }

  public TenantCounts spans() {
    return spans;
  }

  Segment segment() {
    return segment;
  }

  /// Where its record begins in the segment.
  long offset() {
    return offset;
  }

  int metaBytes() {
    return metaBytes;
  }

  int payloadBytes() {
    return payloadBytes;
  }
}
