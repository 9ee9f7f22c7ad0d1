package io.headspan.query.explain;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Which spans a trace's duration consists of: looked at from the end of the root backwards, at
/// each moment the deepest span below it whose end the others waited for. Segments follow each
/// other without gaps from the root's start to its end.
final class CriticalPath {
  private static final Comparator<TraceSpan> LAST_TO_END =
      Comparator.comparingLong(TraceSpan::endNs)
          .thenComparingLong(TraceSpan::startNs)
          .reversed()
          .thenComparing(TraceSpan::spanId);

  /// A stretch of time that one span answers for.
  record Segment(TraceSpan span, long fromNs, long toNs) {
    long ns() {
      return toNs - fromNs;
    }
  }

  /// A span whose children are being looked at, the last to end first.
  private static final class Frame {
    private final TraceSpan span;
    private final long fromNs;
    private final Iterator<TraceSpan> children;
    private long cursorNs;

    Frame(TraceSpan span, long fromNs, long toNs, List<TraceSpan> children) {
      this.span = span;
      this.fromNs = fromNs;
      this.cursorNs = toNs;
      this.children = children.iterator();
    }
  }

  private CriticalPath() {}

  /// The segments in order of time; none if there are no spans. Of several roots the longest
  /// counts.
  static List<Segment> of(List<TraceSpan> spans) {
    if (spans.isEmpty()) {
      return List.of();
    }
    Map<String, List<TraceSpan>> children = new HashMap<>();
    Set<String> ids = new HashSet<>();
    for (TraceSpan span : spans) {
      ids.add(span.spanId());
      children.computeIfAbsent(span.parentId(), _ -> new ArrayList<>()).add(span);
    }
    children.values().forEach(each -> each.sort(LAST_TO_END));
    Deque<Frame> stack = new ArrayDeque<>();
    Set<String> visited = new HashSet<>();
    List<Segment> segments = new ArrayList<>();
    push(stack, visited, children, root(spans, ids), Long.MIN_VALUE, Long.MAX_VALUE);
    while (!stack.isEmpty()) {
      Frame frame = stack.element();
      @Nullable TraceSpan child = next(frame, visited);
      if (child == null) {
        add(segments, frame.span, frame.fromNs, frame.cursorNs);
        stack.pop();
      } else {
        long endNs = Math.min(child.endNs(), frame.cursorNs);
        add(segments, frame.span, endNs, frame.cursorNs);
        frame.cursorNs = Math.max(child.startNs(), frame.fromNs);
        push(stack, visited, children, child, frame.cursorNs, endNs);
      }
    }
    return segments.reversed();
  }

  private static TraceSpan root(List<TraceSpan> spans, Set<String> ids) {
    Comparator<TraceSpan> longest = Comparator.comparingLong(TraceSpan::durationNs);
    return spans.stream()
        .filter(span -> !ids.contains(span.parentId()))
        .max(longest)
        // Parents in a circle: there is no better beginning.
        .orElseGet(() -> spans.stream().max(longest).orElseThrow());
  }

  private static void push(
      Deque<Frame> stack,
      Set<String> visited,
      Map<String, List<TraceSpan>> children,
      TraceSpan span,
      long fromNs,
      long toNs) {
    visited.add(span.spanId());
    stack.push(
        new Frame(
            span,
            Math.max(fromNs, span.startNs()),
            Math.min(toNs, span.endNs()),
            children.getOrDefault(span.spanId(), List.of())));
  }

  /// The next child that fills a part of what is left of the frame.
  private static @Nullable TraceSpan next(Frame frame, Set<String> visited) {
    while (frame.children.hasNext()) {
      TraceSpan child = frame.children.next();
      long fromNs = Math.max(child.startNs(), frame.fromNs);
      long toNs = Math.min(child.endNs(), frame.cursorNs);
      if (fromNs < toNs && !visited.contains(child.spanId())) {
        return child;
      }
    }
    return null;
  }

  private static void add(List<Segment> segments, TraceSpan span, long fromNs, long toNs) {
    if (fromNs < toNs) {
      segments.add(new Segment(span, fromNs, toNs));
    }
  }
}
