package io.headspan.query.dashboards;

import io.headspan.query.dashboards.SentSpans.SentSpan;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.DoubleBinaryOperator;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// What a panel must show, computed from the spans that were sent. Knows as much of TraceQL as the
/// dashboards use, and shares nothing with the query API.
final class PanelTruth {
  private static final double NS_PER_SECOND = 1e9;

  private static final Pattern NEXT =
      Pattern.compile("\\s*(\"[^\"]*\"|`[^`]*`|[{}()|,/*]|&&|=~|!=|[=<>]|[\\w.:]+)");

  private final List<SentSpan> spans;
  private final long startNs;
  private final long endNs;
  private final long stepNs;
  private List<String> tokens = List.of();
  private int next;

  /// @param stepNs length of an interval; the whole range for a single value
  PanelTruth(List<SentSpan> spans, long startNs, long endNs, long stepNs) {
    this.spans = spans;
    this.startNs = startNs;
    this.endNs = endNs;
    this.stepNs = stepNs;
  }

  /// Values of each series by its labels; NaN where there is none.
  Map<String, double[]> series(String query) {
    read(query);
    Operand result = expression();
    Map<String, double[]> series = result.series();
    if (peek().equals("|")) {
      expect("|", "topk", "(");
      int most = Integer.parseInt(take());
      expect(")");
      series = highest(series, most);
    }
    if (next != tokens.size()) {
      throw new IllegalArgumentException("not understood: " + tokens.subList(next, tokens.size()));
    }
    return series;
  }

  /// Ids of the traces that a filter finds.
  Set<String> traces(String query) {
    read(query);
    Predicate<SentSpan> filter = filter();
    return spans.stream()
        .filter(this::isInRange)
        .filter(filter)
        .map(SentSpan::traceId)
        .collect(Collectors.toCollection(HashSet::new));
  }

  private void read(String query) {
    List<String> read = new ArrayList<>();
    Matcher matcher = NEXT.matcher(query);
    int at = 0;
    while (matcher.find(at) && matcher.start() == at) {
      read.add(matcher.group(1));
      at = matcher.end();
    }
    if (!query.substring(at).isBlank()) {
      throw new IllegalArgumentException("not understood: " + query.substring(at));
    }
    tokens = read;
    next = 0;
  }

  private String peek() {
    return next < tokens.size() ? tokens.get(next) : "";
  }

  private String take() {
    return tokens.get(next++);
  }

  private void expect(String... expected) {
    for (String token : expected) {
      if (!take().equals(token)) {
        throw new IllegalArgumentException("expected " + token + " before " + peek());
      }
    }
  }

  /// A number or series.
  private record Operand(@Nullable Double number, Map<String, double[]> series) {}

  private Operand expression() {
    Operand left = operand();
    while (peek().equals("/") || peek().equals("*")) {
      boolean divides = take().equals("/");
      Operand right = operand();
      left = combined(left, right, (a, b) -> divides ? (b == 0 ? Double.NaN : a / b) : a * b);
    }
    return left;
  }

  private Operand operand() {
    if (peek().equals("(")) {
      expect("(");
      Operand inner = expression();
      expect(")");
      return inner;
    }
    if (peek().equals("{")) {
      return new Operand(null, metrics());
    }
    return new Operand(Double.parseDouble(take()), Map.of());
  }

  private static Operand combined(Operand left, Operand right, DoubleBinaryOperator operator) {
    Map<String, double[]> result = new TreeMap<>();
    left.series.forEach((labels, values) -> {
      double[] others = right.series.get(labels);
      Double number = right.number;
      if (others != null || number != null) {
        double[] combined = new double[values.length];
        for (int i = 0; i < combined.length; i++) {
          combined[i] =
              operator.applyAsDouble(
                  values[i], number != null ? number : others == null ? Double.NaN : others[i]);
        }
        result.put(labels, combined);
      }
    });
    return new Operand(null, result);
  }

  private Map<String, double[]> metrics() {
    Predicate<SentSpan> filter = filter();
    expect("|");
    String function = take();
    List<String> arguments = list();
    List<String> by = List.of();
    if (peek().equals("by")) {
      take();
      by = list();
    }
    int intervals = (int) ((endNs - startNs) / stepNs);
    Map<String, List<List<SentSpan>>> groups = new HashMap<>();
    for (SentSpan span : spans) {
      if (isInRange(span) && filter.test(span)) {
        int interval = (int) ((span.startNs() - startNs - 1) / stepNs);
        groups.computeIfAbsent(labels(span, by), _ -> lists(intervals)).get(interval).add(span);
      }
    }
    Map<String, double[]> series = new TreeMap<>();
    groups.forEach((labels, inIntervals) -> add(series, labels, function, arguments, inIntervals));
    return series;
  }

  private static List<List<SentSpan>> lists(int count) {
    List<List<SentSpan>> lists = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      lists.add(new ArrayList<>());
    }
    return lists;
  }

  private void add(
      Map<String, double[]> series,
      String labels,
      String function,
      List<String> arguments,
      List<List<SentSpan>> intervals) {
    switch (function) {
      case "rate" ->
          series.put(labels, each(intervals, in -> in.size() / (stepNs / NS_PER_SECOND)));
      case "count_over_time" -> series.put(labels, each(intervals, in -> (double) in.size()));
      case "sum_over_time" ->
          series.put(
              labels,
              each(
                  intervals,
                  in -> {
                    double[] values = values(in, arguments.getFirst());
                    return values.length == 0 ? Double.NaN : Arrays.stream(values).sum();
                  }));
      case "quantile_over_time" -> {
        for (String quantile : arguments.subList(1, arguments.size())) {
          double p = Double.parseDouble(quantile);
          series.put(
              labels + " p=" + p,
              each(
                  intervals,
                  in -> {
                    double[] values = values(in, arguments.getFirst());
                    Arrays.sort(values);
                    return values.length == 0
                        ? 0
                        : values[(int) Math.floor(p * (values.length - 1))];
                  }));
        }
      }
      case "histogram_over_time" -> {
        Set<Long> buckets = new HashSet<>();
        intervals.forEach(in -> in.forEach(span -> buckets.add(bucket(span))));
        for (long bucket : buckets) {
          series.put(
              labels + " __bucket=" + bucket / NS_PER_SECOND,
              each(intervals, in -> (double) in.stream().filter(s -> bucket(s) == bucket).count()));
        }
      }
      default -> throw new IllegalArgumentException("not understood: " + function);
    }
  }

  private static long bucket(SentSpan span) {
    long below = Long.highestOneBit(span.durationNs());
    return below == span.durationNs() ? below : below * 2;
  }

  private interface Aggregate {
    double of(List<SentSpan> spans);
  }

  private static double[] each(List<List<SentSpan>> intervals, Aggregate aggregate) {
    return intervals.stream().mapToDouble(aggregate::of).toArray();
  }

  /// Values of a field of those spans that have it; durations in seconds.
  private static double[] values(List<SentSpan> spans, String field) {
    return spans.stream()
        .map(span -> span.field(field))
        .flatMap(Optional::stream)
        .mapToDouble(value -> ((Number) value).doubleValue())
        .map(value -> field.equals("duration") ? value / NS_PER_SECOND : value)
        .toArray();
  }

  private static String labels(SentSpan span, List<String> by) {
    return by.stream()
        .map(field -> field + "=" + span.field(field).map(Object::toString).orElse("nil"))
        .filter(label -> !label.endsWith("=nil"))
        .sorted()
        .collect(Collectors.joining(" "));
  }

  private List<String> list() {
    expect("(");
    List<String> items = new ArrayList<>();
    while (!peek().equals(")")) {
      items.add(take());
      if (peek().equals(",")) {
        take();
      }
    }
    expect(")");
    return items;
  }

  private Predicate<SentSpan> filter() {
    expect("{");
    Predicate<SentSpan> all = condition();
    while (peek().equals("&&")) {
      take();
      all = all.and(condition());
    }
    expect("}");
    return all;
  }

  private Predicate<SentSpan> condition() {
    String field = take();
    String operator = take();
    String literal = take();
    boolean quoted = literal.startsWith("\"") || literal.startsWith("`");
    String text = quoted ? literal.substring(1, literal.length() - 1) : literal;
    return span ->
        span.field(field)
            .filter(value ->
                switch (operator) {
                  case "=" -> value.toString().equals(text);
                  case "=~" -> value.toString().matches(text);
                  case ">" -> ((Number) value).doubleValue() > number(text);
                  default -> throw new IllegalArgumentException("not understood: " + operator);
                })
            .isPresent();
  }

  private static double number(String text) {
    return text.endsWith("ms")
        ? Double.parseDouble(text.substring(0, text.length() - 2)) * 1e6
        : Double.parseDouble(text);
  }

  private boolean isInRange(SentSpan span) {
    return span.startNs() > startNs && span.startNs() <= endNs;
  }

  private static Map<String, double[]> highest(Map<String, double[]> series, int most) {
    Map<String, double[]> kept = new TreeMap<>();
    int intervals = series.values().stream().mapToInt(values -> values.length).max().orElse(0);
    for (int i = 0; i < intervals; i++) {
      int interval = i;
      List<Map.Entry<String, double[]>> ordered = new ArrayList<>(series.entrySet());
      ordered.removeIf(one -> Double.isNaN(one.getValue()[interval]));
      Collections.sort(
          ordered, (a, b) -> Double.compare(b.getValue()[interval], a.getValue()[interval]));
      for (Map.Entry<String, double[]> one : ordered.subList(0, Math.min(most, ordered.size()))) {
        kept.computeIfAbsent(
                    one.getKey(),
                    _ -> {
                      double[] none = new double[intervals];
                      Arrays.fill(none, Double.NaN);
                      return none;
                    })[interval] =
            one.getValue()[interval];
      }
    }
    return kept;
  }
}
