package io.headspan.agent.probe.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.probe.http.HttpExchange.End;
import io.headspan.agent.probe.http.HttpExchange.Role;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;

/// What a probe captured on one port; other traffic of the machine is left out.
final class Captures {
  private static final Duration DEADLINE = Duration.ofSeconds(10);
  private static final int LINES_MAX = 30;

  private final HttpProbe probe;
  private final int port;
  private final List<HttpExchange> servers = new ArrayList<>();
  private final List<HttpExchange> clients = new ArrayList<>();

  Captures(HttpProbe probe, int port) {
    this.probe = probe;
    this.port = port;
  }

  List<HttpExchange> servers() {
    return servers;
  }

  List<HttpExchange> clients() {
    return clients;
  }

  /// Drains until so many server exchanges are there, and fails if there are more.
  List<HttpExchange> awaitServers(int count) {
    await(() -> servers.size() >= count);
    assertThat(lines(servers.subList(count, servers.size()))).isEmpty();
    return servers;
  }

  /// Drains until the condition holds, and fails if that takes too long.
  void await(BooleanSupplier condition) {
    assertThat(awaitIfItComes(condition))
        .as("servers %s, clients %s, %s", lines(servers), lines(clients), probe.statistics())
        .isTrue();
  }

  /// Drains until the condition holds or too much time has passed; tells which.
  boolean awaitIfItComes(BooleanSupplier condition) {
    long endNs = System.nanoTime() + DEADLINE.toNanos();
    drain();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - endNs > 0) {
        return false;
      }
      probe.awaitPressure(2);
      drain();
    }
    return true;
  }

  /// Drains for so long, and fails if anything comes.
  void assertNothingMore(Duration time) {
    int serversBefore = servers.size();
    int clientsBefore = clients.size();
    long endNs = System.nanoTime() + time.toNanos();
    while (System.nanoTime() - endNs < 0) {
      probe.awaitPressure(2);
      drain();
    }
    assertThat(lines(servers.subList(serversBefore, servers.size()))).isEmpty();
    assertThat(lines(clients.subList(clientsBefore, clients.size()))).isEmpty();
  }

  void drain() {
    probe.drain(exchange -> {
      if (exchange.end() == End.OPEN) {
        // It comes again when it ends.
        return;
      }
      if (exchange.role() == Role.SERVER && exchange.local().getPort() == port) {
        servers.add(exchange);
      } else if (exchange.role() == Role.CLIENT && exchange.remote().getPort() == port) {
        clients.add(exchange);
      }
    });
    assertThat(probe.takeFailure()).isEmpty();
  }

  static String head(HttpExchange exchange) {
    return new String(exchange.requestHead(), StandardCharsets.ISO_8859_1);
  }

  static String requestLine(HttpExchange exchange) {
    return head(exchange).lines().findFirst().orElse("");
  }

  private static List<String> lines(List<HttpExchange> exchanges) {
    return exchanges.stream()
        .skip(Math.max(0, exchanges.size() - LINES_MAX))
        .map(exchange -> requestLine(exchange) + " " + exchange.status() + " " + exchange.end())
        .toList();
  }
}
