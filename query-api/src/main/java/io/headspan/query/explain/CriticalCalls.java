package io.headspan.query.explain;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// Which calls an invocation waited for: of those under way at the same time the one that ended
/// last, looked at from the invocation's end backwards.
final class CriticalCalls {
  private static final Comparator<Call> LAST_TO_END =
      Comparator.comparingLong(Call::endNs).thenComparingLong(Call::startNs).reversed();

  /// @param ns how much of the call is on the critical path
  record Part(Call call, long ns) {}

  private CriticalCalls() {}

  static List<Part> of(Invocation invocation) {
    List<Part> parts = new ArrayList<>();
    long cursor = invocation.endNs();
    for (Call call : invocation.calls().stream().sorted(LAST_TO_END).toList()) {
      long endNs = Math.min(call.endNs(), cursor);
      long startNs = Math.max(call.startNs(), invocation.startNs());
      if (startNs < endNs) {
        parts.add(new Part(call, endNs - startNs));
        cursor = startNs;
      }
    }
    return parts;
  }
}
