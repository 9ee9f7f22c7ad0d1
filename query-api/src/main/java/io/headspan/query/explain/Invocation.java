package io.headspan.query.explain;

import java.util.List;

/// An invocation that has ended, with its time account and its calls.
///
/// @param traceId 32 hex digits
/// @param measured whether an agent accounted for its time; all of the account is 0 otherwise
/// @param culprit who took most of `stolenNs`; "" if nobody did
/// @param culpritNs how much of it; [#UNKNOWN] if the agent did not say
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
    long culpritNs,
    long throttledNs,
    long blockedNs,
    boolean coldStart,
    List<Call> calls,
    double weight) {
  static final long UNKNOWN = -1;

  Invocation with(List<Call> made, double standsFor) {
    return new Invocation(
        traceId,
        startNs,
        durationNs,
        version,
        measured,
        queueNs,
        cpuNs,
        stolenNs,
        culprit,
        culpritNs,
        throttledNs,
        blockedNs,
        coldStart,
        made,
        standsFor);
  }

  /// What the culprit took, as far as is known: all of it where the agent did not say.
  long takenByCulpritNs() {
    return culpritNs == UNKNOWN ? stolenNs : Math.clamp(culpritNs, 0, Math.max(0, stolenNs));
  }

  long endNs() {
    return startNs + durationNs;
  }

  /// Whether a call failed and was made again.
  boolean wasRepeated(Call call) {
    return call.failed()
        && calls.stream()
            .anyMatch(other -> other.sameTarget(call) && other.startNs() >= call.endNs());
  }

  long retries() {
    return calls.stream().filter(this::wasRepeated).count();
  }
}
