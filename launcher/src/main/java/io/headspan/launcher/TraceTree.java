package io.headspan.launcher;

import io.headspan.wire.SpanBatch;
import io.headspan.wire.TraceContext;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// A trace as lines of text: a tree by parent, children by start, with runtime, kind, name, latency
/// and status. Spans whose parent is not in the trace are roots.
final class TraceTree {
  private static final String[] KINDS = {
    "UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"
  };

  private TraceTree() {}

  static List<String> lines(SpanBatch trace) {
    Map<Long, List<Integer>> children = new HashMap<>();
    Map<Long, Integer> byId = new HashMap<>();
    for (int span = 0; span < trace.size(); span++) {
      byId.put(trace.spanId(span), span);
    }
    List<Integer> roots = new ArrayList<>();
    for (int span = 0; span < trace.size(); span++) {
      Integer parent = byId.get(trace.parentSpanId(span));
      if (parent == null || parent == span) {
        roots.add(span);
      } else {
        children.computeIfAbsent(trace.parentSpanId(span), id -> new ArrayList<>()).add(span);
      }
    }
    List<String> lines = new ArrayList<>();
    if (trace.size() == 0) {
      return lines;
    }
    lines.add(
        "trace "
            + TraceContext.hexId(trace.traceIdHigh(0))
            + TraceContext.hexId(trace.traceIdLow(0)));
    Comparator<Integer> byStart = Comparator.comparingLong(trace::startNs);
    roots.sort(byStart);
    for (int i = 0; i < roots.size(); i++) {
      append(trace, roots.get(i), "", i + 1 == roots.size(), children, byStart, lines);
    }
    return lines;
  }

  private static void append(
      SpanBatch trace,
      int span,
      String indent,
      boolean last,
      Map<Long, List<Integer>> children,
      Comparator<Integer> byStart,
      List<String> lines) {
    String left = indent + (last ? "└─ " : "├─ ") + SpanText.resource(trace, span, "service.name");
    String runtime = SpanText.resource(trace, span, "headspan.runtime");
    lines.add(
        String.format(
            Locale.ROOT,
            "  %-34s %-10s %-7s %-28s %9.3f ms  %s",
            left,
            runtime.isEmpty() ? "-" : runtime,
            KINDS[trace.kind(span)],
            shortened(trace.text(trace.name(span))),
            trace.durationNs(span) / 1e6,
            SpanText.attribute(trace, span, "http.response.status_code")));
    List<Integer> below = children.getOrDefault(trace.spanId(span), List.of());
    List<Integer> ordered = new ArrayList<>(below);
    ordered.sort(byStart);
    for (int i = 0; i < ordered.size(); i++) {
      append(
          trace,
          ordered.get(i),
          indent + (last ? "   " : "│  "),
          i + 1 == ordered.size(),
          children,
          byStart,
          lines);
    }
  }

  private static String shortened(String name) {
    return name.length() <= 28 ? name : name.substring(0, 27) + "…";
  }
}
