package io.headspan.query.explain;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// An invocation's duration taken apart: each nanosecond is in one cause or in one branch, and they
/// add up to the duration exactly.
///
/// What the agent measured overlaps in two places. Time that a woken thread waited for its CPU
/// before it read the request is both queue time and stolen (or throttled) time: it counts as
/// stolen. And a thread that waits for a call is asleep: that counts as the call, the rest of its
/// sleep as blocked. What is in none of them (waits behind threads of the same tenant, CPUs that
/// wake up, work that nobody accounted for) is the rest; it is negative where several threads
/// worked for the invocation at a time.
///
/// @param causes with the time of each; a call's is without what its callee's invocation has of it
/// @param branches invocations that this one waited for
record Account(Map<Cause, Double> causes, List<Branch> branches) {
  /// A callee's invocation. Its own clock may be another node's, so no more is taken from it than
  /// how long it and its parts took.
  ///
  /// @param cause the call
  /// @param factor how much of each of the callee's nanoseconds was waited for: less than 1 if a
  ///   part of the call is not on the critical path
  record Branch(Cause cause, Invocation callee, double factor) {
    double ns() {
      return factor * callee.durationNs();
    }
  }

  static Account of(Invocation invocation) {
    long takenNs = invocation.stolenNs() + invocation.throttledNs();
    long queueNs = Math.max(0, invocation.queueNs() - takenInQueueNs(invocation, takenNs));
    long leftNs = Math.max(0, invocation.durationNs() - queueNs - invocation.cpuNs() - takenNs);
    long culpritNs = invocation.takenByCulpritNs();
    Map<Cause, Double> causes = new LinkedHashMap<>();
    List<Branch> branches = new ArrayList<>();
    add(causes, Cause.CPU, (double) invocation.cpuNs());
    add(causes, Cause.QUEUE, (double) queueNs);
    add(causes, Cause.stolen(invocation.culprit()), (double) culpritNs);
    add(causes, Cause.stolenByOthers(), (double) (invocation.stolenNs() - culpritNs));
    add(causes, Cause.THROTTLED, (double) invocation.throttledNs());
    double calledNs = addCalls(causes, branches, invocation, leftNs);
    double blockedNs = invocation.blockedNs() == Invocation.UNKNOWN ? 0 : invocation.blockedNs();
    add(
        causes,
        Cause.BLOCKED,
        Math.min(Math.max(0, blockedNs - calledNs), Math.max(0, leftNs - calledNs)));
    double known = causes.values().stream().mapToDouble(Double::doubleValue).sum();
    double branchedNs = branches.stream().mapToDouble(Branch::ns).sum();
    add(causes, Cause.REST, invocation.durationNs() - known - branchedNs);
    return new Account(causes, branches);
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
  private static double addCalls(
      Map<Cause, Double> causes, List<Branch> branches, Invocation invocation, long leftNs) {
    List<CriticalCalls.Part> parts = CriticalCalls.of(invocation);
    double allNs = parts.stream().mapToLong(CriticalCalls.Part::ns).sum();
    if (allNs == 0) {
      return 0;
    }
    double scale = Math.min(1, leftNs / allNs);
    for (CriticalCalls.Part part : parts) {
      double ns = part.ns() * scale;
      Cause cause = cause(part.call(), invocation);
      @Nullable Invocation callee = part.call().callee();
      if (callee == null) {
        add(causes, cause, ns);
      } else {
        long wholeNs = Math.max(part.call().durationNs(), callee.durationNs());
        Branch branch = new Branch(cause, callee, ns / wholeNs);
        branches.add(branch);
        // The way there and back.
        add(causes, cause, ns * (wholeNs - callee.durationNs()) / wholeNs);
      }
    }
    return allNs * scale;
  }

  private static Cause cause(Call call, Invocation caller) {
    if (!call.failed()) {
      return Cause.call(call);
    }
    return caller.wasRepeated(call) ? Cause.retry(call) : Cause.failed(call);
  }

  private static void add(Map<Cause, Double> causes, Cause cause, double ns) {
    if (ns != 0) {
      causes.merge(cause, ns, Double::sum);
    }
  }
}
