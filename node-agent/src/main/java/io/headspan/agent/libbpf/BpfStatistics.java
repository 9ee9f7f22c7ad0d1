package io.headspan.agent.libbpf;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Has the kernel count runs and run time of every BPF program of the machine, from opening to
/// closing (5.8). It costs each run tens of nanoseconds, part of which the reading contains: for
/// benchmarks.
public final class BpfStatistics implements AutoCloseable {
  // struct bpf_prog_info of <linux/bpf.h>, up to run_cnt.
  private static final long INFO_SIZE_BYTES = 208;
  private static final long INFO_RUN_TIME = 192;
  private static final long INFO_RUN_COUNT = 200;

  /// How often a program ran, and for how long.
  ///
  /// @param runTimeNs time spent in the program while counting was on, all CPUs together
  /// @param runCount how often it ran meanwhile
  public record Runs(long runTimeNs, long runCount) {
    /// What happened since `earlier`.
    public Runs since(Runs earlier) {
      return new Runs(runTimeNs - earlier.runTimeNs, runCount - earlier.runCount);
    }
  }

  private final FileDescriptor counting;

  private BpfStatistics(FileDescriptor counting) {
    this.counting = counting;
  }

  /// Starts counting.
  public static BpfStatistics enable() {
    int fd = Libbpf.enableStats(Libbpf.BPF_STATS_RUN_TIME);
    if (fd < 0) {
      throw LibbpfException.failed("bpf_enable_stats", "type=BPF_STATS_RUN_TIME", -fd, "");
    }
    return new BpfStatistics(new FileDescriptor("run time statistics", fd));
  }

  /// The totals of a loaded program since it was loaded, as far as counting was on.
  public static Runs of(BpfProgram program) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment info = arena.allocate(INFO_SIZE_BYTES, Long.BYTES);
      MemorySegment size = arena.allocateFrom(JAVA_INT, (int) INFO_SIZE_BYTES);
      int result = Libbpf.objectInfo(program.fd(), info, size);
      if (result < 0) {
        throw LibbpfException.failed(
            "bpf_obj_get_info_by_fd", "program=" + program.name(), -result, "");
      }
      return new Runs(info.get(JAVA_LONG, INFO_RUN_TIME), info.get(JAVA_LONG, INFO_RUN_COUNT));
    }
  }

  /// Stops counting, unless somebody else has it on too.
  @Override
  public void close() {
    counting.close();
  }
}
