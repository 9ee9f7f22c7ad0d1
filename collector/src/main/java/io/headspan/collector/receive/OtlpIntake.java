package io.headspan.collector.receive;

import com.google.protobuf.ByteString;
import io.headspan.collector.edge.Admitted;
import io.headspan.collector.edge.Sender;
import io.headspan.collector.ingest.DeduplicationToken;
import io.headspan.collector.ingest.InFlight;
import io.headspan.collector.ingest.InsertOutcome;
import io.headspan.collector.ingest.Omission;
import io.headspan.collector.ingest.Protocol;
import io.headspan.collector.ingest.RecordSignal;
import io.headspan.collector.ingest.Rejection;
import io.headspan.wire.LogBatch;
import io.headspan.wire.MetricBatch;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.WireException;
import io.headspan.wire.otlp.OtlpDecoder;
import io.headspan.wire.otlp.OtlpSignals;
import io.headspan.wire.signal.RegionAway;
import io.netty.channel.EventLoop;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest;
import io.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// OTLP requests on their way in, the same for gRPC and HTTP: first a turn, so that a request is
/// not read while too much is in flight, then decoding, then the store. Thread-safe.
final class OtlpIntake {
  private static final Logger logger = LoggerFactory.getLogger(OtlpIntake.class);

  private final Reception reception;

  OtlpIntake(Reception reception) {
    this.reception = reception;
  }

  /// Waits for the collector to be below its limit of bytes in flight: calls `admitted` as soon as
  /// the request may be read, or `refused` with what to answer if its turn does not come in time.
  ///
  /// @param timer runs the timeout
  void turn(Protocol protocol, EventLoop timer, Runnable admitted, Consumer<OtlpAnswer> refused) {
    InFlight.Waiter waiter = reception.inFlight().whenBelowLimit(admitted);
    if (!waiter.isWaiting()) {
      return;
    }
    long timeoutMillis = reception.limits().admissionTimeout().toMillis();
    var _ =
        timer.schedule(
            () -> {
              if (waiter.withdraw()) {
                reception.metrics().batchReceived(protocol);
                reception.metrics().batchRejected(protocol, Rejection.OVERLOADED, 0);
                refused.accept(overloaded(timeoutMillis));
              }
            },
            timeoutMillis,
            TimeUnit.MILLISECONDS);
  }

  /// Decodes and stores one request, then calls `whenDone`, once.
  ///
  /// @param sender who sent it
  /// @param headers of the request
  /// @param whenDone must not block
  void accept(
      Protocol protocol,
      Sender sender,
      OtlpSignal signal,
      OtlpForm form,
      EncodedMessage message,
      DeduplicationToken.HeaderLookup headers,
      Consumer<OtlpAnswer> whenDone) {
    reception.metrics().batchReceived(protocol);
    InFlight.Reservation reservation = reception.inFlight().reserve(message.wireBytes());
    Consumer<OtlpAnswer> answer =
        outcome -> {
          reservation.close();
          whenDone.accept(outcome);
        };
    reception
        .decoders()
        .execute(() -> {
          try {
            decode(protocol, sender, signal, form, message, headers, reservation, answer);
          } catch (RuntimeException e) {
            answer.accept(refuse(protocol, e));
          }
        });
  }

  private void decode(
      Protocol protocol,
      Sender sender,
      OtlpSignal signal,
      OtlpForm form,
      EncodedMessage message,
      DeduplicationToken.HeaderLookup headers,
      InFlight.Reservation reservation,
      Consumer<OtlpAnswer> whenDone) {
    long start = System.nanoTime();
    ByteString expanded = message.expand(reception.limits().messageBytes());
    reservation.resize((long) message.wireBytes() + expanded.size());
    switch (signal) {
      case TRACES ->
          traces(protocol, sender, form, expanded, headers, reservation, start, whenDone);
      case LOGS -> {
        LogBatch batch =
            OtlpSignals.decode(form.read(expanded, ExportLogsServiceRequest.getDefaultInstance()));
        reservation.resize(BatchSize.heapBytes(expanded));
        String token = sender.nameOf(DeduplicationToken.of(headers, RecordSignal.LOGS, expanded));
        received(protocol, RecordSignal.LOGS, batch.size(), start);
        admit(
            reception.admission().logs(sender, batch, token, DeduplicationToken.age(headers)),
            reason ->
                reception
                    .metrics()
                    .recordsRefused(protocol, RecordSignal.LOGS, reason, batch.size()),
            taken ->
                reception
                    .ingest()
                    .insert(
                        protocol,
                        taken.batch(),
                        token,
                        taken.omitted(),
                        outcome -> whenDone.accept(answer(outcome, left(taken), taken.message()))),
            whenDone);
      }
      case METRICS -> {
        MetricBatch batch =
            OtlpSignals.decode(
                form.read(expanded, ExportMetricsServiceRequest.getDefaultInstance()));
        reservation.resize(BatchSize.heapBytes(expanded));
        String token =
            sender.nameOf(DeduplicationToken.of(headers, RecordSignal.METRICS, expanded));
        received(protocol, RecordSignal.METRICS, batch.size(), start);
        admit(
            reception.admission().points(sender, batch, token, DeduplicationToken.age(headers)),
            reason ->
                reception
                    .metrics()
                    .recordsRefused(protocol, RecordSignal.METRICS, reason, batch.size()),
            taken ->
                reception
                    .ingest()
                    .insert(
                        protocol,
                        taken.batch(),
                        token,
                        taken.omitted(),
                        outcome -> whenDone.accept(answer(outcome, left(taken), taken.message()))),
            whenDone);
      }
    }
  }

  private void received(Protocol protocol, RecordSignal signal, int count, long start) {
    reception
        .metrics()
        .recordsReceived(protocol, signal, count, Duration.ofNanos(System.nanoTime() - start));
  }

  private void traces(
      Protocol protocol,
      Sender sender,
      OtlpForm form,
      ByteString expanded,
      DeduplicationToken.HeaderLookup headers,
      InFlight.Reservation reservation,
      long start,
      Consumer<OtlpAnswer> whenDone) {
    SpanIds.Checked checked =
        SpanIds.check(form.read(expanded, ExportTraceServiceRequest.getDefaultInstance()));
    SpanBatch batch = OtlpDecoder.decode(checked.request());
    reservation.resize(BatchSize.heapBytes(batch));
    String token = sender.nameOf(DeduplicationToken.of(headers, batch));
    reception
        .metrics()
        .spansReceived(
            protocol,
            batch.size() + checked.rejected(),
            Duration.ofNanos(System.nanoTime() - start));
    if (checked.rejected() > 0) {
      reception.metrics().spansRejected(protocol, Rejection.BAD_ID, checked.rejected());
    }
    admit(
        reception.admission().spans(sender, batch, token, DeduplicationToken.age(headers)),
        reason -> reception.metrics().batchRejected(protocol, reason, batch.size()),
        taken ->
            reception
                .ingest()
                .insert(
                    protocol,
                    taken.batch(),
                    token,
                    Optional.empty(),
                    taken.omitted(),
                    outcome ->
                        whenDone.accept(
                            answer(
                                outcome,
                                checked.rejected() + left(taken),
                                checked.rejected() > 0 ? checked.message() : taken.message()))),
        whenDone);
  }

  /// Stores what may be stored of a batch, or refuses it.
  ///
  /// @param count takes why all of it is refused
  private static <T> void admit(
      Admitted<T> admitted,
      Consumer<Rejection> count,
      Consumer<Admitted.Taken<T>> insertion,
      Consumer<OtlpAnswer> whenDone) {
    switch (admitted) {
      case Admitted.Refused<T> refused -> {
        count.accept(refused.reason());
        whenDone.accept(answer(refused));
      }
      case Admitted.Taken<T> taken -> insertion.accept(taken);
    }
  }

  private static long left(Admitted.Taken<?> taken) {
    return taken.omitted().stream().mapToLong(Omission::count).sum();
  }

  private static OtlpAnswer answer(Admitted.Refused<?> refused) {
    String why = ErrorText.shortened(refused.why());
    return refused.comeAgain().isZero()
        ? new OtlpAnswer.Forbidden(why)
        : new OtlpAnswer.RateLimited(why, refused.comeAgain());
  }

  private OtlpAnswer overloaded(long timeoutMillis) {
    return new OtlpAnswer.Unavailable(
        "too much in flight: limitBytes="
            + reception.inFlight().limitBytes()
            + ", waitedMillis="
            + timeoutMillis
            + "; send again later");
  }

  private static OtlpAnswer answer(InsertOutcome outcome, long rejected, String message) {
    return switch (outcome) {
      case InsertOutcome.Stored() ->
          new OtlpAnswer.Accepted(rejected, ErrorText.shortened(message));
      case InsertOutcome.Unavailable(String reason) ->
          new OtlpAnswer.Unavailable(ErrorText.shortened(reason));
      case InsertOutcome.RegionAway(String reason) ->
          new OtlpAnswer.Unavailable(ErrorText.shortened(RegionAway.PREFIX + reason));
      case InsertOutcome.Rejected(String reason) ->
          new OtlpAnswer.Invalid(ErrorText.shortened(reason));
    };
  }

  private OtlpAnswer refuse(Protocol protocol, Throwable e) {
    Rejection reason = Rejection.MALFORMED;
    OtlpAnswer answer = new OtlpAnswer.Invalid(ErrorText.of(e));
    switch (e) {
      case MessageException message when message.kind() == MessageException.Kind.TOO_LARGE -> {
        reason = Rejection.TOO_LARGE;
        answer = new OtlpAnswer.TooLarge(ErrorText.of(e));
      }
      case MessageException _, WireException _ -> {}
      case OutOfMemoryError _ -> {
        logger.error("no memory to decode an OTLP request", e);
        reason = Rejection.OVERLOADED;
        answer = new OtlpAnswer.Unavailable("the collector is out of memory; send again later");
      }
      default -> logger.error("cannot decode an OTLP request", e);
    }
    reception.metrics().batchRejected(protocol, reason, 0);
    return answer;
  }
}
