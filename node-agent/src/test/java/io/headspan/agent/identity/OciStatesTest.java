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
class OciStatesTest {
  private static final String LONG_ID =
      "3f1c8a4b5d6e7f809192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";

  @TempDir Path directory;
  private Path mount;
  private Path states;
  private OciStates containers;

  @BeforeEach
  void makeTrees() throws IOException {
    mount = Files.createDirectories(directory.resolve("cgroup/unified"));
    states = Files.createDirectories(directory.resolve("run/runc"));
    containers =
        new OciStates(
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
    ContainerFacts facts = find("/checkout-1").orElseThrow();
    assertThat(facts.id()).isEqualTo("checkout-1");
    assertThat(facts.image()).isEqualTo("acme/checkout:7");
    assertThat(Annotations.of(facts.annotations()))
        .isEqualTo(new Annotations("acme", "payments", "checkout", "7", "acme/checkout:7"));
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
    assertThat(find("/a").orElseThrow().annotations().get(Annotations.TENANT)).isEqualTo("acme");
  }

  /// crun's status, with the configuration that it copies beside it.
  @Test
  void readsContainersOfCrun() throws IOException {
    Path container = Files.createDirectories(states.resolve("checkout-2"));
    Files.writeString(
        container.resolve("status"),
        """
        {"pid": 7, "process-start-time": 70,
         "cgroup-path": "/machine.slice/libpod-x.scope/container", "scope": "libpod-x.scope",
         "rootfs": "/r", "systemd-cgroup": true, "bundle": "/nowhere"}
        """);
    Files.writeString(
        container.resolve("config.json"),
        """
        {"ociVersion": "1.0.2", "annotations": {"io.headspan.tenant": "acme"}}
        """);
    ContainerFacts facts = find("/machine.slice/libpod-x.scope/container").orElseThrow();
    assertThat(facts.id()).isEqualTo("checkout-2");
    assertThat(facts.annotations()).containsEntry("io.headspan.tenant", "acme");
    assertThat(find("/machine.slice/libpod-x.scope/container/below")).isPresent();
    assertThat(find("/machine.slice/libpod-x.scope")).isEmpty();
    assertThat(find("/libpod-x.scope/container")).isEmpty();
  }

  /// Where containers have cgroups of version 1 only, their states name those.
  @Test
  void findsTheContainerOfAVersion1Cgroup() throws IOException {
    writeState(states, "old", "/elsewhere", "io.headspan.tenant=acme");
    assertThat(find("/old").orElseThrow().id()).isEqualTo("old");
    assertThat(find("/memory/old")).as("not below a controller").isEmpty();
    assertThat(find("/ld")).isEmpty();
  }

  @Test
  void findsTheContainerOfACgroupBelowItsOwn() throws IOException {
    writeState(states, "a", "/a", "io.headspan.tenant=acme");
    assertThat(find("/a/init.scope").orElseThrow().id()).isEqualTo("a");
    assertThat(find("/a/b/c").orElseThrow().id()).isEqualTo("a");
  }

  /// A container that makes a cgroup of another's name below its own stays what it is.
  @Test
  void doesNotTakeTheNameOfACgroupForItsContainer() throws IOException {
    writeState(states, "victim", "/victim", "io.headspan.tenant=victim");
    writeState(states, "thief", "/thief", "io.headspan.tenant=thief");
    assertThat(find("/thief/victim").orElseThrow().annotations().get(Annotations.TENANT))
        .isEqualTo("thief");
    assertThat(find("/elsewhere/victim")).isEmpty();
    assertThat(find("/victim2")).isEmpty();
    assertThat(find("/runc-victim.scope")).isEmpty();
  }

  @Test
  void findsAContainerWhoseCgroupIsNamedOtherwise() throws IOException {
    writeState(states, "a", "/tenants/acme/checkout", "io.headspan.tenant=acme");
    assertThat(find("/tenants/acme/checkout").orElseThrow().id()).isEqualTo("a");
    assertThat(find("/tenants/acme")).isEmpty();
  }

  @Test
  void looksThroughAllRootsOfAPattern() throws IOException {
    Path moby = Files.createDirectories(directory.resolve("run/containerd/moby"));
    writeState(moby, "b", "/docker/b");
    assertThat(find("/docker/b").orElseThrow().id()).isEqualTo("b");
  }

  @Test
  void findsNothingWhereNoContainerIs() throws IOException {
    assertThat(find("/")).isEmpty();
    assertThat(find("/system.slice/ssh.service")).isEmpty();
    assertThat(find("/..")).isEmpty();
    assertThat(find("/x-...scope")).isEmpty();
  }

  @Test
  void saysWhichStateCannotBeRead() throws IOException {
    Path state = Files.createDirectories(states.resolve("a")).resolve("state.json");
    Files.writeString(state, "{\"id\": \"a");
    assertThatThrownBy(() -> find("/a"))
        .isInstanceOf(IOException.class)
        .hasMessage("file is not JSON: file=" + state);
  }

  @Test
  void knowsTheIdsThatACgroupNameMayStandFor() {
    assertThat(OciStates.candidateIds("/a/runc-my-id.scope"))
        .containsExactly("my-id", "id", "runc-my-id", "runc-my-id.scope");
    assertThat(OciStates.candidateIds("/kubepods/pod1/cri-containerd-" + LONG_ID + ".scope"))
        .contains(LONG_ID);
    assertThat(OciStates.candidateIds("/my-id")).containsExactly("my-id");
    assertThat(OciStates.candidateIds("/not an id")).isEmpty();
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
    Annotations annotations = Annotations.of(find("/a").orElseThrow().annotations());
    assertThat(annotations.tenant()).isNull();
    assertThat(annotations.function()).hasSize(256);
  }

  private Optional<ContainerFacts> find(String path) throws IOException {
    return containers.find(path, CgroupPath.parse(path));
  }

  private void writeState(Path root, String id, String cgroup, String... labels)
      throws IOException {
    StateFiles.write(root, id, mount + cgroup, labels);
  }
}
