package io.headspan.query.explain;

import com.fasterxml.jackson.core.JsonGenerator;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.server.ServerBuilder;
import io.headspan.query.http.Json;
import io.headspan.query.http.Queries;
import io.headspan.query.http.QueryThreads;
import io.headspan.query.http.Request;
import io.headspan.query.http.RequestException;
import io.headspan.query.trace.Traces;
import java.io.IOException;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// `/api/headspan/v1/traces/{id}/critical-path`: which spans a trace's duration consists of.
public final class CriticalPathApi {
  private static final double NS_PER_MS = 1e6;

  private final Traces traces;

  public CriticalPathApi(Queries queries) {
    traces = new Traces(queries);
  }

  public void addTo(ServerBuilder server, QueryThreads threads) {
    server.service(
        "/api/headspan/v1/traces/{id}/critical-path", threads.service(this::criticalPath));
  }

  private HttpResponse criticalPath(Request request) {
    String id = request.path("id");
    Traces.Found found = traces.find(request, id);
    List<CriticalPath.Segment> path = CriticalPath.of(TraceSpan.of(found.data()));
    if (path.isEmpty()) {
      throw new RequestException(
          HttpStatus.NOT_FOUND, "trace not found, or without duration: id=" + id);
    }
    return Json.response(json -> write(json, found, path));
  }

  private static void write(JsonGenerator json, Traces.Found found, List<CriticalPath.Segment> path)
      throws IOException {
    long totalNs = path.getLast().toNs() - path.getFirst().fromNs();
    json.writeStartObject();
    json.writeNumberField("durationMs", totalNs / NS_PER_MS);
    json.writeBooleanField("partial", found.isPartial());
    json.writeArrayFieldStart("segments");
    for (CriticalPath.Segment segment : path) {
      json.writeStartObject();
      json.writeStringField("spanId", segment.span().spanId());
      json.writeStringField("service", segment.span().service());
      json.writeStringField("operation", segment.span().operation());
      json.writeStringField("fromUnixNano", Long.toString(segment.fromNs()));
      json.writeStringField("toUnixNano", Long.toString(segment.toNs()));
      json.writeNumberField("selfMs", segment.ns() / NS_PER_MS);
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeArrayFieldStart("spans");
    for (Map.Entry<TraceSpan, Long> span : longestFirst(path)) {
      span(json, span.getKey(), span.getValue(), (double) span.getValue() / totalNs);
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private static List<Map.Entry<TraceSpan, Long>> longestFirst(List<CriticalPath.Segment> path) {
    Map<TraceSpan, Long> onPathNs = new LinkedHashMap<>();
    path.forEach(segment -> onPathNs.merge(segment.span(), segment.ns(), Long::sum));
    return onPathNs.entrySet().stream()
        .sorted(Map.Entry.comparingByValue(Comparator.reverseOrder()))
        .toList();
  }

  private static void span(JsonGenerator json, TraceSpan span, long onPathNs, double share)
      throws IOException {
    json.writeStartObject();
    json.writeStringField("spanId", span.spanId());
    json.writeStringField("parentSpanId", span.parentId());
    json.writeStringField("tenant", span.tenant());
    json.writeStringField("service", span.service());
    json.writeStringField("operation", span.operation());
    json.writeStringField(
        "kind", span.kind().name().replace("SPAN_KIND_", "").toLowerCase(Locale.ROOT));
    json.writeBooleanField("error", span.failed());
    json.writeNumberField("durationMs", span.durationNs() / NS_PER_MS);
    json.writeNumberField("onPathMs", onPathNs / NS_PER_MS);
    json.writeNumberField("share", share);
    for (String name : TraceSpan.ACCOUNTS) {
      Long ns = span.account().get(name);
      if (ns != null) {
        json.writeNumberField(name + "Ms", ns / NS_PER_MS);
      }
    }
    if (!span.culprit().isEmpty()) {
      json.writeStringField("culprit", span.culprit());
    }
    json.writeEndObject();
  }
}
