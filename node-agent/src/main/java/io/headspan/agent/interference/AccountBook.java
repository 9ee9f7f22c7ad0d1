package io.headspan.agent.interference;

import io.headspan.agent.interference.InvocationAccount.Scope;
import io.headspan.agent.invocation.CallOfThread;
import io.headspan.agent.probe.http.HttpExchange;
import io.headspan.agent.probe.http.HttpExchange.Protocol;
import io.headspan.agent.probe.sched.AccountRecord;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Finds out to which invocation the time of threads belongs.
///
/// The kernel tells of each thread what became of its time between events: it picked up a request,
/// it answered one, or none of both. From a pickup to the first answer, the request is *open*, and
/// it is the thread's that picked it up:
///
/// - While a thread has open requests, its time is theirs, in equal shares ([Scope#THREAD] if it
///   never was more than one, else [Scope#SHARED_THREAD]).
/// - If another thread answers, or one of the same process wakes the thread up meanwhile, the
///   request was handed on, and who worked for it cannot be told from the kernel. It gets its share
///   of the *pool* ([Scope#CGROUP]): of all time of threads of its cgroup that had no open
///   requests, in equal shares for all requests that were open in the cgroup at that moment. Nobody
///   knows before the answer whether a request will be handed on, so all open ones have a share
///   kept for them; those that were not handed on leave it.
/// - What a thread waited between its last wake-up and a pickup is the request's, provided that it
///   had arrived before that wake-up.
/// - Everything else is *unassigned*: time without an open request, shares that were left, what
///   division leaves, and requests that no exchange was captured of.
///
/// A call that a thread makes while it has one open request, which it picked up by a blocking read
/// and answers itself, is that request's ([#takeCalls]): such a thread does one thing after the
/// other. One that reads without blocking may do anything in between.
///
/// So every nanosecond that a record tells of is in exactly one account, or unassigned, or still
/// held here. One thread; times come in as arguments.
final class AccountBook {
  private static final int CONNECTIONS_MAX = 1 << 17;
  private static final int THREADS_MAX = 1 << 17;
  private static final int VISITS_MAX = 64;
  private static final int CALLS_MAX = 1 << 16;

  /// After this time nobody will ask for an answered request.
  private static final long FORGET_AFTER_NS = 300_000_000_000L;

  private final Map<Integer, Worker> workers = new LinkedHashMap<>();
  private final Map<Long, Pool> pools = new HashMap<>();

  /// By socket cookie, the connections with the oldest visits first.
  private final LinkedHashMap<Long, Deque<Visit>> visits = new LinkedHashMap<>();

  private final Amounts unassigned = new Amounts();

  /// Of answered requests, and not taken yet.
  private List<CallOfThread> calls = new ArrayList<>();

  /// A thread.
  private static final class Worker {
    /// What it picked up and nobody has answered.
    final List<Visit> open = new ArrayList<>(2);

    /// What it answered last, perhaps not to its end.
    @Nullable Visit answered;
  }

  /// The threads of a cgroup that have no open requests.
  private static final class Pool {
    int open;

    /// What one open request would have got if it had been open since the pool was last empty.
    Amounts each = new Amounts();
  }

  /// A request from its pickup on, to its answer and beyond.
  private static final class Visit {
    final long cookie;
    final int request;
    final long pickupNs;
    final long wokenNs;
    final long cgroupId;
    final int tenant;
    final Worker reader;
    final boolean blocking;
    final Amounts poolBefore;

    /// What its reader called while it had nothing else open.
    List<CallOfThread> calls = List.of();

    /// What its reader waited before the pickup, since it woke up.
    final Amounts before;

    final Amounts own = new Amounts();
    Scope scope = Scope.THREAD;
    boolean open = true;
    boolean answered;
    long answeredNs;

    Visit(AccountRecord pickup, Worker reader, Amounts before, Amounts poolBefore) {
      cookie = pickup.cookie();
      request = pickup.request();
      pickupNs = pickup.timeNs();
      wokenNs = pickup.wokenNs();
      cgroupId = pickup.cgroupId();
      tenant = pickup.tenant();
      blocking = pickup.blocking();
      this.reader = reader;
      this.before = before;
      this.poolBefore = poolBefore;
    }

    void widenTo(Scope atLeast) {
      if (scope.compareTo(atLeast) < 0) {
        scope = atLeast;
      }
    }
  }

  /// Takes a record. Those of one thread come in order.
  void accept(AccountRecord record) {
    Worker worker = worker(record.tid());
    switch (record.cause()) {
      case PICKUP -> pickUp(record, worker);
      case ANSWER -> answer(record, worker);
      case CALL -> call(record, worker);
      case PERIOD -> share(record, worker);
      case EXIT -> {
        share(record, worker);
        workers.remove(record.tid());
      }
    }
  }

  /// Whether all that there will be of an exchange is here.
  boolean isComplete(HttpExchange exchange) {
    Deque<Visit> ofConnection = visits.get(exchange.socketCookie());
    if (ofConnection == null) {
      return false;
    }
    Visit last = null;
    for (Visit visit : ofConnection) {
      if (visit.pickupNs <= exchange.tailNs()) {
        last = visit;
      }
    }
    return last != null && last.answered && last.answeredNs >= exchange.tailNs();
  }

  /// Takes out the account of an exchange; null if no thread was seen to pick it up.
  @Nullable InvocationAccount take(HttpExchange exchange, TenantNumbers tenants) {
    Deque<Visit> ofConnection = visits.get(exchange.socketCookie());
    if (ofConnection == null) {
      return null;
    }
    Amounts sum = new Amounts();
    Visit first = null;
    Scope scope = Scope.THREAD;
    while (!ofConnection.isEmpty() && ofConnection.element().pickupNs <= exchange.tailNs()) {
      Visit visit = ofConnection.remove();
      if (visit.answered && visit.answeredNs < exchange.headNs()) {
        discard(visit);
        continue;
      }
      if (visit.open) {
        // The connection ended, or the record of the answer was lost: then who wrote is not known.
        if (exchange.end() == HttpExchange.End.RESPONSE) {
          visit.widenTo(Scope.CGROUP);
        }
        close(visit);
      }
      boolean arrivedBefore = exchange.headNs() <= visit.wokenNs;
      (arrivedBefore ? sum : unassigned).add(visit.before);
      sum.add(visit.own);
      if (visit.pickupNs < exchange.headNs() || exchange.protocol() != Protocol.HTTP_1) {
        // Several requests of this connection may be served at once.
        visit.widenTo(Scope.SHARED_THREAD);
      }
      scope = scope.compareTo(visit.scope) < 0 ? visit.scope : scope;
      first = first == null ? visit : first;
    }
    if (ofConnection.isEmpty()) {
      visits.remove(exchange.socketCookie());
    }
    if (first == null) {
      return null;
    }
    if (scope == Scope.CGROUP) {
      unassigned.blockedNs += sum.blockedNs;
    }
    List<InvocationAccount.Wait> waits = new ArrayList<>();
    sum.waits.forEach(
        (_, culprit, ns) -> waits.add(new InvocationAccount.Wait(tenants.name(culprit), ns)));
    return new InvocationAccount(
        scope,
        tenants.name(first.tenant),
        Math.max(0, first.pickupNs - exchange.headNs()),
        sum.cpuNs,
        sum.throttledNs,
        scope == Scope.CGROUP ? null : sum.blockedNs,
        waits);
  }

  /// The calls of requests that were answered since the last time.
  List<CallOfThread> takeCalls() {
    if (calls.isEmpty()) {
      return List.of();
    }
    List<CallOfThread> taken = calls;
    calls = new ArrayList<>();
    return taken;
  }

  /// Forgets requests that no exchange was captured of.
  void expire(long nowNs) {
    while (!visits.isEmpty()) {
      Map.Entry<Long, Deque<Visit>> oldest = visits.firstEntry();
      Visit last = oldest.getValue().getLast();
      if (nowNs - last.pickupNs < FORGET_AFTER_NS) {
        return;
      }
      visits.remove(oldest.getKey());
      if (last.open) {
        // Still under way.
        visits.put(oldest.getKey(), oldest.getValue());
        return;
      }
      oldest.getValue().forEach(this::discard);
    }
  }

  /// Forgets all requests: nothing more is measured of them.
  void forgetAll() {
    visits.values().forEach(ofConnection -> ofConnection.forEach(this::discard));
    visits.clear();
    workers.clear();
    pools.clear();
  }

  /// What belongs to no invocation, up to now.
  Amounts unassigned() {
    return unassigned.copy();
  }

  /// What accounts that nobody has taken yet would have.
  Amounts held() {
    Amounts held = new Amounts();
    for (Deque<Visit> ofConnection : visits.values()) {
      for (Visit visit : ofConnection) {
        held.add(visit.before);
        held.add(visit.own);
        if (visit.open) {
          held.add(pool(visit.cgroupId).each);
          held.subtract(visit.poolBefore);
        }
      }
    }
    return held;
  }

  private void pickUp(AccountRecord record, Worker worker) {
    Amounts before = new Amounts();
    if (worker.open.isEmpty()) {
      Amounts rest = Amounts.of(record);
      before = Amounts.sinceWoken(record);
      rest.subtract(before);
      addToPool(record.cgroupId(), rest);
    } else {
      share(record, worker);
      worker.open.forEach(other -> {
        other.widenTo(Scope.SHARED_THREAD);
        other.calls = List.of();
      });
    }
    Deque<Visit> ofConnection = connection(record.cookie());
    Pool pool = pool(record.cgroupId());
    Visit visit = new Visit(record, worker, before, pool.each.copy());
    if (!worker.open.isEmpty()) {
      visit.widenTo(Scope.SHARED_THREAD);
    }
    pool.open++;
    worker.open.add(visit);
    ofConnection.add(visit);
    if (ofConnection.size() > VISITS_MAX) {
      discard(ofConnection.remove());
    }
  }

  private void call(AccountRecord record, Worker worker) {
    share(record, worker);
    if (worker.open.size() != 1) {
      return;
    }
    Visit visit = worker.open.getFirst();
    if (visit.blocking) {
      if (visit.calls.isEmpty()) {
        visit.calls = new ArrayList<>(2);
      }
      visit.calls.add(
          new CallOfThread(record.cookie(), record.request(), visit.cookie, visit.pickupNs));
    }
  }

  private void answer(AccountRecord record, Worker worker) {
    Deque<Visit> ofConnection = visits.get(record.cookie());
    Visit visit = ofConnection == null ? null : find(ofConnection, record.request());
    if (visit == null) {
      share(record, worker);
      return;
    }
    if (visit.open) {
      if (visit.reader != worker) {
        visit.widenTo(Scope.CGROUP);
      } else if (calls.size() < CALLS_MAX) {
        calls.addAll(visit.calls);
      }
      visit.calls = List.of();
      share(record, worker);
      close(visit);
    } else if (worker.answered == visit) {
      // More of an answer that it began.
      List<Visit> all = new ArrayList<>(worker.open);
      all.add(visit);
      noteHelp(record, all);
      share(Amounts.of(record), all);
    } else {
      share(record, worker);
    }
    visit.answered = true;
    visit.answeredNs = record.timeNs();
    worker.answered = visit;
  }

  /// A quick client's next request may be picked up before the answer to the last one is told.
  private static @Nullable Visit find(Deque<Visit> visits, int request) {
    Iterator<Visit> newestFirst = visits.descendingIterator();
    while (newestFirst.hasNext()) {
      Visit visit = newestFirst.next();
      if (visit.request == request) {
        return visit;
      }
    }
    return null;
  }

  /// Shares out what became of a thread's time up to now.
  private void share(AccountRecord record, Worker worker) {
    Amounts amounts = Amounts.of(record);
    if (worker.open.isEmpty()) {
      addToPool(record.cgroupId(), amounts);
    } else {
      noteHelp(record, worker.open);
      share(amounts, worker.open);
    }
  }

  private static void noteHelp(AccountRecord record, List<Visit> visits) {
    if (record.helped()) {
      visits.forEach(visit -> visit.widenTo(Scope.CGROUP));
    }
  }

  private void share(Amounts amounts, List<Visit> among) {
    int n = among.size();
    if (n == 1) {
      among.getFirst().own.add(amounts);
      return;
    }
    for (Visit visit : among) {
      visit.widenTo(Scope.SHARED_THREAD);
      visit.own.addShare(amounts, n);
    }
    unassigned.addRemainder(amounts, n);
  }

  private void addToPool(long cgroupId, Amounts amounts) {
    // That a thread without a request sleeps is no loss to anybody.
    unassigned.blockedNs += amounts.blockedNs;
    amounts.blockedNs = 0;
    Pool pool = pools.get(cgroupId);
    if (pool == null || pool.open == 0) {
      unassigned.add(amounts);
      return;
    }
    pool.each.addShare(amounts, pool.open);
    unassigned.addRemainder(amounts, pool.open);
  }

  /// Ends the time in which a request is open: gives it its share of the pool, or leaves it.
  private void close(Visit visit) {
    visit.open = false;
    visit.reader.open.remove(visit);
    Pool pool = pool(visit.cgroupId);
    Amounts share = pool.each.copy();
    share.subtract(visit.poolBefore);
    (visit.scope == Scope.CGROUP ? visit.own : unassigned).add(share);
    pool.open--;
    if (pool.open == 0) {
      pools.remove(visit.cgroupId);
    }
  }

  private void discard(Visit visit) {
    if (visit.open) {
      close(visit);
    }
    unassigned.add(visit.before);
    unassigned.add(visit.own);
  }

  private Pool pool(long cgroupId) {
    return pools.computeIfAbsent(cgroupId, _ -> new Pool());
  }

  private Worker worker(int tid) {
    Worker known = workers.get(tid);
    if (known != null) {
      return known;
    }
    if (workers.size() >= THREADS_MAX) {
      // Records of their ends were lost.
      workers.remove(workers.keySet().iterator().next());
    }
    Worker worker = new Worker();
    workers.put(tid, worker);
    return worker;
  }

  private Deque<Visit> connection(long cookie) {
    Deque<Visit> known = visits.get(cookie);
    if (known != null) {
      return known;
    }
    if (visits.size() >= CONNECTIONS_MAX) {
      visits.pollFirstEntry().getValue().forEach(this::discard);
    }
    Deque<Visit> added = new ArrayDeque<>(2);
    visits.put(cookie, added);
    return added;
  }
}
