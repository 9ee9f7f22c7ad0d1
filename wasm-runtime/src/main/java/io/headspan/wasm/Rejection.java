package io.headspan.wasm;

import java.util.Locale;

/// Why an invocation was not run.
public enum Rejection {
  /// The tenant has as many invocations running or waiting as it may.
  TENANT_LIMIT,
  /// As many invocations are waiting for a thread as may.
  QUEUE_FULL,
  /// It waited for a thread for longer than it may run, and for more than a second.
  WAITED_TOO_LONG,
  /// The executor is stopping.
  STOPPING;

  String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
