package io.headspan.launcher;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/// How to run the demo.
///
/// @param runFor end after this long; run until interrupted if empty
/// @param listen where the query API listens, `host:port`
/// @param store a ClickHouse to use instead of the embedded engine, as a URL
/// @param data directory of the embedded engine's data; a temporary one, removed at the end, if
///   empty
/// @param requestsPerSecond how fast to send
record DemoOptions(
    Optional<Duration> runFor,
    String listen,
    Optional<String> store,
    Optional<Path> data,
    int requestsPerSecond) {}
