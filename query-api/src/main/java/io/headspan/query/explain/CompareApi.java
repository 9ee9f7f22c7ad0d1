package io.headspan.query.explain;

import com.fasterxml.jackson.core.JsonGenerator;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.server.ServerBuilder;
import io.headspan.query.http.Json;
import io.headspan.query.http.Queries;
import io.headspan.query.http.QueryThreads;
import io.headspan.query.http.Request;
import io.headspan.query.traceql.TimeRange;
import java.io.IOException;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/// `/api/headspan/v1/compare`: a function's operations in a range beside those of a baseline.
public final class CompareApi {
  private static final double NS_PER_MS = 1e6;

  private final Queries queries;

  public CompareApi(Queries queries) {
    this.queries = queries;
  }

  public void addTo(ServerBuilder server, QueryThreads threads) {
    server.service("/api/headspan/v1/compare", threads.service(this::compare));
  }

  /// Both sides of one operation; a side that has no invocations is absent.
  private record Pair(Optional<OperationSummary> now, Optional<OperationSummary> baseline) {
    long invocations() {
      return now.map(OperationSummary::invocations).orElse(0L)
          + baseline.map(OperationSummary::invocations).orElse(0L);
    }
  }

  private HttpResponse compare(Request request) {
    ComparisonRequest asked = ComparisonRequest.of(request);
    InvocationReader reader = new InvocationReader(queries, request);
    InvocationReader.Source now = reader.source(asked.now());
    InvocationReader.Source before = asked.before(now);
    Pair total = new Pair(reader.total(now), reader.total(before));
    Map<String, Pair> operations = new TreeMap<>();
    reader
        .operations(now)
        .forEach(
            (name, each) -> operations.put(name, new Pair(Optional.of(each), Optional.empty())));
    reader
        .operations(before)
        .forEach((name, each) ->
            operations.merge(
                name,
                new Pair(Optional.empty(), Optional.of(each)),
                (first, second) -> new Pair(first.now(), second.baseline())));
    return Json.response(json -> {
      json.writeStartObject();
      json.writeStringField("service", asked.service());
      json.writeStringField("tenant", now.scope().tenant().orElse(""));
      json.writeObjectFieldStart("range");
      times(json, asked.range());
      json.writeEndObject();
      json.writeObjectFieldStart("baseline");
      json.writeStringField("kind", asked.baseline().id());
      if (asked.baseline() instanceof Baseline.OfVersion of) {
        json.writeStringField("version", of.version());
      }
      times(json, asked.baseline().range());
      json.writeEndObject();
      json.writeFieldName("total");
      pair(json, "", total);
      json.writeArrayFieldStart("operations");
      for (Map.Entry<String, Pair> each : mostFirst(operations)) {
        pair(json, each.getKey(), each.getValue());
      }
      json.writeEndArray();
      json.writeEndObject();
    });
  }

  private static List<Map.Entry<String, Pair>> mostFirst(Map<String, Pair> operations) {
    return operations.entrySet().stream()
        .sorted(Map.Entry.comparingByValue(Comparator.comparingLong(Pair::invocations).reversed()))
        .toList();
  }

  private static void times(JsonGenerator json, TimeRange range) throws IOException {
    json.writeStringField("from", ExplainJson.time(range.fromNs()));
    json.writeStringField("to", ExplainJson.time(range.toNs()));
  }

  private static void pair(JsonGenerator json, String operation, Pair pair) throws IOException {
    json.writeStartObject();
    if (!operation.isEmpty()) {
      json.writeStringField("operation", operation);
    }
    side(json, "now", pair.now());
    side(json, "baseline", pair.baseline());
    json.writeEndObject();
  }

  private static void side(JsonGenerator json, String name, Optional<OperationSummary> side)
      throws IOException {
    if (side.isEmpty()) {
      return;
    }
    OperationSummary summary = side.get();
    json.writeObjectFieldStart(name);
    json.writeNumberField("invocations", summary.invocations());
    json.writeNumberField("errors", summary.errors());
    json.writeNumberField("errorRate", (double) summary.errors() / summary.invocations());
    json.writeNumberField("coldStarts", summary.coldStarts());
    json.writeNumberField("meanMs", summary.meanNs() / NS_PER_MS);
    json.writeNumberField("p50Ms", summary.quantilesNs()[0] / NS_PER_MS);
    json.writeNumberField("p95Ms", summary.quantilesNs()[1] / NS_PER_MS);
    json.writeNumberField("p99Ms", summary.quantilesNs()[2] / NS_PER_MS);
    json.writeNumberField("cpuMs", summary.cpuNs() / NS_PER_MS);
    json.writeNumberField("queueMs", summary.queueNs() / NS_PER_MS);
    json.writeNumberField("stolenMs", summary.stolenNs() / NS_PER_MS);
    json.writeNumberField("throttledMs", summary.throttledNs() / NS_PER_MS);
    json.writeNumberField("blockedMs", summary.blockedNs() / NS_PER_MS);
    json.writeEndObject();
  }
}
