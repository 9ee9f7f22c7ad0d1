package io.headspan.loadgen.net;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/// Two network namespaces joined by a virtual Ethernet link: a client's and a server's. Needs root
/// and `iproute2`. Closing removes both, and the link with them.
public final class LinkedNamespaces implements AutoCloseable {
  /// Address of the client's end.
  public static final String CLIENT_ADDRESS = "10.213.77.1";

  /// Address of the server's end.
  public static final String SERVER_ADDRESS = "10.213.77.2";

  private static final Path NAMESPACES = Path.of("/run/netns");
  private static final String LINK = "link0";
  private static final long TIMEOUT_SECONDS = 20;

  private final String client;
  private final String server;

  private LinkedNamespaces(String prefix) {
    client = prefix + "-client";
    server = prefix + "-server";
  }

  /// Makes the namespaces `prefix-client` and `prefix-server`.
  public static LinkedNamespaces create(String prefix) {
    LinkedNamespaces namespaces = new LinkedNamespaces(prefix);
    try {
      namespaces.createBoth();
      return namespaces;
    } catch (NetworkException e) {
      namespaces.close();
      throw e;
    }
  }

  public Path serverNamespace() {
    return NAMESPACES.resolve(server);
  }

  /// The command that runs `command` in the client's namespace.
  public List<String> inClient(List<String> command) {
    List<String> all = new ArrayList<>(List.of("ip", "netns", "exec", client));
    all.addAll(command);
    return all;
  }

  /// Disturbs packets in both directions.
  ///
  /// @param netem a netem specification, e.g. `loss 1% duplicate 1% delay 2ms reorder 25%`
  public void disturb(String netem) {
    for (String namespace : List.of(client, server)) {
      List<String> command =
          new ArrayList<>(
              List.of("tc", "-n", namespace, "qdisc", "replace", "dev", LINK, "root", "netem"));
      command.addAll(List.of(netem.split(" ")));
      run(command);
    }
  }

  @Override
  public void close() {
    for (String namespace : List.of(client, server)) {
      if (NAMESPACES.resolve(namespace).toFile().exists()) {
        run(List.of("ip", "netns", "delete", namespace));
      }
    }
  }

  private void createBoth() {
    run(List.of("ip", "netns", "add", client));
    run(List.of("ip", "netns", "add", server));
    run(
        List.of(
            "ip", "-n", client, "link", "add", LINK, "type", "veth", "peer", "name", LINK, "netns",
            server));
    up(client, CLIENT_ADDRESS);
    up(server, SERVER_ADDRESS);
  }

  private static void up(String namespace, String address) {
    run(List.of("ip", "-n", namespace, "address", "add", address + "/24", "dev", LINK));
    run(List.of("ip", "-n", namespace, "link", "set", LINK, "up"));
    run(List.of("ip", "-n", namespace, "link", "set", "lo", "up"));
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
