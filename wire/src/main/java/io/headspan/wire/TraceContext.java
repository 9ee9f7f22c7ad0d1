package io.headspan.wire;

import java.util.HexFormat;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The span context that a request carries: W3C Trace Context,
/// <https://www.w3.org/TR/trace-context/>, level 1 with the version rule for later ones.
///
/// @param traceIdHigh first 8 bytes of the trace id, big-endian
/// @param traceIdLow last 8 bytes of the trace id, big-endian
/// @param spanId the caller's span id, big-endian, never 0
/// @param flags the trace flags, bit 0 = sampled
/// @param traceState the `tracestate` header's value, "" if there was none
public record TraceContext(
    long traceIdHigh, long traceIdLow, long spanId, byte flags, String traceState) {
  private static final int LENGTH = 55;
  private static final int TRACE_STATE_MAX = 512;

  /// Reads the two headers. Empty if `traceparent` is not valid; a `tracestate` longer than 512
  /// characters is left out.
  public static Optional<TraceContext> parse(
      @Nullable String parentHeader, @Nullable String stateHeader) {
    if (parentHeader == null) {
      return Optional.empty();
    }
    String text = parentHeader.strip();
    if (text.length() < LENGTH
        || text.charAt(2) != '-'
        || text.charAt(35) != '-'
        || text.charAt(52) != '-') {
      return Optional.empty();
    }
    long version = hex(text, 0, 2);
    long high = hex(text, 3, 19);
    long low = hex(text, 19, 35);
    long span = hex(text, 36, 52);
    long flags = hex(text, 53, 55);
    boolean digits =
        isLowerHex(text, 0, 2)
            && isLowerHex(text, 3, 35)
            && isLowerHex(text, 36, 52)
            && isLowerHex(text, 53, 55);
    if (!digits || version == 0xff || (high | low) == 0 || span == 0) {
      return Optional.empty();
    }
    if (text.length() > LENGTH && (version == 0 || text.charAt(LENGTH) != '-')) {
      return Optional.empty();
    }
    String state =
        stateHeader == null || stateHeader.length() > TRACE_STATE_MAX ? "" : stateHeader.strip();
    return Optional.of(new TraceContext(high, low, span, (byte) flags, state));
  }

  /// The trace id as 32 lower-case hex digits.
  public String traceId() {
    return hexId(traceIdHigh) + hexId(traceIdLow);
  }

  /// The `traceparent` header that names `spanId` as the parent in this trace.
  public String traceparent() {
    return "00-" + traceId() + "-" + hexId(spanId) + "-" + HexFormat.of().toHexDigits(flags);
  }

  /// An id as 16 lower-case hex digits.
  public static String hexId(long id) {
    return HexFormat.of().toHexDigits(id);
  }

  /// Whether a text is an id as [#hexId] writes it.
  public static boolean isHexId(String text) {
    return text.length() == 16 && isLowerHex(text, 0, 16);
  }

  private static boolean isLowerHex(String text, int from, int to) {
    for (int i = from; i < to; i++) {
      char c = text.charAt(i);
      if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
        return false;
      }
    }
    return true;
  }

  private static long hex(String text, int from, int to) {
    long value = 0;
    for (int i = from; i < to; i++) {
      value = (value << 4) | (Character.digit(text.charAt(i), 16) & 15);
    }
    return value;
  }
}
