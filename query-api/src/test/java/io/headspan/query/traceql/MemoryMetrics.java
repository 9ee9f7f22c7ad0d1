package io.headspan.query.traceql;

import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalDouble;
import java.util.TreeMap;
import java.util.function.DoubleUnaryOperator;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Metrics queries evaluated over traces in memory, straight from the definition of each function:
/// a second opinion on the SQL.
public final class MemoryMetrics {
  private final MemorySearch traces;
  private final ToDoubleFunction<SpanFields> weight;

  /// @param requests one trace each
  /// @param weight for how many spans one stands
  public MemoryMetrics(
      List<ExportTraceServiceRequest> requests, ToDoubleFunction<SpanFields> weight) {
    traces = new MemorySearch(requests);
    this.weight = weight;
  }

  /// A label; `value` is a String, Long, Double or Boolean.
  private record Label(String name, Object value) {
    String text() {
      return name + "=" + value.getClass().getSimpleName() + ":" + value;
    }
  }

  public static List<String> randomQueries(long seed, int count, long startNs) {
    RandomMetrics metrics = new RandomMetrics(seed, startNs);
    return Stream.generate(metrics::next).limit(count).toList();
  }

  /// A value per interval (NaN where there is none), by the texts of all labels.
  public Map<String, double[]> series(String query, TimeGrid grid) {
    Map<String, double[]> series = new TreeMap<>();
    pipeline(TraceQl.parse(query).pipeline(), grid)
        .forEach((labels, values) ->
            series.put(labels.stream().map(Label::text).collect(Collectors.joining(",")), values));
    series.values().removeIf(values -> DoubleStream.of(values).noneMatch(Double::isFinite));
    return series;
  }

  private Map<List<Label>, double[]> pipeline(Pipeline pipeline, TimeGrid grid) {
    List<Stage> spans = new ArrayList<>();
    Map<List<Label>, double[]> series = null;
    for (Stage stage : pipeline.stages()) {
      if (!(stage instanceof MetricsExpression metrics)) {
        spans.add(stage);
      } else {
        series = stage(metrics, spans, series, grid);
      }
    }
    if (series == null) {
      throw new IllegalArgumentException("no metrics query");
    }
    return series;
  }

  /// @param before the series of the stages before; null if there are none
  private Map<List<Label>, double[]> stage(
      MetricsExpression stage,
      List<Stage> spans,
      @Nullable Map<List<Label>, double[]> before,
      TimeGrid grid) {
    return switch (stage) {
      case MetricsExpression.OverTime over -> overTime(over, traces.spans(spans), grid);
      case MetricsExpression.OfPipeline(_, Pipeline pipeline) -> pipeline(pipeline, grid);
      case MetricsExpression.Rank rank -> ranked(Objects.requireNonNull(before), rank, grid);
      case MetricsExpression.Keep keep ->
          mapped(
              stage(keep.of(), spans, before, grid),
              value -> holds(keep.operator(), value, keep.bound()) ? value : Double.NaN);
      case MetricsExpression.Calculate calculate -> calculated(calculate, spans, before, grid);
      case MetricsExpression.CompareTo compare -> compared(compare, traces.spans(spans), grid);
      case MetricsExpression.Ranked _, MetricsExpression.Constant _ ->
          throw new IllegalArgumentException("not known here: " + stage);
    };
  }

  private static Map<List<Label>, double[]> mapped(
      Map<List<Label>, double[]> series, DoubleUnaryOperator value) {
    Map<List<Label>, double[]> mapped = new LinkedHashMap<>();
    series.forEach(
        (labels, values) -> mapped.put(labels, DoubleStream.of(values).map(value).toArray()));
    return mapped;
  }

  private static boolean holds(Comparison operator, double value, double bound) {
    return switch (operator) {
      case EQUAL -> value == bound;
      case NOT_EQUAL -> value != bound;
      case LESS -> value < bound;
      case LESS_OR_EQUAL -> value <= bound;
      case GREATER -> value > bound;
      case GREATER_OR_EQUAL -> value >= bound;
      case MATCH, NOT_MATCH -> throw new IllegalStateException("no pattern on numbers");
    };
  }

  // Functions over time.

  /// What a series has of one interval: values of spans, and how many each stands for.
  private record Weighted(double value, double weight) {}

  private Map<List<Label>, double[]> overTime(
      MetricsExpression.OverTime over, Stream<SpanFields> spans, TimeGrid grid) {
    Map<List<Label>, List<List<Weighted>>> groups = new LinkedHashMap<>();
    spans.forEach(span -> {
      long after = span.span().getStartTimeUnixNano() - (grid.firstEndNs() - grid.stepNs()) - 1;
      if (after < 0 || after / grid.stepNs() >= grid.count()) {
        return;
      }
      double value = 1;
      List<Label> labels = labels(over, span);
      if (over.field().isPresent()) {
        OptionalDouble number = span.seconds(over.field().get());
        if (number.isEmpty()) {
          return;
        }
        value = number.getAsDouble();
      }
      double stands = weight.applyAsDouble(span);
      switch (over.function()) {
        case HISTOGRAM_OVER_TIME -> {
          double whole = span.nanoseconds(over.field().orElseThrow()).orElseThrow();
          if (whole < 2) {
            return;
          }
          double unit = whole == value ? 1 : 1e9;
          labels.add(new Label("__bucket", bucket(whole) / unit));
        }
        case QUANTILE_OVER_TIME -> {
          if (stands == 0) {
            return;
          }
        }
        case RATE, COUNT_OVER_TIME, MIN_OVER_TIME, MAX_OVER_TIME, AVG_OVER_TIME, SUM_OVER_TIME -> {}
      }
      groups
          .computeIfAbsent(
              labels,
              _ ->
                  Stream.generate(() -> (List<Weighted>) new ArrayList<Weighted>())
                      .limit(grid.count())
                      .toList())
          .get((int) (after / grid.stepNs()))
          .add(new Weighted(value, stands));
    });
    Map<List<Label>, double[]> series = new LinkedHashMap<>();
    groups.forEach((labels, intervals) -> {
      if (over.function() == MetricsFunction.QUANTILE_OVER_TIME) {
        for (double level : over.quantiles()) {
          List<Label> more = new ArrayList<>(labels);
          more.add(new Label("p", level));
          series.put(more, values(intervals, interval -> quantile(interval, level)));
        }
      } else {
        series.put(
            labels, values(intervals, interval -> aggregate(over.function(), interval, grid)));
      }
    });
    if (series.isEmpty()
        && over.by().isEmpty()
        && (over.function() == MetricsFunction.RATE
            || over.function() == MetricsFunction.COUNT_OVER_TIME)) {
      series.put(List.of(new Label("__name__", over.function().text())), new double[grid.count()]);
    }
    return series;
  }

  private static double bucket(double value) {
    double bucket = 1;
    while (bucket < value) {
      bucket *= 2;
    }
    return bucket;
  }

  private static List<Label> labels(MetricsExpression.OverTime over, SpanFields span) {
    List<Label> labels = new ArrayList<>();
    for (FieldExpression by : over.by()) {
      span.value(by).ifPresent(value -> labels.add(new Label(FieldText.of(by), shown(value))));
    }
    boolean named =
        switch (over.function()) {
          case QUANTILE_OVER_TIME, HISTOGRAM_OVER_TIME -> false;
          case RATE, COUNT_OVER_TIME, MIN_OVER_TIME, MAX_OVER_TIME, AVG_OVER_TIME, SUM_OVER_TIME ->
              true;
        };
    if (labels.isEmpty() && !over.by().isEmpty()) {
      labels.add(new Label(FieldText.of(over.by().getFirst()), "nil"));
    } else if (labels.isEmpty() && named) {
      labels.add(new Label("__name__", over.function().text()));
    }
    return labels;
  }

  private static Object shown(Object value) {
    return switch (value) {
      case SpanStatus status -> status.keyword();
      case SpanKind kind -> kind.keyword();
      case String _, Long _, Double _, Boolean _ -> value;
      default -> throw new IllegalArgumentException("no label: " + value);
    };
  }

  private static double[] values(
      List<List<Weighted>> intervals, ToDoubleFunction<List<Weighted>> value) {
    return intervals.stream().mapToDouble(value).toArray();
  }

  private static double aggregate(
      MetricsFunction function, List<Weighted> interval, TimeGrid grid) {
    double count = interval.stream().mapToDouble(Weighted::weight).sum();
    double sum = interval.stream().mapToDouble(each -> each.value() * each.weight()).sum();
    DoubleStream values = interval.stream().mapToDouble(Weighted::value);
    return switch (function) {
      case RATE -> count / (grid.stepNs() / 1e9);
      case COUNT_OVER_TIME, HISTOGRAM_OVER_TIME -> count;
      case MIN_OVER_TIME -> values.min().orElse(Double.NaN);
      case MAX_OVER_TIME -> values.max().orElse(Double.NaN);
      case AVG_OVER_TIME -> sum / count;
      case SUM_OVER_TIME -> interval.isEmpty() ? Double.NaN : sum;
      case QUANTILE_OVER_TIME -> throw new IllegalStateException("has levels");
    };
  }

  /// Of n spans that these stand for, the least value below which there are more than p(n-1).
  private static double quantile(List<Weighted> interval, double level) {
    List<Weighted> sorted =
        interval.stream().sorted(Comparator.comparingDouble(Weighted::value)).toList();
    double all = sorted.stream().mapToDouble(Weighted::weight).sum();
    double below = 0;
    for (Weighted each : sorted) {
      below += each.weight();
      if (below > level * (all - 1)) {
        return each.value();
      }
    }
    return 0;
  }

  // What selected spans have in common.

  /// The intrinsics that are compared beside all attributes.
  private static final List<Intrinsic> COMPARED =
      List.of(
          Intrinsic.NAME,
          Intrinsic.KIND,
          Intrinsic.STATUS,
          Intrinsic.STATUS_MESSAGE,
          Intrinsic.ROOT_NAME,
          Intrinsic.ROOT_SERVICE_NAME);

  private Map<List<Label>, double[]> compared(
      MetricsExpression.CompareTo compare, Stream<SpanFields> spans, TimeGrid grid) {
    // Side, then name, then value.
    Map<String, Map<String, Map<Object, double[]>>> counts = new TreeMap<>();
    spans.forEach(span -> {
      long start = span.span().getStartTimeUnixNano();
      long after = start - (grid.firstEndNs() - grid.stepNs()) - 1;
      if (after < 0 || after / grid.stepNs() >= grid.count()) {
        return;
      }
      List<Long> limits = compare.limits();
      boolean chosen =
          span.test(compare.selection().condition())
              && (limits.size() < 2 || start >= limits.get(1))
              && (limits.size() < 3 || start < limits.get(2));
      Map<String, Map<Object, double[]>> side =
          counts.computeIfAbsent(chosen ? "selection" : "baseline", _ -> new TreeMap<>());
      comparedValues(compare, span)
          .forEach((name, value) ->
              side.computeIfAbsent(name, _ -> new HashMap<>())
                      .computeIfAbsent(value, _ -> new double[grid.count()])[
                      (int) (after / grid.stepNs())] +=
                  weight.applyAsDouble(span));
    });
    long most = compare.limits().isEmpty() ? 10 : compare.limits().getFirst();
    Map<List<Label>, double[]> series = new LinkedHashMap<>();
    counts.forEach((side, names) ->
        names.forEach((name, values) -> addCompared(side, name, values, most, grid, series)));
    return series;
  }

  private static Map<String, Object> comparedValues(
      MetricsExpression.CompareTo compare, SpanFields span) {
    Map<String, Object> values = new HashMap<>(span.scopedAttributes());
    for (Intrinsic intrinsic : COMPARED) {
      span.value(new FieldExpression.Field(compare.at(), intrinsic))
          .ifPresent(value -> values.put(intrinsic.text(), value));
    }
    return values;
  }

  private static void addCompared(
      String side,
      String name,
      Map<Object, double[]> values,
      long most,
      TimeGrid grid,
      Map<List<Label>, double[]> series) {
    List<Map.Entry<Object, double[]>> sorted =
        values.entrySet().stream()
            .sorted(
                Comparator.<Map.Entry<Object, double[]>>comparingDouble(
                        each -> -DoubleStream.of(each.getValue()).sum())
                    .thenComparing(each -> tagged(each.getKey())))
            .toList();
    double[] total = new double[grid.count()];
    for (int place = 0; place < sorted.size(); place++) {
      double[] counted = sorted.get(place).getValue();
      for (int i = 0; i < total.length; i++) {
        total[i] += counted[i];
      }
      Label type = new Label("__meta_type", side);
      if (place < most) {
        series.put(List.of(type, new Label(name, shown(sorted.get(place).getKey()))), counted);
      } else if (place == most) {
        // It only says that there are more, and counts the first of them.
        series.put(
            List.of(type, new Label("__meta_error", "__too_many_values__"), new Label(name, "nil")),
            counted);
      }
    }
    series.put(List.of(new Label("__meta_type", side + "_total"), new Label(name, "nil")), total);
  }

  /// As the store has it, for the order of values that are equally frequent.
  private static String tagged(Object value) {
    return switch (value) {
      case String text -> ValueType.TEXT.tag() + text;
      case Long number -> ValueType.INT.tag() + number.toString();
      case SpanStatus status -> ValueType.STATUS.tag() + Integer.toString(status.code());
      case SpanKind kind -> ValueType.KIND.tag() + Integer.toString(kind.code());
      default -> throw new IllegalArgumentException("not known here: " + value);
    };
  }

  // What stands around.

  private static Map<List<Label>, double[]> ranked(
      Map<List<Label>, double[]> series, MetricsExpression.Rank rank, TimeGrid grid) {
    Map<List<Label>, double[]> ranked = new LinkedHashMap<>();
    for (int i = 0; i < grid.count(); i++) {
      int interval = i;
      Comparator<Map.Entry<List<Label>, double[]>> byValue =
          Comparator.comparingDouble(each -> each.getValue()[interval]);
      Comparator<Map.Entry<List<Label>, double[]>> byPlace =
          Comparator.comparing(Map.Entry::getKey, MemoryMetrics::compare);
      series.entrySet().stream()
          .filter(each -> Double.isFinite(each.getValue()[interval]))
          .sorted(
              rank.largest()
                  ? byValue.reversed().thenComparing(byPlace)
                  : byValue.thenComparing(byPlace.reversed()))
          .limit(rank.limit())
          .forEach(each ->
              ranked
                      .computeIfAbsent(
                          each.getKey(),
                          _ ->
                              IntStream.range(0, grid.count())
                                  .mapToDouble(_ -> Double.NaN)
                                  .toArray())[interval] =
                  each.getValue()[interval]);
    }
    return ranked;
  }

  /// Texts by their letters, numbers before them, then names, then the larger number first.
  private static int compare(List<Label> left, List<Label> right) {
    for (int i = 0; i < Math.min(left.size(), right.size()); i++) {
      Label l = left.get(i);
      Label r = right.get(i);
      int order = text(l.value()).compareTo(text(r.value()));
      if (order == 0) {
        order = l.name().compareTo(r.name());
      }
      if (order == 0) {
        order = Integer.compare(type(r.value()), type(l.value()));
      }
      if (order == 0) {
        order = Long.compareUnsigned(code(r.value()), code(l.value()));
      }
      if (order != 0) {
        return order;
      }
    }
    return Integer.compare(left.size(), right.size());
  }

  private static String text(Object value) {
    return value instanceof String text ? text : "";
  }

  private static int type(Object value) {
    return switch (value) {
      case Long _ -> 1;
      case Double _ -> 2;
      case String _ -> 3;
      case Boolean _ -> 4;
      default -> throw new IllegalArgumentException("no label: " + value);
    };
  }

  private static long code(Object value) {
    return switch (value) {
      case Long number -> number;
      case Double number -> Double.doubleToRawLongBits(number);
      case Boolean bool -> bool ? 1 : 0;
      default -> 0;
    };
  }

  private Map<List<Label>, double[]> calculated(
      MetricsExpression.Calculate calculate,
      List<Stage> spans,
      @Nullable Map<List<Label>, double[]> before,
      TimeGrid grid) {
    if (calculate.right() instanceof MetricsExpression.Constant(_, double right)) {
      return mapped(
          stage(calculate.left(), spans, before, grid),
          value -> calculate(calculate.operator(), value, right));
    }
    if (calculate.left() instanceof MetricsExpression.Constant(_, double left)) {
      return mapped(
          stage(calculate.right(), spans, before, grid),
          value -> calculate(calculate.operator(), left, value));
    }
    Map<List<Label>, double[]> left = stage(calculate.left(), spans, before, grid);
    Map<List<Label>, double[]> right = stage(calculate.right(), spans, before, grid);
    Map<List<Label>, double[]> result = new HashMap<>();
    left.forEach((leftLabels, leftValues) ->
        right.forEach((rightLabels, rightValues) -> {
          List<Label> l = withoutName(leftLabels);
          List<Label> r = withoutName(rightLabels);
          if (l.equals(r) || l.isEmpty() || r.isEmpty()) {
            List<Label> labels =
                l.isEmpty() && r.isEmpty()
                    ? List.of(
                        new Label(
                            "__name__",
                            "(%s %s %s)"
                                .formatted(
                                    leftLabels.getFirst().value(),
                                    calculate.operator().symbol(),
                                    rightLabels.getFirst().value())))
                    : l.isEmpty() ? r : l;
            result.put(
                labels,
                IntStream.range(0, grid.count())
                    .mapToDouble(
                        i -> calculate(calculate.operator(), leftValues[i], rightValues[i]))
                    .toArray());
          }
        }));
    return result;
  }

  private static List<Label> withoutName(List<Label> labels) {
    return labels.stream().filter(label -> !label.name().equals("__name__")).toList();
  }

  private static double calculate(Arithmetic operator, double left, double right) {
    return switch (operator) {
      case ADD -> left + right;
      case SUBTRACT -> left - right;
      case MULTIPLY -> left * right;
      case DIVIDE -> right == 0 ? Double.NaN : left / right;
      case REMAINDER, POWER -> throw new IllegalStateException("no arithmetic of series");
    };
  }
}
