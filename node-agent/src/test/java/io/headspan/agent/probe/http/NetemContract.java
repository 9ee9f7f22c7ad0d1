package io.headspan.agent.probe.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.loadgen.net.Impairment;
import io.headspan.loadgen.net.LinkedNamespaces;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// The real programs between two network namespaces whose link delays, loses, doubles and reorders:
/// every exchange is captured once and right at both ends.
abstract class NetemContract {
  static final int REQUESTS = Integer.getInteger("headspan.netem.requests", 3_000);

  private static final Duration TIMEOUT = Duration.ofMinutes(4);
  private static final int REPEATS = Integer.getInteger("headspan.netem.repeats", 1);

  private final Class<?> traffic;
  private final int connections;

  /// @param traffic a main class: `server ADDRESS` prints its port and ends with its input; `client
  ///   ADDRESS PORT REQUESTS CONNECTIONS` prints how many were answered
  NetemContract(Class<?> traffic, int connections) {
    this.traffic = traffic;
    this.connections = connections;
  }

  static List<Impairment> impairments() {
    List<Impairment> impairments = new ArrayList<>();
    impairments.add(new Impairment(1, 0, 0, 0, 0));
    impairments.add(new Impairment(2, 1, 2, 3, 0));
    // Where packets of one connection meet on two processors, which takes luck to happen.
    impairments.addAll(Collections.nCopies(REPEATS, new Impairment(3, 2, 1, 5, 30)));
    return impairments;
  }

  @ParameterizedTest
  @MethodSource("impairments")
  void capturesEveryExchangeOnceAtBothEnds(Impairment impairment) throws Exception {
    try (var namespaces =
            LinkedNamespaces.create("headspan-" + ProcessHandle.current().pid(), impairment);
        var cgroup = new TestCgroup();
        HttpProbe probe = HttpProbe.open(TestCgroup.ROOT)) {
      probe.watchCgroup(cgroup.id());
      Process server = start(namespaces.inServer(command("server")));
      try (BufferedReader output =
          new BufferedReader(new InputStreamReader(server.getInputStream(), UTF_8))) {
        String port = output.readLine();
        assertThat(port).isNotNull();
        var captures = new Captures(probe, Integer.parseInt(port));
        Process client =
            start(
                namespaces.inClient(
                    command(
                        "client",
                        port,
                        Integer.toString(REQUESTS),
                        Integer.toString(connections))));
        try {
          long endNs = System.nanoTime() + TIMEOUT.toNanos();
          while (client.isAlive()) {
            assertThat(System.nanoTime() - endNs).isNegative();
            probe.awaitPressure(5);
            captures.drain();
          }
          assertThat(new String(client.getInputStream().readAllBytes(), UTF_8).strip())
              .isEqualTo(Integer.toString(REQUESTS));
          // What is missing is told by number below.
          captures.awaitIfItComes(
              () -> captures.servers().size() >= REQUESTS && captures.clients().size() >= REQUESTS);
          captures.assertNothingMore(Duration.ofMillis(500));
        } finally {
          client.destroyForcibly().waitFor(10, TimeUnit.SECONDS);
        }
        String where = impairment + " by " + namespaces.link() + ", " + probe.statistics();
        assertAllRight("server: " + where, captures.servers());
        assertAllRight("client: " + where, captures.clients());
        assertThat(captures.servers()).allMatch(HttpExchange::peerLocal);
      } finally {
        server.getOutputStream().close();
        if (!server.waitFor(10, TimeUnit.SECONDS)) {
          server.destroyForcibly();
        }
      }
    }
  }

  /// Fails if an exchange is missing, wrong, doubled or was never sent.
  abstract void assertAllRight(String where, List<HttpExchange> exchanges);

  private static Process start(List<String> command) throws IOException {
    return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
  }

  private List<String> command(String... arguments) {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-cp",
                System.getProperty("java.class.path"),
                traffic.getName(),
                arguments[0],
                LinkedNamespaces.SERVER_ADDRESS));
    command.addAll(List.of(arguments).subList(1, arguments.length));
    return command;
  }
}
