package io.headspan.agent.ledger;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// The books of one start of the agent, per tenant:
///
/// captured + recovered = acknowledged + in memory + spooled + dropped (by reason)
///
/// *Captured* is every exchange whose tenant is settled, and what the kernel had no room for;
/// *recovered* are spans that an earlier start left in the spool. An exchange whose tenant is not
/// settled yet is *pending* and belongs to none. Every stage tells what it does with spans, in one
/// call for one change, under one lock: so every snapshot balances, and when the agent is quiet,
/// nothing is pending.
///
/// Tenants beyond [#TENANTS_MAX] share the account [#OTHER_TENANTS]. Any thread.
public final class Ledger {
  /// The account of what is of no tenant, or of one that nobody told.
  public static final String NO_TENANT = "";

  /// The account of all tenants for which there is no room.
  public static final String OTHER_TENANTS = "{other}";

  public static final int TENANTS_MAX = 1_000;

  private static final DropReason[] REASONS = DropReason.values();

  private final Map<String, Account> accounts = new TreeMap<>();
  private final @Nullable LedgerFile file;
  private final long[] lost = new long[REASONS.length];
  private long pending;

  /// The numbers of one tenant, by index.
  static final class Account {
    static final int RECOVERED = 0;
    static final int CAPTURED = 1;
    static final int ACKNOWLEDGED = 2;
    static final int IN_MEMORY = 3;
    static final int SPOOLED = 4;
    static final int DROPPED = 5;
    static final int SIZE = DROPPED + REASONS.length;

    final long[] values = new long[SIZE];
    final int slot;

    Account(int slot) {
      this.slot = slot;
    }

    static int of(Place place) {
      return switch (place) {
        case MEMORY -> IN_MEMORY;
        case SPOOL -> SPOOLED;
      };
    }

    static int of(DropReason reason) {
      return DROPPED + reason.number();
    }
  }

  /// A ledger that dies with its process.
  public Ledger() {
    this(null);
  }

  /// @param file keeps the books for the next start, if this one does not get to close them
  public Ledger(@Nullable LedgerFile file) {
    this.file = file;
  }

  /// An exchange came out of the kernel; whose it is will be told.
  public synchronized void captured() {
    pending(1);
  }

  /// An exchange that was captured will have no span.
  ///
  /// @param tenant null for none
  public synchronized void leftOut(@Nullable String tenant, DropReason reason) {
    Account account = account(tenant == null ? NO_TENANT : tenant);
    pending(-1);
    add(account, Account.CAPTURED, 1);
    add(account, Account.of(reason), 1);
  }

  /// The span of an exchange that was captured is in a batch being filled.
  ///
  /// @param tenant null for none
  public synchronized void batched(@Nullable String tenant) {
    Account account = account(tenant == null ? NO_TENANT : tenant);
    pending(-1);
    add(account, Account.CAPTURED, 1);
    add(account, Account.IN_MEMORY, 1);
  }

  /// What was lost before anybody could look at it, counted elsewhere.
  ///
  /// @param total how many so far, since the agent started
  public synchronized void lost(DropReason reason, long total) {
    long more = total - lost[reason.number()];
    if (more > 0) {
      lost[reason.number()] = total;
      Account account = account(NO_TENANT);
      add(account, Account.CAPTURED, more);
      add(account, Account.of(reason), more);
    }
  }

  /// A batch of an earlier start was found in the spool.
  public synchronized void recovered(TenantCounts spans) {
    spans.forEach((tenant, count) -> {
      Account account = account(tenant);
      add(account, Account.RECOVERED, count);
      add(account, Account.SPOOLED, count);
    });
  }

  /// A batch went from one place to the other.
  public synchronized void moved(TenantCounts spans, Place from, Place to) {
    spans.forEach((tenant, count) -> {
      Account account = account(tenant);
      add(account, Account.of(from), -count);
      add(account, Account.of(to), count);
    });
  }

  /// The collector has acknowledged a batch: the store has it.
  public synchronized void acknowledged(TenantCounts spans, Place from) {
    spans.forEach((tenant, count) -> {
      Account account = account(tenant);
      add(account, Account.of(from), -count);
      add(account, Account.ACKNOWLEDGED, count);
    });
  }

  /// A batch is lost.
  public synchronized void dropped(TenantCounts spans, Place from, DropReason reason) {
    spans.forEach((tenant, count) -> {
      Account account = account(tenant);
      add(account, Account.of(from), -count);
      add(account, Account.of(reason), count);
    });
  }

  /// The books as they are now.
  public synchronized LedgerSnapshot snapshot() {
    List<LedgerSnapshot.Row> rows = new ArrayList<>(accounts.size());
    accounts.forEach((tenant, account) -> rows.add(LedgerSnapshot.Row.of(tenant, account.values)));
    return new LedgerSnapshot(pending, rows);
  }

  /// Spans of all tenants that were dropped for a reason.
  public synchronized long dropped(DropReason reason) {
    return total(Account.of(reason));
  }

  /// Spans of all tenants that the collector has acknowledged.
  public synchronized long acknowledged() {
    return total(Account.ACKNOWLEDGED);
  }

  /// Spans of all tenants that are in a place.
  public synchronized long held(Place place) {
    return total(Account.of(place));
  }

  /// Exchanges whose tenant is not settled.
  public synchronized long pending() {
    return pending;
  }

  private long total(int index) {
    long total = 0;
    for (Account account : accounts.values()) {
      total += account.values[index];
    }
    return total;
  }

  private Account account(String tenant) {
    Account known = accounts.get(tenant);
    if (known != null) {
      return known;
    }
    boolean full = accounts.size() >= TENANTS_MAX && !tenant.equals(NO_TENANT);
    String name = full ? OTHER_TENANTS : tenant;
    return accounts.computeIfAbsent(
        name,
        _ -> {
          Account account = new Account(accounts.size());
          if (file != null) {
            file.begin(account.slot, name);
          }
          return account;
        });
  }

  private void add(Account account, int index, long count) {
    account.values[index] += count;
    if (file != null) {
      file.put(account.slot, index, account.values[index]);
    }
  }

  private void pending(int count) {
    pending += count;
    if (file != null) {
      file.putPending(pending);
    }
  }

  @Override
  public synchronized String toString() {
    StringBuilder text = new StringBuilder("Ledger[pending=").append(pending);
    accounts.forEach((tenant, account) ->
        text.append(", ").append(tenant).append('=').append(Arrays.toString(account.values)));
    return text.append(']').toString();
  }
}
