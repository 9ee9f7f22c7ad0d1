package io.headspan.wire.otap;

/// Counts the memory that one stream makes the decoder use, before it is allocated: what stays for
/// the life of the stream (dictionaries) and what lasts for a batch. Lengths in the input are only
/// believed as far as this reaches.
final class MemoryBudget {
  private final long limitBytes;
  private long heldBytes;
  private long batchBytes;

  MemoryBudget(long limitBytes) {
    this.limitBytes = limitBytes;
  }

  /// Forgets what the last batch used.
  void startBatch() {
    batchBytes = 0;
  }

  /// Reserves `bytes` until the end of the batch.
  void use(long bytes) {
    batchBytes += bytes;
    check();
  }

  /// Reserves `bytes` until they are released.
  void hold(long bytes) {
    heldBytes += bytes;
    check();
  }

  void release(long bytes) {
    heldBytes -= bytes;
  }

  long heldBytes() {
    return heldBytes;
  }

  private void check() {
    if (heldBytes + batchBytes > limitBytes) {
      throw new OtapException(
          OtapException.Kind.LIMIT,
          "OTAP stream needs too much memory: dictionaries="
              + heldBytes
              + " bytes, batch="
              + batchBytes
              + " bytes, limit="
              + limitBytes
              + "; send smaller batches, or end the stream and start another one");
    }
  }
}
