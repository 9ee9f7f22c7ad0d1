package io.headspan.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.launcher.Headspan;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `headspan demo`, as a user runs it.
@Tag("privileged")
final class DemoBpfIT {
  @TempDir private Path directory;

  @Test
  void findsEveryInvocationItSentAndLeavesNothing() throws Exception {
    Process demo = start("--for", "10s", "--listen", "127.0.0.1:0");
    try {
      assertThat(demo.waitFor(180, TimeUnit.SECONDS)).as("ended by itself").isTrue();
      String output = output();
      assertThat(demo.exitValue()).as(output).isZero();
      assertThat(output).contains(" 0 wrong or missing").contains("gateway").contains("wasm");
      assertThat(leftBehind(demo.pid())).isEmpty();
    } finally {
      demo.destroyForcibly();
    }
  }

  @Test
  void leavesNothingAfterAnInterrupt() throws Exception {
    Process demo = start("--listen", "127.0.0.1:0");
    try {
      awaitOutput(demo, "running until Ctrl-C");
      new ProcessBuilder("kill", "-INT", Long.toString(demo.pid())).start().waitFor();
      assertThat(demo.waitFor(90, TimeUnit.SECONDS)).as("ended after SIGINT").isTrue();
      assertThat(demo.exitValue()).as(output()).isEqualTo(130);
      assertThat(leftBehind(demo.pid())).isEmpty();
    } finally {
      demo.destroyForcibly();
    }
  }

  private Process start(String... arguments) throws Exception {
    List<String> command =
        Stream.concat(
                Stream.of(
                    // Whoever runs tests in the background may have them ignore interrupts.
                    "env",
                    "--default-signal=INT",
                    System.getProperty("java.home") + "/bin/java",
                    "--enable-native-access=ALL-UNNAMED",
                    "--add-opens=java.base/java.nio=ALL-UNNAMED",
                    "--sun-misc-unsafe-memory-access=allow",
                    "-Djava.io.tmpdir=" + directory,
                    "-cp",
                    System.getProperty("java.class.path"),
                    Headspan.class.getName(),
                    "demo"),
                Stream.of(arguments))
            .toList();
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(directory.resolve("demo.out").toFile())
        .start();
  }

  private String output() throws Exception {
    return Files.readString(directory.resolve("demo.out"), StandardCharsets.UTF_8);
  }

  private void awaitOutput(Process demo, String text) throws Exception {
    long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(120);
    while (!output().contains(text)) {
      assertThat(demo.isAlive()).as(output()).isTrue();
      assertThat(System.nanoTime() - deadlineNs).as(output()).isNegative();
      demo.waitFor(100, TimeUnit.MILLISECONDS);
    }
  }

  /// Containers, processes and temporary directories of the demo that are still there.
  private List<String> leftBehind(long pid) throws Exception {
    Stream<String> containers;
    Path states = Path.of("/run/runc");
    if (Files.isDirectory(states)) {
      try (Stream<Path> all = Files.list(states)) {
        containers =
            all
                .map(path -> path.getFileName().toString())
                .filter(name -> name.startsWith("headspan-demo-") && name.endsWith("-" + pid))
                .toList()
                .stream();
      }
    } else {
      containers = Stream.empty();
    }
    Stream<String> processes =
        ProcessHandle.allProcesses()
            .filter(process -> process.parent().map(parent -> parent.pid() == pid).orElse(false))
            .map(process -> "process " + process.pid());
    try (Stream<Path> files = Files.list(directory)) {
      Stream<String> directories =
          files
              .map(path -> path.getFileName().toString())
              .filter(name -> name.startsWith("headspan-"))
              .toList()
              .stream();
      return Stream.of(containers, processes, directories).flatMap(stream -> stream).toList();
    }
  }
}
