package io.headspan.agent.probe.http;

import static java.lang.foreign.MemoryLayout.PathElement.groupElement;
import static java.lang.foreign.MemoryLayout.sequenceLayout;
import static java.lang.foreign.MemoryLayout.structLayout;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.headspan.agent.probe.http.HttpEvent.ConnectionEnd;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.VarHandle;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.stream.Stream;

/// Mirror of `struct http_exchange_event` in events.h; checked by LayoutsMatchBtfTest. In the ring
/// it ends behind the used part of its last field.
final class HttpExchangeEventLayout {
  static final int KIND = 1;
  static final int KIND_TURN = 7;
  static final int HEAD_BYTES = 1024;
  static final int RESPONSE_BYTES = 256;
  static final int OPEN_UNKNOWN = 0xffffffff;
  static final int FLAG_PEER_LOCAL = 1;
  static final int FLAG_RESPONSE_GAP = 2;
  static final int ROLE_SERVER = 1;
  static final int ROLE_CLIENT = 2;

  private static final int ADDRESS_BYTES = 16;

  /// The fields before `head`, all of which every record has.
  private static final StructLayout FIXED =
      structLayout(
          JAVA_INT.withName("kind"),
          JAVA_INT.withName("exchange"),
          JAVA_LONG.withName("cookie"),
          JAVA_LONG.withName("cgroup_id"),
          JAVA_LONG.withName("head_ns"),
          JAVA_LONG.withName("response_ns"),
          JAVA_LONG.withName("last_ns"),
          JAVA_LONG.withName("end_ns"),
          JAVA_LONG.withName("response_bytes"),
          JAVA_LONG.withName("last_bytes"),
          sequenceLayout(ADDRESS_BYTES, JAVA_BYTE).withName("local_address"),
          sequenceLayout(ADDRESS_BYTES, JAVA_BYTE).withName("remote_address"),
          JAVA_SHORT.withName("local_port"),
          JAVA_SHORT.withName("remote_port"),
          JAVA_INT.withName("head_seq"),
          JAVA_INT.withName("request_next"),
          JAVA_INT.withName("open_at_head"),
          JAVA_SHORT.withName("head_length"),
          JAVA_SHORT.withName("response_length"),
          JAVA_BYTE.withName("role"),
          JAVA_BYTE.withName("end"),
          JAVA_BYTE.withName("flags"),
          JAVA_BYTE.withName("head_parts"),
          sequenceLayout(RESPONSE_BYTES, JAVA_BYTE).withName("response"));

  static final StructLayout LAYOUT =
      structLayout(
              Stream.concat(
                      FIXED.memberLayouts().stream(),
                      Stream.of(sequenceLayout(HEAD_BYTES, JAVA_BYTE).withName("head")))
                  .toArray(MemoryLayout[]::new))
          .withName("http_exchange_event");

  private static final VarHandle EXCHANGE = FIXED.varHandle(groupElement("exchange"));
  private static final VarHandle COOKIE = FIXED.varHandle(groupElement("cookie"));
  private static final VarHandle CGROUP_ID = FIXED.varHandle(groupElement("cgroup_id"));
  private static final VarHandle HEAD_NS = FIXED.varHandle(groupElement("head_ns"));
  private static final VarHandle RESPONSE_NS = FIXED.varHandle(groupElement("response_ns"));
  private static final VarHandle LAST_NS = FIXED.varHandle(groupElement("last_ns"));
  private static final VarHandle END_NS = FIXED.varHandle(groupElement("end_ns"));
  private static final VarHandle TOTAL_BYTES = FIXED.varHandle(groupElement("response_bytes"));
  private static final VarHandle LAST_BYTES = FIXED.varHandle(groupElement("last_bytes"));
  private static final VarHandle LOCAL_PORT = FIXED.varHandle(groupElement("local_port"));
  private static final VarHandle REMOTE_PORT = FIXED.varHandle(groupElement("remote_port"));
  private static final VarHandle HEAD_SEQ = FIXED.varHandle(groupElement("head_seq"));
  private static final VarHandle REQUEST_NEXT = FIXED.varHandle(groupElement("request_next"));
  private static final VarHandle OPEN_AT_HEAD = FIXED.varHandle(groupElement("open_at_head"));
  private static final VarHandle HEAD_LENGTH = FIXED.varHandle(groupElement("head_length"));
  private static final VarHandle PREFIX_LENGTH = FIXED.varHandle(groupElement("response_length"));
  private static final VarHandle ROLE = FIXED.varHandle(groupElement("role"));
  private static final VarHandle END = FIXED.varHandle(groupElement("end"));
  private static final VarHandle FLAGS = FIXED.varHandle(groupElement("flags"));
  private static final VarHandle HEAD_PARTS = FIXED.varHandle(groupElement("head_parts"));
  private static final long LOCAL_ADDRESS = LAYOUT.byteOffset(groupElement("local_address"));
  private static final long REMOTE_ADDRESS = LAYOUT.byteOffset(groupElement("remote_address"));
  private static final long RESPONSE = LAYOUT.byteOffset(groupElement("response"));
  private static final long HEAD = LAYOUT.byteOffset(groupElement("head"));

  private HttpExchangeEventLayout() {}

  /// Copies out of the ring; the result never refers to `sample`.
  static HttpEvent.Exchange decode(MemorySegment sample) {
    byte flags = (byte) FLAGS.get(sample, 0L);
    return new HttpEvent.Exchange(
        (long) COOKIE.get(sample, 0L),
        (int) EXCHANGE.get(sample, 0L),
        (long) CGROUP_ID.get(sample, 0L),
        role((byte) ROLE.get(sample, 0L)),
        endpoint(sample, LOCAL_ADDRESS, (short) LOCAL_PORT.get(sample, 0L)),
        endpoint(sample, REMOTE_ADDRESS, (short) REMOTE_PORT.get(sample, 0L)),
        (long) HEAD_NS.get(sample, 0L),
        (long) RESPONSE_NS.get(sample, 0L),
        (long) LAST_NS.get(sample, 0L),
        (long) END_NS.get(sample, 0L),
        (long) TOTAL_BYTES.get(sample, 0L),
        (long) LAST_BYTES.get(sample, 0L),
        (int) HEAD_SEQ.get(sample, 0L),
        (int) REQUEST_NEXT.get(sample, 0L),
        (int) OPEN_AT_HEAD.get(sample, 0L),
        Byte.toUnsignedInt((byte) HEAD_PARTS.get(sample, 0L)),
        end((byte) END.get(sample, 0L)),
        (flags & FLAG_PEER_LOCAL) != 0,
        (flags & FLAG_RESPONSE_GAP) != 0,
        bytes(sample, RESPONSE, (short) PREFIX_LENGTH.get(sample, 0L)),
        bytes(sample, HEAD, (short) HEAD_LENGTH.get(sample, 0L)));
  }

  static byte[] bytes(MemorySegment sample, long offset, short length) {
    return sample.asSlice(offset, Short.toUnsignedLong(length)).toArray(JAVA_BYTE);
  }

  static ConnectionEnd end(byte end) {
    return switch (end) {
      case 0 -> ConnectionEnd.NONE;
      case 1 -> ConnectionEnd.CLOSED;
      case 2 -> ConnectionEnd.RESET;
      case 3 -> ConnectionEnd.LEFT;
      case 4 -> ConnectionEnd.TRANSCRIBED;
      default -> throw new IllegalArgumentException("unknown end of a connection: end=" + end);
    };
  }

  static HttpExchange.Role role(byte role) {
    return switch (role) {
      case ROLE_SERVER -> HttpExchange.Role.SERVER;
      case ROLE_CLIENT -> HttpExchange.Role.CLIENT;
      default -> throw new IllegalArgumentException("unknown role of a socket: role=" + role);
    };
  }

  /// An IPv4 address comes as IPv6 maps it, which [InetAddress] takes back.
  static InetSocketAddress endpoint(MemorySegment sample, long offset, short port) {
    byte[] address = sample.asSlice(offset, ADDRESS_BYTES).toArray(JAVA_BYTE);
    try {
      return new InetSocketAddress(InetAddress.getByAddress(address), Short.toUnsignedInt(port));
    } catch (UnknownHostException e) {
      throw new IllegalArgumentException("no address: sizeBytes=" + address.length, e);
    }
  }
}
