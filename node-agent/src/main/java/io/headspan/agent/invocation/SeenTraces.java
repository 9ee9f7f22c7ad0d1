package io.headspan.agent.invocation;

import java.util.Arrays;

/// The traces that each instance was seen with lately, so that it is known of one whether it is new
/// there.
///
/// Two Bloom filters that take turns: of fixed size, and within their time wrong in one direction
/// only. They may take a new trace for a known one (one in a thousand among 200,000, nearly each
/// among millions), never the reverse.
final class SeenTraces {
  private static final int BITS = 1 << 22;
  private static final int PROBES = 4;

  private final long rememberNs;
  private long[] younger = new long[BITS / Long.SIZE];
  private long[] older = new long[BITS / Long.SIZE];
  private long turnNs;

  /// @param rememberNs how long a trace is remembered at least; at most twice as long
  /// @param nowNs the time now
  SeenTraces(long rememberNs, long nowNs) {
    this.rememberNs = rememberNs;
    turnNs = nowNs + rememberNs;
  }

  /// Remembers a trace, and tells whether it is new to the instance.
  boolean add(long cgroupId, long traceIdHigh, long traceIdLow, long nowNs) {
    takeTurns(nowNs);
    long hash = mix(traceIdLow + mix(traceIdHigh + mix(cgroupId)));
    int probe = (int) hash;
    int step = (int) (hash >>> Integer.SIZE) | 1;
    boolean inYounger = true;
    boolean inOlder = true;
    for (int i = 0; i < PROBES; i++) {
      int bit = probe & (BITS - 1);
      long mask = 1L << bit;
      inYounger &= (younger[bit / Long.SIZE] & mask) != 0;
      inOlder &= (older[bit / Long.SIZE] & mask) != 0;
      younger[bit / Long.SIZE] |= mask;
      probe += step;
    }
    return !inYounger && !inOlder;
  }

  private void takeTurns(long nowNs) {
    if (turnNs - nowNs > 0) {
      return;
    }
    long[] oldest = older;
    older = younger;
    younger = oldest;
    Arrays.fill(younger, 0);
    if (nowNs - turnNs >= rememberNs) {
      Arrays.fill(older, 0);
    }
    turnNs = nowNs + rememberNs;
  }

  /// The finalizer of SplitMix64.
  private static long mix(long value) {
    long mixed = (value ^ (value >>> 30)) * 0xbf58476d1ce4e5b9L;
    mixed = (mixed ^ (mixed >>> 27)) * 0x94d049bb133111ebL;
    return mixed ^ (mixed >>> 31);
  }
}
