package io.headspan.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// What processes have used so far, from `/proc` (proc(5)).
///
/// @param pids whose use is added up; none for processes that are not ours, which use nothing
public record ProcessUsage(List<Long> pids) {
  /// `sysconf(_SC_CLK_TCK)`, 100 on every Linux that this runs on.
  private static final double TICKS_PER_SECOND = 100;

  // Fields of /proc/PID/stat behind the command name, which may hold blanks.
  private static final int USER_TICKS = 14 - 3;
  private static final int SYSTEM_TICKS = 15 - 3;

  public static ProcessUsage of(Long... pids) {
    return new ProcessUsage(List.of(pids));
  }

  /// User and system time of all threads, s.
  public double cpuSeconds() throws IOException {
    long ticks = 0;
    for (long pid : pids) {
      String stat = Files.readString(Path.of("/proc", Long.toString(pid), "stat"));
      String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
      ticks += Long.parseLong(fields[USER_TICKS]) + Long.parseLong(fields[SYSTEM_TICKS]);
    }
    return ticks / TICKS_PER_SECOND;
  }

  /// Resident memory, MiB.
  public double residentMib() throws IOException {
    long kib = 0;
    for (long pid : pids) {
      kib += residentKib(pid);
    }
    return kib / 1024.0;
  }

  private static long residentKib(long pid) throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc", Long.toString(pid), "status"))) {
      if (line.startsWith("VmRSS:")) {
        return Long.parseLong(line.replaceAll("\\D", ""));
      }
    }
    throw new IOException("no VmRSS: pid=" + pid);
  }
}
