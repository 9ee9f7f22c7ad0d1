package io.headspan.agent.probe.lifecycle;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.headspan.agent.libbpf.BpfObject;
import io.headspan.agent.libbpf.BpfProgram;
import io.headspan.agent.libbpf.RingBuffer;
import io.headspan.agent.probe.ProbeObject;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/// Tells when processes and cgroups begin and end, and which connections a process leaves behind
/// when it ends, from its opening on.
///
/// Threads: one at a time drains; it has to stop before another closes. The counters may be read
/// from any thread.
public final class LifecycleProbe implements AutoCloseable {
  private static final int RING_SIZE_BYTES = 1 << 20;
  private static final int BATCH_MAX = 16_384;
  private static final int COUNTER_DROPPED = 0;

  private final BpfObject object;
  private final RingBuffer ring;

  private LifecycleProbe(BpfObject object, RingBuffer ring) {
    this.object = object;
    this.ring = ring;
  }

  /// Loads and attaches the programs.
  ///
  /// @throws io.headspan.agent.libbpf.LibbpfException if the kernel or its rules do not allow it
  public static LifecycleProbe open() {
    BpfObject object = ProbeObject.open("lifecycle", RING_SIZE_BYTES);
    try {
      object.load();
      RingBuffer ring = ProbeObject.ring(object);
      for (BpfProgram program : object.programs()) {
        program.attach();
      }
      return new LifecycleProbe(object, ring);
    } catch (RuntimeException | Error failure) {
      object.close();
      throw failure;
    }
  }

  /// Hands on what happened since the last call, in order. An exception of `sink` loses its event
  /// and is counted.
  ///
  /// @return how many events; there may be more if it is much
  public int drain(Consumer<LifecycleEvent> sink) {
    return ring.drain(sample -> sink.accept(decode(sample)), BATCH_MAX);
  }

  /// Where events come, for others to wait at as well.
  public RingBuffer ring() {
    return ring;
  }

  /// Sleeps until the ring is a quarter full, a cgroup was made or one of the first programs
  /// started in it, but no longer than the time given.
  ///
  /// @return whether there was such a thing
  public boolean awaitPressure(int timeoutMillis) {
    return ring.awaitWakeup(timeoutMillis);
  }

  /// Events lost because the ring was full.
  public long droppedEvents() {
    return object.map("lifecycle_counters").perCpuSum(COUNTER_DROPPED);
  }

  /// Events that could not be read or handed on.
  public long failedEvents() {
    return ring.failures();
  }

  @Override
  public void close() {
    try (object) {
      ring.close();
    }
  }

  private static LifecycleEvent decode(MemorySegment sample) {
    int kind = sample.get(JAVA_INT, 0);
    return switch (kind) {
      case ExecEventLayout.KIND -> ExecEventLayout.decode(sample);
      case ExitEventLayout.KIND -> ExitEventLayout.decode(sample);
      case CgroupEventLayout.KIND_CREATED -> CgroupEventLayout.decodeCreated(sample);
      case CgroupEventLayout.KIND_REMOVED -> CgroupEventLayout.decodeRemoved(sample);
      case SocketLeftEventLayout.KIND -> SocketLeftEventLayout.decode(sample);
      default ->
          throw new IllegalArgumentException(
              "unknown record: kind=" + kind + ", sizeBytes=" + sample.byteSize());
    };
  }
}
