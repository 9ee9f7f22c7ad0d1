package io.headspan.agent.interference;

import java.util.Arrays;

/// Nanoseconds of waiting by victim and culprit. Few pairs, so they are searched in order.
final class Waits {
  private long[] pairs = new long[4];
  private long[] ns = new long[4];
  private int size;

  /// Takes one pair.
  @FunctionalInterface
  interface PairConsumer {
    void accept(int victim, int culprit, long ns);
  }

  void add(int victim, int culprit, long addedNs) {
    addPair((long) victim << 32 | Integer.toUnsignedLong(culprit), addedNs);
  }

  void add(Waits other) {
    for (int i = 0; i < other.size; i++) {
      addPair(other.pairs[i], other.ns[i]);
    }
  }

  void subtract(Waits other) {
    for (int i = 0; i < other.size; i++) {
      addPair(other.pairs[i], -other.ns[i]);
    }
  }

  /// Adds the share of one among `n`, rounded down.
  void addShare(Waits other, int n) {
    for (int i = 0; i < other.size; i++) {
      addPair(other.pairs[i], other.ns[i] / n);
    }
  }

  /// Adds what `n` shares leave.
  void addRemainder(Waits other, int n) {
    for (int i = 0; i < other.size; i++) {
      addPair(other.pairs[i], other.ns[i] % n);
    }
  }

  void forEach(PairConsumer consumer) {
    for (int i = 0; i < size; i++) {
      consumer.accept((int) (pairs[i] >>> 32), (int) pairs[i], ns[i]);
    }
  }

  private void addPair(long pair, long addedNs) {
    if (addedNs == 0) {
      return;
    }
    for (int i = 0; i < size; i++) {
      if (pairs[i] == pair) {
        ns[i] += addedNs;
        return;
      }
    }
    if (size == pairs.length) {
      pairs = Arrays.copyOf(pairs, 2 * size);
      ns = Arrays.copyOf(ns, 2 * size);
    }
    pairs[size] = pair;
    ns[size] = addedNs;
    size++;
  }
}
