package io.headspan.collector.spanmetrics;

/// How many spans one stands for: the reciprocal of the probability with which it was sampled
/// before it came here, as the entry `ot` of its tracestate says (OpenTelemetry's consistent
/// probability sampling: `th` is the rejection threshold in up to 14 hex digits, without zeros at
/// the end).
final class AdjustedCount {
  private static final int DIGITS = 14;
  private static final double THRESHOLDS = 0x1p56;

  private AdjustedCount() {}

  /// 1 if the tracestate does not say.
  static double of(String traceState) {
    for (String member : traceState.split(",", -1)) {
      String trimmed = member.trim();
      if (trimmed.startsWith("ot=")) {
        for (String field : trimmed.substring("ot=".length()).split(";", -1)) {
          if (field.startsWith("th:")) {
            return ofThreshold(field.substring("th:".length()));
          }
        }
      }
    }
    return 1;
  }

  private static double ofThreshold(String digits) {
    if (!digits.matches("[0-9a-f]{1,14}")) {
      return 1;
    }
    long threshold = Long.parseLong(digits, 16) << (4 * (DIGITS - digits.length()));
    return THRESHOLDS / (THRESHOLDS - threshold);
  }
}
