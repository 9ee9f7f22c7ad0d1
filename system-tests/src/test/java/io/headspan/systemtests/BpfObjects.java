package io.headspan.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/// What a process holds in the kernel: BPF programs, maps and links, by kind and id.
///
/// @param kindsAndIds such as `prog 12`
record BpfObjects(Set<String> kindsAndIds) {
  private static final Set<String> KINDS = Set.of("prog", "map", "link");

  static BpfObjects heldBy(long pid) {
    Set<String> objects = new HashSet<>();
    try (Stream<Path> files = Files.list(Path.of("/proc/" + pid + "/fdinfo"))) {
      for (Path file : files.toList()) {
        for (String line : lines(file)) {
          int colon = line.indexOf("_id:");
          if (colon > 0 && KINDS.contains(line.substring(0, colon))) {
            objects.add(line.substring(0, colon) + " " + line.substring(colon + 4).strip());
          }
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    for (String kind : KINDS) {
      assertThat(objects).as("what process %d holds", pid).anyMatch(each -> each.startsWith(kind));
    }
    return new BpfObjects(Set.copyOf(objects));
  }

  /// Whether none of them is in the kernel any more; it frees them a grace period after their end.
  boolean areGone() {
    return kindsAndIds.stream().noneMatch(BpfObjects::isThere);
  }

  private static List<String> lines(Path file) throws IOException {
    try {
      return Files.readAllLines(file);
    } catch (NoSuchFileException e) {
      // It was closed meanwhile.
      return List.of();
    }
  }

  private static boolean isThere(String object) {
    String[] kindAndId = object.split(" ", 2);
    try {
      Process bpftool =
          new ProcessBuilder("/usr/sbin/bpftool", kindAndId[0], "show", "id", kindAndId[1])
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
      assertThat(bpftool.waitFor(10, TimeUnit.SECONDS)).as("bpftool ended").isTrue();
      return bpftool.exitValue() == 0;
    } catch (IOException e) {
      throw new UncheckedIOException("bpftool cannot be run", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }
}
