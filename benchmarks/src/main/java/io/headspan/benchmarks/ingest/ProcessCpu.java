package io.headspan.benchmarks.ingest;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/// The CPU time that processes have used so far, from `/proc/PID/stat` (proc(5), fields 14 and 15).
final class ProcessCpu {
  /// `sysconf(_SC_CLK_TCK)`, 100 on every Linux that this runs on.
  private static final double TICKS_PER_SECOND = 100;

  private static final int USER_TICKS = 14;
  private static final int SYSTEM_TICKS = 15;

  private final long[] pids;

  ProcessCpu(long... pids) {
    this.pids = pids.clone();
  }

  /// User and system time of all of them together, s.
  double seconds() throws IOException {
    double sum = 0;
    for (long pid : pids) {
      sum += ticks(Files.readString(Path.of("/proc", String.valueOf(pid), "stat")));
    }
    return sum / TICKS_PER_SECOND;
  }

  private static long ticks(String stat) {
    // The name, field 2, stands in brackets and may hold blanks.
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
    return Arrays.stream(new int[] {USER_TICKS, SYSTEM_TICKS})
        .mapToLong(field -> Long.parseLong(fields[field - 3]))
        .sum();
  }
}
