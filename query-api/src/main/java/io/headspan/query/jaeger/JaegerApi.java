package io.headspan.query.jaeger;

import com.fasterxml.jackson.core.JsonGenerator;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.server.HttpService;
import com.linecorp.armeria.server.ServerBuilder;
import io.headspan.query.http.Json;
import io.headspan.query.http.Queries;
import io.headspan.query.http.QueryThreads;
import io.headspan.query.http.QueryThreads.Handler;
import io.headspan.query.http.Request;
import io.headspan.query.http.RequestException;
import io.headspan.query.trace.Traces;
import io.headspan.query.traceql.TraceQlException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The routes of Jaeger's query API. Below `/jaeger` are all of them; at the root those that
/// Tempo's API does not have too, which is all but `/api/traces/{id}`.
public final class JaegerApi {
  private static final String PREFIX = "/jaeger";

  private final Traces traces;
  private final JaegerCatalogue catalogue;
  private final JaegerSearch search;

  public JaegerApi(Queries queries) {
    traces = new Traces(queries);
    catalogue = new JaegerCatalogue(queries);
    search = new JaegerSearch(queries);
  }

  public void addTo(ServerBuilder server, QueryThreads threads) {
    server.service(PREFIX + "/api/traces/{id}", threads.service(version1(this::trace)));
    for (String prefix : List.of("", PREFIX)) {
      server
          .service(prefix + "/api/services", service(threads, this::services))
          .service(
              prefix + "/api/services/{service}/operations", service(threads, this::operationNames))
          .service(prefix + "/api/operations", service(threads, this::operations))
          .service(prefix + "/api/traces", service(threads, this::find))
          .service(prefix + "/api/dependencies", service(threads, this::dependencies))
          .service(prefix + "/api/v3/services", threads.service(version3(this::services3)))
          .service(prefix + "/api/v3/operations", threads.service(version3(this::operations3)))
          .service(prefix + "/api/v3/traces", threads.service(version3(this::find3)))
          .service(prefix + "/api/v3/traces/{id}", threads.service(version3(this::trace3)));
    }
  }

  private static HttpService service(QueryThreads threads, Handler handler) {
    return threads.service(version1(handler));
  }

  // Version 1.

  private HttpResponse services(Request request) {
    return texts(catalogue.services(request));
  }

  private HttpResponse operationNames(Request request) {
    List<String> names =
        catalogue.operations(request, request.path("service"), Optional.empty()).stream()
            .map(JaegerCatalogue.Operation::name)
            .distinct()
            .toList();
    // Jaeger has no list at all for a service that it does not know.
    return names.isEmpty() ? answer(0, JsonGenerator::writeNull) : texts(names);
  }

  private static HttpResponse texts(List<String> texts) {
    return answer(
        texts.size(), json -> json.writeArray(texts.toArray(String[]::new), 0, texts.size()));
  }

  private HttpResponse operations(Request request) {
    List<JaegerCatalogue.Operation> operations =
        catalogue.operations(request, required(request, "service"), request.parameter("spanKind"));
    return answer(
        operations.size(),
        json -> {
          json.writeStartArray();
          for (JaegerCatalogue.Operation operation : operations) {
            operation(json, operation);
          }
          json.writeEndArray();
        });
  }

  private static void operation(JsonGenerator json, JaegerCatalogue.Operation operation)
      throws IOException {
    json.writeStartObject();
    json.writeStringField("name", operation.name());
    json.writeStringField("spanKind", operation.kind());
    json.writeEndObject();
  }

  private HttpResponse trace(Request request) {
    JaegerSearch.checkVersion1(request);
    Traces.Found found = traces.find(request, JaegerSearch.traceId(request.path("id")));
    if (found.isAbsent()) {
      throw notFound(request);
    }
    return traces(List.of(found), List.of());
  }

  private static RequestException notFound(Request request) {
    return new RequestException(HttpStatus.NOT_FOUND, "trace not found: id=" + request.path("id"));
  }

  private HttpResponse find(Request request) {
    List<String> asked = request.parameters("traceID");
    List<String> ids = asked.isEmpty() ? search.version1(request) : asked;
    List<Traces.Found> read = traces.find(request, ids);
    List<Traces.Found> found = new ArrayList<>();
    List<String> absent = new ArrayList<>();
    for (int i = 0; i < ids.size(); i++) {
      if (!read.get(i).isAbsent()) {
        found.add(read.get(i));
      } else if (!asked.isEmpty()) {
        absent.add(ids.get(i));
      }
    }
    return traces(found, absent);
  }

  private static HttpResponse traces(List<Traces.Found> found, List<String> absent) {
    return answer(
        0,
        json -> {
          json.writeStartArray();
          for (Traces.Found trace : found) {
            JaegerJson.write(json, trace);
          }
          json.writeEndArray();
        },
        json -> {
          if (absent.isEmpty()) {
            json.writeNull();
            return;
          }
          json.writeStartArray();
          for (String id : absent) {
            json.writeStartObject();
            json.writeStringField("msg", "trace not found");
            json.writeStringField("traceID", JaegerJson.traceId(Traces.paddedId(id)));
            json.writeEndObject();
          }
          json.writeEndArray();
        });
  }

  private HttpResponse dependencies(Request request) {
    List<JaegerCatalogue.Call> calls = catalogue.calls(request);
    return answer(
        0,
        json -> {
          json.writeStartArray();
          for (JaegerCatalogue.Call call : calls) {
            json.writeStartObject();
            json.writeStringField("parent", call.parent());
            json.writeStringField("child", call.child());
            json.writeNumberField("callCount", call.count());
            json.writeEndObject();
          }
          json.writeEndArray();
        });
  }

  /// @param total what Jaeger says of how many there are: 0 of traces and dependencies
  private static HttpResponse answer(int total, Json.Writer data) {
    return answer(total, data, JsonGenerator::writeNull);
  }

  private static HttpResponse answer(int total, Json.Writer data, Json.Writer errors) {
    return Json.response(json -> {
      json.writeStartObject();
      json.writeFieldName("data");
      data.write(json);
      json.writeNumberField("total", total);
      json.writeNumberField("limit", 0);
      json.writeNumberField("offset", 0);
      json.writeFieldName("errors");
      errors.write(json);
      json.writeEndObject();
    });
  }

  /// `handler` with its errors in the form of version 1.
  private static Handler version1(Handler handler) {
    return request -> {
      try {
        return handler.handle(request);
      } catch (RequestException e) {
        return error(e.status(), e);
      } catch (TraceQlException e) {
        return error(HttpStatus.BAD_REQUEST, e);
      }
    };
  }

  private static HttpResponse error(HttpStatus status, RuntimeException e) {
    return Json.response(
        status,
        json -> {
          json.writeStartObject();
          json.writeNullField("data");
          json.writeNumberField("total", 0);
          json.writeNumberField("limit", 0);
          json.writeNumberField("offset", 0);
          json.writeArrayFieldStart("errors");
          json.writeStartObject();
          json.writeNumberField("code", status.code());
          json.writeStringField("msg", e.getMessage());
          json.writeEndObject();
          json.writeEndArray();
          json.writeEndObject();
        });
  }

  static String required(Request request, String parameter) {
    return request
        .parameter(parameter)
        .orElseThrow(
            () -> RequestException.badRequest("parameter '" + parameter + "' is required"));
  }

  // Version 3.

  private HttpResponse services3(Request request) {
    List<String> services = catalogue.services(request);
    return Json.response(json -> {
      json.writeStartObject();
      // Protobuf's JSON leaves out what is empty.
      if (!services.isEmpty()) {
        json.writeFieldName("services");
        json.writeArray(services.toArray(String[]::new), 0, services.size());
      }
      json.writeEndObject();
    });
  }

  private HttpResponse operations3(Request request) {
    List<JaegerCatalogue.Operation> operations =
        catalogue.operations(
            request,
            request.parameter("service").orElse(""),
            request.parameter("spanKind").or(() -> request.parameter("span_kind")));
    return Json.response(json -> {
      json.writeStartObject();
      if (!operations.isEmpty()) {
        json.writeArrayFieldStart("operations");
        for (JaegerCatalogue.Operation operation : operations) {
          operation(json, operation.named());
        }
        json.writeEndArray();
      }
      json.writeEndObject();
    });
  }

  private HttpResponse trace3(Request request) {
    JaegerSearch.checkVersion3(request);
    Traces.Found found = traces.find(request, JaegerSearch.traceId(request.path("id")));
    if (found.isAbsent()) {
      throw notFound(request);
    }
    return OtlpJson.response(List.of(found.data()));
  }

  private HttpResponse find3(Request request) {
    List<String> ids = search.version3(request);
    if (ids.isEmpty()) {
      throw new RequestException(HttpStatus.NOT_FOUND, "no traces found");
    }
    return OtlpJson.response(traces.find(request, ids).stream().map(Traces.Found::data).toList());
  }

  /// `handler` with its errors in the form of version 3.
  private static Handler version3(Handler handler) {
    return request -> {
      try {
        return handler.handle(request);
      } catch (RequestException e) {
        return error3(e.status(), e);
      } catch (TraceQlException e) {
        return error3(HttpStatus.BAD_REQUEST, e);
      }
    };
  }

  private static HttpResponse error3(HttpStatus status, RuntimeException e) {
    return Json.response(
        status,
        json -> {
          json.writeStartObject();
          json.writeObjectFieldStart("error");
          json.writeNumberField("httpCode", status.code());
          json.writeStringField("message", e.getMessage());
          json.writeEndObject();
          json.writeEndObject();
        });
  }
}
