package io.headspan.query.explain;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// An invocation's duration taken apart: each nanosecond is in one cause, and the causes add up to
/// the duration exactly.
///
/// What the agent measured overlaps in two places. Time that a woken thread waited for its CPU
/// before it read the request is both queue time and stolen (or throttled) time: it counts as
/// stolen. And a thread that waits for a call is asleep: that counts as the call, the rest of its
/// sleep as blocked. What is in none of them (waits behind threads of the same tenant, CPUs that
/// wake up, work that nobody accounted for) is the rest; it is negative where several threads
/// worked for the invocation at a time.
final class Account {
  private Account() {}

  static Map<Cause, Double> of(Invocation invocation) {
    long takenNs = invocation.stolenNs() + invocation.throttledNs();
    long queueNs = Math.max(0, invocation.queueNs() - takenInQueueNs(invocation, takenNs));
    long leftNs = Math.max(0, invocation.durationNs() - queueNs - invocation.cpuNs() - takenNs);
    Map<Cause, Double> account = new LinkedHashMap<>();
    add(account, Cause.CPU, (double) invocation.cpuNs());
    add(account, Cause.QUEUE, (double) queueNs);
    add(account, Cause.stolen(invocation.culprit()), (double) invocation.stolenNs());
    add(account, Cause.THROTTLED, (double) invocation.throttledNs());
    double calledNs = addCalls(account, invocation, leftNs);
    double blockedNs = invocation.blockedNs() == Invocation.UNKNOWN ? 0 : invocation.blockedNs();
    add(
        account,
        Cause.BLOCKED,
        Math.min(Math.max(0, blockedNs - calledNs), Math.max(0, leftNs - calledNs)));
    double known = account.values().stream().mapToDouble(Double::doubleValue).sum();
    add(account, Cause.REST, invocation.durationNs() - known);
    return account;
  }

  /// How much of the stolen and throttled time lay before the pickup. What followed the pickup is
  /// in the part of the duration that is neither queue nor CPU nor sleep.
  private static long takenInQueueNs(Invocation invocation, long takenNs) {
    if (invocation.blockedNs() == Invocation.UNKNOWN) {
      return Math.min(takenNs, invocation.queueNs());
    }
    long waitedNs =
        invocation.durationNs()
            - invocation.queueNs()
            - invocation.cpuNs()
            - invocation.blockedNs();
    return Math.clamp(takenNs - Math.max(0, waitedNs), 0, Math.max(0, invocation.queueNs()));
  }

  /// @param leftNs the most that calls can have taken
  /// @return what they took
  private static double addCalls(Map<Cause, Double> account, Invocation invocation, long leftNs) {
    List<CriticalCalls.Part> parts = CriticalCalls.of(invocation);
    double allNs = parts.stream().mapToLong(CriticalCalls.Part::ns).sum();
    if (allNs == 0) {
      return 0;
    }
    double scale = Math.min(1, leftNs / allNs);
    for (CriticalCalls.Part part : parts) {
      Cause cause =
          wasRepeated(part.call(), invocation.calls())
              ? Cause.retry(part.call())
              : Cause.call(part.call());
      add(account, cause, part.ns() * scale);
    }
    return allNs * scale;
  }

  private static boolean wasRepeated(Call call, List<Call> calls) {
    return call.failed()
        && calls.stream()
            .anyMatch(other -> other.sameTarget(call) && other.startNs() >= call.endNs());
  }

  private static void add(Map<Cause, Double> account, Cause cause, double ns) {
    if (ns != 0) {
      account.merge(cause, ns, Double::sum);
    }
  }
}
