package io.headspan.agent.probe.http;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.headspan.agent.libbpf.BpfIterator;
import io.headspan.agent.libbpf.BpfLink;
import io.headspan.agent.libbpf.BpfMap;
import io.headspan.agent.libbpf.BpfObject;
import io.headspan.agent.libbpf.BpfStatistics;
import io.headspan.agent.libbpf.LibbpfException;
import io.headspan.agent.libbpf.RingBuffer;
import io.headspan.agent.probe.ProbeObject;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Sees the HTTP/1.1 and HTTP/2 exchanges of all sockets below a cgroup: those that were accepted
/// everywhere, those that were connected only where it is asked for ([#watchCgroup]). Reads along
/// and changes nothing. Connections that were there before are not followed, but counted.
///
/// Threads: one at a time drains and waits; it has to stop before another closes. Everything else
/// may be called from any thread.
public final class HttpProbe implements AutoCloseable {
  /// A second of 10,000 requests with heads of 500 bytes.
  static final int RING_SIZE_BYTES = 8 << 20;

  private static final String OBJECT = "http";
  private static final String PLAIN_OBJECT = "http-plain";

  private static final long SWEEP_INTERVAL_NS = 100_000_000L;

  /// How often it is looked for exchanges that are open for long, and told that they still are.
  private static final long OPEN_INTERVAL_NS = ExchangeAssembler.OPEN_INTERVAL_NS;

  /// How many records one pass may take; the others come with the next.
  private static final int OPEN_RECORDS_MAX = 1 << 14;

  /// A whole number of records, for the kernel writes none in part.
  private static final int SWEEP_BUFFER_RECORDS = 128;

  private static final int OPEN_BUFFER_RECORDS = 16;

  /// `struct resume_key`: cookie, direction, padding.
  private static final int RESUME_KEY_BYTES = 16;

  /// `struct resume_point`: where, whether to leave, whether streams are known, the last of them,
  /// and the open ones.
  private static final int RESUME_POINT_BYTES =
      4 * Integer.BYTES + ResumePoint.OpenStreams.WORDS * Long.BYTES;

  private final BpfObject object;
  private final RingBuffer ring;
  private final BpfLink sweeps;
  private final BpfLink openSweeps;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment sweepBuffer =
      arena.allocate(
          HttpTailEventLayout.LAYOUT.byteSize() * SWEEP_BUFFER_RECORDS,
          HttpTailEventLayout.LAYOUT.byteAlignment());
  private final MemorySegment openBuffer =
      arena.allocate(
          HttpExchangeEventLayout.LAYOUT.byteSize() * OPEN_BUFFER_RECORDS,
          HttpExchangeEventLayout.LAYOUT.byteAlignment());
  private final ExchangeAssembler assembler = new ExchangeAssembler();
  private final AtomicReference<@Nullable RuntimeException> sinkFailure = new AtomicReference<>();
  private volatile int olderConnections;
  private long sweptNs = System.nanoTime();
  private long openSweptNs = System.nanoTime();

  private HttpProbe(BpfObject object, RingBuffer ring, BpfLink sweeps, BpfLink openSweeps) {
    this.object = object;
    this.ring = ring;
    this.sweeps = sweeps;
    this.openSweeps = openSweeps;
  }

  /// Loads and attaches the programs.
  ///
  /// @param cgroup a directory of the cgroup v2 hierarchy, as a rule its root
  /// @throws LibbpfException if the kernel or its rules do not allow it
  public static HttpProbe open(Path cgroup) {
    return open(cgroup, RING_SIZE_BYTES);
  }

  static HttpProbe open(Path cgroup, int ringSizeBytes) {
    return best(objectName -> open(objectName, cgroup, ringSizeBytes));
  }

  /// Has the kernel check the programs that [#open] would attach.
  ///
  /// @return whether it takes them only in the form for older kernels
  /// @throws LibbpfException if the kernel or its rules do not allow it
  public static boolean checkIsPlain() {
    return best(objectName -> {
      ProbeObject.check(objectName);
      return objectName.equals(PLAIN_OBJECT);
    });
  }

  private static <T> T best(Function<String, T> attempt) {
    try {
      return attempt.apply(OBJECT);
    } catch (LibbpfException failure) {
      if (failure.kind() != LibbpfException.Kind.NOT_SUPPORTED) {
        throw failure;
      }
      // Before 6.2 a filter cannot look at the kernel's own socket; without it, packets of sockets
      // that are not followed cost a look-up more.
      try {
        return attempt.apply(PLAIN_OBJECT);
      } catch (LibbpfException plainFailure) {
        plainFailure.addSuppressed(failure);
        throw plainFailure;
      }
    }
  }

  static HttpProbe open(String objectName, Path cgroup, int ringSizeBytes) {
    BpfObject object = ProbeObject.open(objectName, ringSizeBytes);
    try {
      object.setGlobal("open_age_ns", ExchangeAssembler.OPEN_AGE_NS);
      object.load();
      RingBuffer ring = ProbeObject.ring(object);
      BpfLink sweeps = object.program("tell_grown").attachIterator(object.map("connections"));
      BpfLink openSweeps = object.program("tell_open").attachIterator(object.map("connections"));
      object.program("on_cgroup_created").attach();
      object.program("on_cgroup_removed").attach();
      object.program("on_egress").attachCgroup(cgroup);
      object.program("on_ingress").attachCgroup(cgroup);
      // Last, because it makes connections followed: the others are there when it does.
      object.program("on_connection").attachCgroup(cgroup);
      return new HttpProbe(object, ring, sweeps, openSweeps);
    } catch (RuntimeException | Error failure) {
      object.close();
      throw failure;
    }
  }

  /// Counts the accepted connections that were there before the programs, as
  /// [HttpCounter#OLDER_CONNECTIONS]. To be called once, soon after opening.
  ///
  /// @throws LibbpfException if the kernel cannot be asked (before 5.11)
  public void countOlderConnections() {
    olderConnections = OlderConnections.count(object.map("connections"), object.map("transcripts"));
  }

  /// Hands on the exchanges that ended since the last call. To be called every 1 to 50 ms; an
  /// exchange is handed on within about 100 ms of its end, unless its length is not known. One that
  /// is open for 5 s is handed on as such, and again every second until it ends. An exception of
  /// `sink` loses its exchange and is counted.
  ///
  /// @return how many exchanges; there may be more to come at once if they are many
  public int drain(Consumer<HttpExchange> sink) {
    var guarded = new GuardedSink(sink);
    drainRing(guarded);
    long nowNs = System.nanoTime();
    Transcripts transcripts = assembler.transcripts();
    transcripts.resume((cookie, direction, point) -> resume(cookie, direction, point, false));
    transcripts.takeUnwanted().forEach(this::leave);
    transcripts.checkPatience(nowNs);
    if (assembler.hasUnfinished() && nowNs - sweptNs >= SWEEP_INTERVAL_NS) {
      sweptNs = nowNs;
      List<HttpEvent.Tail> tails = sweep();
      // The kernel tells growth once, here or there: first whatever it told there until now.
      drainRing(guarded);
      tails.forEach(tail -> assembler.sweep(tail, guarded));
      assembler.endSilent(nowNs, guarded);
    }
    if (nowNs - openSweptNs >= OPEN_INTERVAL_NS) {
      openSweptNs = nowNs;
      sweepOpen(guarded);
      transcripts.reportOpen(nowNs - ExchangeAssembler.OPEN_AGE_NS, nowNs, guarded);
    }
    return guarded.exchanges;
  }

  /// Whether [#drain] would find records in the ring.
  public boolean hasRecords() {
    return ring.pendingBytes() > 0;
  }

  /// Sleeps until the ring is a quarter full, but no longer than the time given.
  ///
  /// @return whether it is
  public boolean awaitPressure(int timeoutMillis) {
    return ring.awaitWakeup(timeoutMillis);
  }

  /// From now on, what wakes the reader of another ring ends [#awaitPressure], too.
  public void wakeAlsoBy(RingBuffer other) {
    ring.wakeAlsoBy(other);
  }

  /// Follows the connections that sockets of this cgroup make from now on. Cgroups that are made
  /// while the probe is open are watched from their beginning.
  ///
  /// @param cgroupId inode of the cgroup's directory in the v2 hierarchy
  public void watchCgroup(long cgroupId) {
    try (Arena call = Arena.ofConfined()) {
      MemorySegment key = call.allocateFrom(JAVA_LONG, cgroupId);
      object.map("watched_cgroups").update(key, call.allocateFrom(JAVA_INT, 1), BpfMap.Update.ANY);
    }
  }

  /// Follows no further connections that sockets of this cgroup make.
  ///
  /// @return false if it was not watched
  public boolean ignoreCgroup(long cgroupId) {
    try (Arena call = Arena.ofConfined()) {
      return object.map("watched_cgroups").delete(call.allocateFrom(JAVA_LONG, cgroupId));
    }
  }

  /// All counters, since the probe was opened.
  public Map<HttpCounter, Long> statistics() {
    BpfMap inKernel = object.map("http_counters");
    var statistics = new EnumMap<HttpCounter, Long>(HttpCounter.class);
    for (HttpCounter counter : HttpCounter.values()) {
      statistics.put(
          counter,
          counter.isInKernel()
              ? inKernel.perCpuSum(counter.kernelIndex())
              : assembler.counted(counter));
    }
    statistics.put(HttpCounter.OLDER_CONNECTIONS, (long) olderConnections);
    statistics.merge(HttpCounter.FAILED_RECORDS, ring.failures(), Long::sum);
    return statistics;
  }

  /// The connections that are followed, in their sockets, for other programs to look at.
  public BpfMap connections() {
    return object.map("connections");
  }

  /// The connections of which transcripts are made, in their sockets, likewise.
  public BpfMap transcripts() {
    return object.map("transcripts");
  }

  /// Runs of the filter for packets that come in, while [BpfStatistics] are on.
  public BpfStatistics.Runs ingressRuns() {
    return BpfStatistics.of(object.program("on_ingress"));
  }

  /// Runs of the filter for packets that go out, while [BpfStatistics] are on.
  public BpfStatistics.Runs egressRuns() {
    return BpfStatistics.of(object.program("on_egress"));
  }

  /// The latest failure that [HttpCounter#FAILED_RECORDS] counted since the last call, for a log.
  public Optional<RuntimeException> takeFailure() {
    RuntimeException failure = sinkFailure.getAndSet(null);
    return failure == null ? ring.takeFailure() : Optional.of(failure);
  }

  /// Detaches and unloads the programs. Exchanges that have not ended are not handed on.
  @Override
  public void close() {
    try (object) {
      ring.close();
    } finally {
      if (arena.scope().isAlive()) {
        arena.close();
      }
    }
  }

  /// Takes at least the records that the ring has now, and no more than it can hold.
  private void drainRing(Consumer<HttpExchange> sink) {
    int recordsMax = (int) (ring.sizeBytes() / HttpTailEventLayout.LAYOUT.byteSize());
    ring.drain(sample -> assembler.accept(HttpEvent.decode(sample), sink), recordsMax);
  }

  /// Has the kernel follow a transcript no further.
  private void leave(long cookie) {
    for (HttpEvent.Direction direction : HttpEvent.Direction.values()) {
      resume(cookie, direction, new ResumePoint(0, null), true);
    }
  }

  private void resume(
      long cookie, HttpEvent.Direction direction, ResumePoint point, boolean leave) {
    try (Arena call = Arena.ofConfined()) {
      MemorySegment key = call.allocate(RESUME_KEY_BYTES, Long.BYTES);
      key.set(JAVA_LONG, 0, cookie);
      key.set(
          JAVA_INT,
          Long.BYTES,
          switch (direction) {
            case FROM_CLIENT -> HttpBytesEventLayout.FROM_CLIENT;
            case FROM_SERVER -> HttpBytesEventLayout.FROM_SERVER;
          });
      MemorySegment value = call.allocate(RESUME_POINT_BYTES, Long.BYTES);
      value.set(JAVA_INT, 0, point.sequence());
      value.set(JAVA_INT, Integer.BYTES, leave ? 1 : 0);
      ResumePoint.OpenStreams streams = point.streams();
      if (streams != null) {
        value.set(JAVA_INT, 2 * Integer.BYTES, 1);
        value.set(JAVA_INT, 3 * Integer.BYTES, streams.last());
        MemorySegment.copy(
            streams.bits(), 0, value, JAVA_LONG, 4 * Integer.BYTES, ResumePoint.OpenStreams.WORDS);
      }
      object.map("resume_points").update(key, value, BpfMap.Update.ANY);
    }
  }

  private List<HttpEvent.Tail> sweep() {
    List<HttpEvent.Tail> tails = new ArrayList<>();
    long recordBytes = HttpTailEventLayout.LAYOUT.byteSize();
    try (BpfIterator iterator = sweeps.iterate()) {
      int bytes = iterator.read(sweepBuffer);
      while (bytes > 0) {
        for (long at = 0; at + recordBytes <= bytes; at += recordBytes) {
          tails.add(HttpTailEventLayout.decode(sweepBuffer.asSlice(at, recordBytes)));
        }
        bytes = iterator.read(sweepBuffer);
      }
    }
    return tails;
  }

  /// What has ended when the kernel looks is not told here but was told to the ring before. So it
  /// is enough to hand on what is open before the ring is read again.
  private void sweepOpen(Consumer<HttpExchange> sink) {
    long recordBytes = HttpExchangeEventLayout.LAYOUT.byteSize();
    long nowNs = System.nanoTime();
    int records = 0;
    try (BpfIterator iterator = openSweeps.iterate()) {
      int bytes = iterator.read(openBuffer);
      while (bytes > 0 && records < OPEN_RECORDS_MAX) {
        for (long at = 0; at + recordBytes <= bytes; at += recordBytes) {
          records++;
          switch (HttpEvent.decode(openBuffer.asSlice(at, recordBytes))) {
            case HttpEvent.Exchange exchange -> assembler.open(exchange, nowNs, sink);
            case HttpEvent other -> assembler.accept(other, sink);
          }
        }
        bytes = iterator.read(openBuffer);
      }
    }
  }

  /// What the assembler hands exchanges to: a failure of the one behind it must not leave the
  /// assembler in the middle of something.
  private final class GuardedSink implements Consumer<HttpExchange> {
    private final Consumer<HttpExchange> sink;
    private int exchanges;

    GuardedSink(Consumer<HttpExchange> sink) {
      this.sink = sink;
    }

    @Override
    public void accept(HttpExchange exchange) {
      exchanges++;
      try {
        sink.accept(exchange);
      } catch (RuntimeException failure) {
        assembler.count(HttpCounter.FAILED_RECORDS);
        sinkFailure.set(failure);
      }
    }
  }
}
