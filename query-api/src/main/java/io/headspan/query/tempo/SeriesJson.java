package io.headspan.query.tempo;

import com.fasterxml.jackson.core.JsonGenerator;
import com.linecorp.armeria.common.HttpResponse;
import io.headspan.query.http.Json;
import io.headspan.query.traceql.ResultValue;
import io.headspan.query.traceql.Series;
import io.headspan.query.traceql.Spanset;
import java.io.IOException;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// The answers of the metrics endpoints. Grafana decodes the one of `/api/metrics/query` strictly.
final class SeriesJson {
  private static final long NS_PER_MS = 1_000_000;

  private SeriesJson() {}

  /// @param exemplars most of them in the whole answer
  static HttpResponse range(Metrics.Found found, int exemplars) {
    int perSeries = Math.max(1, exemplars / Math.max(1, found.series().size()));
    return Json.response(json -> {
      json.writeStartObject();
      json.writeArrayFieldStart("series");
      int left = exemplars;
      for (Series series : found.series()) {
        json.writeStartObject();
        labels(json, series);
        json.writeArrayFieldStart("samples");
        for (int i = 0; i < series.values().length; i++) {
          double value = series.values()[i];
          if (Double.isFinite(value)) {
            json.writeStartObject();
            json.writeStringField("timestampMs", Long.toString(found.grid().endNs(i) / NS_PER_MS));
            json.writeNumberField("value", value);
            json.writeEndObject();
          }
        }
        json.writeEndArray();
        List<Series.Exemplar> some = some(series.exemplars(), Math.min(left, perSeries));
        left -= some.size();
        exemplars(json, some);
        json.writeEndObject();
      }
      json.writeEndArray();
      end(json, found);
    });
  }

  static HttpResponse instant(Metrics.Found found) {
    return Json.response(json -> {
      json.writeStartObject();
      json.writeArrayFieldStart("series");
      for (Series series : found.series()) {
        json.writeStartObject();
        labels(json, series);
        json.writeNumberField("value", series.values()[0]);
        json.writeEndObject();
      }
      json.writeEndArray();
      end(json, found);
    });
  }

  private static void end(JsonGenerator json, Metrics.Found found) throws IOException {
    json.writeObjectFieldStart("metrics");
    json.writeEndObject();
    json.writeStringField("status", found.problem().isEmpty() ? "COMPLETE" : "PARTIAL");
    json.writeStringField("message", found.problem());
    json.writeEndObject();
  }

  private static void labels(JsonGenerator json, Series series) throws IOException {
    SearchJson.labels(json, series.labels());
    json.writeStringField("promLabels", promLabels(series.labels()));
  }

  /// Labels as Prometheus writes them, which older Grafana names series by.
  static String promLabels(List<Spanset.Attribute> labels) {
    return labels.stream()
        .map(label -> name(label.name()) + "=\"" + escaped(promValue(label.value())) + "\"")
        .sorted()
        .collect(Collectors.joining(", ", "{", "}"));
  }

  private static String name(String name) {
    return name.matches("[A-Za-z_:][A-Za-z0-9_:]*") ? name : "\"" + escaped(name) + "\"";
  }

  private static String escaped(String text) {
    return text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n");
  }

  private static String promValue(ResultValue value) {
    return switch (value) {
      case ResultValue.Text(String text) -> text.isEmpty() ? "<empty>" : text;
      case ResultValue.Duration(String text) -> text;
      case ResultValue.Int(long number) -> "int(" + number + ")";
      case ResultValue.Real(double number) -> Double.toString(number);
      case ResultValue.Bool(boolean bool) -> Boolean.toString(bool);
      case ResultValue.Array array -> array.toString();
      case ResultValue.Nothing _ -> "<nil>";
    };
  }

  /// At most `count` exemplars, spread over the series.
  static List<Series.Exemplar> some(List<Series.Exemplar> exemplars, int count) {
    List<Series.Exemplar> shown =
        exemplars.stream()
            .filter(exemplar -> exemplar.value() != 0 && Double.isFinite(exemplar.value()))
            .toList();
    if (shown.size() <= count) {
      return shown;
    }
    return IntStream.range(0, count)
        .mapToObj(i -> shown.get((int) ((long) i * shown.size() / count)))
        .toList();
  }

  private static void exemplars(JsonGenerator json, List<Series.Exemplar> exemplars)
      throws IOException {
    json.writeArrayFieldStart("exemplars");
    for (Series.Exemplar exemplar : exemplars) {
      json.writeStartObject();
      SearchJson.labels(
          json,
          List.of(new Spanset.Attribute("trace:id", new ResultValue.Text(exemplar.traceId()))));
      json.writeNumberField("value", exemplar.value());
      json.writeStringField("timestampMs", Long.toString(exemplar.timeNs() / NS_PER_MS));
      json.writeEndObject();
    }
    json.writeEndArray();
  }
}
