package io.headspan.query.traceql;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Durations as Go writes them, for that is what Tempo's API speaks: `271.33µs`, `1m0.5s`.
public final class GoDuration {
  private static final Pattern WHOLE = Pattern.compile("([+-]?)((?:[0-9.]+[a-zµμ]+)+)");
  private static final Pattern PART = Pattern.compile("([0-9]+\\.?[0-9]*|\\.[0-9]+)([a-zµμ]+)");
  private static final long SECOND_NS = 1_000_000_000;
  private static final Map<String, Long> UNIT_NS =
      Map.of(
          "ns", 1L,
          "us", 1_000L,
          "µs", 1_000L,
          "μs", 1_000L,
          "ms", 1_000_000L,
          "s", SECOND_NS,
          "m", 60 * SECOND_NS,
          "h", 3_600 * SECOND_NS);

  private GoDuration() {}

  /// `ns` in the largest unit that gives a whole part: one unit below a second, hours, minutes and
  /// seconds from there on.
  public static String format(long ns) {
    if (ns == 0) {
      return "0s";
    }
    String sign = ns < 0 ? "-" : "";
    BigDecimal size = BigDecimal.valueOf(ns).abs();
    if (size.compareTo(BigDecimal.valueOf(1_000)) < 0) {
      return sign + plain(size) + "ns";
    }
    if (size.compareTo(BigDecimal.valueOf(1_000_000)) < 0) {
      return sign + plain(size.movePointLeft(3)) + "µs";
    }
    if (size.compareTo(BigDecimal.valueOf(SECOND_NS)) < 0) {
      return sign + plain(size.movePointLeft(6)) + "ms";
    }
    BigDecimal[] minutes = size.divideAndRemainder(BigDecimal.valueOf(60 * SECOND_NS));
    String seconds = plain(minutes[1].movePointLeft(9)) + "s";
    long wholeMinutes = minutes[0].longValueExact();
    if (wholeMinutes == 0) {
      return sign + seconds;
    }
    String hours = wholeMinutes < 60 ? "" : wholeMinutes / 60 + "h";
    return sign + hours + wholeMinutes % 60 + "m" + seconds;
  }

  /// The nanoseconds of a duration such as `1h30m` or `-1.5s`; empty if `text` is none.
  public static Optional<Long> parse(String text) {
    if (text.equals("0")) {
      return Optional.of(0L);
    }
    Matcher whole = WHOLE.matcher(text);
    if (!whole.matches()) {
      return Optional.empty();
    }
    BigDecimal sum = BigDecimal.ZERO;
    Matcher part = PART.matcher(whole.group(2));
    int end = 0;
    while (part.find() && part.start() == end) {
      Long unit = UNIT_NS.get(part.group(2));
      if (unit == null) {
        return Optional.empty();
      }
      sum = sum.add(new BigDecimal(part.group(1)).multiply(BigDecimal.valueOf(unit)));
      end = part.end();
    }
    if (end != whole.group(2).length()) {
      return Optional.empty();
    }
    BigDecimal ns = whole.group(1).equals("-") ? sum.negate() : sum;
    BigDecimal truncated = ns.setScale(0, RoundingMode.DOWN);
    return truncated.toBigInteger().bitLength() > 63
        ? Optional.empty()
        : Optional.of(truncated.longValueExact());
  }

  private static String plain(BigDecimal number) {
    BigDecimal stripped = number.stripTrailingZeros();
    return (stripped.signum() == 0 ? BigDecimal.ZERO : stripped).toPlainString();
  }
}
