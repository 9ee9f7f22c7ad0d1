package io.headspan.agent.probe.http;

/// Where a body in chunks ends (RFC 9112, section 7.1).
final class ChunkedBody {
  private static final int SIZE_DIGITS_MAX = 7;

  private ChunkedBody() {}

  /// Follows the chunks from `from`, where the body begins.
  ///
  /// @return the index behind the body; -1 if the bytes end before it, or are no chunks
  static int end(byte[] bytes, int from) {
    int at = from;
    while (true) {
      int lineEnd = lineEnd(bytes, at);
      if (lineEnd < 0) {
        return -1;
      }
      int size = size(bytes, at, lineEnd);
      if (size < 0) {
        return -1;
      }
      at = lineEnd + 1;
      if (size == 0) {
        return endOfTrailers(bytes, at);
      }
      // The chunk and the line end behind it.
      if (size > bytes.length - at) {
        return -1;
      }
      int behind = lineEnd(bytes, at + size);
      if (behind < 0 || behind - (at + size) > 1) {
        return -1;
      }
      at = behind + 1;
    }
  }

  /// Whether a body that ends with these bytes ends with its last chunk, without trailers. A chunk
  /// whose data ends the same way at the end of a packet looks so too; nothing but data made for it
  /// does that.
  ///
  /// @param lastBytes the last 8 bytes, the very last in the highest place
  static boolean endsWithLastChunk(long lastBytes) {
    if (!endsWithEmptyLine(lastBytes) || byteAt(lastBytes, 3) != '0') {
      return false;
    }
    // More zeros may precede it, up to the line end before.
    int at = 2;
    while (at >= 0 && byteAt(lastBytes, at) == '0') {
      at--;
    }
    return at < 0 || byteAt(lastBytes, at) == '\n';
  }

  /// Whether these bytes may be the end of trailers.
  static boolean endsWithEmptyLine(long lastBytes) {
    return lastBytes >>> 32 == 0x0a0d0a0dL;
  }

  private static int byteAt(long lastBytes, int index) {
    return (int) (lastBytes >>> (index * 8)) & 0xff;
  }

  private static int endOfTrailers(byte[] bytes, int from) {
    int at = from;
    while (true) {
      int lineEnd = lineEnd(bytes, at);
      if (lineEnd < 0) {
        return -1;
      }
      boolean empty = lineEnd == at || (lineEnd == at + 1 && bytes[at] == '\r');
      at = lineEnd + 1;
      if (empty) {
        return at;
      }
    }
  }

  private static int lineEnd(byte[] bytes, int from) {
    for (int i = from; i < bytes.length; i++) {
      if (bytes[i] == '\n') {
        return i;
      }
    }
    return -1;
  }

  /// The hexadecimal number at the line's beginning; what follows it is an extension.
  private static int size(byte[] bytes, int from, int to) {
    int size = 0;
    int digits = 0;
    for (int at = from; at < to && Character.digit(bytes[at], 16) >= 0; at++) {
      if (++digits > SIZE_DIGITS_MAX) {
        return -1;
      }
      size = size * 16 + Character.digit(bytes[at], 16);
    }
    return digits == 0 ? -1 : size;
  }
}
