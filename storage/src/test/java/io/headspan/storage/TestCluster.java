package io.headspan.storage;

import io.headspan.storage.embedded.StoreProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/// Embedded stores that ClickHouse's own settings make a cluster of, a process each. They do not
/// speak ClickHouse's native protocol, so Distributed tables reach a shard only from within its own
/// process: with one shard all works, with several what goes through [SpanStore] shard by shard.
/// There is no Keeper either, so their tables are not Replicated.
final class TestCluster implements AutoCloseable {
  static final String NAME = "main";

  /// Nobody listens there: a node knows itself by it.
  private static final int FIRST_TCP_PORT = 29_000;

  private final Path directory;
  private final List<List<Node>> shards = new ArrayList<>();

  /// A node, which may be away.
  static final class Node implements AutoCloseable {
    private final Map<String, String> settings;
    private StoreProcess process;

    private Node(Map<String, String> settings) {
      this.settings = settings;
      process = StoreProcess.start(settings);
    }

    /// As a server of its own.
    StoreAddress address() {
      return process.address();
    }

    /// Ends it at once.
    void kill() {
      process.kill();
    }

    /// Starts it again where it was.
    void restart() {
      StoreAddress address = process.address();
      Map<String, String> again = new HashMap<>(settings);
      again.put("HEADSPAN_STORE_LISTEN", address.host() + ":" + address.port());
      process = StoreProcess.start(again);
    }

    @Override
    public void close() {
      process.close();
    }
  }

  /// @param replicas how many nodes each shard has; without Keeper they do not share what they have
  static TestCluster start(int... replicas) throws IOException {
    TestCluster cluster = new TestCluster(Files.createTempDirectory("headspan-cluster"));
    try {
      cluster.startNodes(replicas);
      return cluster;
    } catch (RuntimeException | IOException e) {
      cluster.close();
      throw e;
    }
  }

  private TestCluster(Path directory) {
    this.directory = directory;
  }

  private void startNodes(int... replicas) throws IOException {
    StringBuilder remote = new StringBuilder();
    int port = FIRST_TCP_PORT;
    for (int count : replicas) {
      remote.append("<shard><internal_replication>true</internal_replication>");
      for (int i = 0; i < count; i++) {
        remote
            .append("<replica><host>127.0.0.1</host><port>")
            .append(port++)
            .append("</port></replica>");
      }
      remote.append("</shard>");
    }
    port = FIRST_TCP_PORT;
    for (int count : replicas) {
      List<Node> nodes = new ArrayList<>();
      shards.add(nodes);
      for (int i = 0; i < count; i++) {
        Path config = directory.resolve(port + ".xml");
        Files.writeString(
            config,
            "<clickhouse><tcp_port>%d</tcp_port><remote_servers><%3$s>%2$s</%3$s></remote_servers></clickhouse>"
                .formatted(port, remote, NAME));
        nodes.add(
            new Node(
                Map.of(
                    "HEADSPAN_STORE_LISTEN",
                    "127.0.0.1:0",
                    "HEADSPAN_STORE_PATH",
                    directory.resolve("node-" + port).toString(),
                    "HEADSPAN_STORE_EXTERNAL",
                    "true",
                    "HEADSPAN_STORE_ENGINE_CONFIG",
                    config.toString())));
        port++;
      }
    }
  }

  /// A node, counted from 1.
  Node node(int shard, int replica) {
    return shards.get(shard - 1).get(replica - 1);
  }

  /// The cluster with a database of this name.
  StoreAddress address(String database) {
    String nodes =
        shards.stream()
            .flatMap(List::stream)
            .map(node -> node.address().host() + ":" + node.address().port())
            .collect(Collectors.joining(","));
    return StoreAddress.parse(
        "http://" + nodes + "/" + database + "?cluster=" + NAME + "&replicated=false");
  }

  @Override
  public void close() throws IOException {
    shards.forEach(nodes -> nodes.forEach(Node::close));
    TestStore.delete(directory);
  }
}
