package io.headspan.benchmarks.capture;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/// A program of this module in a process of its own.
final class JavaProgram {
  private JavaProgram() {}

  static List<String> command(Class<?> main, Object... arguments) {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-Xmx256m",
                "-cp",
                System.getProperty("java.class.path"),
                main.getName()));
    Stream.of(arguments).map(Object::toString).forEach(command::add);
    return command;
  }

  /// Runs a load generator to its end.
  static Application.Run run(Class<?> main, Object... arguments)
      throws IOException, InterruptedException {
    return RunReport.of(command(main, arguments));
  }
}
