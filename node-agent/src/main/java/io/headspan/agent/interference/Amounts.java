package io.headspan.agent.interference;

import io.headspan.agent.probe.sched.AccountRecord;

/// Amounts of threads' time, by what became of it. Whole nanoseconds: what division leaves is an
/// amount of its own, so that nothing is lost.
final class Amounts {
  long cpuNs;
  long throttledNs;
  long blockedNs;
  final Waits waits = new Waits();

  /// All that a record tells.
  static Amounts of(AccountRecord record) {
    Amounts amounts = new Amounts();
    amounts.cpuNs = record.cpuNs();
    amounts.throttledNs = record.throttledNs();
    amounts.blockedNs = record.blockedNs();
    for (AccountRecord.Wait wait : record.waits()) {
      amounts.waits.add(record.tenant(), wait.culprit(), wait.ns());
    }
    return amounts;
  }

  /// Its waits since the thread's last wake-up.
  static Amounts sinceWoken(AccountRecord record) {
    Amounts amounts = new Amounts();
    amounts.throttledNs = record.throttledWokenNs();
    for (AccountRecord.Wait wait : record.waits()) {
      amounts.waits.add(record.tenant(), wait.culprit(), wait.wokenNs());
    }
    return amounts;
  }

  Amounts copy() {
    Amounts copy = new Amounts();
    copy.add(this);
    return copy;
  }

  void add(Amounts other) {
    cpuNs += other.cpuNs;
    throttledNs += other.throttledNs;
    blockedNs += other.blockedNs;
    waits.add(other.waits);
  }

  void subtract(Amounts other) {
    cpuNs -= other.cpuNs;
    throttledNs -= other.throttledNs;
    blockedNs -= other.blockedNs;
    waits.subtract(other.waits);
  }

  /// Adds the share of one among `n`, rounded down.
  void addShare(Amounts other, int n) {
    cpuNs += other.cpuNs / n;
    throttledNs += other.throttledNs / n;
    blockedNs += other.blockedNs / n;
    waits.addShare(other.waits, n);
  }

  /// Adds what `n` shares leave.
  void addRemainder(Amounts other, int n) {
    cpuNs += other.cpuNs % n;
    throttledNs += other.throttledNs % n;
    blockedNs += other.blockedNs % n;
    waits.addRemainder(other.waits, n);
  }
}
