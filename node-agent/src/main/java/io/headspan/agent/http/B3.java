package io.headspan.agent.http;

import io.headspan.wire.TraceContext;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The span context as Zipkin's propagation writes it,
/// <https://github.com/openzipkin/b3-propagation>: in one header `b3`, or in several `X-B3-...`. A
/// trace id of 64 bits is the lower half of one of 128. Nothing said about sampling, which leaves
/// it to the receiver, is "not sampled" here.
final class B3 {
  private static final int SPAN_DIGITS = 16;
  private static final int TRACE_DIGITS = 32;

  private B3() {}

  /// Whether a `b3` header says no more than whether to sample, so that there is no context.
  static boolean saysOnlySampling(String single) {
    return single.length() == 1 && isSampling(single);
  }

  /// Reads `TRACE-SPAN`, `TRACE-SPAN-SAMPLING` or `TRACE-SPAN-SAMPLING-PARENT`; empty if it is
  /// none.
  static Optional<TraceContext> parse(String single) {
    String[] parts = single.split("-", -1);
    if (parts.length < 2
        || parts.length > 4
        || (parts.length > 2 && !isSampling(parts[2]))
        || (parts.length > 3 && !isId(parts[3], SPAN_DIGITS))) {
      return Optional.empty();
    }
    return context(parts[0], parts[1], parts.length > 2 && !parts[2].equals("0"));
  }

  /// Puts together what the headers of the other form say; empty if the ids are not both there and
  /// right.
  ///
  /// @param flags `X-B3-Flags`, where "1" means debug, which is sampled
  static Optional<TraceContext> parse(
      @Nullable String traceId,
      @Nullable String spanId,
      @Nullable String sampled,
      @Nullable String flags) {
    if (traceId == null || spanId == null) {
      return Optional.empty();
    }
    boolean isSampled =
        "1".equals(flags) || "1".equals(sampled) || "true".equalsIgnoreCase(sampled);
    return context(traceId, spanId, isSampled);
  }

  private static Optional<TraceContext> context(String traceId, String spanId, boolean sampled) {
    if (!isId(spanId, SPAN_DIGITS)
        || !(isId(traceId, TRACE_DIGITS) || isId(traceId, SPAN_DIGITS))) {
      return Optional.empty();
    }
    int low = traceId.length() - SPAN_DIGITS;
    long high = low == 0 ? 0 : Long.parseUnsignedLong(traceId, 0, low, 16);
    return Optional.of(
        new TraceContext(
            high,
            Long.parseUnsignedLong(traceId, low, traceId.length(), 16),
            Long.parseUnsignedLong(spanId, 16),
            (byte) (sampled ? 1 : 0),
            ""));
  }

  private static boolean isSampling(String text) {
    return text.equals("0") || text.equals("1") || text.equals("d");
  }

  /// Whether these are so many lower-case hex digits, not all of them 0.
  private static boolean isId(String text, int digits) {
    if (text.length() != digits) {
      return false;
    }
    boolean zero = true;
    for (int i = 0; i < digits; i++) {
      char c = text.charAt(i);
      if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
        return false;
      }
      zero &= c == '0';
    }
    return !zero;
  }
}
