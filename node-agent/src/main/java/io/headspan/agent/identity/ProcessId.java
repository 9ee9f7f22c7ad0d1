package io.headspan.agent.identity;

/// A process, told from others that had its pid before.
///
/// @param startTicks when it started, in clock ticks since boot: field 22 of `/proc/<pid>/stat`
record ProcessId(int pid, long startTicks) {
  /// The process as an instance's name.
  String instance() {
    return pid + "@" + startTicks;
  }
}
