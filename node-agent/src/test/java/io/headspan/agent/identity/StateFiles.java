package io.headspan.agent.identity;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;

/// Writes container states of the shape that runc 1.1 writes, as far as it is read.
final class StateFiles {
  private StateFiles() {}

  static void write(Path root, String id, String cgroupDirectory, String... labels)
      throws IOException {
    Map<String, Object> state =
        Map.of(
            "id",
            id,
            "init_process_pid",
            1,
            "config",
            Map.of("labels", List.of(labels), "hostname", "runc"),
            "cgroup_paths",
            Map.of("", cgroupDirectory, "memory", "/sys/fs/cgroup/memory/" + id));
    Path directory = Files.createDirectories(root.resolve(id));
    Path written = directory.resolve("state.new");
    Files.write(written, new ObjectMapper().writeValueAsBytes(state));
    Files.move(written, directory.resolve("state.json"), StandardCopyOption.ATOMIC_MOVE);
  }
}
