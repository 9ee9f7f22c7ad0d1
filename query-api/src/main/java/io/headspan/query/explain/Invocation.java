package io.headspan.query.explain;

import java.util.List;

/// An invocation that has ended, with its time account and its calls.
///
/// @param traceId 32 hex digits
/// @param measured whether an agent accounted for its time; all of the account is 0 otherwise
/// @param culprit who took most of `stolenNs`; "" if nobody did
/// @param weight how many it stands for
/// @param blockedNs asleep between pickup and answer; [#UNKNOWN] if it could not be told
record Invocation(
    String traceId,
    long startNs,
    long durationNs,
    String version,
    boolean measured,
    long queueNs,
    long cpuNs,
    long stolenNs,
    String culprit,
    long throttledNs,
    long blockedNs,
    boolean coldStart,
    List<Call> calls,
    double weight) {
  static final long UNKNOWN = -1;

  long endNs() {
    return startNs + durationNs;
  }
}
