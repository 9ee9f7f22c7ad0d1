package io.headspan.agent.export;

import com.google.common.util.concurrent.MoreExecutors;
import io.grpc.CompressorRegistry;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.headspan.agent.ledger.Tally;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otap.OtapEncoder;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowTracesServiceGrpc;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import io.opentelemetry.proto.experimental.arrow.v1.BatchStatus;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Sends batches as OTel-Arrow over one gRPC stream and holds each until the collector has
/// acknowledged it, which it does when the store has it.
///
/// Each batch has a sequence number that it keeps however often it is sent; agent id, boot id and
/// sequence name it, so that the collector stores a replay once. A batch that the collector cannot
/// take now is sent again after a pause; if the stream breaks or an answer does not come in time,
/// all that were under way are sent again on the next stream, which starts with a new encoder
/// because dictionaries live as long as a stream. The queue is bounded in bytes and batches: the
/// oldest batch that is not under way goes first, and is counted.
///
/// A batch that makes the collector end the stream would do so for ever. So after a stream ended
/// that way, the batches that were under way are sent one at a time, and one that ends three
/// streams on its own is given up.
///
/// One thread encodes and sends; gRPC's threads only take answers in. Any thread may call.
public final class SpanExporter implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(SpanExporter.class);

  private static final long PAUSE_MIN_NS = TimeUnit.MILLISECONDS.toNanos(100);
  private static final long PAUSE_MAX_NS = TimeUnit.SECONDS.toNanos(5);
  private static final long LOG_EVERY_NS = TimeUnit.MINUTES.toNanos(1);
  private static final long FAREWELL_MILLIS = 1_000;
  private static final int STREAMS_BROKEN_MAX = 3;

  private final ExportSettings settings;
  private final ManagedChannel channel;
  private final Thread sender;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();

  /// Batches to send, by sequence.
  private final ArrayDeque<Outgoing> queue = new ArrayDeque<>();

  private final Tally<DropReason> dropped = new Tally<>(DropReason.class);
  private final LongAdder exportedSpans = new LongAdder();
  private final LongAdder exportedBatches = new LongAdder();
  private final LongAdder sentBatches = new LongAdder();
  private final LongAdder brokenStreams = new LongAdder();

  private long nextSequence = 1;
  private long heldBytes;
  private int heldBatches;
  private long heldSpans;
  private @Nullable Stream stream;
  private long pausedUntilNs = System.nanoTime();
  private long pauseNs = PAUSE_MIN_NS;

  /// While there are batches up to this sequence, one at a time is sent.
  private long suspectSequence;

  private boolean closing;
  private boolean stopped;
  private long loggedNs = System.nanoTime() - LOG_EVERY_NS;
  private long unloggedFailures;

  /// A batch that is not acknowledged.
  private static final class Outgoing {
    final long sequence;
    final SpanBatch batch;
    final long bytes;
    int streamsBroken;

    Outgoing(long sequence, SpanBatch batch, long bytes) {
      this.sequence = sequence;
      this.batch = batch;
      this.bytes = bytes;
    }
  }

  /// One gRPC stream. Fields are guarded by the lock, the encoder belongs to the sender.
  private final class Stream implements ClientResponseObserver<BatchArrowRecords, BatchStatus> {
    final OtapEncoder encoder = new OtapEncoder();
    final TreeMap<Long, Outgoing> inFlight = new TreeMap<>();
    @Nullable ClientCallStreamObserver<BatchArrowRecords> call;
    long nextBatchId;
    long lastProgressNs = System.nanoTime();
    boolean ended;

    @Override
    public void beforeStart(ClientCallStreamObserver<BatchArrowRecords> call) {
      this.call = call;
      call.setOnReadyHandler(() -> {
        lock.lock();
        try {
          changed.signalAll();
        } finally {
          lock.unlock();
        }
      });
    }

    @Override
    public void onNext(BatchStatus status) {
      lock.lock();
      try {
        answered(this, status);
      } finally {
        lock.unlock();
      }
    }

    @Override
    public void onError(Throwable failure) {
      lock.lock();
      try {
        ended(this, Status.fromThrowable(failure));
      } finally {
        lock.unlock();
      }
    }

    @Override
    public void onCompleted() {
      lock.lock();
      try {
        ended(this, Status.UNAVAILABLE.withDescription("the collector closed the stream"));
      } finally {
        lock.unlock();
      }
    }
  }

  /// Starts; the connection is made when there is something to send.
  public static SpanExporter start(ExportSettings settings) {
    SpanExporter exporter = new SpanExporter(settings);
    exporter.sender.start();
    return exporter;
  }

  private SpanExporter(ExportSettings settings) {
    this.settings = settings;
    CompressorRegistry compressors = CompressorRegistry.newEmptyInstance();
    compressors.register(new ZstdCodec());
    channel =
        NettyChannelBuilder.forAddress(settings.collectorHost(), settings.collectorPort())
            .usePlaintext()
            .executor(MoreExecutors.directExecutor())
            .compressorRegistry(compressors)
            .build();
    sender = Thread.ofPlatform().daemon().name("headspan-export").unstarted(this::send);
  }

  /// Takes a batch over. Never blocks: if the queue is full, the oldest batches go.
  public void submit(SpanBatch batch) {
    long bytes = bytes(batch);
    lock.lock();
    try {
      if (closing) {
        dropped.add(DropReason.CLOSED, batch.size());
        return;
      }
      Outgoing outgoing = new Outgoing(nextSequence++, batch, bytes);
      queue.add(outgoing);
      heldBytes += bytes;
      heldBatches++;
      heldSpans += batch.size();
      while ((heldBytes > settings.queueBytesMax() || heldBatches > settings.queueBatchesMax())
          && !queue.isEmpty()) {
        drop(queue.remove(), DropReason.QUEUE_FULL);
      }
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /// Ends, once everything is acknowledged or `patience` has passed. What is left then is lost, and
  /// logged.
  public void close(Duration patience) {
    long deadlineNs = System.nanoTime() + patience.toNanos();
    lock.lock();
    try {
      closing = true;
      long leftNs = deadlineNs - System.nanoTime();
      while (heldBatches > 0 && leftNs > 0) {
        leftNs = changed.awaitNanos(leftNs);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      stopped = true;
      changed.signalAll();
      lock.unlock();
    }
    shutDown();
    lock.lock();
    try {
      if (heldSpans > 0) {
        LOG.warn(
            "The collector did not acknowledge everything in time, the rest is lost:"
                + " spans={}, batches={}, collector={}:{}",
            heldSpans,
            heldBatches,
            settings.collectorHost(),
            settings.collectorPort());
      }
      dropped.add(DropReason.CLOSED, heldSpans);
      queue.clear();
      heldBytes = 0;
      heldBatches = 0;
      heldSpans = 0;
    } finally {
      lock.unlock();
    }
  }

  /// Ends without waiting.
  @Override
  public void close() {
    close(Duration.ZERO);
  }

  /// Whether it still sends.
  public boolean isRunning() {
    return sender.isAlive();
  }

  /// Spans that did not get to the collector, by reason.
  public Tally<DropReason> dropped() {
    return dropped;
  }

  /// Spans that the collector acknowledged.
  public long exportedSpans() {
    return exportedSpans.sum();
  }

  /// Batches that the collector acknowledged.
  public long exportedBatches() {
    return exportedBatches.sum();
  }

  /// Batches sent, counting each time one was sent.
  public long sentBatches() {
    return sentBatches.sum();
  }

  /// Streams that ended before this exporter did.
  public long brokenStreams() {
    return brokenStreams.sum();
  }

  /// Spans held until they are acknowledged.
  public long heldSpans() {
    return locked(() -> heldSpans);
  }

  /// Bytes of memory of the batches held, about.
  public long heldBytes() {
    return locked(() -> heldBytes);
  }

  /// Batches held until they are acknowledged.
  public long heldBatches() {
    return locked(() -> heldBatches);
  }

  private long locked(LongSupplier value) {
    lock.lock();
    try {
      return value.getAsLong();
    } finally {
      lock.unlock();
    }
  }

  /// The sender's life.
  private void send() {
    lock.lock();
    try {
      while (!stopped) {
        long waitNs = step();
        if (waitNs > 0) {
          changed.awaitNanos(waitNs);
        }
      }
      Stream last = stream;
      if (last != null) {
        stream = null;
        finish(last);
      }
    } catch (InterruptedException e) {
      // Nobody interrupts this thread but a JVM in its end; what is held is counted by close().
      Thread.currentThread().interrupt();
    } catch (RuntimeException | Error e) {
      LOG.error("Sending ended, nothing gets to the collector any more", e);
    } finally {
      lock.unlock();
    }
  }

  /// Does one thing if there is one to do; else gives how long to wait for the next change, ns.
  private long step() {
    long nowNs = System.nanoTime();
    long pauseLeftNs = pausedUntilNs - nowNs;
    Stream current = stream;
    if (current == null) {
      if (queue.isEmpty()) {
        return Long.MAX_VALUE;
      }
      if (pauseLeftNs > 0) {
        return pauseLeftNs;
      }
      open();
      return 0;
    }
    if (current.ended) {
      stream = null;
      current.encoder.close();
      return 0;
    }
    long waitNs = Long.MAX_VALUE;
    if (!current.inFlight.isEmpty()) {
      waitNs = current.lastProgressNs + settings.acknowledgeTimeout().toNanos() - nowNs;
      if (waitNs <= 0) {
        ended(current, Status.DEADLINE_EXCEEDED.withDescription("no answer in time"));
        cancel(current, "no answer in time");
        // The connection itself may be dead; the next stream gets a new one.
        channel.enterIdle();
        return 0;
      }
    }
    if (maySend(current, nowNs)) {
      sendNext(current);
      return 0;
    }
    return queue.isEmpty() || pauseLeftNs <= 0 ? waitNs : Math.min(waitNs, pauseLeftNs);
  }

  private boolean maySend(Stream current, long nowNs) {
    Outgoing next = queue.peek();
    if (next == null || current.call == null || !current.call.isReady()) {
      return false;
    }
    int window = next.sequence <= suspectSequence ? 1 : settings.inFlightMax();
    return current.inFlight.size() < window && pausedUntilNs - nowNs <= 0;
  }

  private void open() {
    Stream opened = new Stream();
    stream = opened;
    lock.unlock();
    try {
      // The channel would wait longer and longer by itself; how long to wait is decided here.
      channel.resetConnectBackoff();
      ArrowTracesServiceGrpc.ArrowTracesServiceStub stub = ArrowTracesServiceGrpc.newStub(channel);
      if (settings.compressed()) {
        stub = stub.withCompression("zstd");
      }
      var _ = stub.arrowTraces(opened);
    } finally {
      lock.lock();
    }
  }

  private void sendNext(Stream current) {
    Outgoing next = queue.remove();
    long batchId = current.nextBatchId++;
    if (current.inFlight.isEmpty()) {
      current.lastProgressNs = System.nanoTime();
    }
    current.inFlight.put(batchId, next);
    lock.unlock();
    RuntimeException failure = null;
    try {
      encodeAndSend(current, batchId, next);
      sentBatches.increment();
    } catch (RuntimeException e) {
      failure = e;
    } finally {
      lock.lock();
    }
    if (failure == null) {
      return;
    }
    if (current.ended) {
      LOG.debug("The stream ended while a batch was encoded for it", failure);
      return;
    }
    // The encoder's state may be half changed, so the stream cannot go on.
    current.inFlight.remove(batchId);
    drop(next, DropReason.REJECTED);
    logFailure("A batch could not be encoded, its spans are lost", next, failure.toString());
    ended(current, Status.CANCELLED.withDescription("encoding failed"));
    cancel(current, "encoding failed");
  }

  private void encodeAndSend(Stream current, long batchId, Outgoing outgoing) {
    BatchArrowRecords records =
        current.encoder.encode(
            batchId,
            outgoing.batch,
            Map.of(
                "headspan-agent-id", settings.agentId(),
                "headspan-boot-id", settings.bootId(),
                "headspan-sequence", Long.toString(outgoing.sequence)));
    Objects.requireNonNull(current.call).onNext(records);
  }

  /// Under the lock.
  private void answered(Stream from, BatchStatus status) {
    Outgoing outgoing = from.inFlight.remove(status.getBatchId());
    if (outgoing == null) {
      return; // given up meanwhile, or never sent
    }
    from.lastProgressNs = System.nanoTime();
    switch (status.getStatusCode()) {
      case OK -> {
        release(outgoing);
        exportedSpans.add(outgoing.batch.size());
        exportedBatches.increment();
        pauseNs = PAUSE_MIN_NS;
      }
      case UNAVAILABLE -> {
        requeue(List.of(outgoing));
        pause();
        logFailure("The collector cannot take batches now", outgoing, status.getStatusMessage());
      }
      case INVALID_ARGUMENT -> {
        drop(outgoing, DropReason.REJECTED);
        logFailure(
            "The collector refused a batch, its spans are lost",
            outgoing,
            status.getStatusMessage());
      }
      case CANCELED,
          DEADLINE_EXCEEDED,
          PERMISSION_DENIED,
          RESOURCE_EXHAUSTED,
          ABORTED,
          INTERNAL,
          UNAUTHENTICATED,
          UNRECOGNIZED -> {
        from.inFlight.put(status.getBatchId(), outgoing);
        String answer = status.getStatusCode() + " " + status.getStatusMessage();
        ended(from, Status.INTERNAL.withDescription(answer));
        cancel(from, answer);
      }
    }
    changed.signalAll();
  }

  /// Under the lock. Everything under way on the stream is to be sent again.
  private void ended(Stream broken, Status status) {
    if (broken.ended) {
      return;
    }
    broken.ended = true;
    if (!stopped) {
      brokenStreams.increment();
    }
    List<Outgoing> again = new ArrayList<>(broken.inFlight.values());
    broken.inFlight.clear();
    boolean isPlainLoss =
        switch (status.getCode()) {
          case OK, UNAVAILABLE, CANCELLED, DEADLINE_EXCEEDED -> true;
          default -> false;
        };
    if (!again.isEmpty() && !isPlainLoss) {
      suspectSequence = Math.max(suspectSequence, again.getLast().sequence);
      if (again.size() == 1 && ++again.getFirst().streamsBroken >= STREAMS_BROKEN_MAX) {
        drop(again.removeFirst(), DropReason.REJECTED);
      }
    }
    if (!stopped) {
      LOG.debug("A stream to the collector ended: {}", status);
      if (!again.isEmpty()) {
        logFailure("Batches are sent again, the stream broke", again.getFirst(), status.toString());
      } else if (!queue.isEmpty()) {
        logFailure("The collector is not reached", queue.element(), status.toString());
      }
    }
    requeue(again);
    pause();
    changed.signalAll();
  }

  /// Puts batches back to where they were in the queue.
  private void requeue(List<Outgoing> batches) {
    List<Outgoing> merged = new ArrayList<>(queue);
    merged.addAll(batches);
    merged.sort((a, b) -> Long.compare(a.sequence, b.sequence));
    queue.clear();
    queue.addAll(merged);
  }

  /// Waits before the next try, longer each time, and not in step with other agents. What fails
  /// within a pause is of the same try.
  private void pause() {
    long nowNs = System.nanoTime();
    if (pausedUntilNs - nowNs <= 0) {
      pausedUntilNs = nowNs + pauseNs / 2 + ThreadLocalRandom.current().nextLong(pauseNs / 2);
      pauseNs = Math.min(2 * pauseNs, PAUSE_MAX_NS);
    }
  }

  private void drop(Outgoing outgoing, DropReason reason) {
    release(outgoing);
    dropped.add(reason, outgoing.batch.size());
  }

  private void release(Outgoing outgoing) {
    heldBytes -= outgoing.bytes;
    heldBatches--;
    heldSpans -= outgoing.batch.size();
  }

  private static void cancel(Stream broken, String why) {
    if (broken.call != null) {
      broken.call.cancel(why, null);
    }
  }

  private void finish(Stream last) {
    last.ended = true;
    if (last.call != null) {
      if (last.inFlight.isEmpty()) {
        last.call.onCompleted();
      } else {
        cancel(last, "closing");
      }
    }
    last.encoder.close();
  }

  /// One line a minute, however often it fails.
  private void logFailure(String what, Outgoing outgoing, String why) {
    long nowNs = System.nanoTime();
    if (nowNs - loggedNs < LOG_EVERY_NS) {
      unloggedFailures++;
      return;
    }
    loggedNs = nowNs;
    LOG.warn(
        "{}: sequence={}, spans={}, collector={}:{}, held={} batches, since the last line={}, {}",
        what,
        outgoing.sequence,
        outgoing.batch.size(),
        settings.collectorHost(),
        settings.collectorPort(),
        heldBatches,
        unloggedFailures,
        why);
    unloggedFailures = 0;
  }

  private void shutDown() {
    try {
      sender.join();
      channel.shutdown().awaitTermination(FAREWELL_MILLIS, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      channel.shutdownNow();
    }
  }

  /// Memory of a batch: its columns, attribute rows and texts.
  private static long bytes(SpanBatch batch) {
    int texts = batch.table().size();
    int textBytes = batch.table().offset(texts - 1) + batch.table().length(texts - 1);
    long rows = (long) batch.spanAttributes().size() + batch.resourceAttributes().size();
    return 90L * batch.size() + 17 * rows + 2L * textBytes + 16L * texts;
  }
}
