package io.headspan.agent.governor;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.lang.management.MemoryUsage;
import java.lang.management.ThreadInfo;
import java.lang.management.ThreadMXBean;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/// Measures what the agent uses. CPU is that of its process, with whatever the Java runtime and
/// libraries do there; but for [#COMPILING_NS] after the start, because what is compiled then is no
/// reason to give up anything. Before that, and in one process with other roles, it is that of the
/// agent's own threads, told by their names. Memory is what was left by the last garbage
/// collections, and what is outside of the heap: the size of the process would not fall again when
/// less is kept.
///
/// For one thread.
public final class OwnUse {
  /// What the agent's threads are called.
  public static final String THREADS = "headspan-";

  /// How long after the start only the agent's own threads count.
  static final long COMPILING_NS = TimeUnit.SECONDS.toNanos(30);

  private static final long NOT_COUNTED = -1;

  private final boolean alone;
  private final long startedNs;
  private final OperatingSystemMXBean process =
      ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
  private final ThreadMXBean threads = ManagementFactory.getThreadMXBean();
  private final List<MemoryPoolMXBean> pools = ManagementFactory.getMemoryPoolMXBeans();
  private final List<BufferPoolMXBean> buffers =
      ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class);
  private Map<Long, Long> cpuNsByThread = cpuNsByThread();
  private long processCpuNs = NOT_COUNTED;
  private long measuredNs;

  /// Begins to measure.
  ///
  /// @param alone whether the agent is all that there is in this process
  /// @param nowNs CLOCK_MONOTONIC
  public OwnUse(boolean alone, long nowNs) {
    this.alone = alone;
    startedNs = nowNs;
    measuredNs = nowNs;
  }

  /// What was used since the measurement before.
  public Use measure(long nowNs) {
    Map<Long, Long> now = cpuNsByThread();
    long usedNs = 0;
    for (Map.Entry<Long, Long> thread : now.entrySet()) {
      // What a thread used that has ended since is lost; those that matter do not end.
      usedNs += thread.getValue() - cpuNsByThread.getOrDefault(thread.getKey(), 0L);
    }
    if (alone && nowNs - startedNs >= COMPILING_NS) {
      long processNowNs = process.getProcessCpuTime();
      if (processCpuNs != NOT_COUNTED) {
        usedNs = processNowNs - processCpuNs;
      }
      processCpuNs = processNowNs;
    }
    long passedNs = Math.max(1, nowNs - measuredNs);
    cpuNsByThread = now;
    measuredNs = nowNs;
    return new Use((double) usedNs / passedNs, memoryBytes());
  }

  private Map<Long, Long> cpuNsByThread() {
    Map<Long, Long> used = new HashMap<>();
    for (ThreadInfo thread : threads.getThreadInfo(threads.getAllThreadIds())) {
      if (thread != null && thread.getThreadName().startsWith(THREADS)) {
        long cpuNs = threads.getThreadCpuTime(thread.getThreadId());
        if (cpuNs >= 0) { // it may have ended
          used.put(thread.getThreadId(), cpuNs);
        }
      }
    }
    return used;
  }

  private long memoryBytes() {
    long bytes = 0;
    for (MemoryPoolMXBean pool : pools) {
      // Without a collection yet there is nothing to tell what lives from what does not.
      MemoryUsage usage =
          pool.getType() == MemoryType.HEAP ? pool.getCollectionUsage() : pool.getUsage();
      bytes += usage == null ? 0 : usage.getUsed();
    }
    for (BufferPoolMXBean pool : buffers) {
      bytes += Math.max(0, pool.getMemoryUsed());
    }
    return bytes;
  }
}
