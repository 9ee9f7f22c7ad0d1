package io.headspan.agent.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Files of the shape that Docker writes, as far as they are read.
class DockerFilesTest {
  private static final String ID = "0123456789abcdef".repeat(4);

  @TempDir private Path root;
  private Path container;
  private DockerFiles docker;

  @BeforeEach
  void write() throws IOException {
    container = Files.createDirectories(root.resolve("containers/" + ID));
    Files.writeString(
        container.resolve("config.v2.json"),
        """
        {"ID": "%s", "Name": "/shop-web", "State": {"Running": true},
         "Config": {"Image": "shop/web:7", "Labels": {"com.example.team": "payments"}}}
        """
            .formatted(ID));
    docker = new DockerFiles(root);
  }

  @Test
  void tellsNameImageAndLabels() throws IOException {
    for (String path : new String[] {"/docker/" + ID, "/system.slice/docker-" + ID + ".scope"}) {
      ContainerFacts facts = docker.find(path, CgroupPath.parse(path)).orElseThrow();
      assertThat(facts.name()).isEqualTo("shop-web");
      assertThat(facts.image()).isEqualTo("shop/web:7");
      assertThat(facts.engine()).isEqualTo(ContainerEngine.DOCKER);
      assertThat(facts.labels()).isEqualTo(Map.of("com.example.team", "payments"));
      assertThat(facts.annotations()).isEmpty();
    }
  }

  @Test
  void tellsAnnotations() throws IOException {
    Files.writeString(
        container.resolve("hostconfig.json"),
        """
        {"NetworkMode": "bridge", "Annotations": {"io.headspan.tenant": "acme"}}
        """);
    String path = "/docker/" + ID;
    assertThat(docker.find(path, CgroupPath.parse(path)).orElseThrow().annotations())
        .containsEntry("io.headspan.tenant", "acme");
  }

  /// A user's own cgroups may bear any name.
  @Test
  void doesNotBelieveDelegatedCgroups() throws IOException {
    String path = "/user.slice/user-1.slice/user@1.service/docker-" + ID + ".scope";
    assertThat(docker.find(path, CgroupPath.parse(path))).isEmpty();
  }

  @Test
  void knowsNothingOfOthersContainers() throws IOException {
    String other = "/docker/" + "f".repeat(64);
    assertThat(docker.find(other, CgroupPath.parse(other))).isEmpty();
    String podman = "/machine.slice/libpod-" + ID + ".scope";
    assertThat(docker.find(podman, CgroupPath.parse(podman))).isEmpty();
    assertThat(docker.expects(CgroupPath.parse("/system.slice/x.service"))).isFalse();
  }

  @Test
  void saysWhichFileCannotBeRead() throws IOException {
    Path file = Files.writeString(container.resolve("config.v2.json"), "{");
    String path = "/docker/" + ID;
    assertThatThrownBy(() -> docker.find(path, CgroupPath.parse(path)))
        .isInstanceOf(IOException.class)
        .hasMessage("file is not JSON: file=" + file);
  }
}
