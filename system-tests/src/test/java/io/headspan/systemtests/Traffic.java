package io.headspan.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.loadgen.http.TrafficMain;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/// A run of [TrafficMain] in a process of its own, and what it wrote down.
final class Traffic implements AutoCloseable {
  private final Process process;
  private final Path log;
  private final Path output;

  /// What was sent, by trace id.
  ///
  /// @param parent the span id in the request's `traceparent`
  /// @param connectedNs when its connection was made, CLOCK_MONOTONIC, as the other times
  record Sent(
      String traceId,
      String parent,
      String method,
      int status,
      long connectedNs,
      long sentNs,
      long answeredNs) {}

  private Traffic(Process process, Path log, Path output) {
    this.process = process;
    this.log = log;
    this.output = output;
  }

  /// @param wrap how to run the command, e.g. in another network namespace
  static Traffic start(
      Path directory, String target, UnaryOperator<List<String>> wrap, String... arguments)
      throws IOException {
    Path log = Files.createTempFile(directory, "traffic", ".log");
    Path output = Files.createTempFile(directory, "traffic", ".out");
    List<String> command =
        new ArrayList<>(
            List.of(
                System.getProperty("java.home") + "/bin/java",
                "-XX:+UseSerialGC",
                "-cp",
                System.getProperty("java.class.path"),
                TrafficMain.class.getName(),
                "--target",
                target,
                "--log",
                log.toString()));
    command.addAll(List.of(arguments));
    Process process =
        new ProcessBuilder(wrap.apply(command))
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    return new Traffic(process, log, output);
  }

  /// Waits until all is sent and answered; fails with the program's output if it was not.
  Map<String, Sent> await(long timeoutSeconds) throws IOException, InterruptedException {
    assertThat(process.waitFor(timeoutSeconds, TimeUnit.SECONDS))
        .as("traffic ended within %d s", timeoutSeconds)
        .isTrue();
    assertThat(process.exitValue()).as(Files.readString(output)).isZero();
    Map<String, Sent> sent = new HashMap<>();
    for (String line : Files.readAllLines(log)) {
      String[] fields = line.split(" ", -1);
      sent.put(
          fields[0],
          new Sent(
              fields[0],
              fields[1],
              fields[2],
              Integer.parseInt(fields[3]),
              Long.parseLong(fields[4]),
              Long.parseLong(fields[5]),
              Long.parseLong(fields[6])));
    }
    return sent;
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
