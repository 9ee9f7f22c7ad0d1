package io.headspan.query.traceql;

import com.google.re2j.Pattern;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.InstrumentationScope;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.resource.v1.Resource;
import io.opentelemetry.proto.trace.v1.Span;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;

/// What TraceQL says of one span, worked out in Java from the message as it was sent: a second
/// opinion on the SQL.
///
/// @param rootName of its trace
/// @param rootService of its trace
/// @param traceNs duration of its trace
/// @param place in the tree of its trace
public record SpanFields(
    Resource resource,
    InstrumentationScope scope,
    Span span,
    String rootName,
    String rootService,
    long traceNs,
    SpanPlace place) {
  /// How several values compare.
  private enum Several {
    NO,
    ANY,
    ARRAY
  }

  /// Values of a field: strings, longs, doubles, booleans, and statuses and kinds as enums.
  private record Values(Several several, List<Object> values, boolean exists) {
    static Values of(@Nullable Object value) {
      return value == null
          ? new Values(Several.NO, List.of(), false)
          : new Values(Several.NO, List.of(value), true);
    }
  }

  /// A duration, which takes part in arithmetic as a float.
  private record TimeNs(long ns) {}

  /// The number that `expression` is, durations in seconds; empty if it is none.
  OptionalDouble seconds(FieldExpression expression) {
    Object value = single(expression);
    return value instanceof TimeNs(long ns)
        ? OptionalDouble.of(ns / 1e9)
        : number(value == null ? "" : value)
            .map(number -> OptionalDouble.of(number.doubleValue()))
            .orElseGet(OptionalDouble::empty);
  }

  /// The number that `expression` is, durations in nanoseconds; empty if it is none.
  OptionalDouble nanoseconds(FieldExpression expression) {
    Object value = single(expression);
    return number(value == null ? "" : value)
        .map(number -> OptionalDouble.of(number.doubleValue()))
        .orElseGet(OptionalDouble::empty);
  }

  /// The value that `expression` has; empty if it has none, or several.
  Optional<Object> value(FieldExpression expression) {
    return Optional.ofNullable(single(expression));
  }

  /// The attributes of span and resource that have one value, by scoped name.
  Map<String, Object> scopedAttributes() {
    Map<String, Object> found = new HashMap<>();
    span.getAttributesList().forEach(each -> addScoped("span.", each, found));
    resource.getAttributesList().forEach(each -> addScoped("resource.", each, found));
    return found;
  }

  private static void addScoped(String scope, KeyValue attribute, Map<String, Object> found) {
    if (!attribute.getValue().hasArrayValue()) {
      found.put(scope + attribute.getKey(), scalar(attribute.getValue()));
    }
  }

  /// The text that `expression` is; empty if it is something else.
  Optional<String> text(FieldExpression expression) {
    return single(expression) instanceof String text ? Optional.of(text) : Optional.empty();
  }

  public boolean test(FieldExpression expression) {
    return switch (expression) {
      case FieldExpression.Literal(_, Value value) -> value.equals(new Value.Bool(true));
      case FieldExpression.Logical logical ->
          logical.operator() == LogicalOperator.AND
              ? logical.operands().stream().allMatch(this::test)
              : logical.operands().stream().anyMatch(this::test);
      case FieldExpression.Not not -> !test(not.operand());
      case FieldExpression.Compare compare -> compare(compare);
      case FieldExpression.Attribute attribute -> values(attribute).values().contains(true);
      default -> throw new IllegalArgumentException("not a boolean: " + expression);
    };
  }

  private boolean compare(FieldExpression.Compare compare) {
    if (isNil(compare.left()) && isNil(compare.right())) {
      return false;
    }
    if (isNil(compare.right())) {
      return values(compare.left()).exists() == (compare.operator() == Comparison.NOT_EQUAL);
    }
    Values left = values(compare.left());
    Values right = values(compare.right());
    if (left.several() == Several.NO && right.several() != Several.NO) {
      Values swapped = left;
      left = right;
      right = swapped;
      compare = compare.mirrored();
    }
    Comparison operator = compare.operator();
    if (left.several() == Several.ARRAY && operator.isNegated()) {
      Comparison positive = operator == Comparison.NOT_EQUAL ? Comparison.EQUAL : Comparison.MATCH;
      List<Object> same = new ArrayList<>();
      for (Object l : left.values()) {
        for (Object r : right.values()) {
          if (comparable(l, r)) {
            same.add(l);
            if (holds(positive, l, r)) {
              return false;
            }
          }
        }
      }
      return !same.isEmpty();
    }
    for (Object l : left.values()) {
      for (Object r : right.values()) {
        if (comparable(l, r) && holds(operator, l, r)) {
          return true;
        }
      }
    }
    return false;
  }

  private static boolean isNil(FieldExpression expression) {
    return expression instanceof FieldExpression.Literal literal
        && literal.value() instanceof Value.Nil;
  }

  private static boolean comparable(Object left, Object right) {
    return (number(left).isPresent() && number(right).isPresent())
        || left.getClass() == right.getClass();
  }

  private static boolean holds(Comparison operator, Object left, Object right) {
    if (operator.isPattern()) {
      boolean matches =
          left instanceof String text
              && Pattern.compile("^(?:" + right + ")$").matcher(text).find();
      return left instanceof String && matches == (operator == Comparison.MATCH);
    }
    Optional<BigDecimal> l = number(left);
    Optional<BigDecimal> r = number(right);
    int order;
    if (l.isPresent() && r.isPresent()) {
      order = l.get().compareTo(r.get());
    } else if (left instanceof String text) {
      order = compareBytes(text, (String) right);
    } else if (operator.isEquality()) {
      order = left.equals(right) ? 0 : 1;
    } else {
      return false;
    }
    return switch (operator) {
      case EQUAL -> order == 0;
      case NOT_EQUAL -> order != 0;
      case LESS -> order < 0;
      case LESS_OR_EQUAL -> order <= 0;
      case GREATER -> order > 0;
      case GREATER_OR_EQUAL -> order >= 0;
      case MATCH, NOT_MATCH -> throw new IllegalStateException();
    };
  }

  private static int compareBytes(String left, String right) {
    return java.util.Arrays.compareUnsigned(
        left.getBytes(java.nio.charset.StandardCharsets.UTF_8),
        right.getBytes(java.nio.charset.StandardCharsets.UTF_8));
  }

  private static Optional<BigDecimal> number(Object value) {
    return switch (value) {
      case Long number -> Optional.of(BigDecimal.valueOf(number));
      case Double number ->
          Double.isFinite(number) ? Optional.of(new BigDecimal(number)) : Optional.empty();
      case TimeNs(long ns) -> Optional.of(BigDecimal.valueOf(ns));
      default -> Optional.empty();
    };
  }

  private Values values(FieldExpression expression) {
    return switch (expression) {
      case FieldExpression.Literal(_, Value value) -> Values.of(literal(value));
      case FieldExpression.Attribute attribute -> attribute(attribute);
      case FieldExpression.Field field -> intrinsic(field.intrinsic());
      case FieldExpression.Calculate calculate ->
          calculate(calculate.operator(), values(calculate.left()), values(calculate.right()));
      case FieldExpression.Negate negate ->
          calculate(Arithmetic.SUBTRACT, Values.of(0L), values(negate.operand()));
      case FieldExpression.Logical _, FieldExpression.Compare _, FieldExpression.Not _ ->
          Values.of(test(expression));
    };
  }

  private static @Nullable Object literal(Value value) {
    return switch (value) {
      case Value.Text(String text) -> text;
      case Value.Int(long number) -> number;
      case Value.Real(double number) -> number;
      case Value.Time(long ns) -> new TimeNs(ns);
      case Value.Bool(boolean bool) -> bool;
      case Value.Status(SpanStatus status) -> status;
      case Value.Kind(SpanKind kind) -> kind;
      case Value.Nil _ -> null;
    };
  }

  /// Of several events or links the first one's; arrays are no single value.
  private @Nullable Object single(FieldExpression expression) {
    Values values = values(expression);
    return values.several() != Several.ARRAY && !values.values().isEmpty()
        ? values.values().getFirst()
        : null;
  }

  /// Arithmetic on what events or links have is done on each of them.
  private static Values calculate(Arithmetic operator, Values left, Values right) {
    if (left.several() == Several.ARRAY || right.several() == Several.ARRAY) {
      return Values.of(null);
    }
    List<Object> results = new ArrayList<>();
    for (Object l : left.values()) {
      for (Object r : right.values()) {
        Object result = calculate(operator, l, r);
        if (result != null) {
          results.add(result);
        }
      }
    }
    boolean one = left.several() == Several.NO && right.several() == Several.NO;
    return new Values(one ? Several.NO : Several.ANY, results, !results.isEmpty());
  }

  private static @Nullable Object calculate(Arithmetic operator, Object left, Object right) {
    if (left instanceof Long l && right instanceof Long r && operator != Arithmetic.POWER) {
      boolean divides = operator == Arithmetic.DIVIDE || operator == Arithmetic.REMAINDER;
      if (divides && r == 0) {
        return null;
      }
      return switch (operator) {
        case ADD -> l + r;
        case SUBTRACT -> l - r;
        case MULTIPLY -> l * r;
        case DIVIDE -> l / r;
        case REMAINDER -> l % r;
        case POWER -> throw new IllegalStateException();
      };
    }
    if (number(left).isEmpty() || number(right).isEmpty()) {
      return null;
    }
    double l = number(left).get().doubleValue();
    double r = number(right).get().doubleValue();
    if (r == 0 && (operator == Arithmetic.DIVIDE || operator == Arithmetic.REMAINDER)) {
      return null;
    }
    return switch (operator) {
      case ADD -> l + r;
      case SUBTRACT -> l - r;
      case MULTIPLY -> l * r;
      case DIVIDE -> l / r;
      case REMAINDER -> l % r;
      case POWER -> Math.pow(l, r);
    };
  }

  private Values attribute(FieldExpression.Attribute attribute) {
    if (attribute.ofParent()) {
      FieldExpression.Attribute own =
          new FieldExpression.Attribute(attribute.at(), attribute.scope(), false, attribute.name());
      return place.parent().map(parent -> parent.attribute(own)).orElseGet(() -> Values.of(null));
    }
    String key = attribute.name();
    return switch (attribute.scope()) {
      case SPAN -> of(span.getAttributesList(), key);
      case RESOURCE -> of(resource.getAttributesList(), key);
      case INSTRUMENTATION -> of(scope.getAttributesList(), key);
      case ANY -> {
        Values own = of(span.getAttributesList(), key);
        yield own.exists() ? own : of(resource.getAttributesList(), key);
      }
      case EVENT ->
          several(span.getEventsList().stream().map(Span.Event::getAttributesList).toList(), key);
      case LINK ->
          several(span.getLinksList().stream().map(Span.Link::getAttributesList).toList(), key);
    };
  }

  private static Values several(List<List<KeyValue>> lists, String key) {
    List<Object> values = new ArrayList<>();
    boolean exists = false;
    for (List<KeyValue> list : lists) {
      Values one = of(list, key);
      exists |= one.exists();
      values.addAll(one.values());
    }
    return new Values(Several.ANY, values, exists);
  }

  private static Values of(List<KeyValue> attributes, String key) {
    for (KeyValue attribute : attributes) {
      if (attribute.getKey().equals(key)) {
        AnyValue value = attribute.getValue();
        if (value.hasArrayValue()) {
          List<Object> elements = new ArrayList<>();
          value.getArrayValue().getValuesList().forEach(each -> elements.add(scalar(each)));
          return new Values(Several.ARRAY, elements, true);
        }
        return Values.of(scalar(value));
      }
    }
    return Values.of(null);
  }

  private static Object scalar(AnyValue value) {
    return switch (value.getValueCase()) {
      case STRING_VALUE -> value.getStringValue();
      case INT_VALUE -> value.getIntValue();
      case DOUBLE_VALUE -> value.getDoubleValue();
      case BOOL_VALUE -> value.getBoolValue();
      default -> throw new IllegalArgumentException("value of another type: " + value);
    };
  }

  private static SpanStatus status(int code) {
    return Arrays.stream(SpanStatus.values())
        .filter(status -> status.code() == code)
        .findFirst()
        .orElseThrow();
  }

  private static SpanKind kind(int code) {
    return Arrays.stream(SpanKind.values())
        .filter(kind -> kind.code() == code)
        .findFirst()
        .orElseThrow();
  }

  private Values intrinsic(Intrinsic intrinsic) {
    return switch (intrinsic) {
      case DURATION ->
          Values.of(new TimeNs(span.getEndTimeUnixNano() - span.getStartTimeUnixNano()));
      case NAME -> Values.of(span.getName());
      case STATUS -> Values.of(status(span.getStatus().getCodeValue()));
      case STATUS_MESSAGE -> Values.of(span.getStatus().getMessage());
      case KIND -> Values.of(kind(span.getKindValue()));
      case SPAN_ID -> Values.of(hex(span.getSpanId().toByteArray()));
      case TRACE_ID -> Values.of(hex(span.getTraceId().toByteArray()));
      case TRACE_DURATION -> Values.of(new TimeNs(traceNs));
      case ROOT_NAME -> Values.of(rootName);
      case ROOT_SERVICE_NAME -> Values.of(rootService);
      case EVENT_NAME ->
          any(span.getEventsList().stream().map(event -> (Object) event.getName()).toList());
      case EVENT_TIME_SINCE_START ->
          any(
              span.getEventsList().stream()
                  .map(event ->
                      (Object) new TimeNs(event.getTimeUnixNano() - span.getStartTimeUnixNano()))
                  .toList());
      case LINK_SPAN_ID ->
          any(
              span.getLinksList().stream()
                  .map(link -> (Object) hex(link.getSpanId().toByteArray()))
                  .toList());
      case INSTRUMENTATION_NAME -> Values.of(scope.getName());
      case INSTRUMENTATION_VERSION -> Values.of(scope.getVersion());
      case PARENT_ID ->
          Values.of(
              span.getParentSpanId().isEmpty() ? null : hex(span.getParentSpanId().toByteArray()));
      // No value, but it is there or not.
      case PARENT -> new Values(Several.NO, List.of(), !span.getParentSpanId().isEmpty());
      case CHILD_COUNT -> Values.of((long) place.children());
      case NESTED_SET_LEFT -> Values.of((long) place.left());
      case NESTED_SET_RIGHT -> Values.of((long) place.right());
      case NESTED_SET_PARENT -> Values.of((long) place.parentLeft());
      case LINK_TRACE_ID ->
          throw new IllegalArgumentException("not known here: " + intrinsic.text());
    };
  }

  private static Values any(List<Object> values) {
    return new Values(Several.ANY, values, !values.isEmpty());
  }

  private static String hex(byte[] id) {
    return HexFormat.of().formatHex(id);
  }
}
