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
import io.headspan.storage.SqlQuery;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otlp.OtlpEncoder;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import io.opentelemetry.proto.trace.v1.Status;
import io.opentelemetry.proto.trace.v1.TracesData;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;

/// Whole traces, as protobuf or as JSON.
///
/// Version 1 answers `tempopb.Trace`, which on the wire is OTLP's TracesData, or 404. Version 2
/// answers `tempopb.TraceByIDResponse { Trace trace = 1; TraceByIDMetrics metrics = 2;
/// PartialStatus status = 3; string message = 4 }` with an empty trace if there is none. The JSON
/// follows protobuf's JSON mapping, ids in base64.
final class TraceById {
  private static final int ID_DIGITS = 32;
  private static final int TRACE_FIELD = 1;
  private static final int METRICS_FIELD = 2;
  private static final int STATUS_FIELD = 3;
  private static final int MESSAGE_FIELD = 4;
  private static final int PARTIAL = 1;
  private static final MediaType PROTOBUF = MediaType.create("application", "protobuf");
  private static final JsonFormat.Printer PRINTER =
      JsonFormat.printer().omittingInsignificantWhitespace();
  private static final String SPANS_OF_TRACE =
      "SELECT sum(spans) FROM trace_summary WHERE trace_id=unhex({id:String})";

  private final Queries queries;

  TraceById(Queries queries) {
    this.queries = queries;
  }

  HttpResponse v1(Request request) {
    Found found = find(request);
    if (found.trace().getResourceSpansCount() == 0) {
      throw new RequestException(HttpStatus.NOT_FOUND, "trace not found: id=" + request.path("id"));
    }
    if (found.isPartial()) {
      throw new RequestException(HttpStatus.UNPROCESSABLE_ENTITY, found.problem());
    }
    return request.acceptsProtobuf()
        ? HttpResponse.of(HttpStatus.OK, PROTOBUF, found.trace().toByteArray())
        : json("{\"batches\":" + resourceSpans(found.trace()) + "}");
  }

  HttpResponse v2(Request request) {
    Found found = find(request);
    if (request.acceptsProtobuf()) {
      return HttpResponse.of(HttpStatus.OK, PROTOBUF, protobuf(found));
    }
    String trace =
        found.trace().getResourceSpansCount() == 0
            ? "{}"
            : "{\"resourceSpans\":" + resourceSpans(found.trace()) + "}";
    String status =
        found.isPartial() ? ",\"status\":\"PARTIAL\",\"message\":\"" + found.problem() + "\"" : "";
    return json("{\"trace\":" + trace + ",\"metrics\":{}" + status + "}");
  }

  /// @param problem why the trace is not complete, in letters that need no escape in JSON; "" if it
  ///   is
  private record Found(TracesData trace, String problem) {
    boolean isPartial() {
      return !problem.isEmpty();
    }
  }

  private Found find(Request request) {
    String id = paddedId(request.path("id"));
    long high = Long.parseUnsignedLong(id, 0, ID_DIGITS / 2, 16);
    long low = Long.parseUnsignedLong(id, ID_DIGITS / 2, ID_DIGITS, 16);
    SpanBatch batch = queries.trace(high, low);
    String problem = "";
    if (batch.size() >= queries.limits().traceSpans()) {
      long spans = spansOfTrace(request, id);
      if (spans > batch.size()) {
        problem =
            "trace too large: spans="
                + spans
                + ", the first "
                + batch.size()
                + " are in the answer";
      }
    }
    return new Found(withStatus(OtlpEncoder.encode(batch)), problem);
  }

  private long spansOfTrace(Request request, String id) {
    List<Long> counts =
        queries.run(request, SqlQuery.of(SPANS_OF_TRACE).bind("id", id), row -> row.integer(0));
    return counts.isEmpty() ? 0 : counts.getFirst();
  }

  /// Ids come without their leading zeros too.
  private static String paddedId(String id) {
    boolean hex =
        !id.isEmpty()
            && id.length() <= ID_DIGITS
            && id.chars().allMatch(c -> c < 128 && Character.digit(c, 16) >= 0);
    if (!hex) {
      throw RequestException.badRequest(
          "not a trace id: id=" + id + ", want=up to " + ID_DIGITS + " hex digits");
    }
    return "0".repeat(ID_DIGITS - id.length()) + id;
  }

  /// Every span of Tempo's has a status message, be it empty, and viewers rely on it.
  private static TracesData withStatus(TracesData trace) {
    TracesData.Builder builder = trace.toBuilder();
    for (ResourceSpans.Builder resource : builder.getResourceSpansBuilderList()) {
      for (ScopeSpans.Builder scope : resource.getScopeSpansBuilderList()) {
        for (Span.Builder span : scope.getSpansBuilderList()) {
          if (!span.hasStatus()) {
            span.setStatus(Status.getDefaultInstance());
          }
        }
      }
    }
    return builder.build();
  }

  private static byte[] protobuf(Found found) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      CodedOutputStream out = CodedOutputStream.newInstance(bytes);
      out.writeMessage(TRACE_FIELD, found.trace());
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
