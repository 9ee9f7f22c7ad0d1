package io.headspan.agent.identity;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Containers by `/proc/<pid>/cgroup` as engines have it with cgroups of version 1, with those of
/// version 2, and with both (`proc-cgroup`: documented layouts, ids made up). Each shares its port,
/// at the wildcard address, with a process of another network namespace in the same cgroup of
/// version 2.
class OldHierarchiesTest {
  private static final String ID =
      "3f1c8a4b5d6e7f809192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";
  private static final String UID = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
  private static final int CONTAINER_PID = 7;
  private static final int OTHER_PID = 9;
  private static final String V2 = "0::";

  @TempDir private Path directory;
  private Path mount;
  private Path states;
  private ProcFiles proc;

  @BeforeEach
  void makeTrees() throws IOException {
    mount = Files.createDirectories(directory.resolve("cgroup"));
    states = Files.createDirectories(directory.resolve("runc"));
    proc = new ProcFiles(Files.createDirectories(directory.resolve("proc")));
    process(CONTAINER_PID, "web", "net:[1]", "0100", "172.17.0.2");
    process(OTHER_PID, "other", "net:[2]", "0200", "172.17.0.3");
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      nullValues = "-",
      value = {
        "docker-cgroupfs-v1, ID, docker, -",
        "docker-cgroupfs-hybrid, ID, docker, -",
        "docker-systemd-hybrid, ID, docker, -",
        "docker-systemd-v2, ID, docker, -",
        "containerd-cgroupfs-v1, ID, -, UID",
        "containerd-mixed-v1, ID, containerd, UID",
        "containerd-systemd-hybrid, ID, containerd, UID",
        "containerd-systemd-v2, ID, containerd, UID",
        "crio-cgroupfs-v1, ID, cri-o, UID",
        "crio-systemd-v1, ID, cri-o, UID",
        "crio-systemd-v2, ID, cri-o, UID",
        "podman-cgroupfs-v1, ID, podman, -",
        "podman-systemd-v1, ID, podman, -",
        "podman-systemd-hybrid, ID, podman, -",
        "podman-systemd-v2, ID, podman, -",
        "nerdctl-cgroupfs-v1, ID, -, -",
        "nerdctl-systemd-v2, ID, containerd, -",
        "runc-systemd-v2, checkout-1, runc, -",
        "crun-systemd-v1, checkout-1, crun, -",
        "crun-systemd-v2, checkout-1, crun, -"
      })
  void knowsTheContainerInEveryLayout(
      String layout, String containerId, @Nullable String engine, @Nullable String podUid)
      throws IOException {
    Identity identity = identify(layout);
    assertThat(identity.runtime()).isEqualTo(InstanceRuntime.CONTAINER);
    assertThat(identity.containerId()).isEqualTo(containerId.equals("ID") ? ID : containerId);
    assertThat(identity.instance()).isEqualTo(identity.containerId());
    assertThat(identity.platform().get("container.runtime.name")).isEqualTo(engine);
    assertThat(identity.platform().get("k8s.pod.uid")).isEqualTo(podUid == null ? null : UID);
    assertThat(identity.tenant()).isNull();
  }

  /// Its cgroup's name says nothing; the runtime's state names the cgroup, of version 1.
  @Test
  void knowsAContainerOfVersionOneByItsStateAlone() throws IOException {
    StateFiles.write(states, "checkout-1", "", "io.headspan.tenant=acme");
    Identity identity = identify("runc-cgroupfs-v1");
    assertThat(identity.runtime()).isEqualTo(InstanceRuntime.CONTAINER);
    assertThat(identity.containerId()).isEqualTo("checkout-1");
    assertThat(identity.tenant()).isEqualTo("acme");
  }

  @Test
  void knowsAContainerOfBothVersionsByItsState() throws IOException {
    StateFiles.write(states, "checkout-1", mount + "/checkout-1", "io.headspan.tenant=acme");
    assertThat(identify("runc-cgroupfs-hybrid").tenant()).isEqualTo("acme");
  }

  /// Nobody says that it is a container.
  @Test
  void leavesAProcessAProcess() throws IOException {
    assertThat(identify("runc-cgroupfs-v1").runtime()).isEqualTo(InstanceRuntime.PROCESS);
  }

  @Test
  void callsAServiceByItsUnit() throws IOException {
    Identity identity = identify("service-v1");
    assertThat(identity.runtime()).isEqualTo(InstanceRuntime.PROCESS);
    assertThat(identity.serviceName()).isEqualTo("nginx");
  }

  /// Without delegation, rootless podman makes no cgroup of version 1.
  @Test
  void doesNotInventAContainerThatHasNoCgroup() throws IOException {
    Identity identity = identify("podman-rootless-v1");
    assertThat(identity.runtime()).isEqualTo(InstanceRuntime.PROCESS);
    assertThat(identity.serviceName()).isEqualTo("web");
    assertThat(identity.pid()).isEqualTo(CONTAINER_PID);
  }

  /// Who serves 172.17.0.2:8080, the cgroups of its process being those of the layout.
  private Identity identify(String layout) throws IOException {
    String cgroups = ProcFiles.cgroups(layout);
    proc.write(CONTAINER_PID, "cgroup", cgroups);
    String path =
        cgroups
            .lines()
            .filter(line -> line.startsWith(V2))
            .map(line -> line.substring(V2.length()))
            .findFirst()
            .orElseThrow();
    Path cgroup = Files.createDirectories(mount.resolve(path.substring(1)));
    Files.writeString(cgroup.resolve("cgroup.procs"), OTHER_PID + "\n" + CONTAINER_PID + "\n");
    long id = new CgroupTree(mount).id(path);
    IdentitySettings settings =
        new IdentitySettings(
            mount,
            proc.directory(),
            PlatformSettings.DEFAULT.withStateRoots(List.of(states.toString())),
            directory.resolve("run"),
            Duration.ofSeconds(10),
            100,
            Duration.ofSeconds(30));
    try (Identities identities = Identities.start(settings, (_, _) -> {}, System.nanoTime())) {
      InetSocketAddress local = new InetSocketAddress("172.17.0.2", 8080);
      long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
      while (true) {
        if (identities.ofServer(id, local, "GET", "/", 0) instanceof Identity identity) {
          return identity;
        }
        assertThat(System.nanoTime() - deadlineNs).as("30 s have passed").isNegative();
        LockSupport.parkNanos(1_000_000);
        identities.poll(System.nanoTime());
      }
    }
  }

  private void process(int pid, String command, String namespace, String inode, String address)
      throws IOException {
    proc.process(pid, command, pid, namespace, inode);
    proc.write(pid, "net/tcp", ProcFiles.tcp(0, "00000000:1F90", "0A", inode));
    proc.write(pid, "net/fib_trie", ProcFiles.routes(address));
    proc.write(pid, "cgroup", V2 + "/\n");
  }
}
