package io.headspan.query.functions;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.headspan.query.RecordedApi;
import io.headspan.query.RecordedSpans;
import io.headspan.query.RunningApi;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import io.opentelemetry.proto.trace.v1.Status;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(RecordedApi.class)
class FunctionsApiIT {
  /// Invocations of one function, counted here.
  private static final class Invocations {
    private final List<Long> durationsNs = new ArrayList<>();
    private int errors;

    double quantileMs(double quantile) {
      List<Long> sorted = new ArrayList<>(durationsNs);
      Collections.sort(sorted);
      return sorted.get((int) Math.floor(quantile * (sorted.size() - 1))) / 1e6;
    }
  }

  @Test
  void countsEveryInvocationAndItsLatency(RunningApi api) throws Exception {
    Map<String, Invocations> expected = expected();
    HttpResponse<byte[]> response =
        api.get("/api/headspan/v1/functions?start=1795214280&end=1795215300", "application/json");
    assertThat(response.statusCode()).isEqualTo(200);
    JsonNode functions = new ObjectMapper().readTree(response.body()).get("functions");
    assertThat(functions).hasSize(expected.size());
    for (JsonNode function : functions) {
      String name =
          function.get("tenant").asText()
              + "/"
              + function.get("service").asText()
              + "/"
              + function.get("version").asText()
              + "/"
              + function.get("runtime").asText();
      Invocations invocations = requireNonNull(expected.get(name), name);
      assertThat(function.get("count").asInt()).isEqualTo(invocations.durationsNs.size());
      assertThat(function.get("errors").asInt()).isEqualTo(invocations.errors);
      assertQuantile(function.get("p50Ms").asDouble(), invocations.quantileMs(0.5));
      assertQuantile(function.get("p95Ms").asDouble(), invocations.quantileMs(0.95));
      assertQuantile(function.get("p99Ms").asDouble(), invocations.quantileMs(0.99));
    }
    HttpResponse<byte[]> none =
        api.get("/api/headspan/v1/functions?start=1&end=2", "application/json");
    assertThat(new String(none.body(), StandardCharsets.UTF_8)).isEqualTo("{\"functions\":[]}");
  }

  private static void assertQuantile(double measured, double exact) {
    assertThat(measured).isCloseTo(exact, within(exact * 0.011));
  }

  private static Map<String, Invocations> expected() throws IOException {
    Map<String, Invocations> functions = new TreeMap<>();
    for (ExportTraceServiceRequest request : RecordedSpans.requests()) {
      for (ResourceSpans resource : request.getResourceSpansList()) {
        List<KeyValue> attributes = resource.getResource().getAttributesList();
        String name =
            text(attributes, "headspan.tenant")
                + "/"
                + text(attributes, "service.name")
                + "/"
                + text(attributes, "service.version")
                + "/"
                + text(attributes, "headspan.runtime");
        for (ScopeSpans scope : resource.getScopeSpansList()) {
          for (Span span : scope.getSpansList()) {
            if (span.getKind() == Span.SpanKind.SPAN_KIND_SERVER
                || span.getKind() == Span.SpanKind.SPAN_KIND_CONSUMER) {
              Invocations invocations = functions.computeIfAbsent(name, _ -> new Invocations());
              invocations.durationsNs.add(span.getEndTimeUnixNano() - span.getStartTimeUnixNano());
              if (span.getStatus().getCode() == Status.StatusCode.STATUS_CODE_ERROR) {
                invocations.errors++;
              }
            }
          }
        }
      }
    }
    return functions;
  }

  private static String text(List<KeyValue> attributes, String key) {
    return attributes.stream()
        .filter(attribute -> attribute.getKey().equals(key))
        .map(attribute -> attribute.getValue().getStringValue())
        .findFirst()
        .orElse("");
  }
}
