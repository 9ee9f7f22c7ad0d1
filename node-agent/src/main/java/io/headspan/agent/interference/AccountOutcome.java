package io.headspan.agent.interference;

import java.util.Locale;

/// How an exchange came by its time account.
public enum AccountOutcome {
  /// All of it was there.
  COMPLETE,
  /// It was handed on with what was there after the longest wait.
  LATE,
  /// No thread was seen to pick the request up.
  NONE,
  /// Not an exchange: a cgroup whose tenant the kernel does not know, because there are too many.
  CGROUP_REFUSED;

  /// The name as metrics have it.
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
