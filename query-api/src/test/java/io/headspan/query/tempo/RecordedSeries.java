package io.headspan.query.tempo;

import com.fasterxml.jackson.databind.JsonNode;
import io.headspan.query.traceql.RecordedFields;
import io.headspan.query.traceql.TimeGrid;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/// Recorded time series, and how ours are compared with them.
final class RecordedSeries {
  /// Sums of floats depend on the order of their addends; Tempo's has none.
  private static final double ROUNDING = 1e-9;

  /// Of quantiles, which are compared with those of the data set: Tempo's own are up to twice as
  /// far.
  private static final double QUANTILE_ERROR = 0.01;

  private static final long NS_PER_SECOND = 1_000_000_000;

  private RecordedSeries() {}

  /// What is different between our series and those of `line`; "" if nothing is.
  static String difference(JsonNode ours, JsonNode line, RecordedFields fields) {
    boolean quantiles = line.path("approximate").asBoolean();
    Map<String, Map<Long, Double>> got = canonical(ours, 1);
    Map<String, Map<Long, Double>> want =
        quantiles
            ? exact(line, fields)
            // Tempo gives durations of spans in seconds and those of traces in nanoseconds.
            : canonical(
                line.get("series"), line.get("q").asText().contains("traceDuration") ? 1e-9 : 1);
    if (!got.keySet().equals(want.keySet())) {
      return "ours " + got.keySet() + ", recorded " + want.keySet();
    }
    double tolerance = quantiles ? QUANTILE_ERROR : ROUNDING;
    StringBuilder differences = new StringBuilder();
    want.forEach((labels, recorded) ->
        differences.append(
            difference(labels, got.getOrDefault(labels, Map.of()), recorded, tolerance)));
    return differences.toString();
  }

  private static String difference(
      String labels, Map<Long, Double> got, Map<Long, Double> want, double tolerance) {
    Set<Long> times = new TreeSet<>(got.keySet());
    times.addAll(want.keySet());
    for (long time : times) {
      Double ours = got.get(time);
      Double recorded = want.get(time);
      if (ours == null
          || recorded == null
          || Math.abs(ours - recorded) > tolerance * Math.abs(recorded)) {
        return labels + " at " + time + ": ours " + ours + ", recorded " + recorded + "\n";
      }
    }
    return "";
  }

  /// Values by time in ms (0 of an instant query), by labels.
  private static Map<String, Map<Long, Double>> canonical(JsonNode series, double scale) {
    Map<String, Map<Long, Double>> byLabels = new TreeMap<>();
    for (JsonNode one : series) {
      String labels =
          RecordedSearch.stream(one.get("labels"))
              .map(label -> label.get("key").asText() + "=" + value(label.get("value")))
              .sorted()
              .collect(Collectors.joining(","));
      byLabels.put(
          labels,
          one.has("samples")
              ? samples(one, scale)
              : Map.of(0L, one.get("value").asDouble() * scale));
    }
    return byLabels;
  }

  private static String value(JsonNode value) {
    JsonNode text = value.path("stringValue");
    JsonNode real = value.path("doubleValue");
    return text.isTextual()
        ? text.asText()
        : real.isNumber() ? Double.toString(real.asDouble()) : value.toString();
  }

  private static Map<Long, Double> samples(JsonNode series, double scale) {
    Map<Long, Double> byTime = new TreeMap<>();
    for (JsonNode sample : series.get("samples")) {
      if (sample.isArray()) {
        byTime.put(sample.get(0).asLong() * 1000, sample.get(1).asDouble() * scale);
      } else {
        byTime.put(sample.get("timestampMs").asLong(), sample.get("value").asDouble());
      }
    }
    return byTime;
  }

  private static Map<String, Map<Long, Double>> exact(JsonNode line, RecordedFields fields) {
    long startNs = line.get("start").asLong() * NS_PER_SECOND;
    long endNs = line.get("end").asLong() * NS_PER_SECOND;
    TimeGrid grid =
        line.has("step")
            ? new TimeGrid(
                startNs,
                60 * NS_PER_SECOND,
                (int) ((endNs - startNs) / (60 * NS_PER_SECOND)) + 1,
                false)
            : TimeGrid.instant(startNs, endNs);
    Map<String, Map<Long, Double>> byLabels = new TreeMap<>();
    fields
        .quantiles(line.get("q").asText(), grid)
        .forEach((labels, values) -> {
          Map<Long, Double> byTime = new TreeMap<>();
          for (int i = 0; i < values.length; i++) {
            byTime.put(grid.isInstant() ? 0 : grid.endNs(i) / 1_000_000, values[i]);
          }
          byLabels.put(labels, byTime);
        });
    return byLabels;
  }
}
