package io.headspan.launcher;

import com.fasterxml.jackson.databind.JsonNode;
import io.headspan.wire.SpanBatch;
import java.io.PrintWriter;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/// `headspan demo`. Sends for a while, waits until all that was sent is found (or a deadline
/// passes), reports, and keeps a trickle of traffic going until it is to end.
final class Demo {
  /// Every sent invocation was found once, with its right parent.
  static final int FOUND = 0;

  /// Some were not, or were wrong.
  static final int NOT_FOUND = 1;

  /// Capture is off on this machine, so nothing could be found; the rest was shown.
  static final int NOT_CAPTURING = 3;

  private static final Duration FIRST_BURST = Duration.ofSeconds(5);
  private static final Duration FIND_DEADLINE = Duration.ofSeconds(30);
  private static final long POLL_MILLIS = 200;
  private static final long TRICKLE_MILLIS = 500;

  private final DemoOptions options;
  private final PrintWriter out;
  private final CountDownLatch end;

  /// @param end counted down to end the demo
  Demo(DemoOptions options, PrintWriter out, CountDownLatch end) {
    this.options = options;
    this.out = out;
    this.end = end;
  }

  int run(DemoStack stack) throws InterruptedException {
    long startedNs = System.nanoTime();
    QueryClient query = new QueryClient(stack.query());
    OwnSpans ownSpans = new OwnSpans(stack.collector());
    stack.missing().forEach(part -> say("MISSING: " + part));
    try (DemoTraffic traffic =
        new DemoTraffic(stack.routes(), Clock.systemUTC(), new SplittableRandom())) {
      List<SentTrace> sent = sendFirst(traffic, startedNs);
      ownSpans.send(sent);
      say("sent %d requests; looking for them in the query API".formatted(sent.size()));
      Map<SentTrace, List<String>> wrong = stack.capturing() ? awaitFound(query, sent) : Map.of();
      report(stack, query, sent, wrong);
      trickle(traffic, ownSpans, startedNs);
      if (!stack.capturing()) {
        return NOT_CAPTURING;
      }
      return wrong.isEmpty() && !sent.isEmpty() ? FOUND : NOT_FOUND;
    }
  }

  private List<SentTrace> sendFirst(DemoTraffic traffic, long startedNs)
      throws InterruptedException {
    long burstNs =
        options
            .runFor()
            .map(total -> Math.max(total.toNanos() / 2, Duration.ofSeconds(1).toNanos()))
            .orElse(FIRST_BURST.toNanos());
    long gapNs = TimeUnit.SECONDS.toNanos(1) / options.requestsPerSecond();
    List<SentTrace> sent = new ArrayList<>();
    for (long next = startedNs; next - startedNs < burstNs; next += gapNs) {
      if (end.await(next - System.nanoTime(), TimeUnit.NANOSECONDS)) {
        break;
      }
      sent.add(traffic.sendNext());
    }
    return sent;
  }

  /// Asks again for what is not yet right, until all is or the deadline passes; returns what is
  /// still wrong, and why.
  private Map<SentTrace, List<String>> awaitFound(QueryClient query, List<SentTrace> sent)
      throws InterruptedException {
    long deadlineNs = System.nanoTime() + FIND_DEADLINE.toNanos();
    Map<SentTrace, List<String>> wrong = new LinkedHashMap<>();
    List<SentTrace> open = sent;
    while (true) {
      wrong.clear();
      for (SentTrace trace : open) {
        List<String> problems = TraceCheck.problems(trace, query.trace(trace.context().traceId()));
        if (!problems.isEmpty()) {
          wrong.put(trace, problems);
        }
      }
      open = List.copyOf(wrong.keySet());
      if (open.isEmpty()
          || System.nanoTime() - deadlineNs > 0
          || end.await(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
        break;
      }
    }
    // What was right before could have been stored a second time since: all are looked at once
    // more.
    if (wrong.isEmpty()) {
      for (SentTrace trace : sent) {
        List<String> problems = TraceCheck.problems(trace, query.trace(trace.context().traceId()));
        if (!problems.isEmpty()) {
          wrong.put(trace, problems);
        }
      }
    }
    return wrong;
  }

  private void report(
      DemoStack stack,
      QueryClient query,
      List<SentTrace> sent,
      Map<SentTrace, List<String>> wrong) {
    out.println();
    Map<String, SentTrace> oneOfEach = new LinkedHashMap<>();
    sent.forEach(trace -> oneOfEach.put(trace.route(), trace));
    for (SentTrace trace : oneOfEach.values()) {
      SpanBatch stored = query.trace(trace.context().traceId());
      TraceTree.lines(stored).forEach(out::println);
      out.println();
    }
    percentiles(query.functions());
    out.println();
    if (stack.capturing()) {
      int invocations = sent.stream().mapToInt(trace -> trace.hops().size()).sum();
      out.printf(
          "%d requests sent, %d invocations expected; %d traces right, %d wrong or missing%n",
          sent.size(), invocations, sent.size() - wrong.size(), wrong.size());
      wrong.entrySet().stream()
          .limit(5)
          .forEach(entry ->
              out.printf(
                  "  wrong: trace=%s, route=%s, %s%n",
                  entry.getKey().context().traceId(), entry.getKey().route(), entry.getValue()));
    }
    out.println();
    out.println("Grafana      add a Tempo data source with URL http://" + stack.query());
    out.println("             (or provision grafana-dashboards/provisioning/datasources)");
    if (!sent.isEmpty()) {
      String id = sent.getLast().context().traceId();
      out.println("A trace      http://" + stack.query() + "/api/v2/traces/" + id);
    }
    out.println(
        "A search     curl -G http://"
            + stack.query()
            + "/api/search --data-urlencode 'q={resource.headspan.runtime=\"wasm\" && duration>1ms}'");
    out.println("OTLP in      " + stack.collector() + " (gRPC; OTel-Arrow on the same port)");
    out.println("ClickHouse   " + stack.store() + " (HTTP)");
    out.flush();
  }

  private void percentiles(JsonNode answer) {
    out.printf(
        "%-10s %-14s %-8s %-10s %8s %7s %10s %10s %10s%n",
        "tenant",
        "function",
        "version",
        "runtime",
        "count",
        "errors",
        "p50 ms",
        "p95 ms",
        "p99 ms");
    for (JsonNode function : answer.path("functions")) {
      out.printf(
          "%-10s %-14s %-8s %-10s %8d %7d %10.3f %10.3f %10.3f%n",
          function.path("tenant").asText(),
          function.path("service").asText(),
          function.path("version").asText(),
          function.path("runtime").asText(),
          function.path("count").asLong(),
          function.path("errors").asLong(),
          function.path("p50Ms").asDouble(),
          function.path("p95Ms").asDouble(),
          function.path("p99Ms").asDouble());
    }
  }

  /// Keeps the system alive with a request now and then, until it is to end.
  private void trickle(DemoTraffic traffic, OwnSpans ownSpans, long startedNs)
      throws InterruptedException {
    if (options.runFor().isEmpty()) {
      say("running until Ctrl-C");
    }
    while (options.runFor().isEmpty()
        || System.nanoTime() - startedNs < options.runFor().get().toNanos()) {
      if (end.await(TRICKLE_MILLIS, TimeUnit.MILLISECONDS)) {
        return;
      }
      ownSpans.send(List.of(traffic.sendNext()));
    }
  }

  private void say(String line) {
    out.println("[demo] " + line);
    out.flush();
  }
}
