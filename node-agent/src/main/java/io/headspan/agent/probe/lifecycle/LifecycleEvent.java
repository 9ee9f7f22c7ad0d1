package io.headspan.agent.probe.lifecycle;

/// What happened to a process or a cgroup. Times are CLOCK_MONOTONIC nanoseconds.
public sealed interface LifecycleEvent {
  long timeNs();

  /// A process replaced its image.
  record Exec(long timeNs, int pid, long cgroupId, String filename) implements LifecycleEvent {}

  /// The last thread of a process ended. `exitCode` is the kernel's: signal in the low 7 bits,
  /// status in the next byte.
  record Exit(long timeNs, int pid, long cgroupId, int exitCode) implements LifecycleEvent {}

  /// A cgroup of the v2 hierarchy was made. `path` is relative to the hierarchy's root.
  record CgroupCreated(long timeNs, long cgroupId, String path) implements LifecycleEvent {}

  /// A cgroup of the v2 hierarchy was removed.
  record CgroupRemoved(long timeNs, long cgroupId, String path) implements LifecycleEvent {}

  /// A process that ends closed a connection, the one of the socket `cookie`, on its way out.
  ///
  /// @param exitCode as of [Exit]
  /// @param oomKilled whether the kernel killed the process for memory
  record SocketLeft(
      long timeNs, int pid, long cookie, long cgroupId, int exitCode, boolean oomKilled)
      implements LifecycleEvent {}
}
