package io.headspan.agent;

import io.headspan.agent.interference.MatrixSnapshot;
import io.headspan.wire.signal.NodeSignal;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/// The matrix of who waited for whom, in Prometheus' words. What nobody else took, waits behind own
/// load and for an idle CPU, has a name of its own: a sum by culprit is of culprits only. The pairs
/// of tenants are not known beforehand, so [#refresh] adds those that are new.
final class MatrixMetrics {
  private static final double NANOS = 1e9;

  private final MeterRegistry registry;
  private final Map<Pair, AtomicLong> waitNs = new HashMap<>();
  private final Map<Pair, AtomicLong> unassignedNs = new HashMap<>();

  private record Pair(String victim, String culprit) {}

  MatrixMetrics(MeterRegistry registry) {
    this.registry = registry;
  }

  /// Takes over a reading.
  ///
  /// @param unassigned the part of it that belongs to no invocation
  synchronized void refresh(MatrixSnapshot matrix, MatrixSnapshot unassigned) {
    for (MatrixSnapshot.Cell cell : matrix.cells()) {
      waitNs
          .computeIfAbsent(new Pair(cell.victim(), cell.culprit()), this::register)
          .set(cell.waitNs());
    }
    for (MatrixSnapshot.Cell cell : unassigned.cells()) {
      if (NodeSignal.Interference.isTaken(cell.victim(), cell.culprit())) {
        unassignedNs
            .computeIfAbsent(
                new Pair(cell.victim(), cell.culprit()),
                pair ->
                    registerTaken(
                        pair,
                        "headspan.agent.runqueue.unassigned",
                        "The part of the waits that belongs to no invocation; the rest is in their"
                            + " spans"))
            .set(cell.waitNs());
      }
    }
  }

  private AtomicLong register(Pair pair) {
    if (NodeSignal.Interference.isTaken(pair.victim(), pair.culprit())) {
      return registerTaken(
          pair,
          "headspan.agent.runqueue.wait",
          "Time that the victim's threads were runnable while the culprit's had the CPU");
    }
    AtomicLong total = new AtomicLong();
    FunctionCounter.builder("headspan.agent.own.wait", total, ns -> ns.get() / NANOS)
        .description(
            "Time that the tenant's threads were runnable while others of it had the CPU, or nobody")
        .baseUnit("seconds")
        .tag("tenant", pair.victim())
        .tag("reason", NodeSignal.Interference.ownReason(pair.victim(), pair.culprit()))
        .register(registry);
    return total;
  }

  private AtomicLong registerTaken(Pair pair, String name, String description) {
    AtomicLong total = new AtomicLong();
    FunctionCounter.builder(name, total, ns -> ns.get() / NANOS)
        .description(description)
        .baseUnit("seconds")
        .tag("victim", pair.victim())
        .tag("culprit", pair.culprit())
        .register(registry);
    return total;
  }
}
