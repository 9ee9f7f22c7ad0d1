package io.headspan.agent.probe.http;

import static java.lang.foreign.MemoryLayout.PathElement.groupElement;
import static java.lang.foreign.MemoryLayout.sequenceLayout;
import static java.lang.foreign.MemoryLayout.structLayout;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.headspan.agent.probe.http.HttpEvent.Direction;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;

/// Mirror of `struct http_bytes_event` in events.h; checked by LayoutsMatchBtfTest. In the ring it
/// may end behind the used part of its last field.
final class HttpBytesEventLayout {
  static final int KIND = 5;
  static final int BYTES_MAX = 1024;
  static final int FROM_CLIENT = 0;
  static final int FROM_SERVER = 1;

  static final StructLayout LAYOUT =
      structLayout(
              JAVA_INT.withName("kind"),
              JAVA_INT.withName("open_at_head"),
              JAVA_LONG.withName("cookie"),
              JAVA_LONG.withName("time_ns"),
              JAVA_INT.withName("from_seq"),
              JAVA_INT.withName("seq"),
              JAVA_INT.withName("until_seq"),
              JAVA_SHORT.withName("length"),
              JAVA_BYTE.withName("direction"),
              JAVA_BYTE.withName("raw"),
              sequenceLayout(BYTES_MAX, JAVA_BYTE).withName("bytes"))
          .withName("http_bytes_event");

  private static final long OPEN_AT_HEAD = LAYOUT.byteOffset(groupElement("open_at_head"));
  private static final long COOKIE = LAYOUT.byteOffset(groupElement("cookie"));
  private static final long TIME_NS = LAYOUT.byteOffset(groupElement("time_ns"));
  private static final long FROM_SEQ = LAYOUT.byteOffset(groupElement("from_seq"));
  private static final long SEQ = LAYOUT.byteOffset(groupElement("seq"));
  private static final long UNTIL_SEQ = LAYOUT.byteOffset(groupElement("until_seq"));
  private static final long LENGTH = LAYOUT.byteOffset(groupElement("length"));
  private static final long DIRECTION = LAYOUT.byteOffset(groupElement("direction"));
  private static final long RAW = LAYOUT.byteOffset(groupElement("raw"));
  private static final long BYTES = LAYOUT.byteOffset(groupElement("bytes"));

  private HttpBytesEventLayout() {}

  /// Copies out of the ring; the result never refers to `sample`.
  static HttpEvent.Bytes decode(MemorySegment sample) {
    return new HttpEvent.Bytes(
        sample.get(JAVA_LONG, COOKIE),
        direction(sample.get(JAVA_BYTE, DIRECTION)),
        sample.get(JAVA_LONG, TIME_NS),
        sample.get(JAVA_INT, OPEN_AT_HEAD),
        sample.get(JAVA_INT, FROM_SEQ),
        sample.get(JAVA_INT, SEQ),
        sample.get(JAVA_INT, UNTIL_SEQ),
        sample.get(JAVA_BYTE, RAW) != 0,
        HttpExchangeEventLayout.bytes(sample, BYTES, sample.get(JAVA_SHORT, LENGTH)));
  }

  static Direction direction(byte direction) {
    return switch (direction) {
      case FROM_CLIENT -> Direction.FROM_CLIENT;
      case FROM_SERVER -> Direction.FROM_SERVER;
      default -> throw new IllegalArgumentException("unknown direction: direction=" + direction);
    };
  }
}
