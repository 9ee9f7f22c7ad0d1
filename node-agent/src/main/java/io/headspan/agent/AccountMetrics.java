package io.headspan.agent;

import io.headspan.agent.interference.AccountOutcome;
import io.headspan.agent.interference.TimeAccounts;
import io.headspan.agent.probe.sched.SchedCounter;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;

/// What the agent tells of time accounts and of the matrix of who waited for whom, in Prometheus'
/// words. [#refresh] is to be called before each scrape.
final class AccountMetrics {
  private final TimeAccounts accounts;
  private final MatrixMetrics matrix;

  AccountMetrics(MeterRegistry registry, TimeAccounts accounts) {
    this.accounts = accounts;
    matrix = new MatrixMetrics(registry);
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

  /// Takes over the latest readings of the matrix.
  void refresh() {
    matrix.refresh(accounts.matrix(), accounts.unassigned());
  }
}
