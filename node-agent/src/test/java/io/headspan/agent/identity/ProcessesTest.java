package io.headspan.agent.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.agent.identity.Processes.Listener;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Against the real `/proc`, with this process in a cgroup of a made-up hierarchy.
class ProcessesTest {
  private static final Path PROC = Path.of("/proc");
  private static final int OWN_PID = (int) ProcessHandle.current().pid();

  @TempDir Path mount;
  private ProcFiles proc;
  private Processes processes;

  @BeforeEach
  void makeCgroup() throws IOException {
    cgroup("/own", OWN_PID + "\n");
    proc = new ProcFiles(Files.createDirectories(mount.resolve("proc")));
    processes = new Processes(PROC, new CgroupTree(mount));
  }

  @Test
  void findsTheProcessBehindAPort() throws Exception {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
      Listener listener = processes.findListener("/own", local(socket)).orElseThrow();
      assertThat(listener.process()).isEqualTo(processes.process(OWN_PID).orElseThrow());
      assertThat(listener.identity().runtime()).isEqualTo(InstanceRuntime.PROCESS);
      assertThat(listener.identity().serviceName()).isEqualTo("java");
      assertThat(listener.identity().pid()).isEqualTo(OWN_PID);
      assertThat(listener.identity().instance())
          .isEqualTo(OWN_PID + "@" + listener.process().startTicks());
      assertThat(listener.identity().tenant()).isNull();
    }
  }

  @Test
  void findsASocketThatTakesBothFamilies() throws Exception {
    try (ServerSocket socket = new ServerSocket(0)) {
      assertThat(processes.findListener("/own", local(socket))).isPresent();
      InetSocketAddress local6 =
          new InetSocketAddress(InetAddress.getByName("::1"), socket.getLocalPort());
      assertThat(processes.findListener("/own", local6)).isPresent();
    }
  }

  @Test
  void doesNotTakeASocketBoundToAnotherAddress() throws Exception {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.2"))) {
      assertThat(processes.findListener("/own", local(socket))).isEmpty();
    }
  }

  @Test
  void prefersTheSocketBoundToTheVeryAddress() throws Exception {
    cgroup("/two", "7\n9\n");
    proc.process(7, "wild", 70, "net:[1]", "0100");
    proc.process(9, "exact", 90, "net:[1]", "0200");
    String table =
        ProcFiles.tcp(0, "00000000:1F90", "0A", "0100")
            + ProcFiles.tcp(1, "0100007F:1F90", "0A", "0200")
            + ProcFiles.tcp(2, "0200007F:1F90", "0A", "0300")
            + ProcFiles.tcp(3, "0100007F:1F90", "01", "0400");
    proc.write(7, "net/tcp", table);
    proc.write(9, "net/tcp", table);
    Listener listener =
        new Processes(proc.directory(), new CgroupTree(mount))
            .findListener("/two", new InetSocketAddress("127.0.0.1", 8080))
            .orElseThrow();
    assertThat(listener.identity().executable()).isEqualTo("exact");
  }

  @Test
  void takesTheServerAndNotItsWorkers() throws Exception {
    cgroup("/two", "7\n9\n");
    proc.process(7, "nginx", 95, "net:[1]", "0100");
    proc.process(9, "nginx", 90, "net:[1]", "0100");
    proc.write(7, "net/tcp", ProcFiles.tcp(0, "00000000:1F90", "0A", "0100"));
    proc.write(9, "net/tcp", ProcFiles.tcp(0, "00000000:1F90", "0A", "0100"));
    Optional<Listener> listener =
        new Processes(proc.directory(), new CgroupTree(mount))
            .findListener("/two", new InetSocketAddress("10.0.0.1", 8080));
    assertThat(listener.orElseThrow().process()).isEqualTo(new ProcessId(9, 90));
  }

  /// As where containers have cgroups of version 1 only: all are in the engine's of version 2.
  @Test
  void tellsServersOfOnePortApartByTheAddressesOfTheirNetworks() throws Exception {
    Processes faked = shared("00000000:1F90");
    assertThat(executable(faked, "172.17.0.2")).contains("a");
    assertThat(executable(faked, "172.17.0.3")).contains("b");
    assertThat(executable(faked, "172.17.0.4")).as("of a network that is gone").isEmpty();
  }

  @Test
  void tellsThemApartByIpv6Addresses() throws Exception {
    Processes faked = shared("00000000:1F90");
    String wildcard = "0".repeat(32) + ":1F90";
    for (int pid : new int[] {7, 9}) {
      proc.write(pid, "net/tcp6", ProcFiles.tcp(0, wildcard, "0A", pid == 7 ? "0100" : "0200"));
      proc.write(
          pid,
          "net/if_inet6",
          "00000000000000000000000000000001 01 80 10 80       lo\n"
              + "fd0000000000000000000000000000%02x 02 40 00 82     eth0\n".formatted(pid));
    }
    assertThat(executable(faked, "fd00::7")).contains("a");
    assertThat(executable(faked, "fd00::9")).contains("b");
    assertThat(executable(faked, "fd00::8")).isEmpty();
  }

  /// A route may bring a whole network to a machine, as that of loopback does.
  @Test
  void knowsAddressesByTheirNetworks() throws Exception {
    Processes faked = shared("00000000:1F90");
    proc.write(9, "net/fib_trie", "Local:\n     |-- 172.17.0.3\n        /32 host LOCAL\n");
    assertThat(executable(faked, "127.1.2.3")).contains("a");
    proc.write(7, "net/fib_trie", "Local:\n     |-- 10.16.0.0\n        /12 host LOCAL\n");
    assertThat(executable(faked, "10.31.255.255")).contains("a");
    assertThat(executable(faked, "10.32.0.0")).isEmpty();
  }

  @Test
  void doesNotGuessBetweenNetworkNamespaces() throws Exception {
    Processes faked = shared("0100007F:1F90");
    assertThatThrownBy(() -> faked.findListener("/two", new InetSocketAddress("127.0.0.1", 8080)))
        .isInstanceOf(Processes.AmbiguousListenerException.class)
        .hasMessageStartingWith("several network namespaces have a listener: cgroup=/two");
  }

  @Test
  void readsTheCgroupsOfAllHierarchies() throws Exception {
    proc.process(7, "a", 70, "net:[1]", "0100");
    proc.write(7, "cgroup", ProcFiles.cgroups("service-v1"));
    Processes faked = new Processes(proc.directory(), new CgroupTree(mount));
    assertThat(faked.cgroupPaths(7))
        .containsExactly("/system.slice/nginx.service", "/system.slice");
    assertThat(faked.cgroupPaths(8)).as("of a process that has ended").isEmpty();
  }

  @Test
  void findsNothingInACgroupThatIsGone() throws Exception {
    try (ServerSocket socket = new ServerSocket(0)) {
      assertThat(processes.findListener("/gone", local(socket))).isEmpty();
    }
  }

  @Test
  void readsTheStartOfAProcessWhateverItIsCalled() throws Exception {
    proc.process(7, "a) b (c", 4711, "net:[1]", "0100");
    assertThat(new Processes(proc.directory(), new CgroupTree(mount)).process(7))
        .contains(new ProcessId(7, 4711));
    assertThat(processes.process(Integer.MAX_VALUE)).isEmpty();
  }

  @Test
  void readsAddressesAsTheKernelPrintsThem() throws Exception {
    assertThat(Processes.address("0100007F")).isEqualTo(InetAddress.getByName("127.0.0.1"));
    assertThat(Processes.address("00000000000000000000000001000000"))
        .isEqualTo(InetAddress.getByName("::1"));
    assertThat(Processes.address("0000000000000000FFFF00000100007F"))
        .isEqualTo(InetAddress.getByName("127.0.0.1"));
  }

  /// Two processes of a cgroup, each in a network namespace of its own, that listen at `local`.
  private Processes shared(String local) throws IOException {
    cgroup("/two", "7\n9\n");
    proc.process(7, "a", 70, "net:[1]", "0100");
    proc.process(9, "b", 90, "net:[2]", "0200");
    proc.write(7, "net/tcp", ProcFiles.tcp(0, local, "0A", "0100"));
    proc.write(9, "net/tcp", ProcFiles.tcp(0, local, "0A", "0200"));
    proc.write(7, "net/fib_trie", ProcFiles.routes("172.17.0.2"));
    proc.write(9, "net/fib_trie", ProcFiles.routes("172.17.0.3"));
    return new Processes(proc.directory(), new CgroupTree(mount));
  }

  private static Optional<String> executable(Processes processes, String address) throws Exception {
    return processes
        .findListener("/two", new InetSocketAddress(address, 8080))
        .map(listener -> listener.facts().executableName());
  }

  private void cgroup(String path, String pids) throws IOException {
    Path directory = Files.createDirectories(mount.resolve(path.substring(1)));
    Files.writeString(directory.resolve("cgroup.procs"), pids);
  }

  private static InetSocketAddress local(ServerSocket socket) {
    return new InetSocketAddress("127.0.0.1", socket.getLocalPort());
  }
}
