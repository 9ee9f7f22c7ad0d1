package io.headspan.agent.identity;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/// Where identities come from and how long to look.
///
/// @param cgroupMount where the cgroup v2 hierarchy is mounted
/// @param proc where procfs is mounted, normally `/proc`
/// @param containerStateRoots directories of runc's container states; `*` stands for any one
///   element
/// @param runDirectory where Wasm executors register
/// @param patience how long an exchange waits for its identity at most
/// @param waitingMax how many exchanges wait for theirs at most
/// @param grace how long what is gone is remembered for late exchanges
public record IdentitySettings(
    Path cgroupMount,
    Path proc,
    List<String> containerStateRoots,
    Path runDirectory,
    Duration patience,
    int waitingMax,
    Duration grace) {
  public static final List<String> DEFAULT_STATE_ROOTS =
      List.of("/run/runc", "/run/containerd/runc/*", "/run/docker/runtime-runc/*");
}
