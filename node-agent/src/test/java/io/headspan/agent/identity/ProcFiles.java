package io.headspan.agent.identity;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/// A made-up `/proc`, as far as it is read.
public final class ProcFiles {
  private final Path proc;

  public ProcFiles(Path proc) {
    this.proc = proc;
  }

  public Path directory() {
    return proc;
  }

  /// A process that holds the socket `inode`.
  public void process(int pid, String command, long startTicks, String namespace, String inode)
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

  /// A file of a process.
  public void write(int pid, String file, String content) throws IOException {
    Files.writeString(proc.resolve(Integer.toString(pid)).resolve(file), content);
  }

  /// The file that the resource `proc-cgroup/NAME.txt` holds as a process's `cgroup`.
  public static String cgroups(String name) throws IOException {
    try (var in = ProcFiles.class.getResourceAsStream("/proc-cgroup/" + name + ".txt")) {
      if (in == null) {
        throw new IOException("no such resource: name=" + name);
      }
      return new String(in.readAllBytes(), StandardCharsets.US_ASCII);
    }
  }

  /// A line of `net/tcp`; the first one with the headings.
  public static String tcp(int slot, String local, String state, String inode) {
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

  /// `net/fib_trie` of a network namespace with loopback and this address of a network of 16 bits.
  public static String routes(String address) {
    return """
    Main:
      +-- 0.0.0.0/0 3 0 5
         |-- 0.0.0.0
            /0 universe UNICAST
         +-- 127.0.0.0/8 2 0 2
            +-- 127.0.0.0/31 1 0 0
               |-- 127.0.0.0
                  /8 host LOCAL
               |-- 127.0.0.1
                  /32 host LOCAL
            |-- 127.255.255.255
               /32 link BROADCAST
         +-- 172.17.0.0/16 2 0 2
            |-- 172.17.0.0
               /16 link UNICAST
            |-- %s
               /32 host LOCAL
            |-- 172.17.255.255
               /32 link BROADCAST
    """
        .formatted(address);
  }
}
