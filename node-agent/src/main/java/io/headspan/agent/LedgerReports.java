package io.headspan.agent;

import io.headspan.agent.ledger.Ledger;
import io.headspan.agent.ledger.LedgerSnapshot;
import io.headspan.wire.signal.NodeSignal;
import io.headspan.wire.signal.NodeSignal.Ledger.Entry;
import java.util.ArrayList;
import java.util.List;

/// The ledger as it is told to the collector.
public final class LedgerReports {
  private LedgerReports() {}

  /// Every number that is not 0, and what was captured in any case.
  public static NodeSignal.Ledger signal(LedgerSnapshot books) {
    List<Entry> entries = new ArrayList<>();
    add(entries, Ledger.NO_TENANT, "pending", books.pending());
    for (LedgerSnapshot.Row row : books.rows()) {
      String tenant = row.tenant();
      entries.add(new Entry(tenant, "captured", "", row.captured()));
      add(entries, tenant, "recovered", row.recovered());
      add(entries, tenant, "acknowledged", row.acknowledged());
      add(entries, tenant, "in_memory", row.inMemory());
      add(entries, tenant, "spooled", row.spooled());
      row.dropped()
          .forEach(
              (reason, spans) -> entries.add(new Entry(tenant, "dropped", reason.label(), spans)));
    }
    return new NodeSignal.Ledger(entries);
  }

  private static void add(List<Entry> entries, String tenant, String state, long spans) {
    if (spans != 0) {
      entries.add(new Entry(tenant, state, "", spans));
    }
  }
}
