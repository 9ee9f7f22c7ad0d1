package io.headspan.collector.receive;

import com.google.protobuf.MessageLite;
import com.google.rpc.Code;
import com.google.rpc.Status;
import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.RequestHeaders;
import com.linecorp.armeria.common.ResponseHeaders;
import com.linecorp.armeria.common.ResponseHeadersBuilder;
import com.linecorp.armeria.server.AbstractHttpService;
import com.linecorp.armeria.server.ServiceRequestContext;
import io.headspan.collector.ingest.Protocol;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/// OTLP/HTTP with protobuf bodies, `POST /v1/traces`. Errors carry a `google.rpc.Status`, as the
/// OTLP specification asks.
///
/// JSON bodies are answered 415: OTLP writes ids in hex, and protobuf's own JSON mapping would read
/// them as base64, silently wrong.
final class OtlpHttpService extends AbstractHttpService {
  static final String PATH = "/v1/traces";

  private static final MediaType PROTOBUF = MediaType.create("application", "x-protobuf");
  private static final String RETRY_AFTER_SECONDS = "1";

  private final OtlpIntake intake;

  OtlpHttpService(OtlpIntake intake) {
    this.intake = intake;
  }

  @Override
  protected HttpResponse doPost(ServiceRequestContext context, HttpRequest request) {
    RequestHeaders headers = request.headers();
    MediaType contentType = headers.contentType();
    if (contentType == null || !contentType.is(PROTOBUF)) {
      return error(
          HttpStatus.UNSUPPORTED_MEDIA_TYPE,
          Code.INVALID_ARGUMENT,
          "unsupported content type: contentType=" + contentType + "; send " + PROTOBUF);
    }
    String encoding = headers.get(HttpHeaderNames.CONTENT_ENCODING, "");
    Optional<Compression> compression = Compression.ofContentEncoding(encoding);
    if (compression.isEmpty()) {
      return error(
          HttpStatus.UNSUPPORTED_MEDIA_TYPE,
          Code.INVALID_ARGUMENT,
          "unsupported content encoding: contentEncoding="
              + encoding
              + "; send gzip, zstd, snappy or identity");
    }
    CompletableFuture<OtlpAnswer> answer = new CompletableFuture<>();
    intake.turn(
        Protocol.OTLP_HTTP,
        context.eventLoop(),
        () -> read(request, compression.get(), answer),
        answer::complete);
    return HttpResponse.of(answer.thenApply(OtlpHttpService::response));
  }

  private void read(
      HttpRequest request, Compression compression, CompletableFuture<OtlpAnswer> answer) {
    var _ =
        request
            .aggregate()
            .handle((whole, failure) -> {
              if (failure != null) {
                answer.completeExceptionally(failure);
              } else {
                intake.accept(
                    Protocol.OTLP_HTTP,
                    EncodedMessage.of(compression, whole.content().array()),
                    name -> request.headers().get(name),
                    answer::complete);
              }
              return null;
            });
  }

  private static HttpResponse response(OtlpAnswer answer) {
    return switch (answer) {
      case OtlpAnswer.Accepted(ExportTraceServiceResponse response) ->
          message(ResponseHeaders.builder(HttpStatus.OK), response);
      case OtlpAnswer.Unavailable(String reason) ->
          message(
              ResponseHeaders.builder(HttpStatus.SERVICE_UNAVAILABLE)
                  .set(HttpHeaderNames.RETRY_AFTER, RETRY_AFTER_SECONDS),
              status(Code.UNAVAILABLE, reason));
      case OtlpAnswer.Invalid(String reason) ->
          error(HttpStatus.BAD_REQUEST, Code.INVALID_ARGUMENT, reason);
      case OtlpAnswer.TooLarge(String reason) ->
          error(HttpStatus.REQUEST_ENTITY_TOO_LARGE, Code.RESOURCE_EXHAUSTED, reason);
    };
  }

  private static HttpResponse error(HttpStatus httpStatus, Code code, String reason) {
    return message(ResponseHeaders.builder(httpStatus), status(code, reason));
  }

  private static Status status(Code code, String reason) {
    return Status.newBuilder().setCode(code.getNumber()).setMessage(reason).build();
  }

  private static HttpResponse message(ResponseHeadersBuilder headers, MessageLite body) {
    return HttpResponse.of(
        headers.contentType(PROTOBUF).build(), HttpData.wrap(body.toByteArray()));
  }
}
