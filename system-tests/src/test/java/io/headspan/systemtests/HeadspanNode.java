package io.headspan.systemtests;

import io.headspan.launcher.Parts;
import io.headspan.launcher.RoleProcess;
import io.headspan.storage.RowReader;
import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import io.headspan.storage.StoreAddress;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// Store, collector and agent, each in a process of its own, as an operator would run them.
final class HeadspanNode implements AutoCloseable {
  private final Parts parts = new Parts();
  private final String collectorAddress;
  private final String storeUrl;
  private final Map<String, String> environment;
  private final SpanStore store;
  private RoleProcess collector;

  private HeadspanNode(Path directory) throws IOException {
    environment = Map.of("HEADSPAN_RUN_DIR", directory.resolve("run").toString());
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
    parts.add(
        RoleProcess.start(
            "agent",
            environment,
            "--listen",
            "127.0.0.1:0",
            "--collector",
            collectorAddress,
            "--exclude-ports",
            port(engine.address()) + "," + port(collectorAddress)));
    store = parts.add(SpanStore.connect(StoreAddress.parse(storeUrl)));
  }

  static HeadspanNode start(Path directory) throws IOException {
    return new HeadspanNode(directory);
  }

  /// Ends the collector as SIGKILL does.
  void killCollector() {
    collector.kill();
  }

  /// Starts a collector where the killed one listened.
  void restartCollector() {
    collector = startCollector();
  }

  <T> List<T> query(SqlQuery query, RowReader<T> reader) {
    return store.query(query, reader);
  }

  @Override
  public void close() {
    parts.close();
    collector.close();
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
