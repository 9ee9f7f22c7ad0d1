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
  private Processes processes;

  @BeforeEach
  void makeCgroup() throws IOException {
    cgroup("/own", OWN_PID + "\n");
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
      assertThat(listener.anyAddress()).isTrue();
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
    Path proc = Files.createDirectories(mount.resolve("proc"));
    cgroup("/two", "7\n9\n");
    process(proc, 7, "wild", 70, "net:[1]", "0100");
    process(proc, 9, "exact", 90, "net:[1]", "0200");
    String table =
        tcp(0, "00000000:1F90", "0A", "0100")
            + tcp(1, "0100007F:1F90", "0A", "0200")
            + tcp(2, "0200007F:1F90", "0A", "0300")
            + tcp(3, "0100007F:1F90", "01", "0400");
    Files.writeString(proc.resolve("7/net/tcp"), table);
    Files.writeString(proc.resolve("9/net/tcp"), table);
    Listener listener =
        new Processes(proc, new CgroupTree(mount))
            .findListener("/two", new InetSocketAddress("127.0.0.1", 8080))
            .orElseThrow();
    assertThat(listener.identity().executable()).isEqualTo("exact");
    assertThat(listener.anyAddress()).isFalse();
  }

  @Test
  void takesTheServerAndNotItsWorkers() throws Exception {
    Path proc = Files.createDirectories(mount.resolve("proc"));
    cgroup("/two", "7\n9\n");
    process(proc, 7, "nginx", 95, "net:[1]", "0100");
    process(proc, 9, "nginx", 90, "net:[1]", "0100");
    Files.writeString(proc.resolve("7/net/tcp"), tcp(0, "00000000:1F90", "0A", "0100"));
    Files.writeString(proc.resolve("9/net/tcp"), tcp(0, "00000000:1F90", "0A", "0100"));
    Optional<Listener> listener =
        new Processes(proc, new CgroupTree(mount))
            .findListener("/two", new InetSocketAddress("10.0.0.1", 8080));
    assertThat(listener.orElseThrow().process()).isEqualTo(new ProcessId(9, 90));
  }

  @Test
  void doesNotGuessBetweenNetworkNamespaces() throws Exception {
    Path proc = Files.createDirectories(mount.resolve("proc"));
    cgroup("/two", "7\n9\n");
    process(proc, 7, "a", 70, "net:[1]", "0100");
    process(proc, 9, "b", 90, "net:[2]", "0200");
    Files.writeString(proc.resolve("7/net/tcp"), tcp(0, "0100007F:1F90", "0A", "0100"));
    Files.writeString(proc.resolve("9/net/tcp"), tcp(0, "0100007F:1F90", "0A", "0200"));
    Processes faked = new Processes(proc, new CgroupTree(mount));
    assertThatThrownBy(() -> faked.findListener("/two", new InetSocketAddress("127.0.0.1", 8080)))
        .isInstanceOf(Processes.AmbiguousListenerException.class)
        .hasMessageStartingWith("several network namespaces have a listener: cgroup=/two");
  }

  @Test
  void findsNothingInACgroupThatIsGone() throws Exception {
    try (ServerSocket socket = new ServerSocket(0)) {
      assertThat(processes.findListener("/gone", local(socket))).isEmpty();
    }
  }

  @Test
  void readsTheStartOfAProcessWhateverItIsCalled() throws Exception {
    Path proc = Files.createDirectories(mount.resolve("proc"));
    process(proc, 7, "a) b (c", 4711, "net:[1]", "0100");
    assertThat(new Processes(proc, new CgroupTree(mount)).process(7))
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

  private void cgroup(String path, String pids) throws IOException {
    Path directory = Files.createDirectories(mount.resolve(path.substring(1)));
    Files.writeString(directory.resolve("cgroup.procs"), pids);
  }

  private static void process(
      Path proc, int pid, String command, long startTicks, String namespace, String inode)
      throws IOException {
    Path directory = Files.createDirectories(proc.resolve(Integer.toString(pid)));
    Files.createDirectories(directory.resolve("net"));
    Files.createDirectories(directory.resolve("fd"));
    Files.createDirectories(directory.resolve("ns"));
    Files.writeString(
        directory.resolve("stat"),
        pid
            + " ("
            + command
            + ") S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 "
            + startTicks
            + " 23 24\n");
    Files.createSymbolicLink(directory.resolve("exe"), Path.of("/usr/bin/" + command));
    Files.createSymbolicLink(directory.resolve("ns/net"), Path.of(namespace));
    Files.createSymbolicLink(directory.resolve("fd/3"), Path.of("socket:[" + inode + "]"));
  }

  private static String tcp(int slot, String local, String state, String inode) {
    String heading = slot > 0 ? "" : "  sl  local_address rem_address   st tx_queue rx_queue\n";
    return heading
        + "   "
        + slot
        + ": "
        + local
        + " 00000000:0000 "
        + state
        + " 00000000:00000000 00:00000000 00000000     0        0 "
        + inode
        + " 1 0000000000000000 100 0 0 10 0\n";
  }

  private static InetSocketAddress local(ServerSocket socket) {
    return new InetSocketAddress("127.0.0.1", socket.getLocalPort());
  }
}
