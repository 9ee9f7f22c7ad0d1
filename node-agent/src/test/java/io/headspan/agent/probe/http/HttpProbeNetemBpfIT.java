package io.headspan.agent.probe.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.stream.Collectors.groupingBy;
import static java.util.stream.Collectors.toUnmodifiableSet;
import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.probe.http.HttpExchange.End;
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
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// The real programs between two network namespaces whose link delays, loses, doubles and reorders.
@Tag("privileged")
@Tag("kernels")
class HttpProbeNetemBpfIT {
  private static final int REQUESTS = Integer.getInteger("headspan.netem.requests", 3_000);
  private static final int CONNECTIONS = 48;
  private static final Duration TIMEOUT = Duration.ofMinutes(4);

  private static final int REPEATS = Integer.getInteger("headspan.netem.repeats", 1);

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
      Process server = start(namespaces.inServer(traffic("server")));
      try (BufferedReader output =
          new BufferedReader(new InputStreamReader(server.getInputStream(), UTF_8))) {
        String port = output.readLine();
        assertThat(port).isNotNull();
        var captures = new Captures(probe, Integer.parseInt(port));
        Process client =
            start(
                namespaces.inClient(
                    traffic(
                        "client",
                        port,
                        Integer.toString(REQUESTS),
                        Integer.toString(CONNECTIONS))));
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

  private static void assertAllRight(String where, List<HttpExchange> exchanges) {
    Map<String, List<HttpExchange>> byHead = exchanges.stream().collect(groupingBy(Captures::head));
    List<String> wrong = new ArrayList<>();
    Set<String> expected =
        IntStream.range(0, REQUESTS).mapToObj(NetemTraffic::request).collect(toUnmodifiableSet());
    for (int number = 0; number < REQUESTS; number++) {
      List<HttpExchange> found = byHead.getOrDefault(NetemTraffic.request(number), List.of());
      if (found.size() != 1) {
        wrong.add(number + " captured " + found.size() + " times");
        continue;
      }
      HttpExchange exchange = found.getFirst();
      if (!exchange.headComplete()
          || exchange.status() != NetemTraffic.status(number)
          || exchange.end() != End.RESPONSE
          || exchange.responseBytes() != NetemTraffic.responseLength(number)
          || exchange.headNs() > exchange.responseNs()
          || exchange.responseNs() > exchange.tailNs()) {
        wrong.add(number + " " + exchange);
      }
    }
    for (HttpExchange exchange : exchanges) {
      if (!expected.contains(Captures.head(exchange))) {
        wrong.add("not sent: " + exchange + " with head " + Captures.head(exchange));
      }
    }
    assertThat(wrong).as(where).isEmpty();
    assertThat(exchanges).hasSize(REQUESTS);
  }

  private static Process start(List<String> command) throws IOException {
    return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
  }

  private static List<String> traffic(String... arguments) {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-cp",
                System.getProperty("java.class.path"),
                NetemTraffic.class.getName(),
                arguments[0],
                LinkedNamespaces.SERVER_ADDRESS));
    command.addAll(List.of(arguments).subList(1, arguments.length));
    return command;
  }
}
