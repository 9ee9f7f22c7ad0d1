package io.headspan.query.tempo;

import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.JsonFormat;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import io.headspan.query.http.Queries;
import io.headspan.query.http.Request;
import io.headspan.query.http.RequestException;
import io.headspan.query.trace.Traces;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.TracesData;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;

/// Whole traces, as protobuf or as JSON.
///
/// Version 1 answers `tempopb.Trace`, which on the wire is OTLP's TracesData, or 404. Version 2
/// answers `tempopb.TraceByIDResponse { Trace trace = 1; TraceByIDMetrics metrics = 2;
/// PartialStatus status = 3; string message = 4 }` with an empty trace if there is none. The JSON
/// follows protobuf's JSON mapping, ids in base64.
final class TraceById {
  private static final int TRACE_FIELD = 1;
  private static final int METRICS_FIELD = 2;
  private static final int STATUS_FIELD = 3;
  private static final int MESSAGE_FIELD = 4;
  private static final int PARTIAL = 1;
  private static final MediaType PROTOBUF = MediaType.create("application", "protobuf");
  private static final JsonFormat.Printer PRINTER =
      JsonFormat.printer().omittingInsignificantWhitespace();

  private final Traces traces;

  TraceById(Queries queries) {
    traces = new Traces(queries);
  }

  private Traces.Found find(Request request) {
    return traces.find(request, request.path("id"));
  }

  HttpResponse v1(Request request) {
    Traces.Found found = find(request);
    if (found.isAbsent()) {
      throw new RequestException(HttpStatus.NOT_FOUND, "trace not found: id=" + request.path("id"));
    }
    if (found.isPartial()) {
      throw new RequestException(HttpStatus.UNPROCESSABLE_ENTITY, found.problem());
    }
    return request.acceptsProtobuf()
        ? HttpResponse.of(HttpStatus.OK, PROTOBUF, found.data().toByteArray())
        : json("{\"batches\":" + resourceSpans(found.data()) + "}");
  }

  HttpResponse v2(Request request) {
    Traces.Found found = find(request);
    if (request.acceptsProtobuf()) {
      return HttpResponse.of(HttpStatus.OK, PROTOBUF, protobuf(found));
    }
    String trace =
        found.isAbsent() ? "{}" : "{\"resourceSpans\":" + resourceSpans(found.data()) + "}";
    String status =
        found.isPartial() ? ",\"status\":\"PARTIAL\",\"message\":\"" + found.problem() + "\"" : "";
    return json("{\"trace\":" + trace + ",\"metrics\":{}" + status + "}");
  }

  private static byte[] protobuf(Traces.Found found) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      CodedOutputStream out = CodedOutputStream.newInstance(bytes);
      out.writeMessage(TRACE_FIELD, found.data());
      out.writeByteArray(METRICS_FIELD, new byte[0]);
      if (found.isPartial()) {
        out.writeEnum(STATUS_FIELD, PARTIAL);
        out.writeString(MESSAGE_FIELD, found.problem());
      }
      out.flush();
    } catch (IOException e) {
      throw new UncheckedIOException("protobuf cannot be written to memory", e);
    }
    return bytes.toByteArray();
  }

  /// The array of ResourceSpans in JSON. Built message by message: one trace's JSON may be large,
  /// and the list has another name in each version.
  private static String resourceSpans(TracesData trace) {
    StringBuilder json = new StringBuilder("[");
    try {
      for (ResourceSpans resource : trace.getResourceSpansList()) {
        if (json.length() > 1) {
          json.append(',');
        }
        PRINTER.appendTo(resource, json);
      }
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("trace has no JSON form", e);
    } catch (IOException e) {
      throw new UncheckedIOException("JSON cannot be written to memory", e);
    }
    return json.append(']').toString();
  }

  private static HttpResponse json(String text) {
    return HttpResponse.of(HttpStatus.OK, MediaType.JSON, text);
  }
}
