package io.headspan.wasm;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.linecorp.armeria.common.AggregatedHttpResponse;
import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.ResponseHeaders;
import com.linecorp.armeria.common.ResponseHeadersBuilder;
import io.headspan.wasm.engine.TrapKind;
import io.headspan.wasm.host.GuestResponse;
import io.headspan.wasm.module.ModuleException;
import io.headspan.wasm.module.ModuleProblem;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/// Results and errors as HTTP.
final class Answers {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String RETRY_AFTER_SECONDS = "1";

  private Answers() {}

  static HttpResponse json(HttpStatus status, Object value) {
    return HttpResponse.of(status, MediaType.JSON, bytes(value));
  }

  /// `{"error": code, "message": message}`
  static HttpResponse error(HttpStatus status, String code, String message) {
    return json(status, errorBody(code, message));
  }

  /// As [#error], for where the server wants it in one piece.
  static AggregatedHttpResponse errorWhole(HttpStatus status, String code, String message) {
    return AggregatedHttpResponse.of(status, MediaType.JSON, bytes(errorBody(code, message)));
  }

  static HttpResponse retryLater(HttpStatus status, String code, String message) {
    ResponseHeaders headers =
        ResponseHeaders.builder(status)
            .contentType(MediaType.JSON)
            .add("retry-after", RETRY_AFTER_SECONDS)
            .build();
    return HttpResponse.of(headers, bytes(errorBody(code, message)));
  }

  static HttpResponse of(InvocationResult result) {
    return switch (result) {
      case InvocationResult.Answered(GuestResponse response) -> of(response);
      case InvocationResult.Exited(int code) ->
          error(
              HttpStatus.INTERNAL_SERVER_ERROR,
              "exit",
              "the function exited with a code other than 0: code=" + code);
      case InvocationResult.Trapped(TrapKind kind, String message) -> trapped(kind, message);
      case InvocationResult.DeadlineExceeded(var deadline) ->
          error(
              HttpStatus.GATEWAY_TIMEOUT,
              "deadline",
              "the function ran longer than it may: deadlineMillis=" + deadline.toMillis());
      case InvocationResult.Rejected(Rejection rejection) -> rejected(rejection);
      // Nobody is there to read it.
      case InvocationResult.Cancelled() ->
          error(HttpStatus.SERVICE_UNAVAILABLE, "cancelled", "the caller went away");
    };
  }

  static HttpResponse refused(ModuleException e) {
    HttpStatus status =
        e.problem() == ModuleProblem.TOO_LARGE
            ? HttpStatus.REQUEST_ENTITY_TOO_LARGE
            : HttpStatus.UNPROCESSABLE_ENTITY;
    return error(status, e.problem().name().toLowerCase(Locale.ROOT), e.getMessage());
  }

  static HttpResponse refused(DeployException e) {
    String code = e.kind().name().toLowerCase(Locale.ROOT);
    return switch (e.kind()) {
      case BAD_NAME, BAD_LIMIT -> error(HttpStatus.BAD_REQUEST, code, e.getMessage());
      case TOO_MANY_FUNCTIONS -> error(HttpStatus.INSUFFICIENT_STORAGE, code, e.getMessage());
      case BUSY -> retryLater(HttpStatus.SERVICE_UNAVAILABLE, code, e.getMessage());
    };
  }

  private static HttpResponse of(GuestResponse response) {
    ResponseHeadersBuilder headers = ResponseHeaders.builder(response.status());
    response.headers().forEach(h -> headers.add(h.name(), h.value()));
    if (headers.status().isContentAlwaysEmpty()) {
      return HttpResponse.of(headers.build());
    }
    if (!headers.contains("content-type")) {
      headers.contentType(MediaType.OCTET_STREAM);
    }
    return HttpResponse.of(headers.build(), HttpData.wrap(response.body()));
  }

  private static HttpResponse trapped(TrapKind kind, String message) {
    Map<String, String> body = errorBody("trap", message);
    body.put("trap", kind.label());
    if (kind == TrapKind.MEMORY_BUDGET) {
      return retryLater(HttpStatus.SERVICE_UNAVAILABLE, "memory_budget", message);
    }
    return json(HttpStatus.INTERNAL_SERVER_ERROR, body);
  }

  private static HttpResponse rejected(Rejection rejection) {
    return switch (rejection) {
      case TENANT_LIMIT ->
          retryLater(
              HttpStatus.TOO_MANY_REQUESTS,
              rejection.label(),
              "the tenant has as many invocations running or waiting as it may");
      case QUEUE_FULL ->
          retryLater(
              HttpStatus.SERVICE_UNAVAILABLE,
              rejection.label(),
              "as many invocations are waiting as may");
      case WAITED_TOO_LONG ->
          retryLater(
              HttpStatus.SERVICE_UNAVAILABLE,
              rejection.label(),
              "the invocation waited longer for a thread than it may run");
      case STOPPING ->
          retryLater(HttpStatus.SERVICE_UNAVAILABLE, rejection.label(), "the executor is stopping");
    };
  }

  private static HttpData bytes(Object value) {
    try {
      return HttpData.wrap(JSON.writeValueAsBytes(value));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("cannot write the answer as JSON", e);
    }
  }

  private static Map<String, String> errorBody(String code, String message) {
    Map<String, String> body = new LinkedHashMap<>();
    body.put("error", code);
    body.put("message", message);
    return body;
  }
}
