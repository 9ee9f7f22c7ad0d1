package io.headspan.benchmarks.capture;

import io.headspan.benchmarks.capture.Application.Run;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// The line with which a load generator ends, and its reading: `requests=N seconds=S p50_us=P
/// p99_us=P errors=N`.
final class RunReport {
  private static final Pattern FIELD = Pattern.compile("(\\w+)=([0-9.]+)");

  private RunReport() {}

  static String line(long requests, double seconds, double p50Us, double p99Us, long errors) {
    return String.format(
        Locale.ROOT,
        "requests=%d seconds=%.6f p50_us=%.1f p99_us=%.1f errors=%d",
        requests,
        seconds,
        p50Us,
        p99Us,
        errors);
  }

  /// Runs a load generator to its end and reads what it says.
  static Run of(List<String> command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    int start = output.indexOf("requests=");
    if (!process.waitFor(10, TimeUnit.SECONDS) || process.exitValue() != 0 || start < 0) {
      process.destroyForcibly();
      throw new IOException(command.getFirst() + " failed: output=" + output);
    }
    Map<String, String> fields =
        FIELD
            .matcher(output.substring(start))
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
      throw new IllegalStateException("the load generator did not report: field=" + name);
    }
    return Double.parseDouble(value);
  }
}
