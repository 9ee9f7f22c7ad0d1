package io.headspan.agent.identity;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// Processes by `/proc`. Any of them may end at any moment, so what is not there is empty, not an
/// error.
final class Processes {
  private static final int LISTEN = 0x0a;
  private static final int START_TICKS_FIELD = 22;

  /// The kernel allows longer command lines; no rule needs them.
  private static final int STRINGS_BYTES_MAX = 64 << 10;

  private static final int TELLING_MAX = 32;

  private final Path proc;
  private final CgroupTree cgroups;
  private final Naming naming;

  /// Processes called by their executables.
  Processes(Path proc, CgroupTree cgroups) {
    this(proc, cgroups, Naming.PLAIN);
  }

  Processes(Path proc, CgroupTree cgroups, Naming naming) {
    this.proc = proc;
    this.cgroups = cgroups;
    this.naming = naming;
  }

  /// What listens at a port in a cgroup.
  ///
  /// @param facts of the process
  /// @param identity of the process; if several share the socket, of the one that started first
  record Listener(ProcessFacts facts, Identity identity) {
    ProcessId process() {
      return facts.process();
    }
  }

  /// Several processes listen at a port and nothing tells which one is meant.
  static final class AmbiguousListenerException extends Exception {
    private static final long serialVersionUID = 1;

    AmbiguousListenerException(String message) {
      super(message);
    }
  }

  /// A listening socket.
  ///
  /// @param exact bound to just the address asked for
  private record Socket(String namespace, String inode, boolean matches, boolean exact) {}

  /// The process that listens at `local` in the cgroup `cgroupPath`. If processes of several
  /// network namespaces are in it, as where containers have cgroups of version 1 only, one of a
  /// namespace that has the address: a wildcard takes what comes to its own namespace, and no
  /// other.
  ///
  /// @throws AmbiguousListenerException if several unrelated processes do
  Optional<Listener> findListener(String cgroupPath, InetSocketAddress local)
      throws IOException, AmbiguousListenerException {
    Map<String, List<Integer>> byNamespace = new HashMap<>();
    for (int pid : pids(cgroupPath)) {
      String namespace = link(pid, "ns/net");
      if (namespace != null) {
        byNamespace.computeIfAbsent(namespace, _ -> new ArrayList<>()).add(pid);
      }
    }
    if (byNamespace.size() > 1) {
      keepThoseWith(local.getAddress(), byNamespace);
    }
    List<Socket> sockets = new ArrayList<>();
    for (Map.Entry<String, List<Integer>> namespace : byNamespace.entrySet()) {
      addSockets(namespace.getKey(), namespace.getValue(), local, sockets);
    }
    boolean exact = sockets.stream().anyMatch(Socket::exact);
    Set<String> wanted = new HashSet<>();
    Set<String> namespaces = new HashSet<>();
    for (Socket socket : sockets) {
      if (socket.matches() && socket.exact() == exact) {
        wanted.add(socket.inode());
        namespaces.add(socket.namespace());
      }
    }
    if (wanted.isEmpty()) {
      return Optional.empty();
    }
    if (namespaces.size() > 1) {
      throw new AmbiguousListenerException(
          "several network namespaces have a listener: cgroup=" + cgroupPath + ", local=" + local);
    }
    List<Listener> owners = new ArrayList<>();
    String namespace = namespaces.iterator().next();
    for (int pid : byNamespace.getOrDefault(namespace, List.of())) {
      if (holdsSocket(pid, wanted)) {
        facts(pid)
            .ifPresent(facts ->
                owners.add(
                    new Listener(
                        facts, naming.process(cgroupPath, CgroupPath.parse(cgroupPath), facts))));
      }
    }
    if (owners.stream().map(owner -> owner.identity().executable()).distinct().count() > 1) {
      throw new AmbiguousListenerException(
          "several programs listen: cgroup=" + cgroupPath + ", local=" + local);
    }
    // A server and its workers share the socket; the server was there first.
    return owners.stream()
        .min(
            Comparator.<Listener>comparingLong(owner -> owner.process().startTicks())
                .thenComparingInt(owner -> owner.process().pid()));
  }

  /// The process `pid` as it is now; empty if there is none.
  Optional<ProcessId> process(int pid) throws IOException {
    String stat = read(pid, "stat");
    if (stat == null) {
      return Optional.empty();
    }
    // The second field is the command in parentheses, which may hold blanks and parentheses.
    String[] fields = stat.substring(stat.lastIndexOf(')') + 1).trim().split(" ", -1);
    return Optional.of(new ProcessId(pid, Long.parseLong(fields[START_TICKS_FIELD - 3])));
  }

  /// What is known of a process; empty if it has ended or is the kernel's.
  Optional<ProcessFacts> facts(int pid) throws IOException {
    Optional<ProcessId> process = process(pid);
    String executable = executable(pid);
    if (process.isEmpty() || executable == null) {
      return Optional.empty();
    }
    return Optional.of(
        new ProcessFacts(
            process.get(),
            executable,
            strings(pid, "cmdline"),
            naming.readsEnvironment() ? variables(strings(pid, "environ")) : Map.of()));
  }

  /// Of the processes in a cgroup the first that serves WebAssembly, else the one that has been
  /// there longest; empty if there is none.
  Optional<ProcessFacts> mostTelling(String cgroupPath) throws IOException {
    List<ProcessId> processes = new ArrayList<>();
    for (int pid : pids(cgroupPath)) {
      process(pid).ifPresent(processes::add);
    }
    processes.sort(
        Comparator.comparingLong(ProcessId::startTicks).thenComparingInt(ProcessId::pid));
    ProcessFacts eldest = null;
    for (ProcessId process : processes.subList(0, Math.min(processes.size(), TELLING_MAX))) {
      ProcessFacts facts = facts(process.pid()).orElse(null);
      if (facts != null && facts.servesWasm()) {
        return Optional.of(facts);
      }
      eldest = eldest == null ? facts : eldest;
    }
    return Optional.ofNullable(eldest);
  }

  /// The cgroups of a process in all hierarchies, each once, those of v2 and of systemd before
  /// those of single controllers (cgroups(7), /proc/pid/cgroup).
  Set<String> cgroupPaths(int pid) throws IOException {
    String text = read(pid, "cgroup");
    Set<String> paths = new LinkedHashSet<>();
    if (text == null) {
      return paths;
    }
    Set<String> ofControllers = new LinkedHashSet<>();
    for (String line : text.split("\n", -1)) {
      String[] fields = line.split(":", 3);
      if (fields.length == 3) {
        boolean isNamed = fields[1].isEmpty() || fields[1].startsWith("name=");
        (isNamed ? paths : ofControllers).add(fields[2]);
      }
    }
    paths.addAll(ofControllers);
    return paths;
  }

  private List<String> strings(int pid, String file) throws IOException {
    Path path = proc.resolve(Integer.toString(pid)).resolve(file);
    byte[] bytes;
    try (InputStream in = Files.newInputStream(path)) {
      bytes = in.readNBytes(STRINGS_BYTES_MAX);
    } catch (IOException e) {
      return List.of(); // ended, or not to be seen: nothing is known of it
    }
    String text = new String(bytes, StandardCharsets.UTF_8);
    return text.isEmpty() ? List.of() : List.of(text.split("\0"));
  }

  private static Map<String, String> variables(List<String> environment) {
    Map<String, String> variables = new HashMap<>();
    for (String variable : environment) {
      int equals = variable.indexOf('=');
      if (equals > 0 && variable.startsWith("HEADSPAN_")) {
        variables.putIfAbsent(variable.substring(0, equals), variable.substring(equals + 1));
      }
    }
    return variables;
  }

  /// Path of the executable; null if the process has ended or is the kernel's.
  private @Nullable String executable(int pid) throws IOException {
    String target = link(pid, "exe");
    if (target == null) {
      return null;
    }
    String deleted = " (deleted)";
    return target.endsWith(deleted)
        ? target.substring(0, target.length() - deleted.length())
        : target;
  }

  private List<Integer> pids(String cgroupPath) throws IOException {
    Path file = cgroups.directory(cgroupPath).resolve("cgroup.procs");
    List<Integer> pids = new ArrayList<>();
    if (Files.exists(file)) {
      for (String line : Files.readAllLines(file, StandardCharsets.US_ASCII)) {
        int pid = Integer.parseInt(line.trim());
        if (pid > 0) { // 0: in another pid namespace
          pids.add(pid);
        }
      }
    }
    return pids;
  }

  private boolean holdsSocket(int pid, Set<String> inodes) throws IOException {
    Path directory = proc.resolve(Integer.toString(pid)).resolve("fd");
    if (!Files.isDirectory(directory)) {
      return false;
    }
    try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(directory)) {
      for (Path descriptor : descriptors) {
        String target = readLink(descriptor);
        if (target != null
            && target.startsWith("socket:[")
            && inodes.contains(target.substring("socket:[".length(), target.length() - 1))) {
          return true;
        }
      }
    } catch (AccessDeniedException e) {
      return false;
    } catch (IOException | DirectoryIteratorException e) {
      if (Files.isDirectory(directory)) {
        throw e;
      }
    }
    return false;
  }

  private void keepThoseWith(InetAddress address, Map<String, List<Integer>> byNamespace)
      throws IOException {
    Iterator<List<Integer>> namespaces = byNamespace.values().iterator();
    while (namespaces.hasNext()) {
      if (!isAddressOf(namespaces.next(), address)) {
        namespaces.remove();
      }
    }
  }

  /// Whether the network namespace of these processes has the address. One of them that has ended
  /// does not tell.
  private boolean isAddressOf(List<Integer> pids, InetAddress address) throws IOException {
    boolean ipv4 = address.getAddress().length == 4;
    for (int pid : pids) {
      boolean has =
          ipv4
              ? anyLine(pid, "net/fib_trie", new LocalRoutes(address)::tells)
              : anyLine(pid, "net/if_inet6", line -> isInterfaceWith(address, line));
      if (has) {
        return true;
      }
    }
    return false;
  }

  /// Finds an address in what the kernel prints of its IPv4 routes (net/ipv4/fib_trie.c,
  /// fib_trie_seq_show): a line `|-- PREFIX`, and below it one `/BITS SCOPE TYPE` for each route.
  private static final class LocalRoutes {
    private static final String LEAF = "|-- ";
    private final byte[] address;
    private byte[] prefix = new byte[0];

    LocalRoutes(InetAddress address) {
      this.address = address.getAddress();
    }

    /// Takes the next line; true if it is of a route that brings the address to this machine.
    boolean tells(String line) {
      if (line.startsWith(LEAF)) {
        prefix = InetAddress.ofLiteral(line.substring(LEAF.length())).getAddress();
        return false;
      }
      String[] route = line.split(" ", -1);
      return route.length >= 3
          && route[0].startsWith("/")
          && route[2].equals("LOCAL")
          && startsWith(prefix, Integer.parseInt(route[0], 1, route[0].length(), 10));
    }

    private boolean startsWith(byte[] wanted, int bits) {
      for (int bit = 0; bit < bits; bit++) {
        int mask = 0x80 >> (bit & 7);
        if (((address[bit >> 3] ^ wanted[bit >> 3]) & mask) != 0) {
          return false;
        }
      }
      return true;
    }
  }

  /// Whether a line of `if_inet6`, which begins with an address in hex, is of this one.
  private static boolean isInterfaceWith(InetAddress address, String line) {
    return line.startsWith(HexFormat.of().formatHex(address.getAddress()) + " ");
  }

  /// Whether `test` accepts a line, without the blanks around it, of a process's file. False if the
  /// process has ended.
  private boolean anyLine(int pid, String name, Predicate<String> test) throws IOException {
    Path file = proc.resolve(Integer.toString(pid)).resolve(name);
    try (BufferedReader lines = Files.newBufferedReader(file, StandardCharsets.US_ASCII)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (test.test(line.trim())) {
          return true;
        }
      }
      return false;
    } catch (IOException e) {
      if (Files.exists(file)) {
        throw e;
      }
      return false; // the process has ended, or there is no IPv6
    }
  }

  /// Adds the sockets of a namespace that listen at the port of `local`. IPv4 connections go to an
  /// IPv4 socket if there is one, else to an IPv6 socket that takes both.
  private void addSockets(
      String namespace, List<Integer> pids, InetSocketAddress local, List<Socket> into)
      throws IOException {
    for (int pid : pids) {
      boolean ipv4 = local.getAddress().getAddress().length == 4;
      int before = into.size();
      boolean read = true;
      if (ipv4) {
        read = addSockets(namespace, pid, "net/tcp", local, into);
      }
      if (!ipv4 || into.size() == before) {
        read &= addSockets(namespace, pid, "net/tcp6", local, into);
      }
      if (read) {
        return;
      }
      // That process has ended; another one of the namespace may do.
      into.subList(before, into.size()).clear();
    }
  }

  private boolean addSockets(
      String namespace, int pid, String table, InetSocketAddress local, List<Socket> into)
      throws IOException {
    Path file = proc.resolve(Integer.toString(pid)).resolve(table);
    try (BufferedReader lines = Files.newBufferedReader(file, StandardCharsets.US_ASCII)) {
      lines.readLine(); // headings
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        // proc(5), net/tcp: slot, local, remote, state, queues, timer, retransmits, uid, timeout,
        // inode, …; listening sockets come first (net/ipv4/tcp_ipv4.c, tcp_seq_start).
        String[] fields = line.trim().split(" +", -1);
        if (fields.length < 10 || Integer.parseInt(fields[3], 16) != LISTEN) {
          break;
        }
        int colon = fields[1].indexOf(':');
        if (Integer.parseInt(fields[1], colon + 1, fields[1].length(), 16) == local.getPort()) {
          InetAddress bound = address(fields[1].substring(0, colon));
          boolean exact = bound.equals(local.getAddress());
          into.add(new Socket(namespace, fields[9], exact || bound.isAnyLocalAddress(), exact));
        }
      }
      return true;
    } catch (IOException e) {
      if (Files.exists(file)) {
        throw e;
      }
      return false; // the process has ended, or there is no IPv6
    }
  }

  /// An address as the kernel prints it: 32-bit words in hex, each in the machine's byte order.
  static InetAddress address(String hex) throws IOException {
    byte[] bytes = new byte[hex.length() / 2];
    boolean littleEndian = ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN;
    for (int i = 0; i < bytes.length; i++) {
      int at = littleEndian ? (i & ~3) + 3 - (i & 3) : i;
      bytes[at] = (byte) Integer.parseInt(hex, 2 * i, 2 * i + 2, 16);
    }
    return InetAddress.getByAddress(bytes);
  }

  private @Nullable String read(int pid, String file) throws IOException {
    Path path = proc.resolve(Integer.toString(pid)).resolve(file);
    try {
      return Files.readString(path, StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      if (Files.exists(path.getParent())) {
        throw e;
      }
      return null;
    }
  }

  private @Nullable String link(int pid, String file) throws IOException {
    return readLink(proc.resolve(Integer.toString(pid)).resolve(file));
  }

  /// Null if the link is not there any more, leads nowhere as for threads of the kernel, or may not
  /// be seen even by root, as a container's first process may not in some sandboxes.
  private static @Nullable String readLink(Path link) throws IOException {
    try {
      return Files.readSymbolicLink(link).toString();
    } catch (NoSuchFileException | AccessDeniedException e) {
      return null;
    } catch (FileSystemException e) {
      if (Files.exists(link, LinkOption.NOFOLLOW_LINKS)) {
        throw e;
      }
      return null; // ended while it was read: ESRCH
    }
  }
}
