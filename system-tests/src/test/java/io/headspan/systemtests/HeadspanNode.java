package io.headspan.systemtests;

import io.headspan.launcher.Parts;
import io.headspan.launcher.RoleProcess;
import io.headspan.storage.RowReader;
import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import io.headspan.storage.StoreAddress;
import io.headspan.wire.SpanBatch;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Store, collector and agent, each in a process of its own, as an operator would run them.
final class HeadspanNode implements AutoCloseable {
  private final Parts parts = new Parts();
  private final String collectorAddress;
  private final String storeUrl;
  private final Map<String, String> environment;
  private final SpanStore store;
  private final String excludedPorts;
  private RoleProcess collector;
  private RoleProcess agent;

  private HeadspanNode(Path directory, Map<String, String> settings) throws IOException {
    Map<String, String> all = new HashMap<>(settings);
    all.put("HEADSPAN_RUN_DIR", directory.resolve("run").toString());
    all.putIfAbsent("HEADSPAN_AGENT_SPOOL", directory.resolve("spool").toString());
    environment = Map.copyOf(all);
    collectorAddress = "127.0.0.1:" + freePort();
    RoleProcess engine =
        parts.add(
            RoleProcess.start(
                "store",
                environment,
                "--listen",
                "127.0.0.1:0",
                "--path",
                directory.resolve("store").toString()));
    storeUrl = "http://" + engine.address();
    collector = startCollector();
    excludedPorts = port(engine.address()) + "," + port(collectorAddress);
    agent = startAgent();
    store = parts.add(SpanStore.connect(StoreAddress.parse(storeUrl)));
  }

  static HeadspanNode start(Path directory) throws IOException {
    return start(directory, Map.of());
  }

  /// @param settings environment of all roles, beside what makes them find each other
  static HeadspanNode start(Path directory, Map<String, String> settings) throws IOException {
    return new HeadspanNode(directory, settings);
  }

  /// What the agent tells about itself, in Prometheus' text format.
  String agentMetrics() {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create("http://" + agent.address() + "/metrics")).build();
    try (HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()) {
      return client.send(request, HttpResponse.BodyHandlers.ofString()).body();
    } catch (IOException e) {
      throw new UncheckedIOException("the agent does not answer: output=" + agent.output(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  /// Process id of the agent.
  long agentPid() {
    return agent.pid();
  }

  /// Ends the agent as SIGTERM does, having it hand over what it holds.
  void stopAgent() {
    agent.close();
  }

  /// `host:port` of the agent's endpoints.
  String agentAddress() {
    return agent.address();
  }

  /// Ends the agent as SIGKILL does.
  void killAgent() {
    agent.kill();
  }

  /// Starts the agent again that ended.
  void restartAgent() {
    agent = startAgent();
  }

  /// Ends the collector as SIGKILL does.
  void killCollector() {
    collector.kill();
  }

  /// Starts a collector where the killed one listened.
  void restartCollector() {
    collector = startCollector();
  }

  /// `host:port` for senders of spans.
  String collectorAddress() {
    return collectorAddress;
  }

  /// A trace as the store gives it.
  SpanBatch trace(long traceIdHigh, long traceIdLow) {
    return store.trace(traceIdHigh, traceIdLow, 10_000);
  }

  /// A query API on the store of this, for the caller to close.
  RoleProcess startQuery() {
    return RoleProcess.start("query", environment, "--listen", "127.0.0.1:0", "--store", storeUrl);
  }

  /// What the query API says of the functions of the last hour, as JSON.
  String functions() throws IOException, InterruptedException {
    long nowSeconds = System.currentTimeMillis() / 1_000;
    try (RoleProcess api = startQuery();
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()) {
      String query =
          "/api/headspan/v1/functions?start=%d&end=%d"
              .formatted(nowSeconds - 3_600, nowSeconds + 60);
      return client
          .send(
              HttpRequest.newBuilder(URI.create("http://" + api.address() + query)).build(),
              HttpResponse.BodyHandlers.ofString())
          .body();
    }
  }

  <T> List<T> query(SqlQuery query, RowReader<T> reader) {
    return store.query(query, reader);
  }

  @Override
  public void close() {
    agent.close();
    parts.close();
    collector.close();
  }

  private RoleProcess startAgent() {
    return RoleProcess.start(
        "agent",
        environment,
        "--listen",
        "127.0.0.1:0",
        "--collector",
        collectorAddress,
        "--exclude-ports",
        excludedPorts);
  }

  private RoleProcess startCollector() {
    return RoleProcess.start(
        "collector", environment, "--listen", collectorAddress, "--store", storeUrl);
  }

  private static String port(String address) {
    return address.substring(address.lastIndexOf(':') + 1);
  }

  /// A port for a collector that is killed and comes back in the same place.
  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }
}
