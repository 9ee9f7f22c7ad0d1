package io.headspan.agent.probe.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// Two network namespaces and a bad link between them: a pair of virtual Ethernet devices with
/// netem, or, where the kernel has no netem, tun devices ([TunLink]). Closing removes everything.
final class NetworkNamespaces implements AutoCloseable {
  static final String SERVER_ADDRESS = "10.211.99.1";
  private static final String CLIENT_ADDRESS = "10.211.99.2";
  private static final int COMMAND_SECONDS = 20;

  private final String server;
  private final String client;
  private final String serverDevice;
  private final String clientDevice;
  private final Impairment impairment;
  private @Nullable TunLink tun;

  NetworkNamespaces(Impairment impairment) {
    String suffix = Long.toString(ProcessHandle.current().pid(), Character.MAX_RADIX);
    this.server = "hs-server-" + suffix;
    this.client = "hs-client-" + suffix;
    this.serverDevice = "hss" + suffix;
    this.clientDevice = "hsc" + suffix;
    this.impairment = impairment;
    try {
      run("ip netns add " + server);
      run("ip netns add " + client);
      if (!joinByNetem()) {
        joinByTun();
      }
    } catch (RuntimeException | Error failure) {
      close();
      throw failure;
    }
  }

  /// How the link is made, for messages.
  String link() {
    return tun == null ? "netem" : "tun";
  }

  Process startInServer(List<String> command) throws IOException {
    return start(server, command);
  }

  Process startInClient(List<String> command) throws IOException {
    return start(client, command);
  }

  @Override
  public void close() {
    // A namespace that another process is still in keeps its devices; down, they carry nothing.
    tryRun("ip -n " + server + " link delete " + serverDevice);
    tryRun("ip -n " + client + " link delete " + clientDevice);
    if (tun != null) {
      tun.close();
    }
    tryRun("ip netns delete " + server);
    tryRun("ip netns delete " + client);
  }

  private boolean joinByNetem() {
    run(
        "ip link add %s netns %s type veth peer name %s netns %s"
            .formatted(serverDevice, server, clientDevice, client));
    String netem = " root netem " + String.join(" ", impairment.netem());
    if (!tryRun("tc -n " + server + " qdisc add dev " + serverDevice + netem)) {
      run("ip -n " + server + " link delete " + serverDevice);
      return false;
    }
    run("tc -n " + client + " qdisc add dev " + clientDevice + netem);
    setUp();
    return true;
  }

  private void joinByTun() {
    tun = new TunLink(serverDevice, clientDevice, impairment);
    run("ip link set " + serverDevice + " netns " + server);
    run("ip link set " + clientDevice + " netns " + client);
    setUp();
    tun.start();
  }

  private void setUp() {
    setUp(server, serverDevice, SERVER_ADDRESS);
    setUp(client, clientDevice, CLIENT_ADDRESS);
  }

  private static void setUp(String namespace, String device, String address) {
    run("ip -n " + namespace + " address add " + address + "/30 dev " + device);
    run("ip -n " + namespace + " link set " + device + " up");
    run("ip -n " + namespace + " link set lo up");
  }

  private static Process start(String namespace, List<String> command) throws IOException {
    List<String> inNamespace = new ArrayList<>(List.of("ip", "netns", "exec", namespace));
    inNamespace.addAll(command);
    return new ProcessBuilder(inNamespace).redirectError(ProcessBuilder.Redirect.INHERIT).start();
  }

  private static void run(String command) {
    String output = output(command);
    assertThat(output).as(command).isEmpty();
  }

  private static boolean tryRun(String command) {
    return output(command).isEmpty();
  }

  /// Empty if it went well; these commands say something only if not.
  private static String output(String command) {
    try {
      Process process = new ProcessBuilder(command.split(" ")).redirectErrorStream(true).start();
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertThat(process.waitFor(COMMAND_SECONDS, TimeUnit.SECONDS)).isTrue();
      return process.exitValue() == 0 ? "" : output + "exit " + process.exitValue();
    } catch (IOException e) {
      throw new AssertionError("cannot run: " + command, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }
}
