package io.headspan.storage;

import java.util.List;

/// Which shard has a trace: as a Distributed table with
/// [io.headspan.storage.schema.ClusterDdl#SHARDING_KEY] finds it.
final class Sharding {
  // Of ClickHouse's intHash64: a seed, and the finalizer of MurmurHash3.
  private static final long SEED = 0x4CF2D2BAAE6DA887L;
  private static final long FIRST = 0xFF51AFD7ED558CCDL;
  private static final long SECOND = 0xC4CEB9FE1A85EC53L;
  private static final int SHIFT = 33;

  private final int[] weights;
  private final int total;

  /// @param weights of the shards, in order of their numbers
  Sharding(List<Integer> weights) {
    this.weights = weights.stream().mapToInt(Integer::intValue).toArray();
    total = weights.stream().mapToInt(Integer::intValue).sum();
    if (total < 1) {
      throw new StoreException(
          StoreException.Kind.REJECTED, "cluster has no shard that takes rows: weights=" + weights);
    }
  }

  int shards() {
    return weights.length;
  }

  /// The index of the trace's shard.
  int ofTrace(long traceIdHigh, long traceIdLow) {
    return ofHash(hash(Long.reverseBytes(traceIdHigh) ^ Long.reverseBytes(traceIdLow)));
  }

  /// The index of the shard for what belongs to no trace: the same whenever it comes.
  int ofToken(String token) {
    return ofHash(hash(token.hashCode()));
  }

  /// The share of all traces that a shard has.
  double share(int shard) {
    return (double) weights[shard] / total;
  }

  /// Of the token of a batch, that of its part for a shard. Another split is another token: its
  /// parts are not those that the same shards may have stored already.
  String partToken(String token, int shard) {
    return token + "/" + (shard + 1) + "of" + total;
  }

  private int ofHash(long hash) {
    int slot = (int) Long.remainderUnsigned(hash, total);
    int shard = 0;
    while (slot >= weights[shard]) {
      slot -= weights[shard];
      shard++;
    }
    return shard;
  }

  private static long hash(long value) {
    long hash = value ^ SEED;
    hash ^= hash >>> SHIFT;
    hash *= FIRST;
    hash ^= hash >>> SHIFT;
    hash *= SECOND;
    return hash ^ (hash >>> SHIFT);
  }
}
