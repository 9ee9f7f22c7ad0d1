package io.headspan.collector.receive;

import com.google.protobuf.Message;
import com.linecorp.armeria.server.ServiceRequestContext;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.headspan.collector.edge.Sender;
import io.headspan.collector.ingest.Protocol;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/// One call of an `Export` of OTLP/gRPC. The server treats it as a stream of one message, which is
/// the same on the wire: so the message is read only when its turn has come, and until then HTTP/2
/// flow control holds it back at the sender.
final class OtlpCall extends ServerCall.Listener<EncodedMessage> {
  private final ServerCall<EncodedMessage, Message> call;
  private final OtlpSignal signal;
  private final OtlpIntake intake;
  private final Sender sender;
  private final Metadata headers;
  private final AtomicBoolean closed = new AtomicBoolean();
  private boolean received;

  OtlpCall(
      ServerCall<EncodedMessage, Message> call,
      OtlpSignal signal,
      OtlpIntake intake,
      Sender sender,
      Metadata headers) {
    this.call = call;
    this.signal = signal;
    this.intake = intake;
    this.sender = sender;
    this.headers = headers;
  }

  /// Accepts the call and reads its message as soon as it may.
  void start(ServiceRequestContext context) {
    intake.turn(Protocol.OTLP_GRPC, context.eventLoop(), () -> call.request(1), this::answer);
  }

  @Override
  public void onMessage(EncodedMessage message) {
    received = true;
    intake.accept(
        Protocol.OTLP_GRPC, sender, signal, OtlpForm.PROTOBUF, message, this::header, this::answer);
  }

  @Override
  public void onHalfClose() {
    if (!received) {
      close(Status.INVALID_ARGUMENT.withDescription("call without a request message"));
    }
  }

  @Override
  public void onCancel() {
    closed.set(true);
  }

  private @Nullable String header(String name) {
    return headers.get(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER));
  }

  private void answer(OtlpAnswer answer) {
    switch (answer) {
      case OtlpAnswer.Accepted(long rejected, String message) -> {
        if (closed.compareAndSet(false, true)) {
          call.sendHeaders(new Metadata());
          call.sendMessage(signal.response(rejected, message));
          call.close(Status.OK, new Metadata());
        }
      }
      case OtlpAnswer.Unavailable(String reason) ->
          close(Status.UNAVAILABLE.withDescription(reason));
      case OtlpAnswer.Invalid(String reason) ->
          close(Status.INVALID_ARGUMENT.withDescription(reason));
      case OtlpAnswer.TooLarge(String reason) ->
          close(Status.RESOURCE_EXHAUSTED.withDescription(reason));
      case OtlpAnswer.Forbidden(String reason) ->
          close(Status.PERMISSION_DENIED.withDescription(reason));
      case OtlpAnswer.RateLimited(String reason, Duration comeAgain) ->
          close(
              Status.RESOURCE_EXHAUSTED.withDescription(reason),
              RetryDelay.trailers(Status.Code.RESOURCE_EXHAUSTED, reason, comeAgain));
    }
  }

  private void close(Status status) {
    close(status, new Metadata());
  }

  private void close(Status status, Metadata trailers) {
    if (closed.compareAndSet(false, true)) {
      call.close(status, trailers);
    }
  }
}
