package io.headspan.agent.invocation;

import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Exchanges in ascending order of a time, for things that come almost in order: adding at the end
/// and removing at the front cost next to nothing, anywhere else a move of the shorter side.
/// Positions are 0 to `size()` - 1 and change with every addition and removal.
final class TimeLine {
  private long[] times = new long[8];
  private @Nullable Node[] nodes = new Node[8];
  private int from;
  private int to;

  int size() {
    return to - from;
  }

  long time(int position) {
    return times[from + Objects.checkIndex(position, size())];
  }

  Node node(int position) {
    return Objects.requireNonNull(nodes[from + Objects.checkIndex(position, size())]);
  }

  /// First position whose time is `timeNs` or later; `size()` if there is none.
  int firstFrom(long timeNs) {
    int low = from;
    int high = to;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (times[middle] < timeNs) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low - from;
  }

  /// Adds `node` behind all of the same time.
  void add(long timeNs, Node node) {
    if (to == times.length) {
      makeRoom();
    }
    int at = to;
    while (at > from && times[at - 1] > timeNs) {
      at--;
    }
    System.arraycopy(times, at, times, at + 1, to - at);
    System.arraycopy(nodes, at, nodes, at + 1, to - at);
    times[at] = timeNs;
    nodes[at] = node;
    to++;
  }

  /// Removes `node`, added under `timeNs`; false if it is not there.
  boolean remove(long timeNs, Node node) {
    int at = from + firstFrom(timeNs);
    while (at < to && times[at] == timeNs && nodes[at] != node) {
      at++;
    }
    if (at == to || times[at] != timeNs) {
      return false;
    }
    if (at - from < to - at) {
      System.arraycopy(times, from, times, from + 1, at - from);
      System.arraycopy(nodes, from, nodes, from + 1, at - from);
      nodes[from++] = null;
    } else {
      System.arraycopy(times, at + 1, times, at, to - at - 1);
      System.arraycopy(nodes, at + 1, nodes, at, to - at - 1);
      nodes[--to] = null;
    }
    return true;
  }

  private void makeRoom() {
    int size = size();
    // Half empty at the front: move down. Else grow, so that additions stay cheap on average.
    int capacity = size <= times.length / 2 ? times.length : 2 * times.length;
    times = Arrays.copyOf(Arrays.copyOfRange(times, from, to), capacity);
    nodes = Arrays.copyOf(Arrays.copyOfRange(nodes, from, to), capacity);
    from = 0;
    to = size;
  }
}
