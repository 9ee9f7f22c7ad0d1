package io.headspan.query.traceql;

import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Filters evaluated over spans in memory.
public final class RecordedFields {
  private final List<SpanFields> spans;

  private RecordedFields(List<SpanFields> spans) {
    this.spans = spans;
  }

  /// The spans of recorded requests.
  ///
  /// @param traces one trace each
  public static RecordedFields of(List<ExportTraceServiceRequest> traces) {
    List<SpanFields> spans = new ArrayList<>();
    traces.forEach(trace -> addTrace(trace, spans));
    return new RecordedFields(spans);
  }

  public static List<String> randomFilters(long seed, int count) {
    RandomFilters filters = new RandomFilters(seed);
    return Stream.generate(filters::next).limit(count).toList();
  }

  public int size() {
    return spans.size();
  }

  /// The spans, as trace id/span id, that a query of one filter matches.
  public Set<String> matching(String query) {
    SpansetExpression.Filter filter =
        (SpansetExpression.Filter) TraceQl.parse(query).pipeline().stages().getFirst();
    Set<String> ids = new TreeSet<>();
    for (SpanFields fields : spans) {
      if (fields.test(filter.condition())) {
        HexFormat hex = HexFormat.of();
        ids.add(
            hex.formatHex(fields.span().getTraceId().toByteArray())
                + "/"
                + hex.formatHex(fields.span().getSpanId().toByteArray()));
      }
    }
    return ids;
  }

  /// The exact quantiles of a query of one filter and `quantile_over_time`, grouped by texts or not
  /// at all: of n sorted values the one at floor(p * (n - 1)), 0 where there is none.
  ///
  /// @return a value per interval, by `label=value` of all labels, sorted
  public Map<String, double[]> quantiles(String query, TimeGrid grid) {
    List<Stage> stages = TraceQl.parse(query).pipeline().stages();
    SpansetExpression.Filter filter = (SpansetExpression.Filter) stages.getFirst();
    MetricsExpression.OverTime over = (MetricsExpression.OverTime) stages.getLast();
    Map<List<String>, List<List<Double>>> values = new HashMap<>();
    for (SpanFields fields : spans) {
      OptionalDouble value = fields.seconds(over.field().orElseThrow());
      long first = grid.firstEndNs() - grid.stepNs();
      long after = fields.span().getStartTimeUnixNano() - first - 1;
      if (value.isPresent()
          && after >= 0
          && after / grid.stepNs() < grid.count()
          && fields.test(filter.condition())) {
        List<String> labels =
            over.by().stream()
                .map(by -> FieldText.of(by) + "=" + fields.text(by).orElse("nil"))
                .toList();
        values
            .computeIfAbsent(
                labels,
                _ ->
                    Stream.generate(() -> (List<Double>) new ArrayList<Double>())
                        .limit(grid.count())
                        .toList())
            .get((int) (after / grid.stepNs()))
            .add(value.getAsDouble());
      }
    }
    Map<String, double[]> quantiles = new TreeMap<>();
    values.forEach((labels, intervals) -> {
      for (double level : over.quantiles()) {
        quantiles.put(
            Stream.concat(labels.stream(), Stream.of("p=" + level))
                .sorted()
                .collect(Collectors.joining(",")),
            intervals.stream().mapToDouble(interval -> quantile(interval, level)).toArray());
      }
    });
    return quantiles;
  }

  private static double quantile(List<Double> values, double level) {
    List<Double> sorted = values.stream().sorted().toList();
    return sorted.isEmpty() ? 0 : sorted.get((int) (level * (sorted.size() - 1)));
  }

  static void addTrace(ExportTraceServiceRequest trace, List<SpanFields> spans) {
    String rootName = "";
    String rootService = SpanSource.NO_ROOT;
    long rootStart = -1;
    long first = Long.MAX_VALUE;
    long last = 0;
    for (ResourceSpans resource : trace.getResourceSpansList()) {
      for (ScopeSpans scope : resource.getScopeSpansList()) {
        for (Span span : scope.getSpansList()) {
          first = Math.min(first, span.getStartTimeUnixNano());
          last = Math.max(last, span.getEndTimeUnixNano());
          if (span.getParentSpanId().isEmpty() && span.getStartTimeUnixNano() > rootStart) {
            rootStart = span.getStartTimeUnixNano();
            rootName = span.getName();
            rootService = serviceName(resource.getResource().getAttributesList());
          }
        }
      }
    }
    List<SpanFields> all = new ArrayList<>();
    for (ResourceSpans resource : trace.getResourceSpansList()) {
      for (ScopeSpans scope : resource.getScopeSpansList()) {
        for (Span span : scope.getSpansList()) {
          all.add(
              new SpanFields(
                  resource.getResource(),
                  scope.getScope(),
                  span,
                  rootName,
                  rootService,
                  last - first,
                  new SpanPlace()));
        }
      }
    }
    SpanPlace.fill(all);
    spans.addAll(all);
  }

  private static String serviceName(List<KeyValue> attributes) {
    return attributes.stream()
        .filter(attribute -> attribute.getKey().equals("service.name"))
        .map(attribute -> attribute.getValue().getStringValue())
        .findFirst()
        .orElse("");
  }
}
