package io.headspan.agent.identity;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The files by which Wasm executors register.
public final class ExecutorRegistrations {
  private static final Pattern FILE = Pattern.compile("(\\d{1,9})\\.json");

  private ExecutorRegistrations() {}

  /// Registrations whose executor is gone without having withdrawn them.
  ///
  /// @throws IOException if they cannot be read
  public static List<Path> leftBehind(Path runDirectory) throws IOException {
    Path directory = runDirectory.resolve("executors");
    List<Path> left = new ArrayList<>();
    if (!Files.isDirectory(directory)) {
      return left;
    }
    Path proc = Path.of("/proc");
    Executors executors =
        new Executors(runDirectory, new Processes(proc, new CgroupTree(Path.of("/"))));
    try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
      for (Path file : files) {
        Matcher name = FILE.matcher(file.getFileName().toString());
        if (name.matches() && executors.isOfNobody(file)) {
          left.add(file);
        }
      }
    }
    return left;
  }
}
