package io.headspan.agent.ledger;

import io.headspan.agent.ledger.Ledger.Account;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/// The books at one moment.
///
/// @param pending exchanges whose tenant is not settled
/// @param rows by tenant
public record LedgerSnapshot(long pending, List<Row> rows) {
  public LedgerSnapshot {
    rows = List.copyOf(rows);
  }

  /// The sum over all tenants, under no tenant's name.
  public Row total() {
    Row sum = Row.of(Ledger.NO_TENANT, new long[Account.SIZE]);
    for (Row row : rows) {
      sum = sum.plus(row);
    }
    return sum;
  }

  /// The account of one tenant, in spans.
  ///
  /// @param tenant [Ledger#NO_TENANT] for none
  /// @param recovered found in the spool when the agent started
  /// @param captured captured since
  /// @param acknowledged the store has them
  /// @param inMemory in batches being filled or waiting
  /// @param spooled in the spool
  /// @param dropped lost, by reason; only what is not 0
  public record Row(
      String tenant,
      long recovered,
      long captured,
      long acknowledged,
      long inMemory,
      long spooled,
      Map<DropReason, Long> dropped) {
    public Row {
      dropped = Map.copyOf(dropped);
    }

    static Row of(String tenant, long[] values) {
      Map<DropReason, Long> dropped = new EnumMap<>(DropReason.class);
      for (DropReason reason : DropReason.values()) {
        if (values[Account.of(reason)] != 0) {
          dropped.put(reason, values[Account.of(reason)]);
        }
      }
      return new Row(
          tenant,
          values[Account.RECOVERED],
          values[Account.CAPTURED],
          values[Account.ACKNOWLEDGED],
          values[Account.IN_MEMORY],
          values[Account.SPOOLED],
          dropped);
    }

    private long[] values() {
      long[] values = new long[Account.SIZE];
      values[Account.RECOVERED] = recovered;
      values[Account.CAPTURED] = captured;
      values[Account.ACKNOWLEDGED] = acknowledged;
      values[Account.IN_MEMORY] = inMemory;
      values[Account.SPOOLED] = spooled;
      dropped.forEach((reason, count) -> values[Account.of(reason)] = count);
      return values;
    }

    /// Both together, under this one's name.
    Row plus(Row other) {
      long[] sums = values();
      long[] more = other.values();
      for (int i = 0; i < sums.length; i++) {
        sums[i] += more[i];
      }
      return of(tenant, sums);
    }

    public long droppedTotal() {
      return dropped.values().stream().mapToLong(Long::longValue).sum();
    }

    /// What cannot be explained; 0 if the books balance.
    public long imbalance() {
      return captured + recovered - acknowledged - inMemory - spooled - droppedTotal();
    }
  }
}
