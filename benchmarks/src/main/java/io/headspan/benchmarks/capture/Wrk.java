package io.headspan.benchmarks.capture;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// Runs of Debian's `wrk` with our script, which gives every request a known `traceparent`.
final class Wrk {
  private static final Pattern FIELD = Pattern.compile("(\\w+)=([0-9.]+)");

  private final Path script;

  /// What a run did.
  ///
  /// @param requests answered
  /// @param perSecond requests per second
  /// @param p50Us median latency, µs
  /// @param p99Us 99th percentile, µs
  /// @param errors connections and reads that failed
  record Run(long requests, double perSecond, double p50Us, double p99Us, long errors) {}

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
    Process process =
        new ProcessBuilder(
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
                    Integer.toString(pauseMillis)))
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (!process.waitFor(10, TimeUnit.SECONDS) || process.exitValue() != 0) {
      process.destroyForcibly();
      throw new IOException("wrk failed: output=" + output);
    }
    Map<String, String> fields =
        FIELD
            .matcher(output.substring(output.indexOf("requests=")))
            .results()
            .collect(Collectors.toMap((MatchResult r) -> r.group(1), r -> r.group(2)));
    double requests = number(fields, "requests");
    return new Run(
        (long) requests,
        requests / number(fields, "seconds"),
        number(fields, "p50_us"),
        number(fields, "p99_us"),
        (long) number(fields, "errors"));
  }

  private static double number(Map<String, String> fields, String name) {
    String value = fields.get(name);
    if (value == null) {
      throw new IllegalStateException("wrk did not report: field=" + name);
    }
    return Double.parseDouble(value);
  }
}
