package io.headspan.benchmarks.capture;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// What a process has used, from `/proc`.
final class ProcessUsage {
  private static final double TICKS_PER_SECOND = 100;

  private ProcessUsage() {}

  /// CPU seconds used so far by all threads of the process.
  static double cpuSeconds(long pid) throws IOException {
    String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
    // Fields after the command name, which may hold spaces; utime and stime are fields 14 and 15.
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
    return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / TICKS_PER_SECOND;
  }

  /// Resident memory, MiB.
  static double residentMib(long pid) throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/status"))) {
      if (line.startsWith("VmRSS:")) {
        return Long.parseLong(line.replaceAll("\\D", "")) / 1024.0;
      }
    }
    throw new IOException("no VmRSS: pid=" + pid);
  }
}
