package io.headspan.agent.governor;

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

/// Measures what the agent uses. CPU is that of its own threads, told by their names, so that an
/// agent in one process with other roles does not pay for them, nor for compiling at its start.
/// Memory is what was left by the last garbage collections, and what is outside of the heap: the
/// size of the process would not fall again when less is kept.
///
/// For one thread.
public final class OwnUse {
  /// What the agent's threads are called.
  public static final String THREADS = "headspan-";

  private final ThreadMXBean threads = ManagementFactory.getThreadMXBean();
  private final List<MemoryPoolMXBean> pools = ManagementFactory.getMemoryPoolMXBeans();
  private final List<BufferPoolMXBean> buffers =
      ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class);
  private Map<Long, Long> cpuNsByThread = cpuNsByThread();
  private long measuredNs;

  /// Begins to measure.
  ///
  /// @param nowNs CLOCK_MONOTONIC
  public OwnUse(long nowNs) {
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
