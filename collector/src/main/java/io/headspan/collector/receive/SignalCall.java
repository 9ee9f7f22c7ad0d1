package io.headspan.collector.receive;

import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.headspan.collector.edge.Sender;
import io.headspan.collector.ingest.DeduplicationToken;
import io.headspan.collector.ingest.InFlight;
import io.headspan.collector.ingest.InsertOutcome;
import io.headspan.collector.ingest.Rejection;
import io.headspan.wire.otap.OtapException;
import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.RegionAway;
import io.headspan.wire.signal.v1.SignalReceipt;
import io.headspan.wire.signal.v1.SignalReport;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One call of `NodeSignals/Report`: answered OK when the store has the report.
final class SignalCall extends ServerCall.Listener<EncodedMessage> {
  private static final Logger logger = LoggerFactory.getLogger(SignalCall.class);

  private final ServerCall<EncodedMessage, SignalReceipt> call;
  private final Reception reception;
  private final Sender sender;
  private final AtomicBoolean closed = new AtomicBoolean();
  private @Nullable EncodedMessage message;

  SignalCall(ServerCall<EncodedMessage, SignalReceipt> call, Reception reception, Sender sender) {
    this.call = call;
    this.sender = sender;
    this.reception = reception;
  }

  @Override
  public void onMessage(EncodedMessage received) {
    message = received;
  }

  @Override
  public void onHalfClose() {
    EncodedMessage received = message;
    if (received == null) {
      close(Status.INVALID_ARGUMENT.withDescription("call without a request message"));
      return;
    }
    InFlight.Reservation reservation = reception.inFlight().reserve(received.wireBytes());
    reception.decoders().execute(() -> store(received, reservation));
  }

  @Override
  public void onCancel() {
    closed.set(true);
  }

  private void store(EncodedMessage received, InFlight.Reservation reservation) {
    int limitBytes = reception.limits().messageBytes();
    try {
      NodeReport report =
          NodeReport.decode(
              EncodedMessage.parse(SignalReport.parser(), received.expand(limitBytes)), limitBytes);
      Optional<String> token = DeduplicationToken.of(report);
      if (token.isEmpty()) {
        reservation.close();
        refuse(Rejection.BAD_ID, "agent_id and boot_id must be 1 to 128 of A-Z a-z 0-9 . _ : @ -");
        return;
      }
      reception
          .ingest()
          .insert(
              reception.admission().report(sender, report),
              token.get(),
              outcome -> {
                reservation.close();
                answer(outcome);
              });
    } catch (MessageException e) {
      reservation.close();
      switch (e.kind()) {
        case TOO_LARGE -> refuse(Rejection.TOO_LARGE, ErrorText.of(e));
        case MALFORMED -> refuse(Rejection.MALFORMED, ErrorText.of(e));
      }
    } catch (OtapException e) {
      reservation.close();
      switch (e.kind()) {
        case LIMIT -> refuse(Rejection.TOO_LARGE, ErrorText.of(e));
        case INVALID -> refuse(Rejection.MALFORMED, ErrorText.of(e));
        case UNSUPPORTED -> refuse(Rejection.UNSUPPORTED, ErrorText.of(e));
      }
    } catch (RuntimeException | OutOfMemoryError e) {
      reservation.close();
      logger.error("cannot take a report about a node", e);
      refuse(Rejection.MALFORMED, ErrorText.of(e));
    }
  }

  private void refuse(Rejection reason, String why) {
    reception.metrics().signalRejected(reason);
    close(Status.INVALID_ARGUMENT.withDescription(why));
  }

  private void answer(InsertOutcome outcome) {
    switch (outcome) {
      case InsertOutcome.Stored() -> {
        if (closed.compareAndSet(false, true)) {
          call.sendHeaders(new Metadata());
          call.sendMessage(SignalReceipt.getDefaultInstance());
          call.close(Status.OK, new Metadata());
        }
      }
      case InsertOutcome.Unavailable(String reason) ->
          close(Status.UNAVAILABLE.withDescription(ErrorText.shortened(reason)));
      case InsertOutcome.RegionAway(String reason) ->
          close(
              Status.UNAVAILABLE.withDescription(ErrorText.shortened(RegionAway.PREFIX + reason)));
      case InsertOutcome.Rejected(String reason) ->
          close(Status.INVALID_ARGUMENT.withDescription(ErrorText.shortened(reason)));
    }
  }

  private void close(Status status) {
    if (closed.compareAndSet(false, true)) {
      call.close(status, new Metadata());
    }
  }
}
