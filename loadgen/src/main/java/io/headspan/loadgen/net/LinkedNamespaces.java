package io.headspan.loadgen.net;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Two network namespaces, a client's and a server's, and a bad link between them: a pair of
/// virtual Ethernet devices with netem, or, where the kernel has no netem, tun devices with this
/// process between them ([TunLink]). Needs root and `iproute2`. Closing removes everything.
public final class LinkedNamespaces implements AutoCloseable {
  /// Address of the client's end.
  public static final String CLIENT_ADDRESS = "10.213.77.1";

  /// Address of the server's end.
  public static final String SERVER_ADDRESS = "10.213.77.2";

  private static final Logger LOG = LoggerFactory.getLogger(LinkedNamespaces.class);

  private static final Path NAMESPACES = Path.of("/run/netns");
  private static final long TIMEOUT_SECONDS = 20;

  private final String client;
  private final String server;
  private final String clientDevice;
  private final String serverDevice;
  private final Impairment impairment;
  private @Nullable TunLink tun;

  private LinkedNamespaces(String prefix, Impairment impairment) {
    client = prefix + "-client";
    server = prefix + "-server";
    // Names of devices are short, and a tun device begins in the namespace of this process.
    String suffix = Long.toString(ProcessHandle.current().pid(), Character.MAX_RADIX);
    clientDevice = "hsc" + suffix;
    serverDevice = "hss" + suffix;
    this.impairment = impairment;
  }

  /// Makes the namespaces `prefix-client` and `prefix-server` and the link.
  ///
  /// @throws NetworkException if a command fails; nothing is left then
  public static LinkedNamespaces create(String prefix, Impairment impairment) {
    LinkedNamespaces namespaces = new LinkedNamespaces(prefix, impairment);
    try {
      namespaces.join();
      return namespaces;
    } catch (RuntimeException | Error e) {
      namespaces.close();
      throw e;
    }
  }

  /// How the link is made: `netem` or `tun`.
  public String link() {
    return tun == null ? "netem" : "tun";
  }

  public Path serverNamespace() {
    return NAMESPACES.resolve(server);
  }

  /// The command that runs `command` in the client's namespace.
  public List<String> inClient(List<String> command) {
    return in(client, command);
  }

  /// The command that runs `command` in the server's namespace.
  public List<String> inServer(List<String> command) {
    return in(server, command);
  }

  @Override
  public void close() {
    // A namespace that another process is still in keeps its devices; down, they carry nothing, and
    // the threads of a tun link read to their end.
    removeDevice(client, clientDevice);
    removeDevice(server, serverDevice);
    if (tun != null) {
      tun.close();
      tun = null;
    }
    for (String namespace : List.of(client, server)) {
      if (Files.exists(NAMESPACES.resolve(namespace))) {
        run(List.of("ip", "netns", "delete", namespace));
      }
    }
  }

  private void join() {
    run(List.of("ip", "netns", "add", client));
    run(List.of("ip", "netns", "add", server));
    if (!joinByNetem()) {
      joinByTun();
    }
  }

  private boolean joinByNetem() {
    run(
        List.of(
            "ip",
            "link",
            "add",
            clientDevice,
            "netns",
            client,
            "type",
            "veth",
            "peer",
            "name",
            serverDevice,
            "netns",
            server));
    try {
      run(netem(client, clientDevice));
    } catch (NetworkException e) {
      LOG.debug("No netem, so a tun link takes its place", e);
      run(List.of("ip", "-n", client, "link", "delete", clientDevice));
      return false;
    }
    run(netem(server, serverDevice));
    up();
    return true;
  }

  private void joinByTun() {
    TunLink link = new TunLink(clientDevice, serverDevice, impairment);
    tun = link;
    run(List.of("ip", "link", "set", clientDevice, "netns", client));
    run(List.of("ip", "link", "set", serverDevice, "netns", server));
    up();
    link.start();
  }

  private List<String> netem(String namespace, String device) {
    List<String> command =
        new ArrayList<>(
            List.of("tc", "-n", namespace, "qdisc", "add", "dev", device, "root", "netem"));
    command.addAll(impairment.netem());
    return command;
  }

  private void up() {
    up(client, clientDevice, CLIENT_ADDRESS);
    up(server, serverDevice, SERVER_ADDRESS);
  }

  private static void up(String namespace, String device, String address) {
    run(List.of("ip", "-n", namespace, "address", "add", address + "/24", "dev", device));
    run(List.of("ip", "-n", namespace, "link", "set", device, "up"));
    run(List.of("ip", "-n", namespace, "link", "set", "lo", "up"));
  }

  private static List<String> in(String namespace, List<String> command) {
    List<String> all = new ArrayList<>(List.of("ip", "netns", "exec", namespace));
    all.addAll(command);
    return all;
  }

  /// Removes a device of a namespace if both are there: one end of a pair goes with the other, and
  /// what could not be made is not there.
  private static void removeDevice(String namespace, String device) {
    try {
      run(List.of("ip", "-n", namespace, "link", "delete", device));
    } catch (NetworkException e) {
      LOG.debug("No device to remove: namespace={}, device={}", namespace, device, e);
    }
  }

  private static void run(List<String> command) {
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      String output;
      try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
        output = String.join("\n", lines.readAllLines());
      }
      if (!process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new NetworkException("timed out: " + String.join(" ", command));
      }
      if (process.exitValue() != 0) {
        throw new NetworkException("failed: " + String.join(" ", command) + ": " + output);
      }
    } catch (IOException e) {
      throw new NetworkException("could not run: " + String.join(" ", command), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new NetworkException("interrupted: " + String.join(" ", command), e);
    }
  }
}
