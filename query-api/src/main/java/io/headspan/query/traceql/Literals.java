package io.headspan.query.traceql;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.antlr.v4.runtime.Token;

/// Values and attribute names from tokens.
final class Literals {
  private static final Pattern TIME_PART = Pattern.compile("([0-9.]+)([a-zµμ]+)");
  private static final Map<String, Long> UNIT_NS =
      Map.ofEntries(
          Map.entry("ns", 1L),
          Map.entry("us", 1_000L),
          Map.entry("µs", 1_000L),
          Map.entry("μs", 1_000L),
          Map.entry("ms", 1_000_000L),
          Map.entry("s", 1_000_000_000L),
          Map.entry("m", 60_000_000_000L),
          Map.entry("h", 3_600_000_000_000L),
          Map.entry("d", 86_400_000_000_000L),
          Map.entry("w", 604_800_000_000_000L),
          Map.entry("y", 31_536_000_000_000_000L));

  private Literals() {}

  /// The value of a literal token; empty for an identifier that names no value.
  static Optional<Value> value(Token token) {
    Position at = TraceQl.position(token);
    String text = token.getText();
    return switch (token.getType()) {
      case TraceQlLexer.STRING -> Optional.of(new Value.Text(unquote(at, text)));
      case TraceQlLexer.RAW_STRING ->
          Optional.of(new Value.Text(text.substring(1, text.length() - 1)));
      case TraceQlLexer.INTEGER -> Optional.of(integer(at, text));
      case TraceQlLexer.FLOAT -> Optional.of(real(at, text));
      case TraceQlLexer.DURATION -> Optional.of(time(at, text));
      default -> keyword(text);
    };
  }

  private static Optional<Value> keyword(String text) {
    for (SpanStatus status : SpanStatus.values()) {
      if (status.keyword().equals(text)) {
        return Optional.of(new Value.Status(status));
      }
    }
    for (SpanKind kind : SpanKind.values()) {
      if (kind.keyword().equals(text)) {
        return Optional.of(new Value.Kind(kind));
      }
    }
    return switch (text) {
      case "true" -> Optional.of(new Value.Bool(true));
      case "false" -> Optional.of(new Value.Bool(false));
      case "nil" -> Optional.of(new Value.Nil());
      case "minInt" -> Optional.of(new Value.Int(Long.MIN_VALUE));
      case "maxInt" -> Optional.of(new Value.Int(Long.MAX_VALUE));
      default -> Optional.empty();
    };
  }

  static Value integer(Position at, String text) {
    try {
      return new Value.Int(Long.parseLong(text));
    } catch (NumberFormatException _) {
      throw TraceQlException.invalid(at, "integer out of range: " + text + ", allowed=64 bits");
    }
  }

  private static Value real(Position at, String text) {
    double value = Double.parseDouble(text);
    if (Double.isInfinite(value)) {
      throw TraceQlException.invalid(at, "number out of range: " + text);
    }
    return new Value.Real(value);
  }

  private static Value time(Position at, String text) {
    BigDecimal sum = BigDecimal.ZERO;
    Matcher parts = TIME_PART.matcher(text);
    while (parts.find()) {
      Long unit = UNIT_NS.get(parts.group(2));
      if (unit == null) {
        throw TraceQlException.invalid(at, "unknown unit of time: " + parts.group(2));
      }
      sum = sum.add(new BigDecimal(parts.group(1)).multiply(BigDecimal.valueOf(unit)));
    }
    try {
      return new Value.Time(sum.setScale(0, RoundingMode.HALF_UP).longValueExact());
    } catch (ArithmeticException _) {
      throw TraceQlException.invalid(at, "duration out of range: " + text + ", allowed=292 years");
    }
  }

  /// Arithmetic on two numbers of the query; ints stay ints. Empty if there is a duration, which is
  /// a number only beside what it is compared with.
  static Optional<Value> calculate(Position at, Arithmetic operator, Value left, Value right) {
    if (left instanceof Value.Time || right instanceof Value.Time) {
      return Optional.empty();
    }
    boolean divides = operator == Arithmetic.DIVIDE || operator == Arithmetic.REMAINDER;
    if (divides && number(right) == 0) {
      throw TraceQlException.invalid(at, "division by zero");
    }
    if (left instanceof Value.Int(long l)
        && right instanceof Value.Int(long r)
        && operator != Arithmetic.POWER) {
      return Optional.of(
          new Value.Int(
              switch (operator) {
                case ADD -> l + r;
                case SUBTRACT -> l - r;
                case MULTIPLY -> l * r;
                case DIVIDE -> l / r;
                case REMAINDER -> l % r;
                case POWER -> throw new IllegalStateException("not of ints");
              }));
    }
    double l = number(left);
    double r = number(right);
    return Optional.of(
        new Value.Real(
            switch (operator) {
              case ADD -> l + r;
              case SUBTRACT -> l - r;
              case MULTIPLY -> l * r;
              case DIVIDE -> l / r;
              case REMAINDER -> l % r;
              case POWER -> Math.pow(l, r);
            }));
  }

  private static double number(Value value) {
    return switch (value) {
      case Value.Int(long number) -> number;
      case Value.Real(double number) -> number;
      case Value.Time _, Value.Text _, Value.Bool _, Value.Status _, Value.Kind _, Value.Nil _ ->
          throw new IllegalArgumentException("no number without a unit: value=" + value);
    };
  }

  static Value negate(Position at, Value value) {
    return switch (value) {
      case Value.Int(long number) -> new Value.Int(-number);
      case Value.Real(double number) -> new Value.Real(-number);
      case Value.Time(long ns) -> new Value.Time(-ns);
      case Value.Text _, Value.Bool _, Value.Status _, Value.Kind _, Value.Nil _ ->
          throw TraceQlException.invalid(
              at, "- needs a number, and this is " + Typing.of(value).description());
    };
  }

  /// The text between double quotes, with the escapes of Go, whose strings these are.
  private static String unquote(Position at, String quoted) {
    StringBuilder text = new StringBuilder(quoted.length());
    int end = quoted.length() - 1;
    int i = 1;
    while (i < end) {
      char c = quoted.charAt(i++);
      if (c != '\\') {
        text.append(c);
        continue;
      }
      char escape = quoted.charAt(i++);
      switch (escape) {
        case 'a' -> text.append('\u0007');
        case 'b' -> text.append('\b');
        case 'f' -> text.append('\f');
        case 'n' -> text.append('\n');
        case 'r' -> text.append('\r');
        case 't' -> text.append('\t');
        case 'v' -> text.append('\u000b');
        case '\\', '"' -> text.append(escape);
        case 'x', 'u', 'U' -> {
          int digits = escape == 'x' ? 2 : escape == 'u' ? 4 : 8;
          text.appendCodePoint(codePoint(at, quoted, i, Math.min(i + digits, end), digits, 16));
          i += digits;
        }
        case '0', '1', '2', '3' -> {
          text.appendCodePoint(codePoint(at, quoted, i - 1, Math.min(i + 2, end), 3, 8));
          i += 2;
        }
        default ->
            throw TraceQlException.invalid(
                at,
                "unknown escape \\"
                    + escape
                    + " in a string; write \\\\"
                    + escape
                    + " or use back quotes");
      }
    }
    return text.toString();
  }

  private static int codePoint(Position at, String text, int from, int to, int digits, int radix) {
    if (to - from == digits) {
      try {
        int value = Integer.parseInt(text, from, to, radix);
        if (Character.isValidCodePoint(value)
            && (value < Character.MIN_SURROGATE || value > Character.MAX_SURROGATE)) {
          return value;
        }
      } catch (NumberFormatException _) {
        // Reported below, with what was expected.
      }
    }
    throw TraceQlException.invalid(
        at, "escape without its " + digits + " digits in a string: \\" + text.substring(from, to));
  }

  /// An attribute of its text in the query.
  static FieldExpression.Attribute attribute(Position at, String text) {
    String rest = text;
    boolean ofParent = rest.startsWith("parent.");
    if (ofParent) {
      rest = rest.substring("parent".length());
      String scoped = rest.substring(1);
      if (scoped.startsWith("span.") || scoped.startsWith("resource.")) {
        rest = scoped;
      }
    }
    AttributeScope scope = AttributeScope.ANY;
    for (AttributeScope candidate : AttributeScope.values()) {
      if (rest.startsWith(candidate.prefix() + ".")) {
        scope = candidate;
      }
    }
    return new FieldExpression.Attribute(
        at, scope, ofParent, unquoteName(rest.substring(scope.prefix().length() + 1)));
  }

  private static String unquoteName(String name) {
    if (name.indexOf('"') < 0) {
      return name;
    }
    StringBuilder text = new StringBuilder(name.length());
    boolean quoted = false;
    for (int i = 0; i < name.length(); i++) {
      char c = name.charAt(i);
      if (c == '"') {
        quoted = !quoted;
      } else if (c == '\\' && quoted) {
        text.append(name.charAt(++i));
      } else {
        text.append(c);
      }
    }
    return text.toString();
  }
}
