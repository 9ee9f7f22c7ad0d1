package io.headspan.storage;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A node of a cluster, as this process sees it.
final class ClusterNode implements AutoCloseable {
  /// Which part of the cluster a node is.
  ///
  /// @param shard number of the shard, as ClickHouse counts them
  /// @param weight of the shard
  /// @param replica number of the replica within the shard
  record Place(int shard, int weight, int replica) {}

  /// Every subquery of a statement over all shards means all of them. With `local` a shard would
  /// see only its own rows in it, and those of other tenants too: filters of tenants by the name of
  /// a Distributed table are lost on the way (tried).
  private static final Map<String, String> READ_SETTINGS =
      Map.of("distributed_product_mode", "global");

  private final StoreAddress address;
  private final StoreClient tables;
  private final StoreClient reads;
  private volatile @Nullable Place place;
  private volatile @Nullable StoreException lost;

  /// @param address of the node, with the database that is read
  /// @param tableDatabase where the tables of its shard are
  ClusterNode(StoreAddress address, String tableDatabase) {
    this.address = address;
    tables = new NodeClient(address.withDatabase(tableDatabase));
    reads = new NodeClient(address, READ_SETTINGS);
  }

  StoreAddress address() {
    return address;
  }

  /// Runs statements on the tables of the node's own shard.
  StoreClient tables() {
    return tables;
  }

  /// Runs SELECTs on what is of all shards.
  StoreClient reads() {
    return reads;
  }

  /// Null until the node has said it.
  @Nullable Place place() {
    return place;
  }

  void place(Place found) {
    place = found;
  }

  /// Whether it can be used as far as is known.
  boolean isThere() {
    return place != null && lost == null;
  }

  /// Why it cannot; null if it can.
  @Nullable StoreException lost() {
    return lost;
  }

  void lost(StoreException reason) {
    lost = reason;
  }

  void found() {
    lost = null;
  }

  @Override
  public void close() {
    tables.close();
    reads.close();
  }

  @Override
  public String toString() {
    return address.endpoint();
  }
}
