package io.headspan.agent;

import io.headspan.agent.interference.AccountOutcome;
import io.headspan.agent.interference.MatrixSnapshot;
import io.headspan.agent.interference.TimeAccounts;
import io.headspan.agent.probe.sched.SchedCounter;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/// What the agent tells of time accounts and of the matrix of who waited for whom, in Prometheus'
/// words. The pairs of tenants are not known beforehand, so [#refresh] is to be called before each
/// scrape.
final class AccountMetrics {
  private static final double NANOS = 1e9;

  private final MeterRegistry registry;
  private final TimeAccounts accounts;
  private final Map<Pair, AtomicLong> waitNs = new HashMap<>();

  private record Pair(String victim, String culprit) {}

  AccountMetrics(MeterRegistry registry, TimeAccounts accounts) {
    this.registry = registry;
    this.accounts = accounts;
    Gauge.builder("headspan.agent.time.accounts.on", accounts, a -> a.offReason().isEmpty() ? 1 : 0)
        .description("Whether the scheduler is watched for time accounts")
        .strongReference(true)
        .register(registry);
    FunctionCounter.builder("headspan.agent.account.records", accounts, TimeAccounts::records)
        .description("Records of threads' time taken from the kernel")
        .register(registry);
    for (AccountOutcome outcome : AccountOutcome.values()) {
      FunctionCounter.builder("headspan.agent.accounts", accounts, a -> a.outcomes().count(outcome))
          .description("Exchanges by how they came by their time account")
          .tag("outcome", outcome.label())
          .register(registry);
    }
    for (SchedCounter counter : SchedCounter.values()) {
      FunctionCounter.builder("headspan.agent.probe.sched", accounts, a -> a.count(counter))
          .description("What the scheduler probe counts")
          .tag("counter", counter.label())
          .register(registry);
    }
  }

  /// Takes over the latest reading of the matrix.
  synchronized void refresh() {
    for (MatrixSnapshot.Cell cell : accounts.matrix().cells()) {
      waitNs
          .computeIfAbsent(new Pair(cell.victim(), cell.culprit()), this::register)
          .set(cell.waitNs());
    }
  }

  private AtomicLong register(Pair pair) {
    AtomicLong total = new AtomicLong();
    FunctionCounter.builder("headspan.agent.runqueue.wait", total, ns -> ns.get() / NANOS)
        .description("Time that the victim's threads were runnable while the culprit's had the CPU")
        .baseUnit("seconds")
        .tag("victim", pair.victim())
        .tag("culprit", pair.culprit())
        .register(registry);
    return total;
  }
}
