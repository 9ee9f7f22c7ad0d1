package io.headspan.query.logs;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.server.ServerBuilder;
import io.headspan.query.http.Json;
import io.headspan.query.http.Queries;
import io.headspan.query.http.QueryThreads;
import io.headspan.query.http.Request;
import io.headspan.query.http.RequestException;
import io.headspan.query.trace.Traces;
import io.headspan.query.traceql.TimeRange;
import io.headspan.storage.SqlQuery;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/// `/api/headspan/v1/traces/{id}/logs` and `/api/headspan/v1/logs`: what functions logged, in order
/// of time.
public final class LogsApi {
  private static final int USUAL_LIMIT = 1000;
  private static final int MOST = 10_000;
  private static final int ID_DIGITS = 16;
  private static final ObjectMapper JSON = new ObjectMapper();

  private static final int STRING = 1;
  private static final int INT = 2;
  private static final int DOUBLE = 3;
  private static final int BOOL = 4;
  private static final int MAP = 5;
  private static final int SLICE = 6;

  private record LogRecord(
      long timeNs,
      long observedNs,
      String traceId,
      String spanId,
      int severity,
      String severityText,
      String eventName,
      String body,
      int bodyType,
      String tenant,
      String service,
      String version,
      String scope,
      Attributes attributes,
      Attributes resource) {}

  private record Attributes(List<String> keys, long[] types, List<String> values) {}

  private final Queries queries;

  public LogsApi(Queries queries) {
    this.queries = queries;
  }

  public void addTo(ServerBuilder server, QueryThreads threads) {
    server
        .service(
            "/api/headspan/v1/traces/{id}/logs",
            threads.service(request -> ofTrace(request, request.path("id"))))
        .service("/api/headspan/v1/logs", threads.service(this::logs));
  }

  private HttpResponse logs(Request request) {
    Optional<String> traceId = request.parameter("traceId");
    if (traceId.isPresent()) {
      return ofTrace(request, traceId.get());
    }
    TimeRange range = request.exactRange("from", "to");
    StringBuilder where =
        new StringBuilder(
            "time>=fromUnixTimestamp64Nano({from:Int64},'UTC') "
                + "AND time<=fromUnixTimestamp64Nano({to:Int64},'UTC')");
    Optional<String> service = request.parameter("service");
    if (service.isPresent()) {
      where.append(" AND service={service:String}");
    }
    return answer(
        request,
        where.toString(),
        query -> {
          SqlQuery bound = query.bind("from", range.fromNs()).bind("to", range.toNs());
          return service.isPresent() ? bound.bind("service", service.get()) : bound;
        });
  }

  private HttpResponse ofTrace(Request request, String traceId) {
    String id = Traces.paddedId(traceId);
    Optional<String> spanId = request.parameter("spanId").map(LogsApi::paddedSpanId);
    return answer(
        request,
        "trace_id=unhex({id:String})"
            + (spanId.isPresent()
                ? " AND span_id=reinterpretAsUInt64(reverse(unhex({span:String})))"
                : ""),
        query -> {
          SqlQuery bound = query.bind("id", id);
          return spanId.isPresent() ? bound.bind("span", spanId.get()) : bound;
        });
  }

  @FunctionalInterface
  private interface Binding {
    SqlQuery bind(SqlQuery query);
  }

  private HttpResponse answer(Request request, String where, Binding binding) {
    int limit = request.integer("limit", USUAL_LIMIT, 1, MOST);
    int severity = request.integer("minSeverity", 0, 0, 24);
    String sql =
        """
        SELECT toUnixTimestamp64Nano(time), toUnixTimestamp64Nano(observed), lower(hex(trace_id)), \
        lower(leftPad(hex(span_id),16,'0')), severity, severity_text, event_name, body, body_type, \
        tenant, service, version, scope_name, keys, types, values, \
        resource_keys, resource_types, resource_values \
        FROM logs WHERE %s AND severity>={severity:UInt8} ORDER BY time, span_id LIMIT {limit:UInt32}\
        """
            .formatted(where);
    List<LogRecord> records =
        queries.run(
            request,
            binding.bind(SqlQuery.of(sql).bind("limit", limit + 1).bind("severity", severity)),
            row ->
                new LogRecord(
                    row.integer(0),
                    row.integer(1),
                    row.text(2),
                    row.text(3),
                    (int) row.integer(4),
                    row.text(5),
                    row.text(6),
                    row.text(7),
                    (int) row.integer(8),
                    row.text(9),
                    row.text(10),
                    row.text(11),
                    row.text(12),
                    new Attributes(row.texts(13), row.integers(14), row.texts(15)),
                    new Attributes(row.texts(16), row.integers(17), row.texts(18))));
    return Json.response(json -> {
      json.writeStartObject();
      json.writeArrayFieldStart("logs");
      for (LogRecord each : records.subList(0, Math.min(limit, records.size()))) {
        write(json, each);
      }
      json.writeEndArray();
      json.writeBooleanField("partial", records.size() > limit);
      json.writeEndObject();
    });
  }

  private static void write(JsonGenerator json, LogRecord each) throws IOException {
    json.writeStartObject();
    json.writeStringField("timeUnixNano", Long.toString(each.timeNs()));
    json.writeStringField("time", Instant.ofEpochSecond(0, each.timeNs()).toString());
    json.writeStringField("observedUnixNano", Long.toString(each.observedNs()));
    json.writeStringField("traceId", each.traceId());
    json.writeStringField("spanId", each.spanId());
    json.writeNumberField("severity", each.severity());
    json.writeStringField("severityText", each.severityText());
    json.writeStringField("eventName", each.eventName());
    json.writeFieldName("body");
    value(json, each.bodyType(), each.body());
    json.writeStringField("tenant", each.tenant());
    json.writeStringField("service", each.service());
    json.writeStringField("version", each.version());
    json.writeStringField("scope", each.scope());
    attributes(json, "attributes", each.attributes());
    attributes(json, "resource", each.resource());
    json.writeEndObject();
  }

  private static void attributes(JsonGenerator json, String name, Attributes attributes)
      throws IOException {
    json.writeObjectFieldStart(name);
    for (int i = 0; i < attributes.keys().size(); i++) {
      json.writeFieldName(attributes.keys().get(i));
      value(json, (int) attributes.types()[i], attributes.values().get(i));
    }
    json.writeEndObject();
  }

  /// Integers are text, as in OTLP's JSON: not every reader has 64 bits for a number.
  private static void value(JsonGenerator json, int type, String text) throws IOException {
    switch (type) {
      case DOUBLE -> {
        double number = Double.parseDouble(text);
        if (Double.isFinite(number)) {
          json.writeNumber(number);
        } else {
          json.writeString(text);
        }
      }
      case BOOL -> json.writeBoolean(text.equals("true"));
      case MAP, SLICE -> structure(json, text);
      case STRING, INT -> json.writeString(text);
      default -> json.writeString(text);
    }
  }

  private static void structure(JsonGenerator json, String text) throws IOException {
    try {
      JSON.writeTree(json, JSON.readTree(text));
    } catch (JsonProcessingException e) {
      // Stored by something else than a collector of this version: shown as it is.
      json.writeString(text);
    }
  }

  private static String paddedSpanId(String id) {
    boolean hex =
        !id.isEmpty()
            && id.length() <= ID_DIGITS
            && id.chars().allMatch(c -> c < 128 && Character.digit(c, 16) >= 0);
    if (!hex) {
      throw RequestException.badRequest(
          "not a span id: spanId=" + id + ", want=up to " + ID_DIGITS + " hex digits");
    }
    return "0".repeat(ID_DIGITS - id.length()) + id;
  }
}
