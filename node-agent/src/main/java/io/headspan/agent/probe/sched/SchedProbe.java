package io.headspan.agent.probe.sched;

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
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Sees what becomes of the time of threads: those of watched cgroups ([#setTenant]), and those
/// that read requests from the connections that the HTTP probe follows. Who waited for whom is
/// summed up in the kernel, by tenant ([#readMatrix]); what belongs to requests comes as records
/// ([#drain]).
///
/// Threads: one at a time drains; it has to stop before another closes. Everything else may be
/// called from any thread.
public final class SchedProbe implements AutoCloseable {
  private static final int RING_SIZE_BYTES = 4 << 20;
  private static final int RECORD_BYTES_MIN = 104;

  /// The hooks at which time is accounted for on every switch and wake-up.
  private static final List<String> SCHEDULER_PROGRAMS =
      List.of(
          "on_switch",
          "on_waking",
          "on_wakeup",
          "on_wakeup_new",
          "on_migrate",
          "on_fork",
          "on_attach");

  /// What the kernel answers if a map is full, asm-generic/errno-base.h.
  private static final int E2BIG = 7;

  private static final String OBJECT = "sched";
  private static final String ON_READ = "on_read";
  private static final String ON_WRITE = "on_write";

  private final BpfObject object;
  private final RingBuffer ring;
  private final BpfLink adoption;
  private final boolean seesAnswers;

  /// Takes one cell of the matrix.
  @FunctionalInterface
  public interface CellConsumer {
    /// Takes it.
    ///
    /// @param victim number of the tenant that waited
    /// @param culprit number of the tenant that had the CPU
    /// @param waitNs all the time since the probe was opened
    /// @param waits how often
    void accept(int victim, int culprit, long waitNs, long waits);
  }

  private SchedProbe(BpfObject object, RingBuffer ring, BpfLink adoption, boolean seesAnswers) {
    this.object = object;
    this.ring = ring;
    this.adoption = adoption;
    this.seesAnswers = seesAnswers;
  }

  /// Loads and attaches the programs. Where the kernel has no tracepoint in threads that write to
  /// sockets (before 6.3), only the matrix can be had: see [#seesAnswers].
  ///
  /// @param connections those that the HTTP probe follows
  /// @param transcripts the same, of HTTP/2
  /// @throws LibbpfException if the kernel or its rules do not allow it
  public static SchedProbe open(BpfMap connections, BpfMap transcripts) {
    return best(refusal -> open(connections, transcripts, refusal == null));
  }

  /// Has the kernel check the programs that [#open] would attach.
  ///
  /// @return why there would only be the matrix; empty if all can be had
  /// @throws LibbpfException if the kernel or its rules do not allow any of it
  public static Optional<LibbpfException> check() {
    return best(refusal -> {
      try (BpfObject object = ProbeObject.open(OBJECT)) {
        load(object, refusal == null);
        return Optional.ofNullable(refusal);
      }
    });
  }

  /// A try to have the probe.
  private interface Attempt<T> {
    /// @param refusal null: as a whole; else why that cannot be, so without the programs at sockets
    T with(@Nullable LibbpfException refusal);
  }

  private static <T> T best(Attempt<T> attempt) {
    try {
      return attempt.with(null);
    } catch (LibbpfException refusal) {
      try {
        return attempt.with(refusal);
      } catch (LibbpfException matrixFailure) {
        matrixFailure.addSuppressed(refusal);
        throw matrixFailure;
      }
    }
  }

  private static void load(BpfObject object, boolean withAnswers) {
    object.map("cpu_logs").setMaxEntries(BpfMap.possibleCpus());
    if (!withAnswers) {
      object.program(ON_READ).setAutoload(false);
      object.program(ON_WRITE).setAutoload(false);
    }
    object.load();
  }

  private static SchedProbe open(BpfMap connections, BpfMap transcripts, boolean withAnswers) {
    BpfObject object = ProbeObject.open(OBJECT, RING_SIZE_BYTES);
    try {
      object.map("connections").reuse(connections);
      object.map("transcripts").reuse(transcripts);
      load(object, withAnswers);
      RingBuffer ring = ProbeObject.ring(object);
      BpfLink adoption = object.program("adopt").attachIterator();
      for (String name : SCHEDULER_PROGRAMS) {
        object.program(name).attach();
      }
      if (withAnswers) {
        object.program(ON_WRITE).attach();
        object.program(ON_READ).attach();
      }
      return new SchedProbe(object, ring, adoption, withAnswers);
    } catch (RuntimeException | Error failure) {
      object.close();
      throw failure;
    }
  }

  /// Whether records tell of requests; if not, there is only the matrix.
  public boolean seesAnswers() {
    return seesAnswers;
  }

  /// Hands on the records since the last call; those of one thread in order. An exception of `sink`
  /// loses its record and is counted.
  ///
  /// @return how many records
  public int drain(Consumer<AccountRecord> sink) {
    return ring.drain(
        sample -> sink.accept(AccountEventLayout.decode(sample)),
        (int) (ring.sizeBytes() / RECORD_BYTES_MIN));
  }

  /// Says whose the threads of a cgroup are, from now on.
  ///
  /// @param cgroupId inode of the cgroup's directory in the v2 hierarchy
  /// @param watched whether they have accounts; those that are there already from [#adoptThreads]
  ///   on
  /// @return false if there are too many cgroups
  public boolean setTenant(long cgroupId, int tenant, boolean watched) {
    try (Arena call = Arena.ofConfined()) {
      MemorySegment key = call.allocateFrom(JAVA_LONG, cgroupId);
      MemorySegment value = call.allocate(MatrixLayout.TENANT);
      value.set(JAVA_INT, MatrixLayout.TENANT_NUMBER, tenant);
      value.set(JAVA_INT, MatrixLayout.WATCHED, watched ? 1 : 0);
      object.map("tenants").update(key, value, BpfMap.Update.ANY);
      return true;
    } catch (LibbpfException failure) {
      if (failure.errno() == E2BIG) {
        return false;
      }
      throw failure;
    }
  }

  /// Forgets whose the threads of a cgroup are.
  public void removeTenant(long cgroupId) {
    try (Arena call = Arena.ofConfined()) {
      object.map("tenants").delete(call.allocateFrom(JAVA_LONG, cgroupId));
    }
  }

  /// Watches all threads that are in watched cgroups now. New ones are watched from their
  /// beginning.
  public void adoptThreads() {
    try (BpfIterator threads = adoption.iterate()) {
      threads.run();
    }
  }

  /// Reads the whole matrix. Cells grow meanwhile; each is read at one moment.
  public void readMatrix(CellConsumer consumer) {
    BpfMap matrix = object.map("matrix");
    try (Arena call = Arena.ofConfined()) {
      MemorySegment key = call.allocate(MatrixLayout.KEY);
      MemorySegment cell = call.allocate(MatrixLayout.CELL);
      // No cell is ever removed, so no key is met twice.
      boolean more = matrix.nextKey(null, key);
      while (more) {
        if (matrix.lookup(key, cell)) {
          consumer.accept(
              key.get(JAVA_INT, MatrixLayout.VICTIM),
              key.get(JAVA_INT, MatrixLayout.CULPRIT),
              cell.get(JAVA_LONG, MatrixLayout.NS),
              cell.get(JAVA_LONG, MatrixLayout.COUNT));
        }
        more = matrix.nextKey(key, key);
      }
    }
  }

  /// All counters of the kernel, since the probe was opened.
  public Map<SchedCounter, Long> statistics() {
    var statistics = new EnumMap<SchedCounter, Long>(SchedCounter.class);
    for (SchedCounter counter : SchedCounter.values()) {
      statistics.put(counter, object.map("sched_counters").perCpuSum(counter.kernelIndex()));
    }
    return statistics;
  }

  /// Records that could not be read or handed on.
  public long failedRecords() {
    return ring.failures();
  }

  /// The latest failure that [#failedRecords] counted since the last call, for a log.
  public Optional<RuntimeException> takeFailure() {
    return ring.takeFailure();
  }

  /// Runs of the program on switches, while [BpfStatistics] are on.
  public BpfStatistics.Runs switchRuns() {
    return BpfStatistics.of(object.program("on_switch"));
  }

  /// Runs of the program on wake-ups, while [BpfStatistics] are on.
  public BpfStatistics.Runs wakeupRuns() {
    return BpfStatistics.of(object.program("on_wakeup"));
  }

  /// Runs of the program on reads from TCP sockets, while [BpfStatistics] are on.
  public BpfStatistics.Runs readRuns() {
    return BpfStatistics.of(object.program(ON_READ));
  }

  /// Runs of the program on writes to sockets, while [BpfStatistics] are on.
  public BpfStatistics.Runs writeRuns() {
    return BpfStatistics.of(object.program(ON_WRITE));
  }

  /// Detaches and unloads the programs. Nothing more is accounted for.
  @Override
  public void close() {
    try (object) {
      ring.close();
    }
  }
}
