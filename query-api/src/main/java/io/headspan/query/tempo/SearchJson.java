package io.headspan.query.tempo;

import com.fasterxml.jackson.core.JsonGenerator;
import com.linecorp.armeria.common.HttpResponse;
import io.headspan.query.http.Json;
import io.headspan.query.tempo.TraceSummary.ServiceStats;
import io.headspan.query.traceql.ResultValue;
import io.headspan.query.traceql.Spanset;
import io.headspan.wire.TraceContext;
import java.io.IOException;
import java.util.List;
import java.util.Map;

/// The answer of `/api/search`. Grafana decodes it strictly, with the fields of May 2025: one more
/// field is an error, so every field is written here by name.
final class SearchJson {
  private static final long NS_PER_MS = 1_000_000;

  private SearchJson() {}

  static HttpResponse response(List<FoundTrace> traces) {
    return Json.response(json -> {
      json.writeStartObject();
      json.writeArrayFieldStart("traces");
      for (FoundTrace trace : traces) {
        trace(json, trace);
      }
      json.writeEndArray();
      json.writeObjectFieldStart("metrics");
      json.writeNumberField("inspectedTraces", traces.size());
      json.writeStringField("inspectedBytes", "0");
      json.writeNumberField("totalBlocks", 1);
      json.writeNumberField("completedJobs", 1);
      json.writeNumberField("totalJobs", 1);
      json.writeStringField("totalBlockBytes", "0");
      json.writeStringField("inspectedSpans", "0");
      json.writeEndObject();
      json.writeEndObject();
    });
  }

  private static void trace(JsonGenerator json, FoundTrace trace) throws IOException {
    TraceSummary summary = trace.summary();
    json.writeStartObject();
    json.writeStringField("traceID", trace.traceId());
    json.writeStringField("rootServiceName", summary.rootService());
    json.writeStringField("rootTraceName", summary.rootName());
    json.writeStringField("startTimeUnixNano", Long.toString(summary.startNs()));
    json.writeNumberField("durationMs", (summary.endNs() - summary.startNs()) / NS_PER_MS);
    json.writeArrayFieldStart("spanSets");
    for (Spanset set : trace.spansets()) {
      set(json, set);
    }
    json.writeEndArray();
    json.writeFieldName("spanSet");
    set(json, trace.spansets().getFirst());
    json.writeObjectFieldStart("serviceStats");
    for (Map.Entry<String, ServiceStats> service : summary.services().entrySet()) {
      json.writeObjectFieldStart(service.getKey());
      json.writeNumberField("spanCount", service.getValue().spans());
      if (service.getValue().errors() > 0) {
        json.writeNumberField("errorCount", service.getValue().errors());
      }
      json.writeEndObject();
    }
    json.writeEndObject();
    json.writeEndObject();
  }

  private static void set(JsonGenerator json, Spanset set) throws IOException {
    json.writeStartObject();
    json.writeArrayFieldStart("spans");
    for (Spanset.Span span : set.spans()) {
      json.writeStartObject();
      json.writeStringField("spanID", TraceContext.hexId(span.spanId()));
      json.writeStringField("name", span.name());
      json.writeStringField("startTimeUnixNano", Long.toString(span.startNs()));
      json.writeStringField("durationNanos", Long.toString(span.durationNs()));
      attributes(json, span.attributes());
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeNumberField("matched", set.matched());
    attributes(json, set.attributes());
    json.writeEndObject();
  }

  private static void attributes(JsonGenerator json, List<Spanset.Attribute> attributes)
      throws IOException {
    keyValues(json, "attributes", attributes);
  }

  /// The labels of a time series.
  static void labels(JsonGenerator json, List<Spanset.Attribute> labels) throws IOException {
    keyValues(json, "labels", labels);
  }

  private static void keyValues(JsonGenerator json, String name, List<Spanset.Attribute> attributes)
      throws IOException {
    json.writeArrayFieldStart(name);
    for (Spanset.Attribute attribute : attributes) {
      json.writeStartObject();
      json.writeStringField("key", attribute.name());
      json.writeFieldName("value");
      value(json, attribute.value());
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private static void value(JsonGenerator json, ResultValue value) throws IOException {
    json.writeStartObject();
    switch (value) {
      case ResultValue.Text(String text) -> json.writeStringField("stringValue", text);
      case ResultValue.Duration(String text) -> json.writeStringField("stringValue", text);
      case ResultValue.Int(long number) -> json.writeStringField("intValue", Long.toString(number));
      case ResultValue.Real(double number) -> real(json, number);
      case ResultValue.Bool(boolean bool) -> json.writeBooleanField("boolValue", bool);
      case ResultValue.Array(List<ResultValue> elements) -> {
        json.writeObjectFieldStart("arrayValue");
        json.writeArrayFieldStart("values");
        for (ResultValue element : elements) {
          value(json, element);
        }
        json.writeEndArray();
        json.writeEndObject();
      }
      case ResultValue.Nothing _ -> json.writeStringField("stringValue", "nil");
    }
    json.writeEndObject();
  }

  /// JSON has no words for what is not finite; protobuf's mapping has.
  private static void real(JsonGenerator json, double number) throws IOException {
    if (Double.isFinite(number)) {
      json.writeNumberField("doubleValue", number);
    } else {
      String word = Double.isNaN(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity";
      json.writeStringField("doubleValue", word);
    }
  }
}
