package io.headspan.agent.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// State files of the shape that runc 1.1 writes.
class RuncContainersTest {
  private static final String LONG_ID =
      "3f1c8a4b5d6e7f809192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";

  @TempDir Path directory;
  private Path mount;
  private Path states;
  private RuncContainers containers;

  @BeforeEach
  void makeTrees() throws IOException {
    mount = Files.createDirectories(directory.resolve("cgroup/unified"));
    states = Files.createDirectories(directory.resolve("run/runc"));
    containers =
        new RuncContainers(
            List.of(states.toString(), directory + "/run/containerd/*"), new CgroupTree(mount));
  }

  @Test
  void readsAnnotationsOfAContainerByItsCgroup() throws IOException {
    writeState(
        states,
        "checkout-1",
        "/checkout-1",
        "io.headspan.tenant=acme",
        "io.headspan.team=payments",
        "io.headspan.function=checkout",
        "io.headspan.version=7",
        "org.opencontainers.image.ref.name=acme/checkout:7");
    Identity identity = containers.find("/checkout-1").orElseThrow();
    assertThat(identity)
        .isEqualTo(
            new Identity(
                InstanceRuntime.CONTAINER,
                "checkout",
                "acme",
                "payments",
                "checkout",
                "7",
                "checkout-1",
                "checkout-1",
                "acme/checkout:7",
                null,
                0));
  }

  @Test
  void namesAContainerWithoutAnnotationsByItsShortIdAndGivesItNoTenant() throws IOException {
    writeState(states, LONG_ID, "/system.slice/runc-" + LONG_ID + ".scope");
    Identity identity = containers.find("/system.slice/runc-" + LONG_ID + ".scope").orElseThrow();
    assertThat(identity.serviceName()).isEqualTo("3f1c8a4b5d6e");
    assertThat(identity.containerId()).isEqualTo(LONG_ID);
    assertThat(identity.tenant()).isNull();
    assertThat(identity.function()).isNull();
  }

  @Test
  void takesAnnotationsFromTheBundleIfTheStateHasNone() throws IOException {
    Path bundle = Files.createDirectories(directory.resolve("bundle"));
    Files.writeString(
        bundle.resolve("config.json"),
        """
        {"ociVersion": "1.0.2", "annotations": {"io.headspan.tenant": "acme", "other": "x"}}
        """);
    writeState(states, "a", "/a", "bundle=" + bundle);
    assertThat(containers.find("/a").orElseThrow().tenant()).isEqualTo("acme");
  }

  @Test
  void findsTheContainerOfACgroupBelowItsOwn() throws IOException {
    writeState(states, "a", "/a", "io.headspan.tenant=acme");
    assertThat(containers.find("/a/init.scope").orElseThrow().containerId()).isEqualTo("a");
    assertThat(containers.find("/a/b/c").orElseThrow().containerId()).isEqualTo("a");
  }

  /// A container that makes a cgroup of another's name below its own stays what it is.
  @Test
  void doesNotTakeTheNameOfACgroupForItsContainer() throws IOException {
    writeState(states, "victim", "/victim", "io.headspan.tenant=victim");
    writeState(states, "thief", "/thief", "io.headspan.tenant=thief");
    assertThat(containers.find("/thief/victim").orElseThrow().tenant()).isEqualTo("thief");
    assertThat(containers.find("/elsewhere/victim")).isEmpty();
    assertThat(containers.find("/victim2")).isEmpty();
    assertThat(containers.find("/runc-victim.scope")).isEmpty();
  }

  @Test
  void findsAContainerWhoseCgroupIsNamedOtherwise() throws IOException {
    writeState(states, "a", "/tenants/acme/checkout", "io.headspan.tenant=acme");
    assertThat(containers.find("/tenants/acme/checkout").orElseThrow().containerId())
        .isEqualTo("a");
    assertThat(containers.find("/tenants/acme")).isEmpty();
  }

  @Test
  void looksThroughAllRootsOfAPattern() throws IOException {
    Path moby = Files.createDirectories(directory.resolve("run/containerd/moby"));
    writeState(moby, "b", "/docker/b");
    assertThat(containers.find("/docker/b").orElseThrow().containerId()).isEqualTo("b");
  }

  @Test
  void findsNothingWhereNoContainerIs() throws IOException {
    assertThat(containers.find("/")).isEmpty();
    assertThat(containers.find("/system.slice/ssh.service")).isEmpty();
    assertThat(containers.find("/..")).isEmpty();
    assertThat(containers.find("/x-...scope")).isEmpty();
  }

  @Test
  void saysWhichStateCannotBeRead() throws IOException {
    Path state = Files.createDirectories(states.resolve("a")).resolve("state.json");
    Files.writeString(state, "{\"id\": \"a");
    assertThatThrownBy(() -> containers.find("/a"))
        .isInstanceOf(IOException.class)
        .hasMessage("file is not JSON: file=" + state);
  }

  @Test
  void knowsTheIdsThatACgroupNameMayStandFor() {
    assertThat(RuncContainers.candidateIds("/a/runc-my-id.scope"))
        .containsExactly("my-id", "id", "runc-my-id", "runc-my-id.scope");
    assertThat(RuncContainers.candidateIds("/kubepods/pod1/cri-containerd-" + LONG_ID + ".scope"))
        .contains(LONG_ID);
    assertThat(RuncContainers.candidateIds("/my-id")).containsExactly("my-id");
    assertThat(RuncContainers.candidateIds("/not an id")).isEmpty();
  }

  @Test
  void leavesAnnotationsAloneThatAreEmptyAndCutsLongOnes() throws IOException {
    writeState(
        states,
        "a",
        "/a",
        "io.headspan.tenant= ",
        "io.headspan.function=" + "f".repeat(1000),
        "broken",
        "=x");
    Optional<Identity> identity = containers.find("/a");
    assertThat(identity.orElseThrow().tenant()).isNull();
    assertThat(identity.orElseThrow().function()).hasSize(256);
  }

  private void writeState(Path root, String id, String cgroup, String... labels)
      throws IOException {
    StateFiles.write(root, id, mount + cgroup, labels);
  }
}
