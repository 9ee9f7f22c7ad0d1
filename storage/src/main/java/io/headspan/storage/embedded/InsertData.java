package io.headspan.storage.embedded;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/// The rows of an INSERT in memory, as they came.
///
/// @param parts their bytes
/// @param length of all
/// @param whole whether that is all; else there was more than the limit
record InsertData(List<byte[]> parts, int length, boolean whole) {
  private static final int FIRST_PART_BYTES = 64 << 10;
  private static final int PART_MAX_BYTES = 1 << 20;

  /// Reads up to `limit` bytes, or one more.
  static InsertData read(InputStream in, int limit) throws IOException {
    List<byte[]> parts = new ArrayList<>();
    int length = 0;
    for (int size = FIRST_PART_BYTES; ; size = Math.min(PART_MAX_BYTES, 2 * size)) {
      byte[] part = new byte[Math.min(size, limit + 1 - length)];
      int count = in.readNBytes(part, 0, part.length);
      if (count > 0) {
        parts.add(count == part.length ? part : Arrays.copyOf(part, count));
        length += count;
      }
      if (count < part.length) {
        return new InsertData(parts, length, true);
      }
      if (length > limit) {
        return new InsertData(parts, length, false);
      }
    }
  }

  /// What was read, and what was not.
  InputStream with(InputStream rest) {
    List<InputStream> streams = new ArrayList<>();
    parts.forEach(part -> streams.add(new ByteArrayInputStream(part)));
    streams.add(rest);
    return new SequenceInputStream(Collections.enumeration(streams));
  }
}
