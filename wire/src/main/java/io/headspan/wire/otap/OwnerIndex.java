package io.headspan.wire.otap;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/// Which rows of a table have which id, so that the rows of its children find their owner. Several
/// rows may share an id (resources, scopes): they form a chain.
final class OwnerIndex {
  /// No (further) owner.
  static final int NONE = -1;

  /// Marks a row without an id.
  static final long NO_ID = -1;

  /// Ids are usually 0, 1, 2, …: then they index an array, otherwise a map.
  private static final int DENSE_IDS = 1 << 16;

  private final int[] first;
  private final Map<Long, Integer> sparse = new HashMap<>();
  private final int[] next;

  /// Indexes `ids`, where `ids[i]` is the id of owner `i` or [#NO_ID].
  OwnerIndex(long[] ids, int owners) {
    long max = -1;
    for (int i = 0; i < owners; i++) {
      max = Math.max(max, ids[i]);
    }
    boolean dense = max < Math.max(DENSE_IDS, 4L * owners);
    first = new int[dense ? (int) max + 1 : 0];
    Arrays.fill(first, NONE);
    next = new int[owners];
    for (int owner = owners - 1; owner >= 0; owner--) {
      long id = ids[owner];
      next[owner] = NONE;
      if (id == NO_ID) {
        continue;
      }
      if (dense) {
        next[owner] = first[(int) id];
        first[(int) id] = owner;
      } else {
        Integer later = sparse.put(id, owner);
        next[owner] = later == null ? NONE : later;
      }
    }
  }

  /// The first owner with `id`, or [#NONE].
  int first(long id) {
    if (id < first.length) {
      return first[(int) id];
    }
    return sparse.isEmpty() ? NONE : sparse.getOrDefault(id, NONE);
  }

  /// The next owner with the same id as `owner`, or [#NONE].
  int next(int owner) {
    return next[owner];
  }

  /// Whether two owners share an id.
  boolean hasDuplicates() {
    for (int owner : next) {
      if (owner != NONE) {
        return true;
      }
    }
    return false;
  }
}
