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

/// Mirror of `struct http_transcript_event` in events.h; checked by LayoutsMatchBtfTest.
final class HttpTranscriptEventLayout {
  static final int KIND = 4;
  static final int PROTOCOL_1 = 1;
  static final int PROTOCOL_2 = 2;

  private static final int ADDRESS_BYTES = 16;

  static final StructLayout LAYOUT =
      structLayout(
              JAVA_INT.withName("kind"),
              JAVA_INT.withName("exchange"),
              JAVA_LONG.withName("cookie"),
              JAVA_LONG.withName("cgroup_id"),
              JAVA_LONG.withName("time_ns"),
              sequenceLayout(ADDRESS_BYTES, JAVA_BYTE).withName("local_address"),
              sequenceLayout(ADDRESS_BYTES, JAVA_BYTE).withName("remote_address"),
              JAVA_SHORT.withName("local_port"),
              JAVA_SHORT.withName("remote_port"),
              sequenceLayout(2, JAVA_INT).withName("seq"),
              JAVA_BYTE.withName("role"),
              JAVA_BYTE.withName("flags"),
              JAVA_BYTE.withName("protocol"),
              JAVA_BYTE.withName("_pad"))
          .withName("http_transcript_event");

  private static final VarHandle EXCHANGE = LAYOUT.varHandle(groupElement("exchange"));
  private static final VarHandle COOKIE = LAYOUT.varHandle(groupElement("cookie"));
  private static final VarHandle CGROUP_ID = LAYOUT.varHandle(groupElement("cgroup_id"));
  private static final VarHandle TIME_NS = LAYOUT.varHandle(groupElement("time_ns"));
  private static final VarHandle LOCAL_PORT = LAYOUT.varHandle(groupElement("local_port"));
  private static final VarHandle REMOTE_PORT = LAYOUT.varHandle(groupElement("remote_port"));
  private static final VarHandle ROLE = LAYOUT.varHandle(groupElement("role"));
  private static final VarHandle FLAGS = LAYOUT.varHandle(groupElement("flags"));
  private static final VarHandle PROTOCOL = LAYOUT.varHandle(groupElement("protocol"));
  private static final long LOCAL_ADDRESS = LAYOUT.byteOffset(groupElement("local_address"));
  private static final long REMOTE_ADDRESS = LAYOUT.byteOffset(groupElement("remote_address"));
  private static final long SEQ = LAYOUT.byteOffset(groupElement("seq"));

  private HttpTranscriptEventLayout() {}

  static HttpEvent.Transcript decode(MemorySegment sample) {
    return new HttpEvent.Transcript(
        (long) COOKIE.get(sample, 0L),
        (int) EXCHANGE.get(sample, 0L),
        (long) CGROUP_ID.get(sample, 0L),
        (long) TIME_NS.get(sample, 0L),
        HttpExchangeEventLayout.role((byte) ROLE.get(sample, 0L)),
        HttpExchangeEventLayout.endpoint(sample, LOCAL_ADDRESS, (short) LOCAL_PORT.get(sample, 0L)),
        HttpExchangeEventLayout.endpoint(
            sample, REMOTE_ADDRESS, (short) REMOTE_PORT.get(sample, 0L)),
        sample.get(JAVA_INT, SEQ),
        sample.get(JAVA_INT, SEQ + Integer.BYTES),
        ((byte) FLAGS.get(sample, 0L) & HttpExchangeEventLayout.FLAG_PEER_LOCAL) != 0,
        (byte) PROTOCOL.get(sample, 0L) == PROTOCOL_1);
  }
}
