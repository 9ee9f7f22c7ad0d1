package io.headspan.collector.sampling;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import java.math.BigDecimal;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;

/// A condition in OTTL, as far as it is about attributes, names, status, kind and times:
/// comparisons, `+` and `-`, `and`, `or`, `not`, parentheses around conditions, `IsMatch`,
/// `Duration`.
///
/// Values of different kinds are never equal and have no order, except that integers and floating
/// point numbers are compared as numbers. What is not there is `nil`.
final class OttlCondition {
  private static final Pattern TOKEN =
      Pattern.compile(
          "\\s*(?:(\"(?:[^\"\\\\]|\\\\.)*\")|(\\d+(?:\\.\\d+)?)|([A-Za-z_][A-Za-z0-9_.]*)"
              + "|(==|!=|<=|>=|[<>()\\[\\]+,-]))");

  private static final Pattern DURATION_PART =
      Pattern.compile("(\\d+(?:\\.\\d+)?)(ns|us|µs|ms|s|m|h)");
  private static final Pattern DURATION = Pattern.compile("(?:" + DURATION_PART.pattern() + ")+");

  private static final Map<String, Long> ENUMERATIONS =
      Map.ofEntries(
          Map.entry("STATUS_CODE_UNSET", 0L),
          Map.entry("STATUS_CODE_OK", 1L),
          Map.entry("STATUS_CODE_ERROR", 2L),
          Map.entry("SPAN_KIND_UNSPECIFIED", 0L),
          Map.entry("SPAN_KIND_INTERNAL", 1L),
          Map.entry("SPAN_KIND_SERVER", 2L),
          Map.entry("SPAN_KIND_CLIENT", 3L),
          Map.entry("SPAN_KIND_PRODUCER", 4L),
          Map.entry("SPAN_KIND_CONSUMER", 5L));

  /// What a condition is about: a span, or one of its events.
  private record Subject(SampledTrace trace, int span, int event) {}

  @FunctionalInterface
  private interface Condition {
    boolean holds(Subject subject);
  }

  @FunctionalInterface
  private interface Value {
    @Nullable Object of(Subject subject);
  }

  private final Condition condition;

  private OttlCondition(Condition condition) {
    this.condition = condition;
  }

  /// Reads a condition about spans, or about events.
  ///
  /// @throws SamplingException if it is none, or one that is not known here; it says where
  static OttlCondition parse(String text, boolean ofEvents) {
    return new OttlCondition(new Parser(text, ofEvents).whole());
  }

  boolean holdsForSpan(SampledTrace trace, int span) {
    return condition.holds(new Subject(trace, span, -1));
  }

  boolean holdsForEvent(SampledTrace trace, int span, int event) {
    return condition.holds(new Subject(trace, span, event));
  }

  private static final class Parser {
    private final String text;
    private final boolean ofEvents;
    private final Matcher matcher;
    private String token = "";
    private int at;

    Parser(String text, boolean ofEvents) {
      this.text = text;
      this.ofEvents = ofEvents;
      matcher = TOKEN.matcher(text);
      next();
    }

    Condition whole() {
      Condition condition = or();
      if (!token.isEmpty()) {
        throw expected("the end of the condition");
      }
      return condition;
    }

    private Condition or() {
      Condition left = and();
      while (token.equals("or")) {
        next();
        Condition before = left;
        Condition right = and();
        left = subject -> before.holds(subject) || right.holds(subject);
      }
      return left;
    }

    private Condition and() {
      Condition left = one();
      while (token.equals("and")) {
        next();
        Condition before = left;
        Condition right = one();
        left = subject -> before.holds(subject) && right.holds(subject);
      }
      return left;
    }

    private Condition one() {
      return switch (token) {
        case "not" -> {
          next();
          Condition of = one();
          yield subject -> !of.holds(subject);
        }
        case "(" -> {
          next();
          Condition inside = or();
          take(")");
          yield inside;
        }
        case "IsMatch" -> isMatch();
        default -> comparison();
      };
    }

    private Condition isMatch() {
      next();
      take("(");
      Value target = sum();
      take(",");
      Pattern pattern = pattern();
      take(")");
      return subject -> {
        Object value = target.of(subject);
        return value != null && pattern.matcher(value.toString()).find();
      };
    }

    private Condition comparison() {
      Value left = sum();
      String operator = token;
      return switch (operator) {
        case "==", "!=", "<", "<=", ">", ">=" -> {
          next();
          Value right = sum();
          yield subject -> compare(operator, left.of(subject), right.of(subject));
        }
        default -> subject -> Boolean.TRUE.equals(left.of(subject));
      };
    }

    private Value sum() {
      Value left = term();
      while (token.equals("+") || token.equals("-")) {
        boolean minus = token.equals("-");
        next();
        Value before = left;
        Value right = term();
        left = subject -> add(before.of(subject), right.of(subject), minus);
      }
      return left;
    }

    private Value term() {
      if (token.equals("-")) {
        next();
        Value of = term();
        return subject -> add(0L, of.of(subject), true);
      }
      if (token.isEmpty()) {
        throw expected("a value");
      }
      String word = token;
      char first = word.charAt(0);
      if (first == '"') {
        next();
        String literal = unquoted(word);
        return _ -> literal;
      }
      if (Character.isDigit(first)) {
        next();
        Object number = number(word);
        return _ -> number;
      }
      if (!Character.isLetter(first) && first != '_') {
        throw expected("a value");
      }
      int start = at;
      next();
      Long named = ENUMERATIONS.get(word);
      if (named != null) {
        return _ -> named;
      }
      return switch (word) {
        case "true" -> _ -> true;
        case "false" -> _ -> false;
        case "nil" -> _ -> null;
        case "Duration" -> duration();
        default -> path(word, start);
      };
    }

    private Value path(String word, int start) {
      String own = ofEvents ? "spanevent." : "span.";
      String path = word.startsWith(own) ? word.substring(own.length()) : word;
      boolean event = ofEvents && !path.startsWith("span.") && !path.startsWith("resource.");
      if (path.startsWith("span.")) {
        path = path.substring("span.".length());
      }
      if (path.equals("attributes") || path.equals("resource.attributes")) {
        boolean resource = !path.equals("attributes");
        take("[");
        if (!token.startsWith("\"")) {
          throw expected("a name in quotes");
        }
        String key = unquoted(token);
        next();
        take("]");
        return subject -> attribute(subject, resource, event, key);
      }
      if (event) {
        return switch (path) {
          case "name" -> subject -> spans(subject).text(spans(subject).eventName(subject.event));
          case "time_unix_nano" -> subject -> spans(subject).eventTimeNs(subject.event);
          default -> throw unknown(word, start);
        };
      }
      return switch (path) {
        case "name" -> subject -> spans(subject).text(spans(subject).name(subject.span));
        case "kind" -> subject -> (long) spans(subject).kind(subject.span);
        case "kind.string" -> subject -> kindName(spans(subject).kind(subject.span));
        case "status.code" -> subject -> (long) spans(subject).statusCode(subject.span);
        case "status.message" ->
            subject -> spans(subject).text(spans(subject).statusMessage(subject.span));
        case "trace_state" ->
            subject -> spans(subject).text(spans(subject).traceState(subject.span));
        case "start_time_unix_nano" -> subject -> spans(subject).startNs(subject.span);
        case "end_time_unix_nano" -> subject -> endNs(subject);
        case "start_time" -> subject -> time(spans(subject).startNs(subject.span));
        case "end_time" -> subject -> time(endNs(subject));
        default -> throw unknown(word, start);
      };
    }

    /// `("1m30s")`: numbers with units, as Go writes them.
    private Value duration() {
      take("(");
      String literal = token.startsWith("\"") ? unquoted(token) : "";
      if (!DURATION.matcher(literal).matches()) {
        throw expected("a duration in quotes, e.g. \"1.5s\"");
      }
      BigDecimal nanos = BigDecimal.ZERO;
      Matcher part = DURATION_PART.matcher(literal);
      while (part.find()) {
        nanos = nanos.add(new BigDecimal(part.group(1)).multiply(unitNanos(part.group(2))));
      }
      if (nanos.compareTo(BigDecimal.valueOf(Long.MAX_VALUE)) > 0) {
        throw expected("a shorter duration");
      }
      Duration duration = Duration.ofNanos(nanos.longValue());
      next();
      take(")");
      return _ -> duration;
    }

    private static BigDecimal unitNanos(String unit) {
      return BigDecimal.valueOf(
          switch (unit) {
            case "h" -> 3_600_000_000_000L;
            case "m" -> 60_000_000_000L;
            case "s" -> 1_000_000_000L;
            case "ms" -> 1_000_000L;
            case "us", "µs" -> 1_000L;
            default -> 1L;
          });
    }

    private Pattern pattern() {
      if (!token.startsWith("\"")) {
        throw expected("a regular expression in quotes");
      }
      try {
        Pattern pattern = Pattern.compile(unquoted(token));
        next();
        return pattern;
      } catch (PatternSyntaxException e) {
        throw new SamplingException(
            "bad regular expression in a condition: condition="
                + text
                + ", reason="
                + e.getDescription(),
            e);
      }
    }

    private void take(String symbol) {
      if (!token.equals(symbol)) {
        throw expected(symbol);
      }
      next();
    }

    private void next() {
      int end = matcher.hasMatch() ? matcher.end() : 0;
      at = end;
      if (text.substring(end).isBlank()) {
        token = "";
        return;
      }
      if (!matcher.find(end) || matcher.start() != end) {
        throw expected("a value or an operator");
      }
      token = matcher.group().strip();
    }

    private SamplingException expected(String what) {
      return new SamplingException(
          "bad condition: condition=" + text + ", column=" + (at + 1) + "; expected " + what);
    }

    private SamplingException unknown(String word, int start) {
      return new SamplingException(
          "unknown path in a condition: condition="
              + text
              + ", column="
              + (start + 1)
              + ", path="
              + word
              + "; known are attributes, resource.attributes, name, kind, status, trace_state and"
              + " times");
    }

    private static String unquoted(String literal) {
      return literal.substring(1, literal.length() - 1).replaceAll("\\\\(.)", "$1");
    }

    private static Object number(String word) {
      try {
        return word.indexOf('.') >= 0
            ? (Object) Double.parseDouble(word)
            : (Object) Long.parseLong(word);
      } catch (NumberFormatException e) {
        throw new SamplingException("number in a condition is too large: number=" + word, e);
      }
    }
  }

  private static long endNs(Subject subject) {
    return spans(subject).startNs(subject.span) + spans(subject).durationNs(subject.span);
  }

  private static Instant time(long unixNanos) {
    return Instant.EPOCH.plusNanos(unixNanos);
  }

  private static String kindName(byte kind) {
    return switch (kind) {
      case 1 -> "Internal";
      case 2 -> "Server";
      case 3 -> "Client";
      case 4 -> "Producer";
      case 5 -> "Consumer";
      default -> "Unspecified";
    };
  }

  private static SpanBatch spans(Subject subject) {
    return subject.trace.batch();
  }

  private static @Nullable Object attribute(
      Subject subject, boolean resource, boolean event, String key) {
    SpanBatch spans = spans(subject);
    Attributes attributes =
        resource
            ? spans.resourceAttributes()
            : event ? spans.eventAttributes() : spans.spanAttributes();
    int owner =
        resource ? subject.trace.resource(subject.span) : event ? subject.event : subject.span;
    int row = subject.trace.find(attributes, owner, key);
    if (row < 0) {
      return null;
    }
    return switch (attributes.type(row)) {
      case AttributeType.STRING -> spans.text((int) attributes.value(row));
      case AttributeType.INT -> attributes.value(row);
      case AttributeType.DOUBLE -> attributes.doubleValue(row);
      case AttributeType.BOOL -> attributes.value(row) != 0;
      default -> null;
    };
  }

  private static @Nullable Object add(
      @Nullable Object left, @Nullable Object right, boolean minus) {
    if (left instanceof Long a && right instanceof Long b) {
      return minus ? a - b : a + b;
    }
    if (left instanceof Number a && right instanceof Number b) {
      return minus ? a.doubleValue() - b.doubleValue() : a.doubleValue() + b.doubleValue();
    }
    if (left instanceof Instant a && right instanceof Instant b && minus) {
      return Duration.between(b, a);
    }
    if (left instanceof Instant a && right instanceof Duration b) {
      return minus ? a.minus(b) : a.plus(b);
    }
    if (left instanceof Duration a && right instanceof Duration b) {
      return minus ? a.minus(b) : a.plus(b);
    }
    return null;
  }

  private static boolean compare(String operator, @Nullable Object left, @Nullable Object right) {
    Integer order = order(left, right);
    return switch (operator) {
      case "==" -> order != null && order == 0;
      case "!=" -> order == null || order != 0;
      case "<" -> order != null && order < 0;
      case "<=" -> order != null && order <= 0;
      case ">" -> order != null && order > 0;
      default -> order != null && order >= 0;
    };
  }

  /// As a comparator; null if the two cannot be compared.
  private static @Nullable Integer order(@Nullable Object left, @Nullable Object right) {
    if (left == null && right == null) {
      return 0;
    }
    if (left instanceof Long a && right instanceof Long b) {
      return Long.compare(a, b);
    }
    if (left instanceof Number a && right instanceof Number b) {
      double first = a.doubleValue();
      double second = b.doubleValue();
      return Double.isNaN(first) || Double.isNaN(second) ? null : Double.compare(first, second);
    }
    if (left instanceof String a && right instanceof String b) {
      return a.compareTo(b);
    }
    if (left instanceof Boolean a && right instanceof Boolean b) {
      return Boolean.compare(a, b);
    }
    if (left instanceof Instant a && right instanceof Instant b) {
      return a.compareTo(b);
    }
    if (left instanceof Duration a && right instanceof Duration b) {
      return a.compareTo(b);
    }
    return null;
  }
}
