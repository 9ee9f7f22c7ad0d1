package io.headspan.storage;

import io.headspan.storage.schema.ClusterDdl;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// The nodes of a cluster: which shard each is of, which are there, and statements that go to one
/// that is. Each node says itself, by its `system.clusters`, what it is. Thread-safe.
final class ClusterNodes implements SchemaKeeper, AutoCloseable {
  private static final long LOOK_AGAIN_MILLIS = 1000;
  private static final long CLOSE_LIMIT_MILLIS = 10_000;

  private final StoreAddress address;
  private final String cluster;
  private final List<ClusterNode> nodes;
  private final Migrator migrator;
  private final AtomicInteger turn = new AtomicInteger();
  private final Semaphore missing = new Semaphore(0);
  private final Thread watch;
  private volatile @Nullable Shards shards;
  private volatile boolean migrates;
  private volatile boolean closed;

  /// The shards, in order of their numbers.
  private record Shards(List<Integer> numbers, Sharding sharding) {}

  ClusterNodes(StoreAddress address) {
    this.address = address;
    StoreAddress.Cluster of = address.cluster().orElseThrow();
    cluster = of.name();
    nodes =
        address.nodes().stream()
            .map(node -> new ClusterNode(address.node(node), address.tableDatabase()))
            .toList();
    migrator =
        new Migrator(
            Optional.of(
                new ClusterDdl(
                    cluster, address.database(), address.tableDatabase(), of.replicated())));
    watch = Thread.ofPlatform().name("store-nodes").daemon().start(this::watch);
  }

  /// How traces are split over the shards.
  ///
  /// @throws StoreException if there is a shard of which no node has ever answered
  Sharding sharding() {
    Shards known = shards;
    return (known == null ? find() : known).sharding();
  }

  /// Runs statements on the tables of a shard: on its first replica that is there, so that all who
  /// write and decide agree on one as long as they see the same.
  ///
  /// @param shard index in [#sharding()]
  StoreClient shard(int shard) {
    return new FailOverClient(
        "shard " + (shard + 1) + " of " + cluster,
        () -> {
          int number = known().numbers().get(shard);
          return nodes.stream()
              .filter(node -> shardOf(node) == number)
              .sorted(Comparator.comparingInt(ClusterNodes::replicaOf))
              .toList();
        },
        ClusterNode::tables,
        _ -> missing.release());
  }

  /// Runs SELECTs on what is of all shards: on each node in turn.
  StoreClient reads() {
    return new FailOverClient(
        "all of " + cluster,
        () -> {
          var _ = known();
          List<ClusterNode> inTurn = new ArrayList<>(nodes);
          inTurn.removeIf(node -> node.place() == null);
          Collections.rotate(inTurn, turn.getAndIncrement() % inTurn.size());
          return inTurn;
        },
        ClusterNode::reads,
        _ -> missing.release());
  }

  /// Brings the nodes that are there to this version's schema. From now on those that come later
  /// are brought there too.
  @Override
  public void migrate() {
    var _ = known();
    migrates = true;
    for (ClusterNode node : nodes) {
      if (node.isThere()) {
        try {
          identify(node);
        } catch (StoreException e) {
          lose(node, e);
        }
      }
    }
    checkComplete();
    migrator.migrate(targets(nodes.stream().filter(ClusterNode::isThere).toList()));
  }

  /// Whether each shard has a node that answers and has this version's schema.
  @Override
  public boolean isCurrent() {
    var _ = known();
    for (ClusterNode node : nodes) {
      if (node.isThere()) {
        try {
          checkCurrent(node);
        } catch (StoreException e) {
          lose(node, e);
        }
      }
    }
    checkComplete();
    return true;
  }

  @Override
  public void close() {
    closed = true;
    watch.interrupt();
    try {
      watch.join(CLOSE_LIMIT_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    nodes.forEach(ClusterNode::close);
  }

  private Shards known() {
    Shards known = shards;
    return known == null ? find() : known;
  }

  private synchronized Shards find() {
    Shards found = shards;
    if (found != null) {
      return found;
    }
    Map<Integer, Integer> weights = new TreeMap<>();
    StoreException last = null;
    for (ClusterNode node : nodes) {
      try {
        Map<Integer, Integer> said = identify(node);
        if (!weights.isEmpty() && !weights.equals(said)) {
          throw new StoreException(
              StoreException.Kind.REJECTED,
              "nodes know different shards of one cluster: cluster="
                  + cluster
                  + ", node="
                  + node
                  + ", weights="
                  + said
                  + ", others="
                  + weights
                  + "; give all the same remote_servers");
        }
        weights.putAll(said);
      } catch (StoreException e) {
        if (!FailOverClient.isOfNode(e)) {
          throw e;
        }
        node.lost(e);
        last = e;
      }
    }
    if (weights.isEmpty()) {
      throw Objects.requireNonNull(last);
    }
    checkPlaces();
    List<Integer> numbers = List.copyOf(weights.keySet());
    checkComplete(numbers);
    found = new Shards(numbers, new Sharding(List.copyOf(weights.values())));
    shards = found;
    missing.release();
    return found;
  }

  /// Asks a node where in the cluster it is.
  ///
  /// @return the weights of all shards by their numbers
  private Map<Integer, Integer> identify(ClusterNode node) {
    record Listed(ClusterNode.Place place, boolean isLocal, String name) {}
    List<Listed> listed;
    try (StoreClient server = new NodeClient(node.address().withDatabase("default"))) {
      listed =
          server.rows(
              SqlQuery.of(
                      """
                      SELECT shard_num, shard_weight, replica_num, is_local, host_name, port
                      FROM system.clusters WHERE cluster = {cluster:String}
                      """)
                  .bind("cluster", cluster),
              row ->
                  new Listed(
                      new ClusterNode.Place(
                          (int) row.integer(0), (int) row.integer(1), (int) row.integer(2)),
                      row.flag(3),
                      row.text(4) + ":" + row.integer(5)));
    }
    List<Listed> local = listed.stream().filter(Listed::isLocal).toList();
    if (local.size() != 1) {
      throw new StoreException(
          StoreException.Kind.REJECTED,
          "node does not find itself once in the cluster: node="
              + node
              + ", cluster="
              + cluster
              + ", listed="
              + listed.stream().map(Listed::name).toList()
              + "; its remote_servers must name the cluster, and the node by its own host and"
              + " tcp_port");
    }
    if (listed.size() > nodes.size()) {
      throw new StoreException(
          StoreException.Kind.REJECTED,
          "cluster has more nodes than the store's address names: cluster="
              + cluster
              + ", nodes="
              + listed.stream().map(Listed::name).toList()
              + ", named="
              + nodes
              + "; name the HTTP interface of each");
    }
    node.place(local.getFirst().place());
    Map<Integer, Integer> weights = new TreeMap<>();
    listed.forEach(each -> weights.put(each.place().shard(), each.place().weight()));
    return weights;
  }

  private void checkPlaces() {
    for (ClusterNode node : nodes) {
      for (ClusterNode other : nodes) {
        if (node != other && node.place() != null && Objects.equals(node.place(), other.place())) {
          throw new StoreException(
              StoreException.Kind.REJECTED,
              "two addresses lead to one node: cluster="
                  + cluster
                  + ", addresses="
                  + List.of(node, other)
                  + "; name each node once, and no balancer");
        }
      }
    }
  }

  private void checkComplete() {
    checkComplete(known().numbers());
  }

  private void checkComplete(List<Integer> numbers) {
    for (int number : numbers) {
      if (nodes.stream().noneMatch(node -> node.isThere() && shardOf(node) == number)) {
        throw new StoreException(
            StoreException.Kind.UNAVAILABLE,
            "no node of a shard is there: cluster="
                + cluster
                + ", shard="
                + number
                + ", away="
                + nodes.stream()
                    .filter(node -> !node.isThere())
                    .map(node -> node + " (" + reason(node) + ")")
                    .toList());
      }
    }
  }

  private static String reason(ClusterNode node) {
    StoreException lost = node.lost();
    return lost == null ? "not asked yet" : String.valueOf(lost.getMessage());
  }

  private List<Migrator.Target> targets(List<ClusterNode> some) {
    return some.stream()
        .map(node ->
            new Migrator.Target(
                node.address().withDatabase(address.tableDatabase()), shardOf(node), node.tables()))
        .toList();
  }

  private static void checkCurrent(ClusterNode node) {
    if (!Migrator.isCurrent(node.tables())) {
      throw new StoreException(
          StoreException.Kind.UNAVAILABLE, "node lacks this version's schema: node=" + node);
    }
  }

  private void lose(ClusterNode node, StoreException reason) {
    node.lost(reason);
    missing.release();
  }

  /// Looks after nodes that are not there, as long as there are such.
  private void watch() {
    try {
      while (!closed) {
        if (shards == null || nodes.stream().allMatch(ClusterNode::isThere)) {
          missing.acquire();
        } else {
          TimeUnit.MILLISECONDS.sleep(LOOK_AGAIN_MILLIS);
        }
        missing.drainPermits();
        if (shards != null) {
          nodes.stream().filter(node -> !node.isThere()).forEach(this::lookAgain);
        }
      }
    } catch (InterruptedException e) {
      if (!closed) {
        throw new IllegalStateException("interrupted, but not closed", e);
      }
    }
  }

  private void lookAgain(ClusterNode node) {
    try {
      var _ = identify(node);
      checkPlaces();
      if (migrates) {
        List<ClusterNode> some = new ArrayList<>(nodes);
        some.removeIf(each -> each != node && !each.isThere());
        migrator.migrate(targets(some));
      }
      checkCurrent(node);
      node.found();
    } catch (StoreException e) {
      node.lost(e);
    } catch (RuntimeException e) {
      node.lost(
          new StoreException(
              StoreException.Kind.UNAVAILABLE, 0, "node cannot be used: node=" + node, e));
    }
  }

  private static int shardOf(ClusterNode node) {
    ClusterNode.Place place = node.place();
    return place == null ? 0 : place.shard();
  }

  private static int replicaOf(ClusterNode node) {
    ClusterNode.Place place = node.place();
    return place == null ? 0 : place.replica();
  }
}
