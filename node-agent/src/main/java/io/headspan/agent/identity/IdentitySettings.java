package io.headspan.agent.identity;

import java.nio.file.Path;
import java.time.Duration;

/// Where identities come from and how long to look.
///
/// @param cgroupMount where the cgroup v2 hierarchy is mounted
/// @param proc where procfs is mounted, normally `/proc`
/// @param platforms which sources to ask
/// @param runDirectory where Wasm executors register
/// @param patience how long an exchange waits for its identity at most
/// @param waitingMax how many exchanges wait for theirs at most
/// @param grace how long what is gone is remembered for late exchanges
public record IdentitySettings(
    Path cgroupMount,
    Path proc,
    PlatformSettings platforms,
    Path runDirectory,
    Duration patience,
    int waitingMax,
    Duration grace) {}
