package io.headspan.agent.probe.http;

import org.jspecify.annotations.Nullable;

/// Where the kernel may go on with a direction that it hands on raw.
///
/// @param sequence number of the next byte of interest; of HTTP/2, a frame begins there
/// @param streams what was open on an HTTP/2 connection when everything before had passed; null if
///   that is not known, or it is no HTTP/2
record ResumePoint(int sequence, @Nullable OpenStreams streams) {
  /// Open streams, as far as they are known in user space, where the other direction may have been
  /// read less far.
  ///
  /// @param last the highest number that the client had used
  /// @param bits `struct resume_point.open` in maps/http.h: a bit for each open stream, at half of
  ///   its number
  record OpenStreams(int last, long[] bits) {
    /// `STREAM_BITS` in maps/http.h.
    private static final int BITS = 1024;

    static final int WORDS = BITS / Long.SIZE;

    /// How far behind the last one an open stream may be: the kernel may know of later ones.
    private static final int STREAMS_BEHIND_MAX = BITS / 2;

    /// Null if they cannot be put down.
    static @Nullable OpenStreams of(int last, Iterable<Integer> open) {
      long[] bits = new long[WORDS];
      for (int stream : open) {
        if (last / 2 - stream / 2 > STREAMS_BEHIND_MAX) {
          return null;
        }
        int at = stream / 2 % BITS;
        bits[at / Long.SIZE] |= 1L << at;
      }
      return new OpenStreams(last, bits);
    }
  }
}
