package io.headspan.agent.libbpf;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// How much of a busy processor a thread gets, as setpriority(2) and sched(7) have it: from -20,
/// the most, to 19. In Linux a matter of threads, which inherit it.
public final class Niceness {
  // <sys/resource.h>
  private static final int PRIO_PROCESS = 0;

  private Niceness() {}

  /// What the kernel calls the thread that calls.
  public static int threadId() {
    return Libbpf.threadId();
  }

  /// Sets the niceness of a thread of this process.
  ///
  /// @param threadId as [#threadId] says
  /// @throws LibbpfException if the kernel refuses, as it does below 0 without CAP_SYS_NICE
  public static void set(int threadId, int niceness) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment callState = Libbpf.newCallState(arena);
      if (Libbpf.setPriority(callState, PRIO_PROCESS, threadId, niceness) != 0) {
        throw LibbpfException.failed(
            "setpriority",
            "threadId=" + threadId + ", niceness=" + niceness,
            Libbpf.errno(callState),
            "");
      }
    }
  }
}
