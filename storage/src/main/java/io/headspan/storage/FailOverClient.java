package io.headspan.storage;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;

/// Nodes that stand in for one another. A statement goes to the first that is there; if the node
/// turns out not to be, to the next. That is right for inserts too: they have tokens, and replicas
/// know each other's.
final class FailOverClient implements StoreClient {
  /// Failures that are the node's and not the statement's, after ClickHouse's
  /// src/Common/ErrorCodes.cpp: the network, Keeper, shutting down. 0 is that the node did not
  /// answer.
  private static final Set<Integer> OF_NODE = Set.of(0, 209, 210, 225, 236, 242, 279, 999);

  private final String what;
  private final Supplier<List<ClusterNode>> nodes;
  private final Function<ClusterNode, StoreClient> client;
  private final Consumer<ClusterNode> lost;

  /// @param what the nodes are, for messages
  /// @param nodes those to try, in order
  /// @param client how to speak to one
  /// @param lost called with each that was found not to be there
  FailOverClient(
      String what,
      Supplier<List<ClusterNode>> nodes,
      Function<ClusterNode, StoreClient> client,
      Consumer<ClusterNode> lost) {
    this.what = what;
    this.nodes = nodes;
    this.client = client;
    this.lost = lost;
  }

  @Override
  public void insert(String table, NativeSink block, Map<String, String> settings) {
    onFirst(each -> each.insert(table, block, settings));
  }

  @Override
  public void command(String sql, Map<String, String> settings) {
    onFirst(each -> each.command(sql, settings));
  }

  @Override
  public void run(SqlQuery sql) {
    onFirst(each -> each.run(sql));
  }

  @Override
  public void select(SqlQuery sql, Consumer<NativeBlock> blocks) {
    boolean[] begun = new boolean[1];
    Consumer<NativeBlock> noting =
        block -> {
          begun[0] = true;
          blocks.accept(block);
        };
    // Another node would begin again from the first row.
    onFirst(each -> each.select(sql, noting), () -> !begun[0]);
  }

  @Override
  public void cancel(String queryId) {
    nodes.get().forEach(node -> client.apply(node).cancel(queryId));
  }

  /// The nodes are closed by who opened them.
  @Override
  public void close() {}

  /// Whether another node may do what this one could not.
  static boolean isOfNode(StoreException e) {
    return e.kind() == StoreException.Kind.UNAVAILABLE && OF_NODE.contains(e.code());
  }

  private void onFirst(Consumer<StoreClient> statement) {
    onFirst(statement, () -> true);
  }

  private void onFirst(Consumer<StoreClient> statement, Supplier<Boolean> mayRepeat) {
    StoreException last = null;
    for (ClusterNode node : nodes.get()) {
      StoreException reason = node.lost();
      if (reason == null) {
        try {
          statement.accept(client.apply(node));
          return;
        } catch (StoreException e) {
          if (!isOfNode(e) || !mayRepeat.get()) {
            throw e;
          }
          node.lost(e);
          lost.accept(node);
          reason = e;
        }
      }
      last = reason;
    }
    throw new StoreException(
        StoreException.Kind.UNAVAILABLE,
        last == null ? 0 : last.code(),
        "no node is there: nodes="
            + what
            + ", reason="
            + (last == null ? "none has answered yet" : last.getMessage()),
        last);
  }
}
