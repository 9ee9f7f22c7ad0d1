package io.headspan.collector.receive;

import com.google.protobuf.Message;
import com.google.rpc.Code;
import com.google.rpc.Status;
import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.RequestHeaders;
import com.linecorp.armeria.common.ResponseHeaders;
import com.linecorp.armeria.common.ResponseHeadersBuilder;
import com.linecorp.armeria.server.AbstractHttpService;
import com.linecorp.armeria.server.ServiceRequestContext;
import io.headspan.collector.ingest.Protocol;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/// OTLP/HTTP with protobuf or JSON bodies, `POST /v1/traces` and so on. Answers have the form of
/// the request, errors carry a `google.rpc.Status`, as the OTLP specification asks.
final class OtlpHttpService extends AbstractHttpService {
  private static final String RETRY_AFTER_SECONDS = "1";

  private final OtlpSignal signal;
  private final OtlpIntake intake;

  OtlpHttpService(OtlpSignal signal, OtlpIntake intake) {
    this.signal = signal;
    this.intake = intake;
  }

  @Override
  protected HttpResponse doPost(ServiceRequestContext context, HttpRequest request) {
    RequestHeaders headers = request.headers();
    Optional<OtlpForm> form = OtlpForm.of(headers.contentType());
    if (form.isEmpty()) {
      return error(
          OtlpForm.PROTOBUF,
          HttpStatus.UNSUPPORTED_MEDIA_TYPE,
          Code.INVALID_ARGUMENT,
          "unsupported content type: contentType="
              + headers.contentType()
              + "; send application/x-protobuf or application/json");
    }
    String encoding = headers.get(HttpHeaderNames.CONTENT_ENCODING, "");
    Optional<Compression> compression = Compression.ofContentEncoding(encoding);
    if (compression.isEmpty()) {
      return error(
          form.get(),
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
        () -> read(request, form.get(), compression.get(), answer),
        answer::complete);
    return HttpResponse.of(answer.thenApply(each -> response(form.get(), each)));
  }

  private void read(
      HttpRequest request,
      OtlpForm form,
      Compression compression,
      CompletableFuture<OtlpAnswer> answer) {
    var _ =
        request
            .aggregate()
            .handle((whole, failure) -> {
              if (failure != null) {
                answer.completeExceptionally(failure);
              } else {
                intake.accept(
                    Protocol.OTLP_HTTP,
                    signal,
                    form,
                    EncodedMessage.of(compression, whole.content().array()),
                    name -> request.headers().get(name),
                    answer::complete);
              }
              return null;
            });
  }

  private HttpResponse response(OtlpForm form, OtlpAnswer answer) {
    return switch (answer) {
      case OtlpAnswer.Accepted(long rejected, String message) ->
          message(form, ResponseHeaders.builder(HttpStatus.OK), signal.response(rejected, message));
      case OtlpAnswer.Unavailable(String reason) ->
          message(
              form,
              ResponseHeaders.builder(HttpStatus.SERVICE_UNAVAILABLE)
                  .set(HttpHeaderNames.RETRY_AFTER, RETRY_AFTER_SECONDS),
              status(Code.UNAVAILABLE, reason));
      case OtlpAnswer.Invalid(String reason) ->
          error(form, HttpStatus.BAD_REQUEST, Code.INVALID_ARGUMENT, reason);
      case OtlpAnswer.TooLarge(String reason) ->
          error(form, HttpStatus.REQUEST_ENTITY_TOO_LARGE, Code.RESOURCE_EXHAUSTED, reason);
    };
  }

  private static HttpResponse error(
      OtlpForm form, HttpStatus httpStatus, Code code, String reason) {
    return message(form, ResponseHeaders.builder(httpStatus), status(code, reason));
  }

  private static Status status(Code code, String reason) {
    return Status.newBuilder().setCode(code.getNumber()).setMessage(reason).build();
  }

  private static HttpResponse message(OtlpForm form, ResponseHeadersBuilder headers, Message body) {
    return HttpResponse.of(
        headers.contentType(form.mediaType()).build(), HttpData.wrap(form.write(body)));
  }
}
