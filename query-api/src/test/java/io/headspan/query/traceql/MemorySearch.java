package io.headspan.query.traceql;

import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;

/// Searches evaluated over traces in memory, straight from the definition of each operator: a
/// second opinion on the SQL.
public final class MemorySearch {
  private final Map<String, Trace> traces = new TreeMap<>();

  /// @param requests one trace each
  public MemorySearch(List<ExportTraceServiceRequest> requests) {
    for (ExportTraceServiceRequest request : requests) {
      List<SpanFields> spans = new ArrayList<>();
      RecordedFields.addTrace(request, spans);
      traces.put(hex(spans.getFirst().span().getTraceId().toByteArray()), new Trace(spans));
    }
  }

  public static List<String> randomQueries(long seed, int count) {
    RandomSearches searches = new RandomSearches(seed);
    List<String> queries = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      queries.add(searches.next());
    }
    return queries;
  }

  /// The spansets that a query gives, by trace id: the ids of each set's spans, sorted.
  public Map<String, List<String>> search(String query) {
    Query parsed = TraceQl.parse(query);
    Map<String, List<String>> found = new TreeMap<>();
    traces.forEach((id, trace) -> {
      List<String> sets =
          trace.pipeline(parsed.pipeline().stages(), List.of(Set.copyOf(trace.spans))).stream()
              .map(set -> set.stream().map(MemorySearch::spanId).sorted().toList().toString())
              .sorted()
              .toList();
      if (!sets.isEmpty()) {
        found.put(id, sets);
      }
    });
    return found;
  }

  /// The same; empty if the query has a construct that the evaluation does not know.
  public Optional<Map<String, List<String>>> searchIfKnown(String query) {
    try {
      return Optional.of(search(query));
    } catch (IllegalArgumentException _) {
      return Optional.empty();
    }
  }

  /// The spans that stages select, each once per spanset that it is in.
  Stream<SpanFields> spans(List<Stage> stages) {
    return traces.values().stream()
        .flatMap(trace -> trace.pipeline(stages, List.of(Set.copyOf(trace.spans))).stream())
        .flatMap(Set::stream);
  }

  private static String spanId(SpanFields fields) {
    return hex(fields.span().getSpanId().toByteArray());
  }

  private static String hex(byte[] id) {
    return HexFormat.of().formatHex(id);
  }

  private static final class Trace {
    private final List<SpanFields> spans;
    private final Map<String, SpanFields> byId = new HashMap<>();

    Trace(List<SpanFields> spans) {
      this.spans = spans;
      spans.forEach(span -> byId.put(spanId(span), span));
    }

    List<Set<SpanFields>> pipeline(List<Stage> stages, List<Set<SpanFields>> input) {
      List<Set<SpanFields>> sets = input;
      for (Stage stage : stages) {
        sets =
            switch (stage) {
              // A pipeline in parentheses that is a stage of its own is its stages.
              case SpansetExpression.Nested nested -> pipeline(nested.pipeline().stages(), sets);
              case SpansetExpression spanset ->
                  sets.stream().map(set -> spanset(spanset, set)).toList();
              case Stage.ScalarFilter filter ->
                  sets.stream().filter(set -> holds(filter, set)).toList();
              case Stage.GroupBy by ->
                  sets.stream().flatMap(set -> groups(by, set).stream()).toList();
              case Stage.Coalesce _ -> List.of(union(sets));
              case Stage.Select _ -> sets;
              case ScalarExpression _, MetricsExpression _ ->
                  throw new IllegalArgumentException("not a search: stage=" + stage);
            };
        sets = sets.stream().filter(set -> !set.isEmpty()).toList();
      }
      return sets;
    }

    private static Set<SpanFields> union(List<Set<SpanFields>> sets) {
      return sets.stream().flatMap(Set::stream).collect(Collectors.toSet());
    }

    private static List<Set<SpanFields>> groups(Stage.GroupBy by, Set<SpanFields> set) {
      Map<Optional<Object>, Set<SpanFields>> groups = new LinkedHashMap<>();
      set.forEach(span ->
          groups.computeIfAbsent(span.value(by.key()), _ -> new LinkedHashSet<>()).add(span));
      return List.copyOf(groups.values());
    }

    private Set<SpanFields> spanset(SpansetExpression expression, Set<SpanFields> set) {
      return switch (expression) {
        case SpansetExpression.Filter filter ->
            set.stream().filter(span -> span.test(filter.condition())).collect(Collectors.toSet());
        case SpansetExpression.Combination combination -> {
          List<Set<SpanFields>> operands =
              combination.operands().stream().map(operand -> spanset(operand, set)).toList();
          boolean all = operands.stream().noneMatch(Set::isEmpty);
          yield all || combination.operator() == LogicalOperator.OR ? union(operands) : Set.of();
        }
        case SpansetExpression.Structural(_, StructuralOperator operator, var left, var right) ->
            structural(operator, spanset(left, set), spanset(right, set));
        case SpansetExpression.Nested nested ->
            union(pipeline(nested.pipeline().stages(), List.of(set)));
      };
    }

    private Set<SpanFields> structural(
        StructuralOperator operator, Set<SpanFields> left, Set<SpanFields> right) {
      Set<SpanFields> result = new HashSet<>();
      for (SpanFields r : right) {
        boolean related = false;
        for (SpanFields l : left) {
          if (isRelated(operator.relation(), l, r)) {
            related = true;
            if (operator.form() == StructuralOperator.Form.UNION) {
              result.add(l);
            }
          }
        }
        if (related == (operator.form() != StructuralOperator.Form.NEGATED)) {
          result.add(r);
        }
      }
      return result;
    }

    /// Whether `right` is to `left` what the operator says. Spans that no root reaches are nothing
    /// to any other.
    private boolean isRelated(
        StructuralOperator.Relation relation, SpanFields left, SpanFields right) {
      if (!isRooted(left) || !isRooted(right)) {
        return false;
      }
      return switch (relation) {
        case CHILD -> ancestors(right).stream().limit(1).anyMatch(left::equals);
        case PARENT -> ancestors(left).stream().limit(1).anyMatch(right::equals);
        case DESCENDANT -> ancestors(right).contains(left);
        case ANCESTOR -> ancestors(left).contains(right);
        case SIBLING ->
            !left.equals(right)
                && left.span().getParentSpanId().equals(right.span().getParentSpanId());
      };
    }

    private boolean isRooted(SpanFields span) {
      List<SpanFields> above = ancestors(span);
      SpanFields last = above.isEmpty() ? span : above.getLast();
      return last.span().getParentSpanId().isEmpty();
    }

    /// The parent, its parent and so on, as far as they are in the trace.
    private List<SpanFields> ancestors(SpanFields span) {
      Set<SpanFields> above = new LinkedHashSet<>();
      SpanFields current = byId.get(hex(span.span().getParentSpanId().toByteArray()));
      while (current != null && above.add(current)) {
        current = byId.get(hex(current.span().getParentSpanId().toByteArray()));
      }
      return List.copyOf(above);
    }

    private boolean holds(Stage.ScalarFilter filter, Set<SpanFields> set) {
      OptionalDouble left = number(filter.left(), set);
      OptionalDouble right = number(filter.right(), set);
      if (left.isEmpty() || right.isEmpty()) {
        return false;
      }
      int order = Double.compare(left.getAsDouble(), right.getAsDouble());
      return switch (filter.operator()) {
        case EQUAL -> order == 0;
        case NOT_EQUAL -> order != 0;
        case LESS -> order < 0;
        case LESS_OR_EQUAL -> order <= 0;
        case GREATER -> order > 0;
        case GREATER_OR_EQUAL -> order >= 0;
        case MATCH, NOT_MATCH -> throw new IllegalStateException("no pattern on numbers");
      };
    }

    private OptionalDouble number(ScalarExpression scalar, Set<SpanFields> set) {
      return switch (scalar) {
        case ScalarExpression.Literal(_, Value.Int(long value)) ->
            OptionalDouble.of((double) value);
        case ScalarExpression.Literal(_, Value.Real(double value)) -> OptionalDouble.of(value);
        case ScalarExpression.Literal(_, Value.Time(long ns)) -> OptionalDouble.of((double) ns);
        case ScalarExpression.Literal literal ->
            throw new IllegalArgumentException("no number: " + literal);
        case ScalarExpression.Calculate(_, Arithmetic operator, var left, var right) ->
            calculate(operator, number(left, set), number(right, set));
        case ScalarExpression.OfPipeline(_, Pipeline pipeline) -> {
          List<Stage> stages = pipeline.stages();
          Set<SpanFields> inner =
              union(pipeline(stages.subList(0, stages.size() - 1), List.of(set)));
          yield number((ScalarExpression) stages.getLast(), inner);
        }
        case ScalarExpression.Aggregate aggregate -> aggregate(aggregate, set);
      };
    }

    private static OptionalDouble calculate(
        Arithmetic operator, OptionalDouble left, OptionalDouble right) {
      if (left.isEmpty() || right.isEmpty()) {
        return OptionalDouble.empty();
      }
      double l = left.getAsDouble();
      double r = right.getAsDouble();
      return switch (operator) {
        case ADD -> OptionalDouble.of(l + r);
        case SUBTRACT -> OptionalDouble.of(l - r);
        case MULTIPLY -> OptionalDouble.of(l * r);
        case DIVIDE -> r == 0 ? OptionalDouble.empty() : OptionalDouble.of(l / r);
        case REMAINDER -> r == 0 ? OptionalDouble.empty() : OptionalDouble.of(l % r);
        case POWER -> OptionalDouble.of(Math.pow(l, r));
      };
    }

    private static OptionalDouble aggregate(
        ScalarExpression.Aggregate aggregate, Set<SpanFields> set) {
      if (aggregate.field().isEmpty()) {
        return OptionalDouble.of(set.size());
      }
      FieldExpression field = aggregate.field().get();
      double[] values =
          set.stream()
              .map(span -> span.nanoseconds(field))
              .filter(OptionalDouble::isPresent)
              .mapToDouble(OptionalDouble::getAsDouble)
              .toArray();
      DoubleStream all = DoubleStream.of(values);
      return switch (aggregate.function()) {
        case COUNT -> throw new IllegalStateException("count() has no field");
        case AVG -> all.average();
        case MIN -> all.min();
        case MAX -> all.max();
        case SUM -> values.length == 0 ? OptionalDouble.empty() : OptionalDouble.of(all.sum());
      };
    }
  }
}
