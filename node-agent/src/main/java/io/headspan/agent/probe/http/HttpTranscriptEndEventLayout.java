package io.headspan.agent.probe.http;

import static java.lang.foreign.MemoryLayout.PathElement.groupElement;
import static java.lang.foreign.MemoryLayout.structLayout;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.VarHandle;

/// Mirror of `struct http_transcript_end_event` in events.h; checked by LayoutsMatchBtfTest.
final class HttpTranscriptEndEventLayout {
  static final int KIND = 6;

  static final StructLayout LAYOUT =
      structLayout(
              JAVA_INT.withName("kind"),
              JAVA_INT.withName("end"),
              JAVA_LONG.withName("cookie"),
              JAVA_LONG.withName("end_ns"))
          .withName("http_transcript_end_event");

  private static final VarHandle END = LAYOUT.varHandle(groupElement("end"));
  private static final VarHandle COOKIE = LAYOUT.varHandle(groupElement("cookie"));
  private static final VarHandle END_NS = LAYOUT.varHandle(groupElement("end_ns"));

  private HttpTranscriptEndEventLayout() {}

  static HttpEvent.TranscriptEnd decode(MemorySegment sample) {
    return new HttpEvent.TranscriptEnd(
        (long) COOKIE.get(sample, 0L),
        HttpExchangeEventLayout.end((byte) (int) END.get(sample, 0L)),
        (long) END_NS.get(sample, 0L));
  }
}
