package io.headspan.launcher;

import io.headspan.loadgen.http.HttpConnection;
import io.headspan.wire.TraceContext;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/// Sends the demo's requests over one keep-alive connection per route, each with a `traceparent` of
/// its own; every third head is cut into pieces.
final class DemoTraffic implements AutoCloseable {
  private static final Duration TIMEOUT = Duration.ofSeconds(20);

  private final Clock clock;
  private final RandomGenerator random;
  private final List<Route> routes;
  private final List<HttpConnection> connections = new ArrayList<>();
  private int sent;

  /// @param name for people
  /// @param address where to connect
  /// @param method of the request
  /// @param path of the request
  /// @param body of the request, "" for none
  /// @param hops the functions that a request must reach
  record Route(
      String name,
      InetSocketAddress address,
      String method,
      String path,
      String body,
      List<SentTrace.Hop> hops) {}

  DemoTraffic(List<Route> routes, Clock clock, RandomGenerator random) {
    this.routes = List.copyOf(routes);
    this.clock = clock;
    this.random = random;
  }

  /// Sends one request to the next route in turn and waits for the whole response.
  SentTrace sendNext() {
    int index = sent % routes.size();
    Route route = routes.get(index);
    TraceContext context =
        new TraceContext(random.nextLong(), random.nextLong(), random.nextLong() | 1, (byte) 1, "");
    byte[] request =
        HttpConnection.request(
            route.method(),
            route.path(),
            "demo.headspan.local",
            route.body(),
            "traceparent: " + context.traceparent());
    try {
      HttpConnection connection = connection(index, route);
      Instant started = clock.instant();
      long startedNs = System.nanoTime();
      if (sent % 3 == 2) {
        connection.send(request, 1, 17, 40);
      } else {
        connection.send(request);
      }
      int status = connection.readResponse(false);
      long durationNs = System.nanoTime() - startedNs;
      sent++;
      return new SentTrace(
          context, route.name(), route.hops(), epochNs(started), durationNs, status);
    } catch (IOException e) {
      throw new LauncherException(
          "request failed: route=%s, address=%s, %s"
              .formatted(route.name(), route.address(), e.getMessage()),
          e);
    }
  }

  @Override
  public void close() {
    for (HttpConnection connection : connections) {
      try {
        connection.close();
      } catch (IOException e) {
        throw new LauncherException("connection not closed: " + e.getMessage(), e);
      }
    }
  }

  private HttpConnection connection(int index, Route route) throws IOException {
    if (connections.size() <= index) {
      connections.add(HttpConnection.open(route.address(), TIMEOUT));
    }
    return connections.get(index);
  }

  private static long epochNs(Instant instant) {
    return instant.getEpochSecond() * 1_000_000_000L + instant.getNano();
  }
}
