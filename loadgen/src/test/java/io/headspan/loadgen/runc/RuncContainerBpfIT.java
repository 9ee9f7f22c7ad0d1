package io.headspan.loadgen.runc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.loadgen.http.HttpConnection;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("privileged")
final class RuncContainerBpfIT {
  @Test
  void servesInItsOwnCgroupAndLeavesNothing() throws Exception {
    String id = "headspan-test-" + ProcessHandle.current().pid();
    Path cgroups = cgroup2();
    try (RuncContainer container =
        RuncContainer.startHttpService(
            RuncContainer.httpService(id, List.of("--port", "0"))
                .asFunction("acme", "hello", "1"))) {
      int port = Integer.parseInt(container.readyLine().substring("ready on ".length()));
      try (HttpConnection connection =
          HttpConnection.open(new InetSocketAddress("127.0.0.1", port), Duration.ofSeconds(10))) {
        byte[] request = HttpConnection.request("GET", "/a?status=503", "h", "");
        connection.send(request, 1, 1, 3);
        assertThat(connection.readResponse(false)).isEqualTo(503);
        connection.send(HttpConnection.request("GET", "/a?bytes=70000", "h", ""));
        assertThat(connection.readResponse(false)).isEqualTo(200);
      }
      assertThat(directoriesNamed(cgroups, id)).isNotEmpty();
    }
    assertThat(directoriesNamed(cgroups, id)).isEmpty();
    assertThat(Path.of("/run/runc", id)).doesNotExist();
  }

  @Test
  void saysWhatTheContainerPrintedWhenItEndsBeforeItIsReady() {
    ContainerSpec spec =
        ContainerSpec.of(
            "headspan-fails-" + ProcessHandle.current().pid(),
            List.of("/bin/sh", "-c", "echo no luck; exit 3"));
    assertThatThrownBy(() -> RuncContainer.start(spec, "ready"::equals, Duration.ofSeconds(20)))
        .isInstanceOf(RuncException.class)
        .hasMessageContaining("no luck");
  }

  private static Path cgroup2() throws Exception {
    return Files.readAllLines(Path.of("/proc/mounts")).stream()
        .map(line -> line.split(" "))
        .filter(fields -> fields[2].equals("cgroup2"))
        .map(fields -> Path.of(fields[1]))
        .findFirst()
        .orElseThrow();
  }

  private static List<Path> directoriesNamed(Path root, String name) throws Exception {
    try (Stream<Path> paths = Files.walk(root)) {
      return paths.filter(path -> path.getFileName().toString().equals(name)).toList();
    }
  }
}
