package io.headspan.agent.invocation;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.http.RequestHead;
import io.headspan.agent.probe.http.HttpExchange;
import io.headspan.agent.probe.http.HttpExchange.End;
import io.headspan.agent.probe.http.HttpExchange.Role;
import io.headspan.wire.TraceContext;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Plays random call trees over a few instances at random load, with functions that pass the
/// context on as it came, as an SDK does, or not at all; an SDK that was given none begins a trace.
/// Reports what a probe would, late and out of order; and compares every parent with the true one.
class CorrelatorSimulationTest {
  private static final int INSTANCES = 6;
  private static final long FIRST_BEGUN = 2_000_000;
  private static final InetSocketAddress OUTSIDE = Exchanges.client(99, 5000);

  /// What a function does with the context of its request.
  private enum Passing {
    AS_IT_CAME,
    AS_AN_SDK,
    NOT_AT_ALL
  }

  /// An exchange as it was, and as its report will come.
  private record Event(HttpExchange exchange, RequestHead head, long reportNs) {}

  /// That a thread made a call, and when it will be told.
  private record Told(CallOfThread call, long toldNs) {}

  /// Which exchange is which, however it is reported.
  private record Key(Role role, int sequence) {
    static Key of(HttpExchange exchange) {
      return new Key(exchange.role(), exchange.headSequence());
    }
  }

  private static final class World {
    final SplittableRandom random;
    final Passing[] passing = new Passing[INSTANCES + 1];
    final List<Event> events = new ArrayList<>();
    final Map<Key, @Nullable Key> trueParent = new HashMap<>();

    /// The traces that SDKs began, each with the invocation in which it did.
    final Map<Long, Key> begun = new HashMap<>();

    /// What was open when a call left can only be counted when all invocations are known.
    final List<PendingCall> pendingCalls = new ArrayList<>();

    final List<HttpExchange> invocations = new ArrayList<>();

    /// If threads tell of their calls, in the order in which they do.
    final List<Told> told = new ArrayList<>();

    int sequence;

    World(long seed) {
      random = new SplittableRandom(seed);
    }

    /// Plays one invocation and all that it calls; gives its end.
    long invoke(
        int instance,
        InetSocketAddress caller,
        int ownSequence,
        @Nullable Key callKey,
        long headNs,
        @Nullable TraceContext context,
        int depth) {
      Key key = new Key(Role.SERVER, ownSequence);
      trueParent.put(key, callKey);
      long nowNs = headNs + micros(10, 200);
      TraceContext current = context;
      if (context == null && passing[instance] == Passing.AS_AN_SDK) {
        current = Exchanges.context(FIRST_BEGUN + begun.size(), random.nextLong() | 1);
        begun.put(current.traceIdLow(), key);
      }
      int calls = depth == 0 ? 0 : random.nextInt(3);
      long lastEndNs = nowNs;
      for (int i = 0; i < calls; i++) {
        boolean parallel = random.nextInt(4) == 0;
        long callNs = parallel ? nowNs : Math.max(nowNs, lastEndNs);
        lastEndNs = Math.max(lastEndNs, call(instance, key, callNs, current, depth - 1));
        nowNs = callNs + micros(5, 100);
      }
      long tailNs = Math.max(nowNs, lastEndNs) + micros(5, 300);
      HttpExchange exchange =
          Exchanges.invocation(instance, caller, ownSequence, headNs, tailNs, callKey != null);
      invocations.add(exchange);
      events.add(new Event(exchange, Exchanges.head(context), tailNs + micros(0, 60_000)));
      return tailNs;
    }

    private long call(
        int instance, Key invocation, long headNs, @Nullable TraceContext context, int depth) {
      int callee = callee(instance, context);
      int port = 10_000 + random.nextInt(40_000);
      int callSequence = sequence++;
      TraceContext sent =
          context == null
              ? null
              : switch (passing[instance]) {
                case AS_IT_CAME -> context;
                case AS_AN_SDK ->
                    new TraceContext(
                        context.traceIdHigh(),
                        context.traceIdLow(),
                        random.nextLong() | 1,
                        (byte) 1,
                        "");
                case NOT_AT_ALL -> null;
              };
      Key key = new Key(Role.CLIENT, callSequence);
      trueParent.put(key, invocation);
      long endNs =
          invoke(
              callee,
              Exchanges.client(instance, port),
              callSequence,
              key,
              headNs + micros(1, 30),
              sent,
              depth);
      long tailNs = endNs + micros(1, 30);
      pendingCalls.add(new PendingCall(instance, port, callee, callSequence, headNs, tailNs, sent));
      return tailNs;
    }

    /// A trace that an SDK began does not come back to where it may still be open: what is carried
    /// there is the only one of the trace that can be known.
    private int callee(int caller, @Nullable TraceContext context) {
      boolean isBegun = context != null && begun.containsKey(context.traceIdLow());
      return isBegun ? caller % INSTANCES + 1 : 1 + random.nextInt(INSTANCES);
    }

    /// Every thread serves one request at a time, and tells of its calls when it has answered.
    void tellCalls(List<Event> reports) {
      Map<Key, HttpExchange> bySequence = new HashMap<>();
      reports.forEach(event -> bySequence.put(Key.of(event.exchange), event.exchange));
      bySequence.forEach((key, exchange) -> {
        Key parent = trueParent.get(key);
        if (key.role() == Role.CLIENT && parent != null) {
          HttpExchange invocation = Objects.requireNonNull(bySequence.get(parent));
          told.add(
              new Told(
                  Exchanges.ofThread(exchange, invocation, 100),
                  invocation.tailNs() + micros(0, 100_000)));
        }
      });
      told.sort(Comparator.comparingLong(Told::toldNs));
    }

    /// All exchanges in the order of their reports.
    List<Event> reports() {
      for (PendingCall call : pendingCalls) {
        int open = 0;
        for (HttpExchange invocation : invocations) {
          if (invocation.cgroupId() == call.instance
              && invocation.headNs() < call.headNs
              && call.headNs < invocation.tailNs()) {
            open++;
          }
        }
        HttpExchange exchange =
            Exchanges.call(
                call.instance,
                call.port,
                call.callee,
                call.sequence,
                call.headNs,
                call.tailNs,
                open);
        events.add(new Event(exchange, Exchanges.head(call.sent), call.tailNs + micros(0, 60_000)));
      }
      events.sort(Comparator.comparingLong(Event::reportNs));
      return events;
    }

    /// The first of all that led to `key`.
    Key first(Key key) {
      Key first = key;
      for (Key at = key; at != null; at = trueParent.get(at)) {
        first = at;
      }
      return first;
    }

    long micros(int from, int to) {
      return 1000L * random.nextInt(from, to) + random.nextInt(1000);
    }
  }

  private record PendingCall(
      int instance,
      int port,
      int callee,
      int sequence,
      long headNs,
      long tailNs,
      @Nullable TraceContext sent) {}

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void neverGivesAWrongParentWhateverFunctionsPassOn(long seed) {
    World world = world(seed, Passing.values(), 2_000, 400);
    Result result = play(world, world.reports(), seed);
    assertThat(result.wrong).isZero();
    assertThat(result.spans).isEqualTo(world.events.size());
    assertThat(result.byEvidence).as("spans with evidence").isGreaterThan(500);
  }

  @ParameterizedTest
  @ValueSource(longs = {11, 12, 13, 14})
  void neverGivesAWrongParentWhenReportsAreLost(long seed) {
    World world = world(seed, Passing.values(), 2_000, 400);
    List<Event> reports = world.reports();
    Set<Event> lost = new HashSet<>(reports);
    lost.removeIf(_ -> world.random.nextInt(20) > 0);
    Result result = play(world, reports, lost, seed);
    assertThat(result.wrong).isZero();
    assertThat(result.spans).isEqualTo(reports.size() - lost.size());
  }

  @ParameterizedTest
  @ValueSource(longs = {21, 22, 23, 24, 25, 26})
  void neverGivesAWrongParentWhenExchangesAreReportedAsOpen(long seed) {
    World world = world(seed, Passing.values(), 2_000, 400);
    List<Event> reports = withOpen(world, world.reports());
    Result result = play(world, reports, seed);
    assertThat(result.wrong).isZero();
    assertThat(result.spans).isEqualTo(world.events.size());
    assertThat(result.byEvidence).as("spans with evidence").isGreaterThan(500);
  }

  @ParameterizedTest
  @ValueSource(longs = {31, 32, 33, 34})
  void neverGivesAWrongParentWhenTheEndsOfOpenExchangesAreLost(long seed) {
    World world = world(seed, Passing.values(), 2_000, 400);
    List<Event> reports = withOpen(world, world.reports());
    Set<Event> lost = new HashSet<>(reports);
    lost.removeIf(event -> event.exchange.end() == End.OPEN || world.random.nextInt(20) > 0);
    assertThat(play(world, reports, lost, seed).wrong).isZero();
  }

  /// Where the context is passed on in some way, every parent is the true one at any load, but for
  /// traces that visit an instance twice at a time.
  @ParameterizedTest
  @ValueSource(ints = {5_000, 400, 50})
  void findsEveryParentWhereTheContextIsPassedOn(int gapMicros) {
    Passing[] passing = {Passing.AS_IT_CAME, Passing.AS_AN_SDK};
    World world = world(21, passing, 2_000, gapMicros);
    Result result = play(world, world.reports(), 21);
    assertThat(result.wrong).isZero();
    assertThat(result.calls - result.callsWithTrueParent)
        .isEqualTo(result.ambiguous + result.notReported);
    assertThat(result.notReported).as("calls at the edge").isLessThan(result.calls / 20);
    assertThat(result.calleesWithTrueParent).isEqualTo(result.callees);
  }

  /// One request at a time: even without any context everything is found.
  @Test
  void findsEveryParentWithoutContextWhenOneRequestIsServedAtATime() {
    World world = new World(31);
    Arrays.fill(world.passing, Passing.NOT_AT_ALL);
    long nowNs = 0;
    for (int i = 0; i < 1_000; i++) {
      nowNs = world.invoke(1 + i % INSTANCES, OUTSIDE, world.sequence++, null, nowNs, null, 1);
      nowNs += world.micros(10, 50);
    }
    Result result = play(world, world.reports(), 31);
    assertThat(result.wrong).isZero();
    assertThat(result.calls - result.callsWithTrueParent)
        .isEqualTo(result.ambiguous + result.notReported);
    assertThat(result.ambiguous).as("a function that calls itself").isLessThan(result.calls / 10);
    assertThat(result.calleesWithTrueParent).isEqualTo(result.callees);
  }

  /// At any load, if every thread tells what it called.
  @ParameterizedTest
  @ValueSource(ints = {5_000, 400, 50})
  void findsEveryParentWithoutContextWhereThreadsTell(int gapMicros) {
    World world = world(41, new Passing[] {Passing.NOT_AT_ALL}, 2_000, gapMicros);
    List<Event> reports = world.reports();
    world.tellCalls(reports);
    Result result = play(world, reports, 41);
    assertThat(result.wrong).isZero();
    assertThat(result.calls - result.callsWithTrueParent).isEqualTo(result.notReported);
    assertThat(result.notReported).as("calls at the edge").isLessThan(result.calls / 20);
    assertThat(result.calleesWithTrueParent).isEqualTo(result.callees);
  }

  /// One request at a time: what SDKs tell of a trace and what was captured is one.
  @Test
  void joinsTheTracesThatSdksBeginWhenOneRequestIsServedAtATime() {
    World world = new World(61);
    Arrays.fill(world.passing, Passing.AS_AN_SDK);
    long nowNs = 0;
    for (int i = 0; i < 1_000; i++) {
      nowNs = world.invoke(1 + i % INSTANCES, OUTSIDE, world.sequence++, null, nowNs, null, 1);
      nowNs += world.micros(10, 50);
    }
    Result result = play(world, inOrderOfTails(world.reports()), 61);
    assertThat(result.wrong).isZero();
    assertThat(result.callsWithTrueParent).isGreaterThan(result.calls * 3 / 4);
    assertThat(result.named).isGreaterThan(500);
  }

  /// At any load, if every thread tells what it called.
  @ParameterizedTest
  @ValueSource(ints = {5_000, 400, 50})
  void joinsTheTracesThatSdksBeginWhereThreadsTell(int gapMicros) {
    World world = new World(71);
    Arrays.fill(world.passing, Passing.AS_AN_SDK);
    long nowNs = 0;
    for (int i = 0; i < 1_000; i++) {
      world.invoke(1 + i % INSTANCES, OUTSIDE, world.sequence++, null, nowNs, null, 2);
      nowNs += world.micros(1, 2 * gapMicros);
    }
    List<Event> reports = inOrderOfTails(world.reports());
    world.tellCalls(reports);
    Result result = play(world, reports, 71);
    assertThat(result.wrong).isZero();
    assertThat(result.callsWithTrueParent).isGreaterThan(result.calls * 9 / 10);
    assertThat(result.named).isGreaterThan(500);
  }

  private static List<Event> inOrderOfTails(List<Event> reports) {
    return reports.stream()
        .map(event -> new Event(event.exchange, event.head, event.exchange.tailNs()))
        .sorted(Comparator.comparingLong(Event::reportNs))
        .toList();
  }

  @ParameterizedTest
  @ValueSource(longs = {51, 52, 53, 54})
  void neverGivesAWrongParentWhereThreadsTellAndReportsAreLost(long seed) {
    World world = world(seed, Passing.values(), 2_000, 400);
    List<Event> reports = world.reports();
    world.tellCalls(reports);
    world.told.removeIf(_ -> world.random.nextInt(5) == 0);
    Set<Event> lost = new HashSet<>(reports);
    lost.removeIf(_ -> world.random.nextInt(20) > 0);
    Result result = play(world, reports, lost, seed);
    assertThat(result.wrong).isZero();
    assertThat(result.spans).isEqualTo(reports.size() - lost.size());
    assertThat(result.byThread).isGreaterThan(500);
  }

  /// The same reports and, of a third of the exchanges, up to three while they were open.
  private static List<Event> withOpen(World world, List<Event> reports) {
    List<Event> all = new ArrayList<>(reports);
    for (Event event : reports) {
      int times = world.random.nextInt(3) == 0 ? world.random.nextInt(1, 4) : 0;
      HttpExchange exchange = event.exchange;
      for (int i = 0; i < times; i++) {
        long openNs = world.random.nextLong(exchange.headNs(), exchange.tailNs());
        all.add(new Event(Exchanges.stillOpen(exchange, openNs), event.head, openNs));
      }
    }
    all.sort(Comparator.comparingLong(Event::reportNs));
    return all;
  }

  private static World world(long seed, Passing[] passing, int requests, int gapMicros) {
    World world = new World(seed);
    for (int i = 1; i <= INSTANCES; i++) {
      world.passing[i] = passing[world.random.nextInt(passing.length)];
    }
    long nowNs = 0;
    for (int i = 0; i < requests; i++) {
      boolean withContext = passing.length < Passing.values().length || i % 3 > 0;
      TraceContext context =
          withContext ? Exchanges.context(1_000_000 + i, world.random.nextLong() | 1) : null;
      int instance = 1 + world.random.nextInt(INSTANCES);
      world.invoke(instance, OUTSIDE, world.sequence++, null, nowNs, context, 3);
      nowNs += world.micros(1, 2 * gapMicros);
    }
    return world;
  }

  private static final class Result {
    int spans;
    int wrong;
    int byEvidence;
    int byThread;

    /// Invocations that begin a trace which an SDK began in them.
    int named;

    int calls;
    int callsWithTrueParent;
    int callees;
    int calleesWithTrueParent;
    long ambiguous;
    long notReported;
  }

  private static Result play(World world, List<Event> reports, long seed) {
    return play(world, reports, Set.of(), seed);
  }

  /// @param lost of the reports, those of which no more becomes known than that they were lost
  private static Result play(World world, List<Event> reports, Set<Event> lost, long seed) {
    List<TracedExchange> spans = new ArrayList<>();
    Correlator correlator =
        new Correlator(CorrelationLimits.DEFAULT, new SplittableRandom(seed), spans::add);
    correlator.watchThreads(!world.told.isEmpty());
    long nowNs = 0;
    int told = 0;
    for (Event event : reports) {
      for (; told < world.told.size() && world.told.get(told).toldNs() <= event.reportNs; told++) {
        nowNs = Math.max(nowNs, world.told.get(told).toldNs());
        correlator.advance(nowNs);
        correlator.madeBy(world.told.get(told).call());
      }
      nowNs = Math.max(nowNs, event.reportNs);
      if (lost.contains(event)) {
        correlator.lost(nowNs);
      } else if (event.exchange.end() != End.OPEN || !correlator.confirm(event.exchange)) {
        correlator.report(event.exchange, event.head, Watch.WHOLE_LIFE, nowNs);
      }
    }
    world.told.stream().skip(told).map(Told::call).forEach(correlator::madeBy);
    correlator.advance(nowNs + CorrelationLimits.DEFAULT.patience().toNanos());
    assertThat(correlator.waiting()).isZero();
    assertThat(correlator.remembered()).isZero();
    Map<Long, TracedExchange> bySpanId = new HashMap<>();
    List<TracedExchange> handedOut = List.copyOf(spans);
    spans.clear();
    for (TracedExchange span : handedOut) {
      TracedExchange before = bySpanId.put(span.spanId(), span);
      if (before == null) {
        spans.add(span);
      } else {
        // Only what was open before comes again, and at the same place.
        assertThat(before.exchange().end()).isEqualTo(End.OPEN);
        assertThat(span.exchange().end()).isEqualTo(End.RESPONSE);
        assertThat(sameTrace(before, span)).isTrue();
        assertThat(span.parentSpanId()).isEqualTo(before.parentSpanId());
      }
    }
    Result result = new Result();
    result.spans = spans.size();
    result.ambiguous = correlator.missing().count(MissingEvidence.AMBIGUOUS);
    result.notReported = correlator.missing().count(MissingEvidence.OPEN_NOT_REPORTED);
    for (TracedExchange span : spans) {
      Key truth = world.trueParent.get(Key.of(span.exchange()));
      TracedExchange parent = bySpanId.get(span.parentSpanId());
      Key begunIn = world.begun.get(span.traceIdLow());
      if (begunIn != null && !world.first(begunIn).equals(world.first(Key.of(span.exchange())))) {
        result.wrong++;
      }
      result.named += Key.of(span.exchange()).equals(begunIn) ? 1 : 0;
      boolean found = parent != null && Key.of(parent.exchange()).equals(truth);
      switch (span.evidence()) {
        case CONNECTION, SAME_TRACE, ONLY_OPEN, CALLING_THREAD -> {
          result.byEvidence++;
          result.byThread += span.evidence() == ParentEvidence.CALLING_THREAD ? 1 : 0;
          if (!found || parent == null || !sameTrace(parent, span)) {
            result.wrong++;
          }
        }
        case HEADER -> assertThat(span.parentSpanId()).isEqualTo(span.headerParentSpanId());
        case NONE -> assertThat(span.parentSpanId()).isZero();
      }
      if (span.exchange().role() == Role.CLIENT) {
        result.calls++;
        result.callsWithTrueParent += found ? 1 : 0;
      } else if (truth != null) {
        result.callees++;
        result.calleesWithTrueParent += found ? 1 : 0;
      }
    }
    return result;
  }

  private static boolean sameTrace(TracedExchange a, TracedExchange b) {
    return a.traceIdHigh() == b.traceIdHigh() && a.traceIdLow() == b.traceIdLow();
  }
}
