package io.headspan.collector.receive;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.headspan.collector.edge.Admitted;
import io.headspan.collector.edge.Credentials;
import io.headspan.collector.edge.Sender;
import io.headspan.collector.edge.Verdict;
import io.headspan.collector.ingest.DeduplicationToken;
import io.headspan.collector.ingest.InFlight;
import io.headspan.collector.ingest.InsertOutcome;
import io.headspan.collector.ingest.Protocol;
import io.headspan.collector.ingest.RecordSignal;
import io.headspan.collector.ingest.Rejection;
import io.headspan.wire.LogBatch;
import io.headspan.wire.MetricBatch;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otap.OtapDecoder;
import io.headspan.wire.otap.OtapException;
import io.headspan.wire.otap.OtapHeaders;
import io.headspan.wire.otlp.OtlpSignals;
import io.headspan.wire.signal.RegionAway;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest;
import io.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import io.opentelemetry.proto.experimental.arrow.v1.BatchStatus;
import io.opentelemetry.proto.experimental.arrow.v1.StatusCode;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One OTel-Arrow stream: batches in, exactly one status per batch out.
///
/// Messages are decoded one after the other, for each continues the dictionaries and the header
/// table of those before; the next one is asked for when the last is decoded, if the stream has
/// less than [ReceiveLimits#streamBatches] batches under way, the sender takes its statuses, and
/// the collector as a whole is below its limit. Inserts overlap, so statuses come in any order.
///
/// A batch that is wrong in itself is answered INVALID_ARGUMENT and the stream goes on. When the
/// state of the stream is lost (bytes that cannot be decoded, more memory than allowed), batches
/// already decoded are still answered, then the stream ends with INTERNAL or RESOURCE_EXHAUSTED.
/// When the sender has closed its side, what is under way is answered and the stream ends with OK.
final class ArrowStream extends ServerCall.Listener<EncodedMessage> {
  private static final Logger logger = LoggerFactory.getLogger(ArrowStream.class);

  private static final String AUTHORIZATION = "authorization";

  /// A batch that has come.
  ///
  /// @param sender whoever its own headers say, as a proxy for several senders sets them, else
  ///   whoever opened the stream
  private record Arrived(
      long batchId,
      Verdict sender,
      DeduplicationToken.HeaderLookup headers,
      InFlight.Reservation reservation) {}

  /// What [Admission] says of one kind of batch.
  private interface Check<T> {
    Admitted<T> admit(Sender sender, T batch, String name, Duration age);
  }

  /// How one kind of batch is stored.
  private interface Insertion<T> {
    void insert(Admitted.Taken<T> taken, String name, Consumer<InsertOutcome> whenDone);
  }

  private final ServerCall<EncodedMessage, BatchStatus> call;
  private final OtlpSignal signal;
  private final Executor eventLoop;
  private final Credentials shown;
  private final Reception reception;
  private final Consumer<ArrowStream> whenEnded;

  /// Used by one decode task at a time.
  private final OtapDecoder decoder;

  private final OtapHeaders headers = new OtapHeaders();

  private final Object lock = new Object();

  /// What the stream ends with once nothing is under way any more; null while it goes on.
  private @Nullable Status ending;

  /// A message was asked for and has not come.
  private boolean asked;

  /// A message is being decoded.
  private boolean decoding;

  /// Batches decoded and not answered.
  private int underWay;

  /// The next message should be asked for as soon as the sender has taken its statuses.
  private boolean askWhenReady;

  /// Nothing can be sent any more.
  private boolean ended;

  private boolean released;

  /// Waits for the collector to come below its limit; null before the first message.
  private volatile InFlight.@Nullable Waiter waiter;

  /// @param eventLoop the thread of `call`
  /// @param shown what the stream was opened with; looked at anew for each batch, because it lives
  ///   longer than a token may
  /// @param whenEnded called once when the stream has ended and its memory is free
  ArrowStream(
      ServerCall<EncodedMessage, BatchStatus> call,
      OtlpSignal signal,
      Executor eventLoop,
      Credentials shown,
      Reception reception,
      Consumer<ArrowStream> whenEnded) {
    this.call = call;
    this.signal = signal;
    this.eventLoop = eventLoop;
    this.shown = shown;
    this.reception = reception;
    this.whenEnded = whenEnded;
    decoder = new OtapDecoder(reception.limits().streamBytes());
  }

  /// Accepts the stream and asks for its first message.
  void start() {
    call.sendHeaders(new Metadata());
    askForNext();
  }

  /// Takes no more batches, answers those under way, then ends with `status`.
  void end(Status status) {
    synchronized (lock) {
      if (ending == null) {
        ending = status;
      }
      endIfDone();
    }
  }

  @Override
  public void onMessage(EncodedMessage message) {
    synchronized (lock) {
      asked = false;
      if (ended || ending != null) {
        return;
      }
      decoding = true;
    }
    reception.metrics().batchReceived(Protocol.OTAP);
    InFlight.Reservation reservation = reception.inFlight().reserve(message.wireBytes());
    reception.decoders().execute(() -> decode(message, reservation));
  }

  @Override
  public void onHalfClose() {
    end(Status.OK);
  }

  @Override
  public void onCancel() {
    leave();
  }

  @Override
  public void onComplete() {
    leave();
  }

  @Override
  public void onReady() {
    boolean ask;
    synchronized (lock) {
      ask = askWhenReady;
      askWhenReady = false;
    }
    if (ask) {
      askForNext();
    }
  }

  private void askForNext() {
    synchronized (lock) {
      if (ended
          || ending != null
          || asked
          || decoding
          || underWay >= reception.limits().streamBatches()) {
        return;
      }
      askWhenReady = true;
      if (!call.isReady()) {
        return;
      }
      askWhenReady = false;
      asked = true;
    }
    waiter = reception.inFlight().whenBelowLimit(() -> call.request(1));
  }

  private void decode(EncodedMessage message, InFlight.Reservation reservation) {
    long start = System.nanoTime();
    try {
      ByteString expanded = message.expand(reception.limits().messageBytes());
      reservation.resize((long) message.wireBytes() + expanded.size());
      BatchArrowRecords records = EncodedMessage.parse(BatchArrowRecords.parser(), expanded);
      Map<String, String> batchHeaders = headers.decode(records.getHeaders());
      Verdict opener = reception.senders().sender(shown);
      if (opener instanceof Verdict.Refused refused) {
        reservation.close();
        reception.metrics().batchRejected(Protocol.OTAP, Rejection.UNAUTHENTICATED, 0);
        end(Receivers.status(refused));
        return;
      }
      String own = batchHeaders.get(AUTHORIZATION);
      Verdict sender = own == null ? opener : reception.senders().sender(Credentials.ofHeader(own));
      decode(
          records,
          new Arrived(records.getBatchId(), sender, batchHeaders::get, reservation),
          start);
    } catch (MessageException e) {
      reservation.close();
      switch (e.kind()) {
        case TOO_LARGE -> lose(Status.RESOURCE_EXHAUSTED, Rejection.TOO_LARGE, e);
        case MALFORMED -> lose(Status.INTERNAL, Rejection.MALFORMED, e);
      }
    } catch (OtapException e) {
      reservation.close();
      switch (e.kind()) {
        case LIMIT -> lose(Status.RESOURCE_EXHAUSTED, Rejection.TOO_LARGE, e);
        case INVALID, UNSUPPORTED -> lose(Status.INTERNAL, Rejection.MALFORMED, e);
      }
    } catch (RuntimeException | OutOfMemoryError e) {
      reservation.close();
      logger.error("cannot decode an OTel-Arrow batch", e);
      lose(Status.INTERNAL, Rejection.MALFORMED, e);
    } finally {
      synchronized (lock) {
        decoding = false;
        endIfDone();
        releaseIfDone();
      }
    }
    askForNext();
  }

  private void decode(BatchArrowRecords records, Arrived arrived, long start) {
    try {
      switch (signal) {
        case TRACES -> {
          SpanBatch batch = decoder.decode(records);
          arrived.reservation.resize(BatchSize.heapBytes(batch));
          reception
              .metrics()
              .spansReceived(
                  Protocol.OTAP, batch.size(), Duration.ofNanos(System.nanoTime() - start));
          admit(
              arrived,
              DeduplicationToken.of(arrived.headers, batch),
              reception.admission()::spans,
              batch,
              reason -> reception.metrics().batchRejected(Protocol.OTAP, reason, batch.size()),
              (taken, name, whenDone) ->
                  reception
                      .ingest()
                      .insert(
                          Protocol.OTAP,
                          taken.batch(),
                          name,
                          DeduplicationToken.oldReplay(arrived.headers),
                          taken.omitted(),
                          whenDone));
        }
        case LOGS -> {
          ExportLogsServiceRequest request = decoder.decodeLogs(records);
          LogBatch batch = OtlpSignals.decode(request);
          String token = token(RecordSignal.LOGS, request, arrived);
          received(RecordSignal.LOGS, batch.size(), start);
          admit(
              arrived,
              token,
              reception.admission()::logs,
              batch,
              reason -> refused(RecordSignal.LOGS, batch.size(), reason),
              (taken, name, whenDone) ->
                  reception
                      .ingest()
                      .insert(Protocol.OTAP, taken.batch(), name, taken.omitted(), whenDone));
        }
        case METRICS -> {
          ExportMetricsServiceRequest request = decoder.decodeMetrics(records);
          MetricBatch batch = OtlpSignals.decode(request);
          String token = token(RecordSignal.METRICS, request, arrived);
          received(RecordSignal.METRICS, batch.size(), start);
          admit(
              arrived,
              token,
              reception.admission()::points,
              batch,
              reason -> refused(RecordSignal.METRICS, batch.size(), reason),
              (taken, name, whenDone) ->
                  reception
                      .ingest()
                      .insert(Protocol.OTAP, taken.batch(), name, taken.omitted(), whenDone));
        }
      }
    } catch (OtapException e) {
      if (e.kind() != OtapException.Kind.UNSUPPORTED) {
        throw e;
      }
      arrived.reservation.close();
      reception.metrics().batchRejected(Protocol.OTAP, Rejection.UNSUPPORTED, 0);
      answer(arrived.batchId, StatusCode.INVALID_ARGUMENT, ErrorText.of(e), false);
    }
  }

  /// Stores what may be stored of a batch, and answers it.
  ///
  /// @param token its name, whoever sent it
  /// @param count takes why all of it is refused
  private <T> void admit(
      Arrived arrived,
      String token,
      Check<T> check,
      T batch,
      Consumer<Rejection> count,
      Insertion<T> insertion) {
    if (!(arrived.sender instanceof Verdict.Known(Sender sender))) {
      count.accept(Rejection.UNAUTHENTICATED);
      refuse(arrived.batchId, arrived.sender, arrived.reservation);
      return;
    }
    String name = sender.nameOf(token);
    switch (check.admit(sender, batch, name, DeduplicationToken.age(arrived.headers))) {
      case Admitted.Refused<T> refused -> {
        count.accept(refused.reason());
        refuse(arrived.batchId, refused, arrived.reservation);
      }
      case Admitted.Taken<T> taken ->
          insertion.insert(
              taken, name, underWay(arrived.batchId, taken.message(), arrived.reservation));
    }
  }

  private void refused(RecordSignal records, int count, Rejection reason) {
    reception.metrics().recordsRefused(Protocol.OTAP, records, reason, count);
  }

  private void refuse(long batchId, Verdict verdict, InFlight.Reservation reservation) {
    reservation.close();
    if (verdict instanceof Verdict.Refused refused) {
      StatusCode code =
          switch (refused.reason()) {
            case UNAUTHENTICATED -> StatusCode.UNAUTHENTICATED;
            case FORBIDDEN -> StatusCode.PERMISSION_DENIED;
          };
      answer(batchId, code, ErrorText.shortened(refused.why()), false);
    }
  }

  /// The codes are those with the right effect: to all but these two, senders answer by breaking
  /// the stream or by giving up what they should send again.
  private void refuse(long batchId, Admitted.Refused<?> refused, InFlight.Reservation reservation) {
    reservation.close();
    StatusCode code =
        refused.comeAgain().isZero() ? StatusCode.INVALID_ARGUMENT : StatusCode.UNAVAILABLE;
    answer(
        batchId, code, ErrorText.shortened(refused.reason().label() + ": " + refused.why()), false);
  }

  private static String token(RecordSignal signal, Message request, Arrived arrived) {
    ByteString content = request.toByteString();
    arrived.reservation.resize(BatchSize.heapBytes(content));
    return DeduplicationToken.of(arrived.headers, signal, content);
  }

  private void received(RecordSignal signal, int count, long start) {
    reception
        .metrics()
        .recordsReceived(Protocol.OTAP, signal, count, Duration.ofNanos(System.nanoTime() - start));
  }

  /// Counts a batch as under way until what is returned gets its outcome.
  ///
  /// @param message what to tell the sender of a batch of which not all is stored
  private Consumer<InsertOutcome> underWay(
      long batchId, String message, InFlight.Reservation reservation) {
    synchronized (lock) {
      underWay++;
    }
    return outcome -> {
      reservation.close();
      answer(batchId, message, outcome);
    };
  }

  private void answer(long batchId, String message, InsertOutcome outcome) {
    switch (outcome) {
      case InsertOutcome.Stored() ->
          answer(batchId, StatusCode.OK, ErrorText.shortened(message), true);
      case InsertOutcome.Unavailable(String reason) ->
          answer(batchId, StatusCode.UNAVAILABLE, ErrorText.shortened(reason), true);
      case InsertOutcome.RegionAway(String reason) ->
          answer(
              batchId,
              StatusCode.UNAVAILABLE,
              ErrorText.shortened(RegionAway.PREFIX + reason),
              true);
      case InsertOutcome.Rejected(String reason) ->
          answer(batchId, StatusCode.INVALID_ARGUMENT, ErrorText.shortened(reason), true);
    }
    askForNext();
  }

  private void answer(long batchId, StatusCode code, String message, boolean wasUnderWay) {
    BatchStatus status =
        BatchStatus.newBuilder()
            .setBatchId(batchId)
            .setStatusCode(code)
            .setStatusMessage(message)
            .build();
    synchronized (lock) {
      if (wasUnderWay) {
        underWay--;
      }
      if (!ended) {
        call.sendMessage(status);
      }
      endIfDone();
    }
  }

  /// The state of the stream is unknown from here on.
  private void lose(Status status, Rejection reason, Throwable cause) {
    reception.metrics().batchRejected(Protocol.OTAP, reason, 0);
    end(status.withDescription(ErrorText.of(cause)));
  }

  private void leave() {
    synchronized (lock) {
      ended = true;
      releaseIfDone();
    }
  }

  /// Holds the lock.
  private void endIfDone() {
    if (!ended && ending != null && !decoding && underWay == 0) {
      ended = true;
      Status status = ending;
      // Queued, so that it comes after the statuses that other threads have queued.
      eventLoop.execute(() -> call.close(status, new Metadata()));
      releaseIfDone();
    }
  }

  /// Holds the lock.
  private void releaseIfDone() {
    if (ended && !decoding && !released) {
      released = true;
      if (waiter != null) {
        waiter.withdraw();
      }
      decoder.close();
      whenEnded.accept(this);
    }
  }
}
