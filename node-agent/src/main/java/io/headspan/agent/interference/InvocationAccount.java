package io.headspan.agent.interference;

import io.headspan.wire.signal.NodeSignal;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// What became of the time of one invocation. See docs/time-accounts.md for how each part is
/// measured.
///
/// @param scope how exactly
/// @param tenant whose invocation it is, as the matrix has it
/// @param queueNs from the request's first byte to the thread that read it
/// @param cpuNs on a CPU
/// @param throttledNs runnable, but the quota of its own group was used up
/// @param blockedNs asleep between pickup and answer; null where that cannot be told
/// @param waits runnable otherwise, by who had the CPU; its own tenant and `{idle}` included
public record InvocationAccount(
    Scope scope,
    String tenant,
    long queueNs,
    long cpuNs,
    long throttledNs,
    @Nullable Long blockedNs,
    List<Wait> waits) {
  public InvocationAccount {
    waits = List.copyOf(waits);
  }

  /// Time behind one tenant's threads.
  public record Wait(String culprit, long ns) {}

  /// How exactly an account was measured, from best to worst.
  public enum Scope {
    /// One thread read the request, wrote the answer, and did nothing else in between.
    THREAD("thread"),
    /// The thread had other invocations open meanwhile: what they share is split among them.
    SHARED_THREAD("shared-thread"),
    /// Other threads took part, or may have: what the cgroup's threads did meanwhile is split among
    /// its open invocations.
    CGROUP("cgroup"),
    /// Its container has no cgroup of its own. Whoever else is in that one counts as its own
    /// tenant, so what they took is not in what was stolen.
    SHARED_CGROUP("shared-cgroup");

    private final String label;

    Scope(String label) {
      this.label = label;
    }

    /// The value of `headspan.scope`.
    public String label() {
      return label;
    }
  }

  /// The same, of a container that shares its cgroup with others.
  public InvocationAccount ofSharedCgroup() {
    return new InvocationAccount(
        Scope.SHARED_CGROUP, tenant, queueNs, cpuNs, throttledNs, blockedNs, waits);
  }

  /// The time that others took: not its own tenant, and not an idle CPU.
  public long stolenNs() {
    return waits.stream().filter(this::isStolen).mapToLong(Wait::ns).sum();
  }

  /// Who took most of it, if anybody took any, and how much.
  public Optional<Wait> culprit() {
    Map<String, Long> taken = new LinkedHashMap<>();
    waits.stream()
        .filter(this::isStolen)
        .forEach(wait -> taken.merge(wait.culprit(), wait.ns(), Long::sum));
    return taken.entrySet().stream()
        .max(Map.Entry.comparingByValue())
        .map(most -> new Wait(most.getKey(), most.getValue()));
  }

  private boolean isStolen(Wait wait) {
    return wait.ns() > 0 && NodeSignal.Interference.isTaken(tenant, wait.culprit());
  }
}
