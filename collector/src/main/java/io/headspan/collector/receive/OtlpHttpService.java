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
import io.headspan.collector.edge.Credentials;
import io.headspan.collector.edge.Sender;
import io.headspan.collector.edge.Senders;
import io.headspan.collector.edge.Verdict;
import io.headspan.collector.ingest.Protocol;
import io.headspan.wire.access.Authorization;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/// OTLP/HTTP with protobuf or JSON bodies, `POST /v1/traces` and so on. Answers have the form of
/// the request, errors carry a `google.rpc.Status`, as the OTLP specification asks.
final class OtlpHttpService extends AbstractHttpService {
  private static final String RETRY_AFTER_SECONDS = "1";

  private final OtlpSignal signal;
  private final OtlpIntake intake;
  private final Senders senders;

  OtlpHttpService(OtlpSignal signal, OtlpIntake intake, Senders senders) {
    this.senders = senders;
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
    return switch (senders.sender(Credentials.of(context))) {
      case Verdict.Refused refused -> refusal(form.get(), refused);
      case Verdict.Known(Sender sender) ->
          taken(context, request, sender, form.get(), compression.get());
    };
  }

  private HttpResponse taken(
      ServiceRequestContext context,
      HttpRequest request,
      Sender sender,
      OtlpForm form,
      Compression compression) {
    CompletableFuture<OtlpAnswer> answer = new CompletableFuture<>();
    intake.turn(
        Protocol.OTLP_HTTP,
        context.eventLoop(),
        () -> read(request, sender, form, compression, answer),
        answer::complete);
    return HttpResponse.of(answer.thenApply(each -> response(form, each)));
  }

  private void read(
      HttpRequest request,
      Sender sender,
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
                    sender,
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
      case OtlpAnswer.Forbidden(String reason) ->
          error(form, HttpStatus.FORBIDDEN, Code.PERMISSION_DENIED, reason);
      case OtlpAnswer.RateLimited(String reason, Duration comeAgain) ->
          message(
              form,
              ResponseHeaders.builder(HttpStatus.TOO_MANY_REQUESTS)
                  .set(HttpHeaderNames.RETRY_AFTER, RetryDelay.seconds(comeAgain)),
              status(Code.RESOURCE_EXHAUSTED, reason));
      case OtlpAnswer.TooLarge(String reason) ->
          error(form, HttpStatus.REQUEST_ENTITY_TOO_LARGE, Code.RESOURCE_EXHAUSTED, reason);
    };
  }

  private static HttpResponse refusal(OtlpForm form, Verdict.Refused refused) {
    return switch (refused.reason()) {
      case UNAUTHENTICATED ->
          message(
              form,
              ResponseHeaders.builder(HttpStatus.UNAUTHORIZED)
                  .set(HttpHeaderNames.WWW_AUTHENTICATE, Authorization.CHALLENGE),
              status(Code.UNAUTHENTICATED, refused.why()));
      case FORBIDDEN -> error(form, HttpStatus.FORBIDDEN, Code.PERMISSION_DENIED, refused.why());
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
