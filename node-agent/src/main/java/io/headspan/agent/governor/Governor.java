package io.headspan.agent.governor;

import java.util.concurrent.TimeUnit;

/// Decides how much detail the agent can afford. Above a budget for [#PATIENCE_NS], detail is
/// lowered by one level; below [#COMFORT] of all budgets for a while, it is raised by one. The
/// distance between the two, and that while, keep it from swinging: each time a raise turns out to
/// have been too early the while doubles, up to [#RAISE_MAX_NS], and half an hour of peace makes it
/// short again.
///
/// Pure: it sees nothing but what it is given. For one thread.
public final class Governor {
  /// How long a budget may be exceeded.
  static final long PATIENCE_NS = TimeUnit.SECONDS.toNanos(3);

  /// The part of a budget below which there is room for more detail.
  static final double COMFORT = 0.6;

  /// How long there has to be room before the first raise.
  static final long RAISE_NS = TimeUnit.SECONDS.toNanos(20);

  /// The longest that a raise is put off.
  static final long RAISE_MAX_NS = TimeUnit.MINUTES.toNanos(10);

  /// A raise that is taken back within this was too early.
  static final long TOO_EARLY_NS = TimeUnit.MINUTES.toNanos(1);

  static final long PEACE_NS = TimeUnit.MINUTES.toNanos(30);

  private static final long NEVER = Long.MIN_VALUE;

  private final Budget budget;
  private DetailLevel level = DetailLevel.FULL;
  private long aboveSinceNs = NEVER;
  private long belowSinceNs = NEVER;
  private long changedNs;
  private boolean raised;
  private long raiseNs = RAISE_NS;

  public Governor(Budget budget, long nowNs) {
    this.budget = budget;
    changedNs = nowNs;
  }

  /// Takes a measurement.
  ///
  /// @param nowNs not before that of the measurement before
  /// @return the level from now on
  public DetailLevel decide(Use use, long nowNs) {
    double share = share(use);
    aboveSinceNs = share > 1 ? since(aboveSinceNs, nowNs) : NEVER;
    belowSinceNs = share < COMFORT ? since(belowSinceNs, nowNs) : NEVER;
    if (nowNs - changedNs >= PEACE_NS) {
      raiseNs = RAISE_NS;
    }
    if (lasts(aboveSinceNs, PATIENCE_NS, nowNs) && level.lower() != level) {
      if (raised && nowNs - changedNs < TOO_EARLY_NS) {
        raiseNs = Math.min(2 * raiseNs, RAISE_MAX_NS);
      }
      change(level.lower(), false, nowNs);
    } else if (lasts(belowSinceNs, raiseNs, nowNs) && level.higher() != level) {
      change(level.higher(), true, nowNs);
    }
    return level;
  }

  public DetailLevel level() {
    return level;
  }

  /// How much of the scarcest budget is used, 1 being all of it.
  public double share(Use use) {
    double cores = budget.cores() == 0 ? 0 : use.cores() / budget.cores();
    double memory =
        budget.memoryBytes() == 0 ? 0 : (double) use.memoryBytes() / budget.memoryBytes();
    return Math.max(cores, memory);
  }

  private void change(DetailLevel to, boolean raise, long nowNs) {
    level = to;
    raised = raise;
    changedNs = nowNs;
    // What the change brings has to show before the next one.
    aboveSinceNs = NEVER;
    belowSinceNs = NEVER;
  }

  private static long since(long sinceNs, long nowNs) {
    return sinceNs == NEVER ? nowNs : sinceNs;
  }

  private static boolean lasts(long sinceNs, long durationNs, long nowNs) {
    return sinceNs != NEVER && nowNs - sinceNs >= durationNs;
  }
}
