package io.headspan.query.traceql;

import com.google.re2j.Pattern;
import io.headspan.query.traceql.Columns.Table;
import io.headspan.query.traceql.Variant.Plurality;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// Field expressions as SQL over the rows of a [SpanSource].
///
/// A field compiles to its [Variant]s. A comparison is the OR over the pairs of variants whose
/// types compare; no such pair, or nothing present, is false, `!=` and `!~` included. Every
/// condition made here is 0 or 1, never NULL, so `!` is plain NOT.
final class FieldSql {
  private static final String FALSE = "0";
  private static final int TRACE_ID_DIGITS = 32;
  private static final int SPAN_ID_DIGITS = 16;

  private final Bindings bindings;
  private final SpanSource source;
  private final boolean ignoresRoots;
  private boolean usesTree;
  private boolean usesIndex = true;

  FieldSql(Bindings bindings, SpanSource source) {
    this(bindings, source, false);
  }

  /// One that is less exact and needs no tree for the sake of parents: a span that no root reaches
  /// has its parent too.
  static FieldSql ofAnyParents(Bindings bindings, SpanSource source) {
    return new FieldSql(bindings, source, true);
  }

  /// @param ignoresRoots whether spans that no root reaches have parents too
  private FieldSql(Bindings bindings, SpanSource source, boolean ignoresRoots) {
    this.bindings = bindings;
    this.source = source;
    this.ignoresRoots = ignoresRoots;
  }

  /// Whether something compiled so far reads the numbers of [SpanTree].
  boolean usesTree() {
    return usesTree;
  }

  /// From now on conditions are not made to suit an index: for rows that are found without.
  void useNoIndex() {
    usesIndex = false;
  }

  /// As [#condition], but true where the tree would have to be known.
  String conditionWithoutTree(FieldExpression expression) {
    FieldSql probe = new FieldSql(bindings, source, growsWithParents(expression));
    probe.usesIndex = usesIndex;
    String condition = probe.condition(expression);
    return probe.usesTree ? Variant.ALWAYS : condition;
  }

  /// Whether `expression` can only become true, and never false, where a span is given a parent.
  private static boolean growsWithParents(FieldExpression expression) {
    return switch (expression) {
      case FieldExpression.Logical logical ->
          logical.operands().stream().allMatch(FieldSql::growsWithParents);
      case FieldExpression.Compare compare ->
          !usesParent(compare)
              || (isValue(compare.left())
                  && isValue(compare.right())
                  && !(compare.operator() == Comparison.EQUAL
                      && (isNil(compare.left()) || isNil(compare.right()))));
      case FieldExpression.Not not -> !usesParent(not);
      case FieldExpression.Literal _, FieldExpression.Attribute _, FieldExpression.Field _ -> true;
      case FieldExpression.Calculate _, FieldExpression.Negate _ ->
          throw new IllegalArgumentException(
              "not a boolean: expression=" + FieldText.of(expression));
    };
  }

  private static boolean usesParent(FieldExpression expression) {
    Set<FieldExpression> fields = new LinkedHashSet<>();
    collectFields(expression, fields);
    return fields.stream().anyMatch(FieldSql::isOfParent);
  }

  /// `expression`, a boolean, as a condition of type UInt8.
  String condition(FieldExpression expression) {
    return condition(expression, Table.SPAN);
  }

  private String condition(FieldExpression expression, Table at) {
    return switch (expression) {
      case FieldExpression.Literal(_, Value.Bool(boolean value)) -> value ? Variant.ALWAYS : FALSE;
      case FieldExpression.Logical logical ->
          logical.operands().stream()
              .map(operand -> condition(operand, at))
              .collect(
                  Collectors.joining(
                      logical.operator() == LogicalOperator.AND ? " AND " : " OR ", "(", ")"));
      case FieldExpression.Not not -> "(NOT " + condition(not.operand(), at) + ")";
      case FieldExpression.Compare compare -> comparison(compare, at);
      case FieldExpression.Attribute attribute ->
          comparison(
              new FieldExpression.Compare(
                  attribute.at(),
                  Comparison.EQUAL,
                  attribute,
                  new FieldExpression.Literal(attribute.at(), new Value.Bool(true))),
              at);
      case FieldExpression.Field field ->
          throw TraceQlException.invalid(
              field.at(),
              field.intrinsic().text() + " is no boolean; compare it, as in parent != nil");
      case FieldExpression.Literal _, FieldExpression.Calculate _, FieldExpression.Negate _ ->
          throw new IllegalArgumentException(
              "not a boolean: expression=" + FieldText.of(expression));
    };
  }

  /// A comparison on the table that holds all its fields if there is one, else on spans.
  private String comparison(FieldExpression.Compare compare, Table at) {
    FieldExpression.Compare normal = literalOnTheRight(compare);
    if (at != Table.SPAN) {
      return compareHere(normal, at);
    }
    Set<FieldExpression> fields = new LinkedHashSet<>();
    collectFields(normal, fields);
    if (fields.stream().anyMatch(FieldSql::isOfParent)) {
      return fields.stream().allMatch(FieldSql::isOfParent)
              && isValue(normal.left())
              && isValue(normal.right())
          ? onParent(normal)
          : compareHere(normal, Table.SPAN);
    }
    if (fields.size() == 1
        && fields.iterator().next() instanceof FieldExpression.Attribute attribute
        && attribute.scope() == AttributeScope.ANY
        && !isSamplingPolicy(attribute)) {
      return unscoped(normal, attribute);
    }
    Set<Table> tables = fields.stream().map(FieldSql::table).collect(Collectors.toSet());
    if (tables.size() == 1 && tables.iterator().next() != Table.SPAN) {
      Table table = tables.iterator().next();
      return onResourceColumn(normal)
          .orElseGet(() -> source.membership(table, compareHere(normal, table)));
    }
    return compareHere(normal, Table.SPAN);
  }

  /// Of an unscoped one too: resources have no such attribute.
  private static boolean isSamplingPolicy(FieldExpression.Attribute attribute) {
    return attribute.name().equals(Columns.SAMPLING_POLICY)
        && (attribute.scope() == AttributeScope.SPAN || attribute.scope() == AttributeScope.ANY);
  }

  private static boolean isOfParent(FieldExpression field) {
    return field instanceof FieldExpression.Attribute attribute && attribute.ofParent();
  }

  /// Whether `expression` is nothing where the attributes in it are absent. A comparison inside an
  /// expression is not: it is false.
  private static boolean isValue(FieldExpression expression) {
    return switch (expression) {
      case FieldExpression.Literal _, FieldExpression.Attribute _, FieldExpression.Field _ -> true;
      case FieldExpression.Calculate calculate ->
          isValue(calculate.left()) && isValue(calculate.right());
      case FieldExpression.Negate negate -> isValue(negate.operand());
      case FieldExpression.Logical _, FieldExpression.Compare _, FieldExpression.Not _ -> false;
    };
  }

  /// A comparison of nothing but the parent's fields is the same one of the parent's own.
  private String onParent(FieldExpression.Compare compare) {
    if (isNilTest(compare) && compare.operator() == Comparison.EQUAL) {
      return "(NOT "
          + onParent(
              new FieldExpression.Compare(
                  compare.at(), Comparison.NOT_EQUAL, compare.left(), compare.right()))
          + ")";
    }
    FieldExpression.Compare own =
        new FieldExpression.Compare(
            compare.at(),
            compare.operator(),
            asParentsOwn(compare.left()),
            asParentsOwn(compare.right()));
    return ofRooted(
        source.parentMembership(
            parents -> new FieldSql(bindings, parents).comparison(own, Table.SPAN)));
  }

  /// `condition` for spans below a root: as in Tempo, others have no parent that could be asked.
  private String ofRooted(String condition) {
    if (ignoresRoots) {
      return condition;
    }
    usesTree = true;
    return "(tree_parent>0 AND " + condition + ")";
  }

  private static FieldExpression asParentsOwn(FieldExpression value) {
    return switch (value) {
      case FieldExpression.Attribute attribute ->
          new FieldExpression.Attribute(attribute.at(), attribute.scope(), false, attribute.name());
      case FieldExpression.Calculate(
              Position at,
              Arithmetic operator,
              FieldExpression left,
              FieldExpression right) ->
          new FieldExpression.Calculate(at, operator, asParentsOwn(left), asParentsOwn(right));
      case FieldExpression.Negate(Position at, FieldExpression operand) ->
          new FieldExpression.Negate(at, asParentsOwn(operand));
      case FieldExpression.Literal _,
          FieldExpression.Field _,
          FieldExpression.Logical _,
          FieldExpression.Compare _,
          FieldExpression.Not _ ->
          value;
    };
  }

  /// `.x`: the span's attribute, of whatever type, hides the resource's.
  private String unscoped(FieldExpression.Compare compare, FieldExpression.Attribute attribute) {
    String ofSpan = comparison(withScope(compare, AttributeScope.SPAN), Table.SPAN);
    String ofResource = comparison(withScope(compare, AttributeScope.RESOURCE), Table.SPAN);
    String hidden = Columns.hasSpanAttribute(attribute.name(), bindings);
    if (isNilTest(compare) && compare.operator() == Comparison.EQUAL) {
      return "(" + ofSpan + " AND " + ofResource + ")";
    }
    return "(" + ofSpan + " OR (NOT " + hidden + " AND " + ofResource + "))";
  }

  /// `resource.service.name = "x"` needs no look at the resources.
  private Optional<String> onResourceColumn(FieldExpression.Compare compare) {
    if (compare.operator() == Comparison.EQUAL
        && compare.left() instanceof FieldExpression.Attribute attribute
        && attribute.scope() == AttributeScope.RESOURCE
        && compare.right() instanceof FieldExpression.Literal(_, Value.Text(String text))
        && !text.isEmpty()) {
      return Columns.resourceColumn(attribute.name())
          .map(column -> "(" + column + "=" + bindings.text(text) + ")");
    }
    return Optional.empty();
  }

  private static FieldExpression.Compare literalOnTheRight(FieldExpression.Compare compare) {
    return compare.left() instanceof FieldExpression.Literal
            && !(compare.right() instanceof FieldExpression.Literal)
        ? compare.mirrored()
        : compare;
  }

  private static boolean isNilTest(FieldExpression.Compare compare) {
    return isNil(compare.right());
  }

  private static boolean isNil(FieldExpression expression) {
    return expression instanceof FieldExpression.Literal(_, Value.Nil _);
  }

  private String compareHere(FieldExpression.Compare compare, Table at) {
    if (isNilTest(compare)) {
      if (compare.left() instanceof FieldExpression.Literal(_, Value.Nil _)) {
        return FALSE;
      }
      String exists = exists(compare.left(), at);
      return compare.operator() == Comparison.EQUAL ? "(NOT " + exists + ")" : exists;
    }
    if (compare.left() instanceof FieldExpression.Field(_, Intrinsic intrinsic)
        && compare.right() instanceof FieldExpression.Literal(_, Value value)) {
      Optional<String> special = intrinsicAgainst(intrinsic, compare.operator(), value);
      if (special.isPresent()) {
        return special.get();
      }
    }
    @Nullable Value literal =
        compare.right() instanceof FieldExpression.Literal(_, Value value) ? value : null;
    List<String> pairs = new ArrayList<>();
    for (Variant left : variants(compare.left(), at)) {
      for (Variant right : variants(compare.right(), at)) {
        if (left.type().comparesWith(right.type()) && isDefined(compare.operator(), left.type())) {
          pairs.add(pair(compare, left, right, literal));
        }
      }
    }
    if (pairs.isEmpty()) {
      return FALSE;
    }
    String any = "(" + String.join(" OR ", pairs) + ")";
    return indexHint(compare, literal, at)
        .map(hint -> "(" + hint + " AND " + any + ")")
        .orElse(any);
  }

  /// What the index needs that knows the long-tail strings and the elements of arrays: one
  /// condition over all pairs, since two in a disjunction would make it useless.
  private Optional<String> indexHint(
      FieldExpression.Compare compare, @Nullable Value literal, Table at) {
    return usesIndex
            && compare.operator() == Comparison.EQUAL
            && at == Table.SPAN
            && literal instanceof Value.Text(String text)
            && compare.left() instanceof FieldExpression.Attribute attribute
            && attribute.scope() == AttributeScope.SPAN
            && !attribute.ofParent()
            && !isSamplingPolicy(attribute)
        ? Columns.stringIndexHint(attribute.name(), text, bindings)
        : Optional.empty();
  }

  /// Comparisons that can be said in a form the store's keys and indexes understand.
  private Optional<String> intrinsicAgainst(Intrinsic intrinsic, Comparison operator, Value value) {
    if (!(value instanceof Value.Text(String text)) || !operator.isEquality()) {
      return rootTest(intrinsic, operator, value);
    }
    String sign = operator == Comparison.EQUAL ? "=" : "!=";
    return switch (intrinsic) {
      case TRACE_ID ->
          padded(text, TRACE_ID_DIGITS)
              .map(id -> "(trace_id" + sign + "unhex(" + bindings.text(id) + "))");
      case SPAN_ID ->
          padded(text, SPAN_ID_DIGITS)
              .map(id ->
                  "(span_id"
                      + sign
                      + "reinterpretAsUInt64(reverse(unhex("
                      + bindings.text(id)
                      + "))))");
      case LINK_TRACE_ID ->
          padded(text, TRACE_ID_DIGITS)
              .map(id ->
                  "arrayExists(t->t"
                      + sign
                      + "toFixedString(unhex("
                      + bindings.text(id)
                      + "),16),links.trace_id)");
      default -> Optional.empty();
    };
  }

  /// `nestedSetParent < 0` and `= -1`, the way to ask for root spans, need no tree.
  private static Optional<String> rootTest(Intrinsic intrinsic, Comparison operator, Value value) {
    boolean isRoot =
        intrinsic == Intrinsic.NESTED_SET_PARENT
            && value instanceof Value.Int(long number)
            && ((operator == Comparison.LESS && number == 0)
                || (operator == Comparison.EQUAL && number == -1));
    return isRoot ? Optional.of("(parent_span_id=0)") : Optional.empty();
  }

  private static Optional<String> padded(String id, int digits) {
    boolean hex =
        !id.isEmpty()
            && id.length() <= digits
            && id.chars().allMatch(c -> Character.digit(c, 16) >= 0 && c < 128);
    return hex ? Optional.of("0".repeat(digits - id.length()) + id) : Optional.empty();
  }

  private static boolean isDefined(Comparison operator, ValueType type) {
    return switch (type) {
      case BOOL, STATUS, KIND -> operator.isEquality();
      case TEXT -> true;
      case INT, REAL, TIME -> !operator.isPattern();
    };
  }

  private String pair(
      FieldExpression.Compare compare, Variant left, Variant right, @Nullable Value literal) {
    Comparison operator = compare.operator();
    if (right.plurality() != Plurality.ONE) {
      if (left.plurality() != Plurality.ONE) {
        return pairOfMany(operator, left, right);
      }
      return pair(compare.mirrored(), right, left, null);
    }
    String other = right.value();
    String rightPresent = right.isAlways() ? "" : right.present() + " AND ";
    String test =
        switch (left.plurality()) {
          case ONE -> {
            boolean absentIsFalse =
                left.isAlways()
                    || (left.neutral() && literal != null && !holdsForDefault(operator, literal));
            String holds = holds(operator, left.value(), other, literal);
            yield absentIsFalse ? holds : left.present() + " AND " + holds;
          }
          case ANY ->
              "arrayExists(x->" + holds(operator, "x", other, literal) + "," + left.value() + ")";
          case ARRAY ->
              operator.isNegated()
                  ? "notEmpty(%2$s) AND NOT arrayExists(x->%1$s,%2$s)"
                      .formatted(holds(positive(operator), "x", other, literal), left.value())
                  : "arrayExists(x->"
                      + holds(operator, "x", other, literal)
                      + ","
                      + left.value()
                      + ")";
        };
    return "(" + rightPresent + test + ")";
  }

  /// A comparison of two fields with several values each, without looking at every pair: a lambda
  /// over one array that captures the other would be quadratic.
  private static String pairOfMany(Comparison operator, Variant left, Variant right) {
    boolean numbers = left.type() != right.type();
    String l = numbers ? "arrayMap(x->toFloat64(x)," + left.value() + ")" : left.value();
    String r = numbers ? "arrayMap(x->toFloat64(x)," + right.value() + ")" : right.value();
    boolean arrays = left.plurality() == Plurality.ARRAY || right.plurality() == Plurality.ARRAY;
    String test =
        switch (operator) {
          case EQUAL -> "hasAny(" + l + "," + r + ")";
          case NOT_EQUAL ->
              arrays
                  ? "NOT hasAny(" + l + "," + r + ")"
                  : "length(arrayDistinct(arrayConcat(" + l + "," + r + ")))>1";
          case LESS, LESS_OR_EQUAL ->
              "arrayMin(" + l + ")" + operator.symbol() + "arrayMax(" + r + ")";
          case GREATER, GREATER_OR_EQUAL ->
              "arrayMax(" + l + ")" + operator.symbol() + "arrayMin(" + r + ")";
          case MATCH, NOT_MATCH ->
              throw new IllegalArgumentException("pattern is not a literal: " + operator);
        };
    return "(notEmpty(" + l + ") AND notEmpty(" + r + ") AND " + test + ")";
  }

  private static Comparison positive(Comparison operator) {
    return operator == Comparison.NOT_EQUAL ? Comparison.EQUAL : Comparison.MATCH;
  }

  private String holds(Comparison operator, String left, String right, @Nullable Value literal) {
    if (operator.isPattern()) {
      if (!(literal instanceof Value.Text(String pattern))) {
        throw new IllegalArgumentException("pattern is not a literal");
      }
      String match = "match(" + left + "," + bindings.text(anchored(pattern)) + ")";
      return operator == Comparison.MATCH ? match : "NOT " + match;
    }
    return left + operator.symbol() + right;
  }

  /// Whole-string, and `.` without newline as in Go; ClickHouse's own default is otherwise.
  private static String anchored(String pattern) {
    return "^(?-s:" + pattern + ")$";
  }

  /// Whether a comparison holds for the value that columns give for an absent attribute. If not,
  /// its presence need not be tested.
  private static boolean holdsForDefault(Comparison operator, Value literal) {
    return switch (literal) {
      case Value.Text(String text) ->
          switch (operator) {
            case MATCH, NOT_MATCH ->
                (operator == Comparison.MATCH) == Pattern.matches(anchored(text), "");
            default -> holds(operator, "".compareTo(text));
          };
      case Value.Int(long number) -> holds(operator, Long.compare(0, number));
      case Value.Real(double number) -> holds(operator, Double.compare(0, number));
      case Value.Time(long ns) -> holds(operator, Long.compare(0, ns));
      case Value.Bool(boolean bool) -> holds(operator, Boolean.compare(false, bool));
      case Value.Status _, Value.Kind _, Value.Nil _ -> true;
    };
  }

  private static boolean holds(Comparison operator, int order) {
    return switch (operator) {
      case EQUAL -> order == 0;
      case NOT_EQUAL -> order != 0;
      case LESS -> order < 0;
      case LESS_OR_EQUAL -> order <= 0;
      case GREATER -> order > 0;
      case GREATER_OR_EQUAL -> order >= 0;
      case MATCH, NOT_MATCH -> true;
    };
  }

  // Presence.

  private String exists(FieldExpression expression, Table at) {
    return switch (expression) {
      case FieldExpression.Attribute attribute -> exists(attribute, at);
      case FieldExpression.Field(_, Intrinsic intrinsic) when intrinsic == Intrinsic.PARENT ->
          "(parent_span_id!=0)";
      case FieldExpression.Field _,
          FieldExpression.Calculate _,
          FieldExpression.Negate _,
          FieldExpression.Logical _,
          FieldExpression.Compare _,
          FieldExpression.Not _ ->
          anyPresent(variants(expression, at));
      case FieldExpression.Literal literal ->
          literal.value() instanceof Value.Nil ? FALSE : Variant.ALWAYS;
    };
  }

  private String exists(FieldExpression.Attribute attribute, Table at) {
    String key = attribute.name();
    if (attribute.ofParent() || isSamplingPolicy(attribute)) {
      return anyPresent(variants(attribute, at));
    }
    return switch (attribute.scope()) {
      case SPAN -> Columns.hasSpanAttribute(key, bindings);
      case EVENT -> Columns.hasAttributeOfMany("event_attributes", key, bindings);
      case LINK -> Columns.hasAttributeOfMany("link_attributes", key, bindings);
      case RESOURCE, INSTRUMENTATION -> {
        String has = Columns.hasAttributeAsText(key, bindings);
        yield at == Table.SPAN ? source.membership(table(attribute), has) : has;
      }
      case ANY -> anyPresent(variants(attribute, at));
    };
  }

  private static String anyPresent(List<Variant> variants) {
    return variants.stream()
        .map(Variant::present)
        .distinct()
        .collect(Collectors.joining(" OR ", "(", ")"));
  }

  // Values.

  /// `expression` as text that keeps its type: a tag, then the value; `n` if it has none. Of
  /// several events or links it is the first one's. [TaggedValue] reads it.
  String tagged(FieldExpression expression) {
    if (expression instanceof FieldExpression.Attribute attribute
        && !attribute.ofParent()
        && !isSamplingPolicy(attribute)) {
      return taggedAttribute(attribute);
    }
    List<String> cases = new ArrayList<>();
    for (Variant variant : variants(expression, Table.SPAN)) {
      boolean one = variant.plurality() == Plurality.ONE;
      cases.add(one ? variant.present() : "notEmpty(" + variant.value() + ")");
      cases.add(Columns.tag(variant.type(), one ? variant.value() : variant.value() + "[1]"));
    }
    if (cases.isEmpty()) {
      return TaggedValue.NOTHING_SQL;
    }
    return cases.getFirst().equals(Variant.ALWAYS)
        ? cases.get(1)
        : "multiIf(" + String.join(",", cases) + "," + TaggedValue.NOTHING_SQL + ")";
  }

  private String taggedAttribute(FieldExpression.Attribute attribute) {
    String key = attribute.name();
    return switch (attribute.scope()) {
      case SPAN -> Columns.taggedSpanAttribute(key, bindings, TaggedValue.NOTHING_SQL);
      case EVENT -> Columns.taggedOfFirst("event_attributes", key, bindings);
      case LINK -> Columns.taggedOfFirst("link_attributes", key, bindings);
      case RESOURCE, INSTRUMENTATION -> taggedOfSide(table(attribute), key);
      case ANY -> Columns.taggedSpanAttribute(key, bindings, taggedOfSide(Table.RESOURCE, key));
    };
  }

  private String taggedOfSide(Table table, String key) {
    Optional<String> column =
        table == Table.RESOURCE ? Columns.resourceColumn(key) : Optional.empty();
    if (column.isPresent()) {
      return "if("
          + column.get()
          + "!='',"
          + Columns.tag(ValueType.TEXT, column.get())
          + ","
          + TaggedValue.NOTHING_SQL
          + ")";
    }
    return source.joinedColumn(table, Columns.taggedAsText(key, bindings));
  }

  /// All values of `expression` on a row, each as [#tagged] gives one; an array, perhaps empty.
  String allTagged(FieldExpression expression) {
    List<String> parts = new ArrayList<>();
    for (Variant variant : variants(expression, Table.SPAN)) {
      parts.add(
          variant.plurality() == Plurality.ONE
              ? "if("
                  + variant.present()
                  + ",["
                  + Columns.tag(variant.type(), variant.value())
                  + "],[])"
              : "arrayMap(x->" + Columns.tag(variant.type(), "x") + "," + variant.value() + ")");
    }
    return parts.isEmpty()
        ? "CAST([],'Array(String)')"
        : "arrayConcat(" + String.join(",", parts) + ")";
  }

  /// All attributes of a span and of its resource, with their scopes, as an array of names and
  /// tagged values.
  String allAttributes() {
    return "arrayConcat("
        + Columns.taggedSpanAttributes()
        + ","
        + source.joinedColumn(Table.RESOURCE, Columns.taggedResourceAttributes())
        + ")";
  }

  /// `expression` as a tuple of its type's code, 0 if it is no number, and its value as Float64. Of
  /// several events or links it is the first one's.
  String number(FieldExpression expression) {
    StringBuilder cases = new StringBuilder();
    for (Variant variant : variants(expression, Table.SPAN)) {
      if (variant.type().isNumber() && variant.plurality() != Plurality.ARRAY) {
        boolean one = variant.plurality() == Plurality.ONE;
        cases.append(
            "%s,(toUInt8(%d),toFloat64(%s)),"
                .formatted(
                    one ? variant.present() : "notEmpty(" + variant.value() + ")",
                    variant.type().code(),
                    one ? variant.value() : variant.value() + "[1]"));
      }
    }
    return cases.isEmpty()
        ? "(toUInt8(0),toFloat64(0))"
        : "multiIf(" + cases + "(toUInt8(0),toFloat64(0)))";
  }

  private List<Variant> variants(FieldExpression expression, Table at) {
    return switch (expression) {
      case FieldExpression.Literal literal -> literal(literal.value());
      case FieldExpression.Attribute attribute -> attribute(attribute, at);
      case FieldExpression.Field field -> field(field, at);
      case FieldExpression.Logical _, FieldExpression.Compare _, FieldExpression.Not _ ->
          List.of(Variant.of(ValueType.BOOL, condition(expression, at)));
      case FieldExpression.Calculate calculate ->
          calculated(
              calculate.at(),
              calculate.operator(),
              variants(calculate.left(), at),
              variants(calculate.right(), at));
      case FieldExpression.Negate negate ->
          calculated(
              negate.at(),
              Arithmetic.SUBTRACT,
              literal(new Value.Int(0)),
              variants(negate.operand(), at));
    };
  }

  /// A number of the query, durations in ns.
  String literalNumber(Value value) {
    return literal(value).getFirst().value();
  }

  private List<Variant> literal(Value value) {
    return switch (value) {
      case Value.Text(String text) -> List.of(Variant.of(ValueType.TEXT, bindings.text(text)));
      case Value.Int(long number) -> List.of(Variant.of(ValueType.INT, bindings.integer(number)));
      case Value.Real(double number) -> List.of(Variant.of(ValueType.REAL, bindings.real(number)));
      case Value.Time(long ns) -> List.of(Variant.of(ValueType.TIME, bindings.integer(ns)));
      case Value.Bool(boolean bool) ->
          List.of(Variant.of(ValueType.BOOL, bool ? Variant.ALWAYS : FALSE));
      case Value.Status(SpanStatus status) ->
          List.of(Variant.of(ValueType.STATUS, Integer.toString(status.code())));
      case Value.Kind(SpanKind kind) ->
          List.of(Variant.of(ValueType.KIND, Integer.toString(kind.code())));
      case Value.Nil _ -> List.of();
    };
  }

  private List<Variant> attribute(FieldExpression.Attribute attribute, Table at) {
    if (attribute.ofParent()) {
      return ofParent(attribute);
    }
    if (isSamplingPolicy(attribute)) {
      source.joinDecisions();
      return List.of(Columns.samplingPolicies());
    }
    String key = attribute.name();
    return switch (attribute.scope()) {
      case SPAN -> Columns.spanAttribute(key, bindings);
      case EVENT -> Columns.attributesOfMany("event_attributes", key, bindings);
      case LINK -> Columns.attributesOfMany("link_attributes", key, bindings);
      case RESOURCE, INSTRUMENTATION -> sideAttribute(table(attribute), key, at);
      case ANY -> {
        List<Variant> variants = new ArrayList<>(Columns.spanAttribute(key, bindings));
        String notHidden = "NOT " + Columns.hasSpanAttribute(key, bindings);
        for (Variant variant : sideAttribute(Table.RESOURCE, key, at)) {
          variants.add(variant.where(notHidden));
        }
        yield variants;
      }
    };
  }

  /// The parent's variants, each of its expressions a column of the join.
  private List<Variant> ofParent(FieldExpression.Attribute attribute) {
    FieldSql parent = new FieldSql(bindings, source.parent());
    FieldExpression.Attribute own =
        new FieldExpression.Attribute(attribute.at(), attribute.scope(), false, attribute.name());
    return parent.attribute(own, Table.SPAN).stream()
        .map(variant ->
            new Variant(
                variant.type(),
                variant.plurality(),
                ofRooted(source.ofParent("toUInt8(" + variant.present() + ")")),
                source.ofParent(variant.value()),
                false))
        .toList();
  }

  private List<Variant> sideAttribute(Table table, String key, Table at) {
    if (at == table) {
      return Columns.attributeAsText(key, bindings);
    }
    Optional<String> column =
        table == Table.RESOURCE ? Columns.resourceColumn(key) : Optional.empty();
    if (column.isPresent()) {
      return List.of(Variant.of(ValueType.TEXT, "(" + column.get() + "!='')", column.get()));
    }
    String index = "indexOf(keys," + bindings.text(key) + ")";
    return Columns.asText(
        source.joinedColumn(table, "types[" + index + "]"),
        source.joinedColumn(table, "values[" + index + "]"));
  }

  private List<Variant> field(FieldExpression.Field field, Table at) {
    Intrinsic intrinsic = field.intrinsic();
    if (intrinsic == Intrinsic.PARENT) {
      // A span is no value; it only is there or not.
      return List.of();
    }
    usesTree |= Columns.isOfTree(intrinsic);
    Variant variant = Columns.intrinsic(intrinsic);
    Table table = Columns.table(intrinsic);
    if (at == table || table == Table.SPAN) {
      return List.of(variant);
    }
    return switch (table) {
      case SCOPE ->
          List.of(Variant.of(variant.type(), source.joinedColumn(Table.SCOPE, variant.value())));
      case TRACE -> {
        source.joinTraces();
        yield List.of(variant);
      }
      case SPAN, RESOURCE ->
          throw new IllegalStateException("not a side table of intrinsics: table=" + table);
    };
  }

  // Arithmetic.

  /// A number that may be an integer on some rows and a floating-point number on others. At most
  /// one is present on a row; integers stay integers, so that `7 / 2` is 3.
  private record Numbers(@Nullable Variant integer, @Nullable Variant real) {
    static Numbers of(List<Variant> variants) {
      Variant integer = null;
      Variant real = null;
      for (Variant variant : variants) {
        if (variant.plurality() != Plurality.ONE) {
          continue;
        }
        switch (variant.type()) {
          case INT -> integer = either(integer, variant);
          case REAL -> real = either(real, variant);
          case TIME ->
              real =
                  either(
                      real,
                      Variant.of(
                          ValueType.REAL, variant.present(), "toFloat64(" + variant.value() + ")"));
          case TEXT, BOOL, STATUS, KIND -> {}
        }
      }
      return new Numbers(integer, real);
    }

    private static Variant either(@Nullable Variant first, Variant second) {
      return first == null
          ? second
          : Variant.of(
              second.type(),
              "(" + first.present() + " OR " + second.present() + ")",
              "if(" + first.present() + "," + first.value() + "," + second.value() + ")");
    }

    boolean isEmpty() {
      return integer == null && real == null;
    }

    String present() {
      if (integer == null || real == null) {
        Variant only = integer == null ? real : integer;
        return only == null ? FALSE : only.present();
      }
      return "(" + integer.present() + " OR " + real.present() + ")";
    }

    String asReal() {
      if (integer == null) {
        return real == null ? FALSE : real.value();
      }
      String converted = "toFloat64(" + integer.value() + ")";
      return real == null
          ? converted
          : "if(" + integer.present() + "," + converted + "," + real.value() + ")";
    }
  }

  /// Arithmetic on the values of a span's events or links is done on each of them; it can have one
  /// such operand.
  private static List<Variant> calculated(
      Position at, Arithmetic operator, List<Variant> left, List<Variant> right) {
    boolean manyLeft = left.stream().anyMatch(variant -> variant.plurality() == Plurality.ANY);
    boolean manyRight = right.stream().anyMatch(variant -> variant.plurality() == Plurality.ANY);
    if (manyLeft && manyRight) {
      throw TraceQlException.unsupported(
          at, "arithmetic on two fields that may have several values each");
    }
    if (!manyLeft && !manyRight) {
      return calculated(operator, Numbers.of(left), Numbers.of(right));
    }
    List<Variant> variants = new ArrayList<>();
    for (Variant many : manyLeft ? left : right) {
      Numbers one = Numbers.of(List.of(Variant.of(many.type(), "x")));
      List<Variant> ofOne =
          manyLeft
              ? calculated(operator, one, Numbers.of(right))
              : calculated(operator, Numbers.of(left), one);
      for (Variant variant : ofOne) {
        String values =
            "arrayMap(x->%s,arrayFilter(x->%s,%s))"
                .formatted(variant.value(), variant.present(), many.value());
        variants.add(
            new Variant(variant.type(), Plurality.ANY, "notEmpty(" + values + ")", values, true));
      }
    }
    return variants;
  }

  private static List<Variant> calculated(Arithmetic operator, Numbers left, Numbers right) {
    if (left.isEmpty() || right.isEmpty()) {
      return List.of();
    }
    List<Variant> variants = new ArrayList<>();
    String integers = FALSE;
    if (left.integer() != null && right.integer() != null && operator != Arithmetic.POWER) {
      integers = "(" + left.integer().present() + " AND " + right.integer().present() + ")";
      String l = left.integer().value();
      String r = right.integer().value();
      boolean divides = operator == Arithmetic.DIVIDE || operator == Arithmetic.REMAINDER;
      String present = divides ? "(" + integers + " AND " + r + "!=0)" : integers;
      String value =
          switch (operator) {
            case DIVIDE -> "intDivOrZero(" + l + "," + r + ")";
            case REMAINDER -> "moduloOrZero(" + l + "," + r + ")";
            case ADD, SUBTRACT, MULTIPLY, POWER -> "(" + l + operator.symbol() + r + ")";
          };
      variants.add(new Variant(ValueType.INT, Plurality.ONE, present, value, false));
    }
    if (left.real() != null || right.real() != null || operator == Arithmetic.POWER) {
      String l = left.asReal();
      String r = right.asReal();
      String value =
          switch (operator) {
            case POWER -> "pow(" + l + "," + r + ")";
            // What fmod does: the sign of the dividend, no conversion to integers.
            case REMAINDER -> "(%1$s-trunc(%1$s/%2$s)*%2$s)".formatted(l, r);
            case ADD, SUBTRACT, MULTIPLY, DIVIDE -> "(" + l + operator.symbol() + r + ")";
          };
      String present = "(" + left.present() + " AND " + right.present();
      if (operator == Arithmetic.DIVIDE || operator == Arithmetic.REMAINDER) {
        present += " AND " + r + "!=0";
      }
      present += integers.equals(FALSE) ? ")" : " AND NOT " + integers + ")";
      variants.add(new Variant(ValueType.REAL, Plurality.ONE, present, value, false));
    }
    return variants;
  }

  // Which table a field is of.

  private static void collectFields(FieldExpression expression, Set<FieldExpression> fields) {
    switch (expression) {
      case FieldExpression.Literal _ -> {}
      case FieldExpression.Attribute attribute ->
          fields.add(
              new FieldExpression.Attribute(
                  new Position(1, 1), attribute.scope(), attribute.ofParent(), attribute.name()));
      case FieldExpression.Field field ->
          fields.add(new FieldExpression.Field(new Position(1, 1), field.intrinsic()));
      case FieldExpression.Logical logical ->
          logical.operands().forEach(operand -> collectFields(operand, fields));
      case FieldExpression.Compare compare -> {
        collectFields(compare.left(), fields);
        collectFields(compare.right(), fields);
      }
      case FieldExpression.Calculate calculate -> {
        collectFields(calculate.left(), fields);
        collectFields(calculate.right(), fields);
      }
      case FieldExpression.Not not -> collectFields(not.operand(), fields);
      case FieldExpression.Negate negate -> collectFields(negate.operand(), fields);
    }
  }

  /// The table of an attribute or intrinsic; an unscoped attribute is compared on spans.
  private static Table table(FieldExpression field) {
    return switch (field) {
      case FieldExpression.Field(_, Intrinsic intrinsic) -> Columns.table(intrinsic);
      case FieldExpression.Attribute attribute ->
          switch (attribute.scope()) {
            case RESOURCE -> attribute.ofParent() ? Table.SPAN : Table.RESOURCE;
            case INSTRUMENTATION -> Table.SCOPE;
            case ANY, SPAN, EVENT, LINK -> Table.SPAN;
          };
      default -> throw new IllegalArgumentException("not a field: " + FieldText.of(field));
    };
  }

  private static FieldExpression.Compare withScope(
      FieldExpression.Compare compare, AttributeScope scope) {
    return new FieldExpression.Compare(
        compare.at(),
        compare.operator(),
        withScope(compare.left(), scope),
        withScope(compare.right(), scope));
  }

  /// `expression` with its unscoped attributes in `scope`.
  private static FieldExpression withScope(FieldExpression expression, AttributeScope scope) {
    return switch (expression) {
      case FieldExpression.Attribute(
              Position at,
              AttributeScope _,
              boolean ofParent,
              String name) ->
          new FieldExpression.Attribute(at, scope, ofParent, name);
      case FieldExpression.Literal literal -> literal;
      case FieldExpression.Field field -> field;
      case FieldExpression.Compare compare -> withScope(compare, scope);
      case FieldExpression.Logical(Position at, LogicalOperator operator, var operands) ->
          new FieldExpression.Logical(
              at, operator, operands.stream().map(operand -> withScope(operand, scope)).toList());
      case FieldExpression.Calculate(
              Position at,
              Arithmetic operator,
              FieldExpression left,
              FieldExpression right) ->
          new FieldExpression.Calculate(
              at, operator, withScope(left, scope), withScope(right, scope));
      case FieldExpression.Not(Position at, FieldExpression operand) ->
          new FieldExpression.Not(at, withScope(operand, scope));
      case FieldExpression.Negate(Position at, FieldExpression operand) ->
          new FieldExpression.Negate(at, withScope(operand, scope));
    };
  }
}
