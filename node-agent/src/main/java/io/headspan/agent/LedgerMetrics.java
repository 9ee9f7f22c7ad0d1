package io.headspan.agent;

import io.headspan.agent.ledger.DropReason;
import io.headspan.agent.ledger.Ledger;
import io.headspan.agent.ledger.LedgerSnapshot;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.ToLongFunction;

/// The ledger as `headspan_ledger_*`, per tenant. Series begin when the ledger first has something
/// to say for them, so there are no more of them than the ledger has accounts, times what can
/// happen to a span. To be [#refresh]ed before a scrape: all series of one scrape are of the same
/// moment, and balance.
final class LedgerMetrics {
  private static final String NAME = "headspan.ledger.";

  /// How the tenant of what has none is called; no tenant's name can be this.
  private static final String NO_TENANT = "{none}";

  private final MeterRegistry registry;
  private final Delivery delivery;
  private final Set<String> tenants = new HashSet<>();
  private final Set<Dropped> reasons = new HashSet<>();
  private volatile Map<String, LedgerSnapshot.Row> rows = Map.of();
  private volatile long pending;

  private record Dropped(String tenant, DropReason reason) {}

  LedgerMetrics(MeterRegistry registry, Delivery delivery) {
    this.registry = registry;
    this.delivery = delivery;
    Gauge.builder(NAME + "pending", this, metrics -> metrics.pending)
        .description("Exchanges captured whose tenant is not settled yet")
        .strongReference(true)
        .register(registry);
    refresh();
  }

  /// Reads the ledger.
  void refresh() {
    LedgerSnapshot snapshot = delivery.books();
    Map<String, LedgerSnapshot.Row> read = new HashMap<>();
    for (LedgerSnapshot.Row row : snapshot.rows()) {
      read.put(row.tenant(), row);
    }
    rows = read;
    pending = snapshot.pending();
    read.values().forEach(this::register);
  }

  private synchronized void register(LedgerSnapshot.Row row) {
    String tenant = row.tenant();
    if (tenants.add(tenant)) {
      counter("captured", "Captured", tenant, LedgerSnapshot.Row::captured);
      counter(
          "recovered", "Found in the spool at the start", tenant, LedgerSnapshot.Row::recovered);
      counter(
          "acknowledged",
          "Acknowledged by the collector: the store has them",
          tenant,
          LedgerSnapshot.Row::acknowledged);
      gauge("in.memory", "Held in memory", tenant, LedgerSnapshot.Row::inMemory);
      gauge("spooled", "Held in the spool", tenant, LedgerSnapshot.Row::spooled);
      gauge(
          "imbalance",
          "Captured and recovered, but not explained",
          tenant,
          LedgerSnapshot.Row::imbalance);
    }
    for (DropReason reason : row.dropped().keySet()) {
      if (reasons.add(new Dropped(tenant, reason))) {
        FunctionCounter.builder(
                NAME + "dropped.spans",
                this,
                metrics -> metrics.value(tenant, each -> each.dropped().getOrDefault(reason, 0L)))
            .description("Spans captured and lost, by why")
            .tag("tenant", label(tenant))
            .tag("reason", reason.label())
            .register(registry);
      }
    }
  }

  private void counter(
      String name, String what, String tenant, ToLongFunction<LedgerSnapshot.Row> value) {
    FunctionCounter.builder(NAME + name + ".spans", this, metrics -> metrics.value(tenant, value))
        .description("Spans: " + what)
        .tag("tenant", label(tenant))
        .register(registry);
  }

  private void gauge(
      String name, String what, String tenant, ToLongFunction<LedgerSnapshot.Row> value) {
    Gauge.builder(NAME + name + ".spans", this, metrics -> metrics.value(tenant, value))
        .description("Spans: " + what)
        .tag("tenant", label(tenant))
        .strongReference(true)
        .register(registry);
  }

  private double value(String tenant, ToLongFunction<LedgerSnapshot.Row> value) {
    LedgerSnapshot.Row row = rows.get(tenant);
    return row == null ? 0 : value.applyAsLong(row);
  }

  private static String label(String tenant) {
    return tenant.equals(Ledger.NO_TENANT) ? NO_TENANT : tenant;
  }
}
