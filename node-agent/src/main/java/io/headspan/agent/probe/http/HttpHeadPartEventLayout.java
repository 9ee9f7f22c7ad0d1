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

/// Mirror of `struct http_head_part_event` in events.h; checked by LayoutsMatchBtfTest.
final class HttpHeadPartEventLayout {
  static final int KIND = 3;

  static final StructLayout LAYOUT =
      structLayout(
              JAVA_INT.withName("kind"),
              JAVA_INT.withName("exchange"),
              JAVA_LONG.withName("cookie"),
              JAVA_INT.withName("offset"),
              JAVA_SHORT.withName("length"),
              JAVA_SHORT.withName("_pad"),
              sequenceLayout(HttpExchangeEventLayout.HEAD_BYTES, JAVA_BYTE).withName("bytes"))
          .withName("http_head_part_event");

  private static final VarHandle EXCHANGE = LAYOUT.varHandle(groupElement("exchange"));
  private static final VarHandle COOKIE = LAYOUT.varHandle(groupElement("cookie"));
  private static final VarHandle OFFSET = LAYOUT.varHandle(groupElement("offset"));
  private static final VarHandle LENGTH = LAYOUT.varHandle(groupElement("length"));
  private static final long BYTES = LAYOUT.byteOffset(groupElement("bytes"));

  private HttpHeadPartEventLayout() {}

  /// Copies out of the ring; the result never refers to `sample`.
  static HttpEvent.HeadPart decode(MemorySegment sample) {
    return new HttpEvent.HeadPart(
        (long) COOKIE.get(sample, 0L),
        (int) EXCHANGE.get(sample, 0L),
        (int) OFFSET.get(sample, 0L),
        HttpExchangeEventLayout.bytes(sample, BYTES, (short) LENGTH.get(sample, 0L)));
  }
}
