package io.headspan.collector.receive;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
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

  private final ServerCall<EncodedMessage, BatchStatus> call;
  private final OtlpSignal signal;
  private final Executor eventLoop;
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
  /// @param whenEnded called once when the stream has ended and its memory is free
  ArrowStream(
      ServerCall<EncodedMessage, BatchStatus> call,
      OtlpSignal signal,
      Executor eventLoop,
      Reception reception,
      Consumer<ArrowStream> whenEnded) {
    this.call = call;
    this.signal = signal;
    this.eventLoop = eventLoop;
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
      decode(records, batchHeaders, reservation, start);
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

  private void decode(
      BatchArrowRecords records,
      Map<String, String> batchHeaders,
      InFlight.Reservation reservation,
      long start) {
    try {
      switch (signal) {
        case TRACES -> traces(records, batchHeaders, reservation, start);
        case LOGS -> {
          ExportLogsServiceRequest request = decoder.decodeLogs(records);
          LogBatch batch = OtlpSignals.decode(request);
          String token = token(RecordSignal.LOGS, batchHeaders, request, reservation);
          received(RecordSignal.LOGS, batch.size(), start);
          reception
              .ingest()
              .insert(Protocol.OTAP, batch, token, underWay(records.getBatchId(), reservation));
        }
        case METRICS -> {
          ExportMetricsServiceRequest request = decoder.decodeMetrics(records);
          MetricBatch batch = OtlpSignals.decode(request);
          String token = token(RecordSignal.METRICS, batchHeaders, request, reservation);
          received(RecordSignal.METRICS, batch.size(), start);
          reception
              .ingest()
              .insert(Protocol.OTAP, batch, token, underWay(records.getBatchId(), reservation));
        }
      }
    } catch (OtapException e) {
      if (e.kind() != OtapException.Kind.UNSUPPORTED) {
        throw e;
      }
      reservation.close();
      reception.metrics().batchRejected(Protocol.OTAP, Rejection.UNSUPPORTED, 0);
      answer(records.getBatchId(), StatusCode.INVALID_ARGUMENT, ErrorText.of(e), false);
    }
  }

  private void traces(
      BatchArrowRecords records,
      Map<String, String> batchHeaders,
      InFlight.Reservation reservation,
      long start) {
    SpanBatch batch = decoder.decode(records);
    reservation.resize(BatchSize.heapBytes(batch));
    String token = DeduplicationToken.of(batchHeaders::get, batch);
    reception
        .metrics()
        .spansReceived(Protocol.OTAP, batch.size(), Duration.ofNanos(System.nanoTime() - start));
    reception
        .ingest()
        .insert(
            Protocol.OTAP,
            batch,
            token,
            DeduplicationToken.mayBeForgotten(batchHeaders::get),
            underWay(records.getBatchId(), reservation));
  }

  private static String token(
      RecordSignal signal,
      Map<String, String> batchHeaders,
      Message request,
      InFlight.Reservation reservation) {
    ByteString content = request.toByteString();
    reservation.resize(BatchSize.heapBytes(content));
    return DeduplicationToken.of(batchHeaders::get, signal, content);
  }

  private void received(RecordSignal signal, int count, long start) {
    reception
        .metrics()
        .recordsReceived(Protocol.OTAP, signal, count, Duration.ofNanos(System.nanoTime() - start));
  }

  /// Counts a batch as under way until what is returned gets its outcome.
  private Consumer<InsertOutcome> underWay(long batchId, InFlight.Reservation reservation) {
    synchronized (lock) {
      underWay++;
    }
    return outcome -> {
      reservation.close();
      answer(batchId, outcome);
    };
  }

  private void answer(long batchId, InsertOutcome outcome) {
    switch (outcome) {
      case InsertOutcome.Stored() -> answer(batchId, StatusCode.OK, "", true);
      case InsertOutcome.Unavailable(String reason) ->
          answer(batchId, StatusCode.UNAVAILABLE, ErrorText.shortened(reason), true);
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
