package io.headspan.agent.probe.http;

import static java.lang.foreign.MemoryLayout.PathElement.groupElement;
import static java.lang.foreign.MemoryLayout.sequenceLayout;
import static java.lang.foreign.MemoryLayout.structLayout;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.VarHandle;

/// Mirror of `struct http_tail_event` in events.h; checked by LayoutsMatchBtfTest.
final class HttpTailEventLayout {
  static final int KIND = 2;

  static final StructLayout LAYOUT =
      structLayout(
              JAVA_INT.withName("kind"),
              JAVA_INT.withName("exchange"),
              JAVA_LONG.withName("cookie"),
              JAVA_LONG.withName("last_ns"),
              JAVA_LONG.withName("end_ns"),
              JAVA_LONG.withName("response_bytes"),
              JAVA_LONG.withName("last_bytes"),
              JAVA_SHORT.withName("response_length"),
              JAVA_BYTE.withName("end"),
              JAVA_BYTE.withName("flags"),
              JAVA_INT.withName("_pad"),
              sequenceLayout(HttpExchangeEventLayout.RESPONSE_BYTES, JAVA_BYTE)
                  .withName("response"))
          .withName("http_tail_event");

  private static final VarHandle EXCHANGE = LAYOUT.varHandle(groupElement("exchange"));
  private static final VarHandle COOKIE = LAYOUT.varHandle(groupElement("cookie"));
  private static final VarHandle LAST_NS = LAYOUT.varHandle(groupElement("last_ns"));
  private static final VarHandle END_NS = LAYOUT.varHandle(groupElement("end_ns"));
  private static final VarHandle TOTAL_BYTES = LAYOUT.varHandle(groupElement("response_bytes"));
  private static final VarHandle LAST_BYTES = LAYOUT.varHandle(groupElement("last_bytes"));
  private static final VarHandle PREFIX_LENGTH = LAYOUT.varHandle(groupElement("response_length"));
  private static final VarHandle END = LAYOUT.varHandle(groupElement("end"));
  private static final VarHandle FLAGS = LAYOUT.varHandle(groupElement("flags"));
  private static final long RESPONSE = LAYOUT.byteOffset(groupElement("response"));

  private HttpTailEventLayout() {}

  /// Copies out of the ring; the result never refers to `sample`.
  static HttpEvent.Tail decode(MemorySegment sample) {
    short length = (short) PREFIX_LENGTH.get(sample, 0L);
    byte flags = (byte) FLAGS.get(sample, 0L);
    return new HttpEvent.Tail(
        (long) COOKIE.get(sample, 0L),
        (int) EXCHANGE.get(sample, 0L),
        (long) LAST_NS.get(sample, 0L),
        (long) END_NS.get(sample, 0L),
        (long) TOTAL_BYTES.get(sample, 0L),
        (long) LAST_BYTES.get(sample, 0L),
        HttpExchangeEventLayout.end((byte) END.get(sample, 0L)),
        (flags & HttpExchangeEventLayout.FLAG_RESPONSE_GAP) != 0,
        length == 0 ? null : HttpExchangeEventLayout.bytes(sample, RESPONSE, length));
  }
}
