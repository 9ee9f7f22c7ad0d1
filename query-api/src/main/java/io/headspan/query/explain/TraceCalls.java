package io.headspan.query.explain;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The calls within one trace, by the span id of the nearest span above that is no call's and no
/// internal one's: the invocation that made them.
final class TraceCalls {
  static final TraceCalls NONE = new TraceCalls(Map.of());

  /// How many calls, one within the other, are followed; the last is a call of which no more is
  /// known.
  static final int HOPS = 8;

  private final Map<Long, List<Inner>> byInvocation;

  private TraceCalls(Map<Long, List<Inner>> byInvocation) {
    this.byInvocation = byInvocation;
  }

  /// An invocation of which the calls are not known yet.
  record Served(long spanId, Invocation alone) {}

  /// A span below an invocation.
  ///
  /// @param call as if nobody had served it
  /// @param served by whom the caller was answered; null if by nobody known
  record Inner(
      String traceId,
      long spanId,
      long parentId,
      boolean isCall,
      Call call,
      @Nullable Served served) {}

  static TraceCalls of(List<Inner> inner) {
    Map<Long, Inner> byId = new HashMap<>();
    inner.forEach(span -> byId.put(span.spanId(), span));
    Map<Long, List<Inner>> calls = new HashMap<>();
    for (Inner span : inner) {
      if (span.isCall()) {
        calls.computeIfAbsent(top(span, byId), _ -> new ArrayList<>()).add(span);
      }
    }
    return new TraceCalls(calls);
  }

  /// The parent that is not among the spans below invocations. Parents may form a circle.
  private static long top(Inner span, Map<Long, Inner> byId) {
    long parentId = span.parentId();
    for (int steps = 0; steps < byId.size(); steps++) {
      @Nullable Inner parent = byId.get(parentId);
      if (parent == null) {
        break;
      }
      parentId = parent.parentId();
    }
    return parentId;
  }

  /// The invocation with its calls, the invocations that served these, and so on.
  ///
  /// @param weight how many it stands for, and those that it waited for with it
  Invocation invocation(Served served, double weight) {
    Set<Long> seen = new HashSet<>();
    seen.add(served.spanId());
    return invocation(served, weight, HOPS, seen);
  }

  /// @param seen which invocations are somewhere in the tree: spans that name each other as
  ///   parents, or share an id, are followed once
  private Invocation invocation(Served served, double weight, int hops, Set<Long> seen) {
    List<Call> calls = new ArrayList<>();
    for (Inner inner : byInvocation.getOrDefault(served.spanId(), List.of())) {
      @Nullable Served callee = inner.served();
      calls.add(
          hops > 0 && callee != null && seen.add(callee.spanId())
              ? inner.call().servedBy(invocation(callee, weight, hops - 1, seen))
              : inner.call());
    }
    return served.alone().with(List.copyOf(calls), weight);
  }
}
