package io.headspan.agent.export;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.headspan.agent.ledger.DropReason;
import io.headspan.agent.ledger.Ledger;
import io.headspan.agent.ledger.Place;
import io.headspan.agent.ledger.TenantCounts;
import io.headspan.agent.log.FailureLog;
import io.headspan.agent.spool.Spool;
import io.headspan.agent.spool.SpoolException;
import io.headspan.agent.spool.SpooledBatch;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otap.OtapEncoder;
import io.headspan.wire.otap.OtapException;
import io.headspan.wire.signal.RegionAway;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowTracesServiceGrpc;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import io.opentelemetry.proto.experimental.arrow.v1.BatchStatus;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
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
/// because dictionaries live as long as a stream. Memory for batches is bounded in bytes and
/// number; with a spool, batches go there first when it fills up or the collector stays away
/// ([Spooler]), and come back from there, the oldest first. Without one, or when that fails, the
/// oldest batch that is not under way goes, and is counted.
///
/// A batch that waits for a region's store while another's is there is set aside, so that what can
/// be stored of later ones is; the oldest of them is tried from time to time, and when it is
/// acknowledged all of them are sent again.
///
/// A batch that makes the collector end the stream would do so for ever. So after a stream ended
/// that way, the batches that were under way are sent one at a time, and one that ends three
/// streams on its own is given up.
///
/// One thread encodes and sends; gRPC's threads only take answers in. Any thread may call.
public final class SpanExporter implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(SpanExporter.class);

  private static final Duration PAUSE_FIRST = Duration.ofMillis(100);
  private static final Duration PAUSE_MOST = Duration.ofSeconds(5);
  private static final Duration ASIDE_FIRST = Duration.ofSeconds(1);
  private static final Duration ASIDE_MOST = Duration.ofSeconds(30);
  private static final long FAREWELL_MILLIS = 1_000;
  private static final int STREAMS_BROKEN_MAX = 3;

  private final ExportSettings settings;
  private final ManagedChannel channel;
  private final Thread sender;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();

  private final Ledger ledger;
  private final BatchQueue queue;
  private final @Nullable Spool spool;
  private final @Nullable Spooler spooler;
  private final BackOff backOff = new BackOff(PAUSE_FIRST, PAUSE_MOST, ThreadLocalRandom.current());
  private final LongAdder exportedBatches = new LongAdder();
  private final LongAdder sentBatches = new LongAdder();
  private final LongAdder brokenStreams = new LongAdder();

  private @Nullable Stream stream;
  private long pausedUntilNs = System.nanoTime();

  private final BackOff asideBackOff =
      new BackOff(ASIDE_FIRST, ASIDE_MOST, ThreadLocalRandom.current());

  /// When one of the batches set aside is to be tried.
  private long asideUntilNs = System.nanoTime();

  /// While there are batches up to this position, one at a time is sent.
  private long suspectPosition = -1;

  private final FailureLog failures = new FailureLog(LOG);
  private boolean closing;
  private boolean stopped;

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
  ///
  /// @param channel to the collector ([CollectorChannel]); closed with this exporter
  /// @param ledger is told what becomes of the batches
  /// @param spool holds batches on disk, and those of earlier starts; to be closed by the caller
  ///   after this exporter. Null for none
  public static SpanExporter start(
      ExportSettings settings, ManagedChannel channel, Ledger ledger, @Nullable Spool spool) {
    SpanExporter exporter = new SpanExporter(settings, channel, ledger, spool);
    if (exporter.spooler != null) {
      exporter.spooler.start();
    }
    exporter.sender.start();
    return exporter;
  }

  private SpanExporter(
      ExportSettings settings, ManagedChannel channel, Ledger ledger, @Nullable Spool spool) {
    this.settings = settings;
    this.channel = channel;
    this.ledger = ledger;
    this.spool = spool;
    queue =
        new BatchQueue(
            settings, ledger, spool == null ? DropReason.QUEUE_FULL : DropReason.SPOOL_FAILED);
    if (spool != null) {
      spool.held().forEach(queue::recover);
    }
    spooler = Spooler.of(lock, changed, queue, spool, settings);
    sender = Thread.ofPlatform().daemon().name("headspan-export").unstarted(this::send);
  }

  /// Takes a batch over. Never blocks: if there is no memory for it, the oldest batches go.
  ///
  /// @param spans how many of it are of which tenant, as the ledger has them in memory
  public void submit(SpanBatch batch, TenantCounts spans) {
    lock.lock();
    try {
      if (closing) {
        ledger.dropped(spans, Place.MEMORY, DropReason.CLOSED);
        return;
      }
      if (spooler != null && queue.isEmpty()) {
        spooler.caughtUp();
      }
      queue.add(batch, spans, System.currentTimeMillis());
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /// Ends, once everything in memory is acknowledged or spooled or `patience` has passed. The
  /// collector is waited for only while it answers. What is left then is spooled; what cannot be is
  /// lost, and logged.
  public void close(Duration patience) {
    long deadlineNs = System.nanoTime() + patience.toNanos();
    lock.lock();
    try {
      closing = true;
      long leftNs = deadlineNs - System.nanoTime();
      while (queue.hasResident() && leftNs > 0 && !isCollectorAway()) {
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
    if (spooler != null) {
      spooler.close();
    }
    lock.lock();
    try {
      if (queue.hasResident()) {
        LOG.warn(
            "The collector did not acknowledge everything in time, the rest is lost:"
                + " spans={}, batches={}, collector={}:{}",
            ledger.held(Place.MEMORY),
            queue.residentBatches(),
            settings.collectorHost(),
            settings.collectorPort());
      }
      queue.dropResident(DropReason.CLOSED);
      if (queue.spooledBatches() > 0) {
        LOG.info(
            "Batches are left in the spool for the next start: spans={}, batches={}",
            queue.heldSpans(),
            queue.spooledBatches());
      }
    } finally {
      lock.unlock();
    }
  }

  private boolean isCollectorAway() {
    return spooler != null && spooler.isCollectorAway();
  }

  /// Ends without waiting.
  @Override
  public void close() {
    close(Duration.ZERO);
  }

  /// Whether it still sends, and spools.
  public boolean isRunning() {
    return sender.isAlive() && (spooler == null || spooler.isRunning());
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

  /// Spans held until they are acknowledged, wherever.
  public long heldSpans() {
    return locked(queue::heldSpans);
  }

  /// Bytes of memory of the batches held there, about.
  public long heldBytes() {
    return locked(queue::residentBytes);
  }

  /// Batches held until they are acknowledged, wherever.
  public long heldBatches() {
    return locked(() -> queue.residentBatches() + queue.spooledBatches());
  }

  /// Batches held in the spool.
  public long spooledBatches() {
    return locked(queue::spooledBatches);
  }

  /// How often the spool could not be written.
  public long spoolFailures() {
    return spooler == null ? 0 : locked(spooler::failures);
  }

  /// The spool, for what it tells about itself.
  public Optional<Spool> spool() {
    return Optional.ofNullable(spool);
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
    long asideLeftNs = Long.MAX_VALUE;
    if (queue.hasAside()) {
      asideLeftNs = asideUntilNs - nowNs;
      if (asideLeftNs <= 0) {
        queue.probe();
        asideUntilNs = nowNs + settings.acknowledgeTimeout().toNanos();
        return 0;
      }
    }
    Stream current = stream;
    if (current == null) {
      if (queue.next() == null) {
        return asideLeftNs;
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
    long waitNs = asideLeftNs;
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
    waitNs = Math.min(waitNs, asideLeftNs);
    if (maySend(current, nowNs)) {
      sendNext(current);
      return 0;
    }
    return queue.next() == null || pauseLeftNs <= 0 ? waitNs : Math.min(waitNs, pauseLeftNs);
  }

  private boolean maySend(Stream current, long nowNs) {
    Outgoing next = queue.next();
    if (next == null || current.call == null || !current.call.isReady()) {
      return false;
    }
    int window = next.position <= suspectPosition ? 1 : settings.inFlightMax();
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
    Outgoing next = queue.take();
    SpanBatch batch = loaded(next);
    if (batch == null) {
      return; // counted as lost
    }
    if (current.ended) {
      queue.requeue(List.of(next));
      return;
    }
    long batchId = current.nextBatchId++;
    if (current.inFlight.isEmpty()) {
      current.lastProgressNs = System.nanoTime();
    }
    current.inFlight.put(batchId, next);
    Map<String, String> headers = headers(next);
    next.sentBefore = true;
    lock.unlock();
    RuntimeException failure = null;
    try {
      BatchArrowRecords records = current.encoder.encode(batchId, batch, headers);
      Objects.requireNonNull(current.call).onNext(records);
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
    queue.drop(next, DropReason.REJECTED);
    logFailure("A batch could not be encoded, its spans are lost", next, failure.toString());
    ended(current, Status.CANCELLED.withDescription("encoding failed"));
    cancel(current, "encoding failed");
  }

  /// The content of a batch that was taken, from the spool if it is there. Gives up the lock
  /// meanwhile. Null if it is lost.
  private @Nullable SpanBatch loaded(Outgoing taken) {
    SpooledBatch spooled = taken.spooled;
    if (taken.batch != null || spooled == null) {
      return taken.batch;
    }
    SpanBatch batch = null;
    RuntimeException failure = null;
    lock.unlock();
    try {
      batch = SpoolCodec.decode(Objects.requireNonNull(spool).read(spooled));
    } catch (SpoolException | OtapException e) {
      failure = e;
    } finally {
      lock.lock();
    }
    if (taken.done) {
      return null; // its segment had to go meanwhile
    }
    if (failure != null) {
      logFailure("A spooled batch cannot be read, its spans are lost", taken, failure.toString());
      queue.drop(taken, DropReason.SPOOL_DAMAGED);
      changed.signalAll();
      return null;
    }
    taken.batch = batch;
    return batch;
  }

  private Map<String, String> headers(Outgoing outgoing) {
    Map<String, String> headers = new LinkedHashMap<>();
    headers.put("headspan-agent-id", settings.agentId());
    headers.put("headspan-boot-id", outgoing.bootId);
    headers.put("headspan-sequence", Long.toString(outgoing.sequence));
    String ageMillis = Long.toString(Math.max(0, System.currentTimeMillis() - outgoing.madeMillis));
    headers.put("headspan-age-ms", ageMillis);
    if (outgoing.sentBefore) {
      headers.put("headspan-replay-age-ms", ageMillis);
    }
    return headers;
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
        queue.acknowledged(outgoing);
        exportedBatches.increment();
        backOff.succeeded();
        if (outgoing.probing) {
          queue.resume();
          asideBackOff.succeeded();
        }
        if (spooler != null) {
          spooler.progressed();
        }
      }
      case UNAVAILABLE -> {
        if (RegionAway.isSaidBy(status.getStatusMessage())) {
          if (outgoing.probing || !queue.hasAside()) {
            asideUntilNs = System.nanoTime() + asideBackOff.failed();
          }
          outgoing.probing = false;
          queue.setAside(outgoing);
          logFailure("A region's store is away", outgoing, status.getStatusMessage());
        } else {
          queue.requeue(List.of(outgoing));
          pause();
          logFailure("The collector cannot take batches now", outgoing, status.getStatusMessage());
        }
      }
      case INVALID_ARGUMENT -> {
        queue.drop(outgoing, DropReason.REJECTED);
        logFailure(
            "The collector refused a batch, its spans are lost",
            outgoing,
            status.getStatusMessage());
      }
      case PERMISSION_DENIED -> breakOff(from, outgoing, status, Status.PERMISSION_DENIED);
      case UNAUTHENTICATED -> breakOff(from, outgoing, status, Status.UNAUTHENTICATED);
      case CANCELED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNRECOGNIZED ->
          breakOff(from, outgoing, status, Status.INTERNAL);
    }
    changed.signalAll();
  }

  /// Under the lock. Ends a stream because of how a batch was answered.
  private void breakOff(Stream from, Outgoing outgoing, BatchStatus status, Status end) {
    from.inFlight.put(status.getBatchId(), outgoing);
    String answer = status.getStatusCode() + " " + status.getStatusMessage();
    ended(from, end.withDescription(answer));
    cancel(from, answer);
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
          // Who is not let in is to come again when the collector knows it: nothing is wrong with
          // the batches.
          case OK, UNAVAILABLE, CANCELLED, DEADLINE_EXCEEDED, UNAUTHENTICATED, PERMISSION_DENIED ->
              true;
          default -> false;
        };
    if (!again.isEmpty() && !isPlainLoss) {
      suspectPosition = Math.max(suspectPosition, again.getLast().position);
      if (again.size() == 1 && ++again.getFirst().streamsBroken >= STREAMS_BROKEN_MAX) {
        queue.drop(again.removeFirst(), DropReason.REJECTED);
      }
    }
    if (!stopped) {
      LOG.debug("A stream to the collector ended: {}", status);
      if (!again.isEmpty()) {
        logFailure("Batches are sent again, the stream broke", again.getFirst(), status.toString());
      } else if (queue.next() != null) {
        logFailure("The collector is not reached", queue.next(), status.toString());
      }
    }
    queue.requeue(again);
    pause();
    changed.signalAll();
  }

  /// Waits before the next try. What fails within a pause is of the same try.
  private void pause() {
    long nowNs = System.nanoTime();
    if (pausedUntilNs - nowNs <= 0) {
      pausedUntilNs = nowNs + backOff.failed();
    }
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

  private void logFailure(String what, Outgoing outgoing, String why) {
    failures.warn(
        what,
        "sequence=%d, spans=%d, collector=%s:%d, heldBatches=%d, reason=%s"
            .formatted(
                outgoing.sequence,
                outgoing.spans.total(),
                settings.collectorHost(),
                settings.collectorPort(),
                queue.residentBatches() + queue.spooledBatches(),
                why.replaceAll("\\s+", " ")));
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
}
