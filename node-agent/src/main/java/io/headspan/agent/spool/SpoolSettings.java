package io.headspan.agent.spool;

import java.nio.file.Path;

/// Where and how much is spooled.
///
/// @param directory holds the segments; made if it is not there
/// @param bytesMax most bytes of all segments
/// @param segmentBytes from this size on a new segment is begun
/// @param batchesMax most batches, because each has an entry in memory
public record SpoolSettings(Path directory, long bytesMax, long segmentBytes, int batchesMax) {
  private static final long SEGMENT_BYTES = 8L << 20;
  private static final int SEGMENTS_MIN = 8;
  private static final int BATCHES_MAX = 100_000;

  public SpoolSettings {
    if (bytesMax < 1 || segmentBytes < 1 || batchesMax < 1) {
      throw new IllegalArgumentException(
          "bounds must be positive: bytesMax="
              + bytesMax
              + ", segmentBytes="
              + segmentBytes
              + ", batchesMax="
              + batchesMax);
    }
  }

  /// Segments of 8 MiB, or smaller ones if that would be less than 8 of them: the oldest one goes
  /// as a whole.
  public static SpoolSettings of(Path directory, long bytesMax) {
    long segmentBytes = Math.clamp(bytesMax / SEGMENTS_MIN, 1, SEGMENT_BYTES);
    return new SpoolSettings(directory, bytesMax, segmentBytes, BATCHES_MAX);
  }
}
