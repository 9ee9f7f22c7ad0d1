package io.headspan.launcher;

import io.headspan.wire.SpanBatch;
import io.headspan.wire.TraceContext;
import java.util.ArrayList;
import java.util.List;

/// Compares a stored trace with what was sent: each hop has exactly one SERVER span, of the right
/// tenant and runtime, whose parent is the CLIENT span of the hop before it, or, for the first hop,
/// the demo's own.
final class TraceCheck {
  private static final byte KIND_SERVER = 2;
  private static final byte KIND_CLIENT = 3;

  private TraceCheck() {}

  /// What is wrong; empty if the trace is as it must be.
  static List<String> problems(SentTrace sent, SpanBatch stored) {
    List<String> problems = new ArrayList<>();
    int servers = 0;
    for (int span = 0; span < stored.size(); span++) {
      servers += stored.kind(span) == KIND_SERVER ? 1 : 0;
    }
    if (servers != sent.hops().size()) {
      problems.add("invocations: expected=%d, found=%d".formatted(sent.hops().size(), servers));
    }
    long parent = sent.context().spanId();
    for (int i = 0; i < sent.hops().size(); i++) {
      SentTrace.Hop hop = sent.hops().get(i);
      int server = only(stored, KIND_SERVER, hop.function(), problems);
      if (server < 0) {
        return problems;
      }
      expect(
          problems,
          hop,
          "parent",
          TraceContext.hexId(parent),
          TraceContext.hexId(stored.parentSpanId(server)));
      expect(
          problems,
          hop,
          "tenant",
          hop.tenant(),
          SpanText.resource(stored, server, "headspan.tenant"));
      expect(
          problems,
          hop,
          "runtime",
          hop.runtime(),
          SpanText.resource(stored, server, "headspan.runtime"));
      expect(
          problems,
          hop,
          "status",
          "200",
          SpanText.attribute(stored, server, "http.response.status_code"));
      if (i + 1 < sent.hops().size()) {
        int call = only(stored, KIND_CLIENT, hop.function(), problems);
        if (call < 0) {
          return problems;
        }
        expect(
            problems,
            hop,
            "parent of its call",
            TraceContext.hexId(stored.spanId(server)),
            TraceContext.hexId(stored.parentSpanId(call)));
        parent = stored.spanId(call);
      }
    }
    return problems;
  }

  /// The one span of this kind and service, or -1 and a problem.
  private static int only(SpanBatch stored, byte kind, String service, List<String> problems) {
    int found = -1;
    int count = 0;
    for (int span = 0; span < stored.size(); span++) {
      if (stored.kind(span) == kind
          && SpanText.resource(stored, span, "service.name").equals(service)) {
        found = span;
        count++;
      }
    }
    if (count != 1) {
      problems.add(
          "%s spans of %s: expected=1, found=%d"
              .formatted(kind == KIND_SERVER ? "SERVER" : "CLIENT", service, count));
      return -1;
    }
    return found;
  }

  private static void expect(
      List<String> problems, SentTrace.Hop hop, String what, String expected, String found) {
    if (!expected.equals(found)) {
      problems.add(
          "%s of %s: expected=%s, found=%s".formatted(what, hop.function(), expected, found));
    }
  }
}
