package io.headspan.benchmarks.capture;

import io.headspan.benchmarks.capture.Application.Run;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// Runs of Debian's `wrk` with our script, which gives every request a known `traceparent`.
final class Wrk {
  private final Path script;

  Wrk(Path directory) throws IOException {
    script = directory.resolve("traffic.lua");
    try (InputStream resource = Wrk.class.getResourceAsStream("traffic.lua")) {
      if (resource == null) {
        throw new IOException("resource missing: traffic.lua");
      }
      Files.write(script, resource.readAllBytes());
    }
  }

  /// Drives `url` with one thread.
  ///
  /// @param prefix 16 hex digits that begin the trace ids
  /// @param connections open at once
  /// @param pauseMillis between two requests of a connection; 0 for as fast as answered
  Run run(String url, String prefix, int connections, int pauseMillis, int seconds)
      throws IOException, InterruptedException {
    return RunReport.of(
        List.of(
            "wrk",
            "-t1",
            "-c" + connections,
            "-d" + seconds + "s",
            "-s",
            script.toString(),
            url,
            "--",
            prefix,
            Integer.toString(pauseMillis)));
  }
}
