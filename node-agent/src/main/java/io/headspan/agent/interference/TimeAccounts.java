package io.headspan.agent.interference;

import io.headspan.agent.identity.Identity;
import io.headspan.agent.identity.Lookup;
import io.headspan.agent.identity.NoIdentity;
import io.headspan.agent.invocation.CallOfThread;
import io.headspan.agent.ledger.Tally;
import io.headspan.agent.libbpf.LibbpfException;
import io.headspan.agent.probe.http.HttpExchange;
import io.headspan.agent.probe.http.HttpExchange.End;
import io.headspan.agent.probe.http.HttpExchange.Role;
import io.headspan.agent.probe.http.HttpProbe;
import io.headspan.agent.probe.lifecycle.LifecycleEvent;
import io.headspan.agent.probe.sched.SchedCounter;
import io.headspan.agent.probe.sched.SchedProbe;
import io.headspan.agent.probe.sched.TenantNumber;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The time accounts of invocations, and the matrix of who waited for whom, from the scheduler.
///
/// An exchange is reported a little before the last record of its account is there, so accounts are
/// handed on from a queue ([#attach]): as soon as they are complete, and after
/// [#ACCOUNT_PATIENCE_NS] with what there is.
///
/// It can be off: because the configuration says so, because this kernel lacks something, or
/// because it is switched off to save time ([#switchOff], until [#switchOn]). Then exchanges have
/// no accounts, and what threads wait for is not measured.
///
/// One thread, that of the capture; [#matrix], [#unassigned], [#offReason] and the counters are for
/// any.
public final class TimeAccounts implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(TimeAccounts.class);

  static final long ACCOUNT_PATIENCE_NS = TimeUnit.MILLISECONDS.toNanos(100);

  private static final long READ_MATRIX_EVERY_NS = TimeUnit.SECONDS.toNanos(1);
  private static final long ADOPT_EVERY_NS = TimeUnit.MILLISECONDS.toNanos(20);
  private static final int WAITING_MAX = 100_000;

  /// So long a removed cgroup keeps its name: somebody may still wait for what it had.
  private static final long FORGET_CGROUP_AFTER_NS = TimeUnit.SECONDS.toNanos(5);

  private final TenantNumbers tenants = new TenantNumbers();
  private final AccountBook book = new AccountBook();
  private final ArrayDeque<Waiting> waiting = new ArrayDeque<>();
  private final ArrayDeque<RemovedCgroup> removed = new ArrayDeque<>();
  private final Tally<AccountOutcome> outcomes = new Tally<>(AccountOutcome.class);

  /// What the kernel knows.
  private final Map<Long, Integer> tenantOfCgroup = new HashMap<>();

  /// Opens the probe; null if there is none to be opened.
  private final @Nullable Supplier<SchedProbe> opener;

  private @Nullable SchedProbe probe;

  /// What probes measured that are closed.
  private MatrixSnapshot matrixBefore = MatrixSnapshot.EMPTY;

  private Map<SchedCounter, Long> countersBefore = Map.of();
  private volatile @Nullable String offReason;
  private volatile MatrixSnapshot matrix = MatrixSnapshot.EMPTY;
  private volatile MatrixSnapshot unassigned = MatrixSnapshot.EMPTY;
  private volatile Map<SchedCounter, Long> counters = Map.of();
  private volatile long records;
  private Consumer<CallOfThread> calls = _ -> {};
  private boolean adoptionDue;
  private long adoptedNs;
  private long matrixReadNs;
  private long nowNs;

  /// An exchange whose account is not complete yet.
  private record Waiting(
      HttpExchange exchange, long untilNs, Consumer<Optional<InvocationAccount>> sink) {}

  private record RemovedCgroup(long cgroupId, long forgetNs) {}

  private TimeAccounts(
      @Nullable Supplier<SchedProbe> opener,
      @Nullable SchedProbe probe,
      @Nullable String offReason) {
    this.opener = opener;
    this.probe = probe;
    this.offReason = offReason;
    nowNs = System.nanoTime();
    adoptedNs = nowNs - ADOPT_EVERY_NS;
  }

  /// Starts accounting for the connections of `http`, if this machine allows it; else it is off.
  public static TimeAccounts start(HttpProbe http) {
    try {
      Supplier<SchedProbe> opener = () -> SchedProbe.open(http.connections(), http.transcripts());
      SchedProbe probe = opener.get();
      if (!probe.seesAnswers()) {
        LOG.warn(
            "Spans have no time accounts, only the interference matrix is measured: this kernel"
                + " does not tell which thread answers (tracepoint sock_send_length, Linux 6.3)");
      }
      return new TimeAccounts(opener, probe, null);
    } catch (LibbpfException e) {
      LOG.warn("Time accounts and interference matrix are off: {}", e.getMessage());
      return new TimeAccounts(null, null, e.getMessage());
    }
  }

  /// Accounts for nothing.
  ///
  /// @param reason for those who wonder
  public static TimeAccounts off(String reason) {
    return new TimeAccounts(null, null, reason);
  }

  /// Stops accounting and detaches from the scheduler. Does nothing if it is off.
  public void switchOff(String reason) {
    SchedProbe open = probe;
    if (open == null) {
      return;
    }
    LOG.warn("Time accounts and interference matrix are switched off: reason={}", reason);
    drain(open);
    flush();
    // What is half measured does not go on.
    book.forgetAll();
    readMatrix(open);
    matrixBefore = matrix;
    countersBefore = counters;
    offReason = reason;
    probe = null;
    open.close();
  }

  /// Starts accounting again after [#switchOff]. Does nothing if it is on, or never was.
  public void switchOn() {
    if (probe != null || opener == null) {
      return;
    }
    try {
      SchedProbe open = opener.get();
      probe = open;
      offReason = null;
      Map<Long, Integer> known = Map.copyOf(tenantOfCgroup);
      tenantOfCgroup.clear();
      known.forEach(
          (cgroupId, tenant) -> setTenant(open, cgroupId, tenant, tenant != TenantNumber.HOST));
      LOG.info("Time accounts and interference matrix are on again: cgroups={}", known.size());
    } catch (LibbpfException e) {
      offReason = e.getMessage();
      LOG.warn("Time accounts and interference matrix stay off: {}", e.getMessage());
    }
  }

  /// Why there are no accounts; empty if there are.
  public Optional<String> offReason() {
    return Optional.ofNullable(offReason);
  }

  /// Takes note of what a cgroup turned out to be; again if more is known of it.
  public void onCgroup(long cgroupId, Lookup lookup) {
    SchedProbe open = probe;
    if (opener == null) {
      return;
    }
    switch (lookup) {
      case Identity container -> setTenant(open, cgroupId, tenants.of(container.tenant()), true);
      case NoIdentity.NO_CONTAINER -> setTenant(open, cgroupId, TenantNumber.HOST, false);
      case NoIdentity.PENDING -> {}
    }
  }

  /// @param open null while it is switched off
  private void setTenant(@Nullable SchedProbe open, long cgroupId, int tenant, boolean watched) {
    Integer before = tenantOfCgroup.get(cgroupId);
    if (before != null && before == tenant) {
      return;
    }
    if (open != null && !open.setTenant(cgroupId, tenant, watched)) {
      outcomes.add(AccountOutcome.CGROUP_REFUSED);
      return;
    }
    tenantOfCgroup.put(cgroupId, tenant);
    adoptionDue |= watched;
  }

  /// Takes note of what happened to a cgroup.
  public void onEvent(LifecycleEvent event) {
    if (opener != null && event instanceof LifecycleEvent.CgroupRemoved gone) {
      removed.add(new RemovedCgroup(gone.cgroupId(), nowNs + FORGET_CGROUP_AFTER_NS));
    }
  }

  /// Whether it is told which thread serves and calls ([#tellCalls]).
  public boolean watchesThreads() {
    SchedProbe open = probe;
    return open != null && open.seesAnswers();
  }

  /// From now on hands every call to `sink` of which the thread tells who made it, within a
  /// [#poll].
  public void tellCalls(Consumer<CallOfThread> sink) {
    calls = sink;
  }

  /// Hands the account of an exchange to `sink`: at once, within a later [#poll], or within
  /// [#flush]; nothing if it has none, or goes on and will be attached again.
  public void attach(HttpExchange exchange, Consumer<Optional<InvocationAccount>> sink) {
    SchedProbe open = probe;
    if (open == null
        || !open.seesAnswers()
        || exchange.role() == Role.CLIENT
        || exchange.end() == End.OPEN) {
      sink.accept(Optional.empty());
    } else if (book.isComplete(exchange) || waiting.size() >= WAITING_MAX) {
      settle(exchange, sink);
    } else {
      // Not from the last poll on: a beat may have come late, and the records with it.
      waiting.add(new Waiting(exchange, System.nanoTime() + ACCOUNT_PATIENCE_NS, sink));
    }
  }

  /// Takes in what the kernel tells, and hands on what is complete or overdue. To be called at
  /// every beat, after the exchanges of it.
  ///
  /// @param nowNs CLOCK_MONOTONIC, not before that of the call before
  public void poll(long nowNs) {
    this.nowNs = nowNs;
    SchedProbe open = probe;
    forgetRemoved(open);
    if (open == null) {
      return;
    }
    if (adoptionDue && nowNs - adoptedNs >= ADOPT_EVERY_NS) {
      adoptionDue = false;
      adoptedNs = nowNs;
      open.adoptThreads();
    }
    drain(open);
    book.takeCalls().forEach(calls);
    settleWaiting();
    if (nowNs - matrixReadNs >= READ_MATRIX_EVERY_NS) {
      matrixReadNs = nowNs;
      readMatrix(open);
      book.expire(nowNs);
    }
  }

  private void forgetRemoved(@Nullable SchedProbe open) {
    while (!removed.isEmpty() && removed.element().forgetNs() - nowNs <= 0) {
      long cgroupId = removed.remove().cgroupId();
      if (open != null) {
        open.removeTenant(cgroupId);
      }
      tenantOfCgroup.remove(cgroupId);
    }
  }

  /// Hands on everything that waits, with what there is.
  public void flush() {
    List<Waiting> all = new ArrayList<>(waiting);
    waiting.clear();
    all.forEach(each -> settle(each.exchange(), each.sink()));
  }

  /// The latest failure to take a record since the last call, for a log.
  public Optional<RuntimeException> takeFailure() {
    SchedProbe open = probe;
    return open == null ? Optional.empty() : open.takeFailure();
  }

  /// The latest reading of the matrix, at most about a second old; cumulative since the start.
  public MatrixSnapshot matrix() {
    return matrix;
  }

  /// What of the matrix belongs to no invocation, as of its latest reading; cumulative since the
  /// start. The numbers of waits are not known.
  public MatrixSnapshot unassigned() {
    return unassigned;
  }

  /// The same as of now. For the capture thread.
  MatrixSnapshot unassignedNow() {
    return snapshot(book.unassigned());
  }

  /// What is in the matrix and belongs to invocations that have not been reported. For the capture
  /// thread.
  MatrixSnapshot held() {
    return snapshot(book.held());
  }

  /// The kernel's counter, as of the latest reading of the matrix.
  public long count(SchedCounter counter) {
    return counters.getOrDefault(counter, 0L);
  }

  /// Records that the kernel has told so far.
  public long records() {
    return records;
  }

  /// How exchanges came by their accounts.
  public Tally<AccountOutcome> outcomes() {
    return outcomes;
  }

  @Override
  public void close() {
    SchedProbe open = probe;
    if (open != null) {
      probe = null;
      open.close();
    }
  }

  @SuppressWarnings("NonAtomicVolatileUpdate") // One writer: the capture thread.
  private void drain(SchedProbe open) {
    records += open.drain(book::accept);
  }

  private void settleWaiting() {
    int n = waiting.size();
    for (int i = 0; i < n; i++) {
      Waiting each = waiting.remove();
      if (each.untilNs() - nowNs <= 0 || book.isComplete(each.exchange())) {
        settle(each.exchange(), each.sink());
      } else {
        waiting.add(each);
      }
    }
  }

  private void settle(HttpExchange exchange, Consumer<Optional<InvocationAccount>> sink) {
    boolean complete = book.isComplete(exchange);
    InvocationAccount account = book.take(exchange, tenants);
    if (account == null) {
      outcomes.add(AccountOutcome.NONE);
    } else {
      outcomes.add(complete ? AccountOutcome.COMPLETE : AccountOutcome.LATE);
    }
    sink.accept(Optional.ofNullable(account));
  }

  private void readMatrix(SchedProbe open) {
    List<MatrixSnapshot.Cell> cells = new ArrayList<>();
    open.readMatrix((victim, culprit, waitNs, waits) ->
        cells.add(
            new MatrixSnapshot.Cell(tenants.name(victim), tenants.name(culprit), waitNs, waits)));
    matrix = matrixBefore.plus(System.nanoTime(), cells);
    unassigned = unassignedNow();
    Map<SchedCounter, Long> counted = new EnumMap<>(open.statistics());
    countersBefore.forEach((counter, times) -> counted.merge(counter, times, Long::sum));
    counters = counted;
  }

  private MatrixSnapshot snapshot(Amounts amounts) {
    List<MatrixSnapshot.Cell> cells = new ArrayList<>();
    amounts.waits.forEach((victim, culprit, ns) ->
        cells.add(new MatrixSnapshot.Cell(tenants.name(victim), tenants.name(culprit), ns, 0)));
    return new MatrixSnapshot(nowNs, cells);
  }
}
