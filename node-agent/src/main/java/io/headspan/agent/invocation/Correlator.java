package io.headspan.agent.invocation;

import io.headspan.agent.http.RequestHead;
import io.headspan.agent.ledger.Tally;
import io.headspan.agent.probe.http.HttpExchange;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// Finds the parent of every captured exchange, by evidence only, and gives it a place in a trace.
///
/// A wrong parent is worse than none, so whatever is missing or ambiguous leaves the exchange with
/// what its own `traceparent` said. The evidence:
///
/// 1. *An invocation from this node* (a server exchange whose peer is local) comes from the call at
///    the other end of its connection: same addresses, same TCP sequence number of the request's
///    first byte, the call's head before the invocation's. Its parent is the call's span. It
///    carries what the call carried, so with a context its trace is known at once; without one it
///    joins the trace of the call.
/// 2. *A call* comes from an invocation of its own instance that was open when it left. The kernel
///    counted how many were (`openAtHead`), but invocations are reported when they end. So the call
///    waits until as many have been reported whose interval covers its head; only then are all
///    candidates known. With a context, the parent is the one candidate of the same trace. Without
///    one, it is the only candidate if there was only one, and the call joins its trace; that asks
///    for an instance that was watched from its beginning, because connections older than the probe
///    are not followed and their invocations not counted.
///
///    All candidates are known, too, when whatever is open for long has been reported as open. A
///    call waits for that time if the kernel could not count (`openAtHead` is -1), may have counted
///    others, or none though the instance serves and the call carries a context. If any exchange
///    was lost meanwhile ([#lost]), or is not remembered any more, it may be the one, and nothing
///    is known.
///
///    Where that names no invocation (several were open, or of one trace; the instance is older
///    than the agent, or reports were lost) the thread may have: one that serves an invocation and
///    nothing else until it has answered it ([#madeBy]). As it is told at the answer, a call waits
///    [#THREAD_WITHIN_NS] for it.
///
/// 3. *The trace of an invocation that carried no context*, nor came from a call that did, is the
///    one that its function's SDK began for it. A call with a context names it if the invocation
///    made it for certain: its thread tells so, or it was the only one open when the call left,
///    with everything reported that was; and if nothing of the instance was seen with that trace
///    lately, so that no earlier work goes on in it. All calls of the invocation that name a trace
///    have to name the same. Whoever begins the trace waits for that; then all that follow it are
///    in the SDK's trace.
///
/// Count and clock are read a moment apart and on different processors. An invocation that begins
/// or ends within [#EDGE_NS] of the call's head is a candidate but does not count towards
/// `openAtHead`: it may or may not have been counted. Where more comes between count and clock, it
/// may have been one that was open within [#APART_NS].
///
/// An exchange that is reported as open gets its place in the same way, and keeps it when its end
/// is reported: it is handed out twice then, under one span id. While it is open, it covers what is
/// before the last time that it was known to be so.
///
/// Everything that waits does so for a bounded time and in bounded number. An exchange whose parent
/// is found but not settled itself follows it and has no deadline of its own: heads go back in time
/// from child to parent, so the first of such a chain follows none and has one.
///
/// Single-threaded and deterministic: the time comes in as an argument (CLOCK_MONOTONIC), ids come
/// from the generator given. Only the tallies may be read by other threads.
public final class Correlator {
  static final long EDGE_NS = 2_000;

  /// How far count and clock may be apart where one packet ends many streams, or the processor was
  /// given to somebody else between them: by an interrupt, or by the host of a virtual machine.
  static final long APART_NS = 100_000_000;

  /// An open exchange that is not confirmed for this time has ended, and its record was lost.
  static final long CONFIRM_WITHIN_NS = TimeUnit.SECONDS.toNanos(60);

  /// By this time after the end of an invocation it is known what its thread called: reports of
  /// threads come a beat later than those of exchanges, and a response has been seen whole before
  /// its last write is told.
  static final long THREAD_WITHIN_NS = TimeUnit.MILLISECONDS.toNanos(200);

  /// By this time after its head an exchange has been reported, at least as open, or is known to be
  /// lost.
  static final long REPORTED_WITHIN_NS = TimeUnit.SECONDS.toNanos(8);

  /// A job that goes on in one trace and makes a call in such a time is not taken for what an SDK
  /// begins.
  private static final long TRACES_REMEMBERED_NS = TimeUnit.MINUTES.toNanos(15);

  private final long patienceNs;
  private final int waitingMax;
  private final int rememberedMax;
  private final RandomGenerator random;
  private final Consumer<TracedExchange> output;

  private final Map<Long, Instance> instances = new HashMap<>();

  /// Reported calls that no invocation has claimed yet.
  private final Map<ConnectionKey, Node> calls = new HashMap<>();

  /// Invocations that wait for the report of the call they came from.
  private final Map<ConnectionKey, Node> callees = new HashMap<>();

  /// All that wait for a report, in the order of their deadlines; the settled ones among them go
  /// when they come to the front or become too many.
  private final ArrayDeque<Node> waiting = new ArrayDeque<>();

  /// Calls by head that wait for reports of invocations, and such that did.
  private final TimeLine callsByHead = new TimeLine();

  /// What threads called, by call, in the order in which it was told.
  private final LinkedHashMap<ExchangeId, ToldCall> callsOfThreads = new LinkedHashMap<>();

  /// Calls that wait for reports of invocations or threads; the settled ones among them go in time.
  private final Map<ExchangeId, Node> callsThatWait = new HashMap<>();

  /// Those that wait for [#madeBy] and nothing else, in the order of their deadlines.
  private final ArrayDeque<Undecided> undecided = new ArrayDeque<>();

  /// Invocations whose trace may be named by a call of which only the thread can tell who made it,
  /// in the order of their deadlines.
  private final ArrayDeque<Unnamed> unnamed = new ArrayDeque<>();

  /// Null until the first exchange with a context.
  private @Nullable SeenTraces seenTraces;

  private boolean threadsWatched;
  private long nowNs;

  /// When exchanges were last lost or forgotten before their time.
  private long lostNs;

  private boolean anyLost;

  // Written by one thread only.
  private volatile long forgotten;

  /// All that others may refer to, in order of report.
  private final ArrayDeque<Node> remembered = new ArrayDeque<>();

  /// Reported as open, and not ended yet; the one whose confirmation is the oldest first.
  private final Map<ExchangeId, Node> open = new LinkedHashMap<>(16, 0.75f, true);

  /// What is settled and not handed out yet.
  private final ArrayDeque<Node> settled = new ArrayDeque<>();

  /// How many exchanges are neither settled nor without a span.
  private int unsettled;

  private final Tally<ParentEvidence> evidence = new Tally<>(ParentEvidence.class);
  private final Tally<MissingEvidence> missing = new Tally<>(MissingEvidence.class);

  /// Which exchange: its socket and the sequence number of its first byte.
  private record ExchangeId(long cookie, int headSequence) {
    static ExchangeId of(HttpExchange exchange) {
      return new ExchangeId(exchange.socketCookie(), exchange.headSequence());
    }

    static ExchangeId of(Node node) {
      return new ExchangeId(node.socketCookie(), node.headSequence());
    }
  }

  /// @param toldNs when it was told
  private record ToldCall(CallOfThread call, long toldNs) {}

  /// @param reason what is missing if nothing is told of its thread
  private record Undecided(Node call, long untilNs, MissingEvidence reason) {}

  private record Unnamed(Node invocation, long untilNs) {}

  private record TraceId(long high, long low) {
    static TraceId of(Node node) {
      return new TraceId(node.traceIdHigh(), node.traceIdLow());
    }
  }

  /// What is open around a call.
  private static final class Candidates {
    final Node call;
    int counted;
    int all;

    /// Were not open, but nearly, of those looked at.
    int near;

    int ofSameTrace;
    @Nullable Node any;
    @Nullable Node sameTrace;

    Candidates(Node call) {
      this.call = call;
    }

    void consider(Node invocation) {
      long headNs = call.headNs();
      if (invocation.isCalleeOf(call)) {
        return;
      }
      if (invocation.tailNs() < headNs - EDGE_NS || invocation.headNs() > headNs + EDGE_NS) {
        if (invocation.tailNs() >= headNs - APART_NS && invocation.headNs() <= headNs + APART_NS) {
          near++;
        }
        return;
      }
      all++;
      any = invocation;
      if (invocation.headNs() + EDGE_NS <= headNs && headNs + EDGE_NS <= invocation.openUntilNs()) {
        counted++;
      }
      if (invocation.carriesTraceOf(call)) {
        ofSameTrace++;
        sameTrace = invocation;
      }
    }
  }

  /// The exchanges of one cgroup.
  private static final class Instance {
    /// Reported invocations by tail.
    private final TimeLine invocations = new TimeLine();

    /// Of the longest of these, so that it is known how far behind a moment those end that were
    /// open in it.
    private long longestNs;

    /// Invocations that are open.
    final List<Node> open = new ArrayList<>(0);

    /// Calls that wait for reports of invocations, by head.
    final TimeLine waitingCalls = new TimeLine();

    void add(Node invocation) {
      invocations.add(invocation.tailNs(), invocation);
      longestNs = Math.max(longestNs, lengthNs(invocation));
    }

    void remove(Node invocation) {
      if (invocations.remove(invocation.tailNs(), invocation)
          && lengthNs(invocation) == longestNs) {
        longestNs = 0;
        for (int i = 0; i < invocations.size(); i++) {
          longestNs = Math.max(longestNs, lengthNs(invocations.node(i)));
        }
      }
    }

    private static long lengthNs(Node invocation) {
      return invocation.tailNs() - invocation.headNs();
    }

    /// The invocation that was picked up at `pickupNs` from a socket and was open around `call`;
    /// null if none is known, or several are.
    @Nullable Node pickedUpAt(long pickupNs, long cookie, Node call) {
      List<Node> found = new ArrayList<>(1);
      long lastTailNs = call.headNs() + longestNs;
      for (int i = invocations.firstFrom(call.headNs());
          i < invocations.size() && invocations.time(i) <= lastTailNs;
          i++) {
        if (invocations.node(i).wasPickedUpAt(pickupNs, cookie)) {
          found.add(invocations.node(i));
        }
      }
      open.stream().filter(each -> each.wasPickedUpAt(pickupNs, cookie)).forEach(found::add);
      return found.size() == 1 ? found.getFirst() : null;
    }

    /// What was open around `call`.
    ///
    /// @param withinNs how far from the call an invocation may have been open
    Candidates candidates(Node call, long withinNs) {
      Candidates candidates = new Candidates(call);
      long lastTailNs = call.headNs() + withinNs + longestNs;
      for (int i = invocations.firstFrom(call.headNs() - withinNs);
          i < invocations.size() && invocations.time(i) <= lastTailNs;
          i++) {
        candidates.consider(invocations.node(i));
      }
      open.forEach(candidates::consider);
      return candidates;
    }

    boolean hasNoInvocations() {
      return invocations.size() == 0 && open.isEmpty();
    }

    boolean isEmpty() {
      return hasNoInvocations() && waitingCalls.size() == 0;
    }
  }

  /// @param random gives span and trace ids
  /// @param output takes each exchange that is to have a span, once, when its place is settled;
  ///   called from within the methods below, must not call them
  public Correlator(
      CorrelationLimits limits, RandomGenerator random, Consumer<TracedExchange> output) {
    patienceNs = limits.patience().toNanos();
    waitingMax = limits.waitingMax();
    rememberedMax = limits.rememberedMax();
    this.random = random;
    this.output = output;
  }

  /// Takes a reported exchange: at its end, and if need be as open before.
  ///
  /// @param head what its request said; null if the exchange is to have no span (it could not be
  ///   read, or is not to be captured): it was open all the same and answers who waits for it
  /// @param watch how much of its instance is watched
  /// @param nowNs not before that of the call before
  public void report(HttpExchange exchange, @Nullable RequestHead head, Watch watch, long nowNs) {
    advance(nowNs);
    boolean isOpen = exchange.end() == HttpExchange.End.OPEN;
    ExchangeId id = ExchangeId.of(exchange);
    Node begun = isOpen ? open.get(id) : open.remove(id);
    if (begun != null && !isOpen && !begun.hasSpan() && head != null) {
      // Told as open when it was to have no span: what ended is to have one, and needs its place.
      forgetOpen(begun);
      begun = null;
    }
    if (begun != null) {
      if (!isOpen) {
        complete(begun, exchange, head, nowNs);
        handOut();
      }
      return;
    }
    if (isOpen && open.size() >= rememberedMax) {
      countForgotten();
      lost(nowNs);
      return;
    }
    Node node = new Node(exchange, head, watch, nonZero(), nowNs + patienceNs);
    if (node.hasSpan()) {
      unsettled++;
    }
    if (watch != Watch.INVOCATIONS && node.hasContext() && isNewTrace(node, nowNs)) {
      node.foundNewTrace();
    }
    if (isOpen) {
      open.put(id, node);
    }
    switch (exchange.role()) {
      case SERVER -> reportInvocation(node, exchange.peerLocal(), watch, isOpen);
      case CLIENT -> reportCall(node, exchange.openAtHead(), isOpen, nowNs);
    }
    while (remembered.size() > rememberedMax) {
      forget(remembered.remove());
      countForgotten();
      lost(nowNs);
    }
    handOut();
    while (unsettled > waitingMax) {
      giveUpOldest(MissingEvidence.OVERFLOW);
      handOut();
    }
  }

  /// Takes note that an exchange is still open. False if it was not reported as open; then it is to
  /// be reported.
  public boolean confirm(HttpExchange exchange) {
    Node node = open.get(ExchangeId.of(exchange));
    if (node == null) {
      return false;
    }
    node.confirm(exchange);
    Instance instance = instances.get(node.cgroupId());
    if (instance != null && instance.open.contains(node)) {
      findInvocations(instance, node);
      handOut();
    }
    return true;
  }

  /// Takes note that exchanges were lost before anybody could report them.
  public void lost(long nowNs) {
    lostNs = nowNs;
    anyLost = true;
  }

  /// Says whether threads are watched, so that calls wait for [#madeBy] from now on, or not.
  public void watchThreads(boolean watched) {
    threadsWatched = watched;
  }

  /// Takes note of who made a call, be it reported already or not.
  public void madeBy(CallOfThread made) {
    ExchangeId id = new ExchangeId(made.callCookie(), made.headSequence());
    if (callsOfThreads.putIfAbsent(id, new ToldCall(made, nowNs)) == null
        && callsOfThreads.size() > rememberedMax) {
      callsOfThreads.pollFirstEntry();
    }
    Node call = callsThatWait.get(id);
    if (call != null && isWaiting(call) && joinThread(call)) {
      forgetWaiting(call);
      handOut();
    }
  }

  /// Lets go what has waited too long.
  ///
  /// @param nowNs not before that of the call before
  public void advance(long nowNs) {
    this.nowNs = nowNs;
    settleUndecided();
    while (!callsOfThreads.isEmpty()
        && callsOfThreads.firstEntry().getValue().toldNs() + patienceNs - nowNs <= 0) {
      callsOfThreads.pollFirstEntry();
    }
    while (callsByHead.size() > 0 && callsByHead.time(0) + REPORTED_WITHIN_NS - nowNs <= 0) {
      Node call = callsByHead.node(0);
      callsByHead.remove(call.headNs(), call);
      if (isWaiting(call) && !call.awaitsThread() && !call.isHeld()) {
        findAmongAll(call);
      }
    }
    while (!waiting.isEmpty()
        && (!isWaiting(waiting.element()) || waiting.element().deadlineNs() - nowNs <= 0)) {
      Node oldest = waiting.remove();
      callsThatWait.remove(ExchangeId.of(oldest), oldest);
      if (isWaiting(oldest)) {
        giveUp(
            oldest,
            switch (oldest.role()) {
              case SERVER -> MissingEvidence.CALL_NOT_REPORTED;
              case CLIENT -> notKnown(oldest);
            });
      }
    }
    while (!remembered.isEmpty() && remembered.element().deadlineNs() - nowNs <= 0) {
      forget(remembered.remove());
    }
    forgetUnconfirmed(nowNs);
    handOut();
  }

  /// Hands out everything that waits, with the word of its header.
  public void close() {
    while (unsettled > 0) {
      giveUpOldest(MissingEvidence.CLOSING);
      handOut();
    }
  }

  /// How many exchanges wait for evidence, or for an exchange that does.
  public int waiting() {
    return unsettled;
  }

  /// How many reported exchanges are remembered.
  public int remembered() {
    return remembered.size();
  }

  /// How many reported exchanges were forgotten, or never remembered, because there were too many.
  public long forgotten() {
    return forgotten;
  }

  /// What the parents of the spans handed out rest on.
  public Tally<ParentEvidence> evidence() {
    return evidence;
  }

  /// Why spans went out with no more than the word of their header.
  public Tally<MissingEvidence> missing() {
    return missing;
  }

  private void complete(Node node, HttpExchange ended, @Nullable RequestHead head, long nowNs) {
    boolean wasHandedOut = node.hasSpan() && node.isSettled();
    node.complete(ended, head, nowNs + patienceNs);
    switch (node.role()) {
      case SERVER -> {
        Instance instance = instances.get(node.cgroupId());
        if (instance != null && instance.open.remove(node)) {
          instance.add(node);
          remembered.add(node);
          findInvocations(instance, node);
        }
      }
      case CLIENT -> remembered.add(node);
    }
    if (wasHandedOut && head != null) {
      output.accept(node.resultAtEnd(ended, head));
    }
  }

  private void forgetUnconfirmed(long nowNs) {
    while (!open.isEmpty()) {
      Map.Entry<ExchangeId, Node> oldest = open.entrySet().iterator().next();
      Node node = oldest.getValue();
      if (node.tailNs() + CONFIRM_WITHIN_NS - nowNs > 0) {
        return;
      }
      open.remove(oldest.getKey());
      forgetOpen(node);
    }
  }

  private void forgetOpen(Node node) {
    switch (node.role()) {
      case SERVER -> {
        Instance instance = instances.get(node.cgroupId());
        if (instance != null) {
          instance.open.remove(node);
          removeIfEmpty(node.cgroupId(), instance);
        }
      }
      case CLIENT -> calls.remove(node.key(), node);
    }
  }

  private void reportInvocation(Node invocation, boolean peerLocal, Watch watch, boolean isOpen) {
    if (watch != Watch.INVOCATIONS) {
      Instance instance = instances.computeIfAbsent(invocation.cgroupId(), _ -> new Instance());
      awaitNames(invocation, instance);
      if (isOpen) {
        instance.open.add(invocation);
      } else {
        instance.add(invocation);
        remembered.add(invocation);
      }
      findInvocations(instance, invocation);
    }
    // When its calls have found it: below them a trace may have been begun.
    if (invocation.hasSpan()) {
      if (peerLocal) {
        findCall(invocation);
      } else {
        settleByHeader(invocation);
      }
    }
  }

  /// Asks again for the calls that waited for `invocation`.
  private void findInvocations(Instance instance, Node invocation) {
    TimeLine waitingCalls = instance.waitingCalls;
    int at = waitingCalls.firstFrom(invocation.headNs());
    while (at < waitingCalls.size() && waitingCalls.time(at) <= invocation.tailNs()) {
      Node call = waitingCalls.node(at);
      if (findInvocation(call, call.awaitedInvocations(), instance)) {
        waitingCalls.remove(call.headNs(), call);
      } else {
        at++;
      }
    }
  }

  private void reportCall(Node call, int openAtHead, boolean isOpen, long nowNs) {
    if (call.hasSpan()) {
      Instance instance = instances.computeIfAbsent(call.cgroupId(), _ -> new Instance());
      if (!findInvocation(call, openAtHead, instance)) {
        awaitInvocations(call, openAtHead, instance, nowNs);
      }
      removeIfEmpty(call.cgroupId(), instance);
    }
    Node invocation = callees.get(call.key());
    if (invocation != null && nests(call, invocation)) {
      callees.remove(call.key());
      joinCall(invocation, call);
    } else {
      calls.put(call.key(), call);
      if (!isOpen) {
        remembered.add(call);
      }
    }
  }

  /// Evidence 1: looks for the call that `invocation` came from.
  private void findCall(Node invocation) {
    Node call = calls.get(invocation.key());
    if (call != null && nests(call, invocation)) {
      calls.remove(invocation.key());
      joinCall(invocation, call);
      return;
    }
    waitForReport(invocation);
    Node before = callees.put(invocation.key(), invocation);
    if (before != null) {
      giveUp(before, MissingEvidence.CALL_NOT_REPORTED);
    }
  }

  private void joinCall(Node invocation, Node call) {
    if (!call.hasSpan()) {
      settleByHeader(invocation);
    } else if (!invocation.hasContext()) {
      join(invocation, call, ParentEvidence.CONNECTION);
    } else if (invocation.carriesTraceOf(call)) {
      invocation.settleUnder(call, ParentEvidence.CONNECTION);
      settled(invocation);
    } else {
      // The same bytes were read differently at both ends, so at least one reading is wrong.
      missing.add(MissingEvidence.CALL_DIFFERS);
      settleByHeader(invocation);
    }
  }

  /// Evidence 2: looks for the invocation that made `call`. True if it need not be asked again: the
  /// call is settled or follows its parent. False if it has to wait for more reports.
  ///
  /// @param openAtHead how many invocations were open when the call left; -1 if not known
  private boolean findInvocation(Node call, int openAtHead, Instance instance) {
    if (!call.hasContext() && joinThread(call)) {
      return true;
    }
    if (openAtHead < 0) {
      return false;
    }
    if (openAtHead == 0 && (!call.hasContext() || instance.hasNoInvocations())) {
      settleByHeader(call);
      return true;
    }
    Candidates candidates = instance.candidates(call, EDGE_NS);
    boolean mayOneBeMissing = candidates.counted < openAtHead || lacksTraceOf(call, candidates);
    if (mayOneBeMissing) {
      return call.hasNewTrace() && joinThread(call);
    }
    choose(call, candidates, openAtHead == 1);
    return true;
  }

  /// Whether none of the candidates is of the trace that `call` carries, be there none at all. Then
  /// either the function began a trace of its own, or a processor was away between clock and count
  /// for so long that one of them was not counted, and stands for one that is still to come.
  private static boolean lacksTraceOf(Node call, Candidates candidates) {
    return call.hasContext() && candidates.ofSameTrace == 0;
  }

  private void awaitInvocations(Node call, int openAtHead, Instance instance, long nowNs) {
    call.awaitInvocations(openAtHead);
    boolean isAllRemembered = nowNs - call.headNs() < patienceNs;
    if (isAllRemembered) {
      callsByHead.add(call.headNs(), call);
    } else if (openAtHead < 0) {
      missing.add(MissingEvidence.REPORTED_LATE);
      settleByHeader(call);
      return;
    }
    if (openAtHead >= 0) {
      instance.waitingCalls.add(call.headNs(), call);
    }
    waitForReport(call);
  }

  /// Evidence 2 when whatever was open has been reported.
  private void findAmongAll(Node call) {
    boolean mayBeLost = anyLost && lostNs - call.headNs() >= 0;
    Instance instance = instances.get(call.cgroupId());
    if (mayBeLost || instance == null) {
      return;
    }
    int openAtHead = call.awaitedInvocations();
    Candidates candidates = instance.candidates(call, APART_NS);
    if (candidates.all + candidates.near >= openAtHead) {
      instance.waitingCalls.remove(call.headNs(), call);
      choose(call, candidates, openAtHead <= 1);
    }
  }

  private static MissingEvidence notKnown(Node call) {
    return call.awaitedInvocations() < 0
        ? MissingEvidence.OPEN_NOT_COUNTED
        : MissingEvidence.OPEN_NOT_REPORTED;
  }

  /// Settles `call`, of which all candidates are known.
  ///
  /// @param mayBeOnly whether a single candidate was the only one that was open
  private void choose(Node call, Candidates candidates, boolean mayBeOnly) {
    if (call.hasContext()) {
      Node sameTrace = candidates.sameTrace;
      if (candidates.ofSameTrace == 1 && sameTrace != null) {
        call.settleUnder(sameTrace, ParentEvidence.SAME_TRACE);
        settled(call);
      } else {
        if (candidates.ofSameTrace > 1) {
          askThread(call, MissingEvidence.AMBIGUOUS);
          return;
        }
        Node only = candidates.all == 1 ? candidates.any : null;
        if (only != null
            && only == call.mayName()
            && nameTrace(call, only, ParentEvidence.ONLY_OPEN)) {
          return;
        }
        if (candidates.all > 0) {
          missing.add(MissingEvidence.OTHER_TRACES);
        }
        settleByHeader(call);
      }
    } else if (call.contextCutOff()) {
      missing.add(MissingEvidence.CONTEXT_CUT_OFF);
      settleByHeader(call);
    } else if (call.watch() != Watch.WHOLE_LIFE) {
      askThread(call, MissingEvidence.OPEN_NOT_COUNTED);
    } else {
      Node only = mayBeOnly && candidates.all == 1 ? candidates.any : null;
      if (only != null && only.hasSpan()) {
        join(call, only, ParentEvidence.ONLY_OPEN);
      } else {
        askThread(call, MissingEvidence.AMBIGUOUS);
      }
    }
  }

  /// Puts a call below the invocation that its thread served, or waits until that is told.
  ///
  /// @param reason what is missing if it is not
  private void askThread(Node call, MissingEvidence reason) {
    if (joinThread(call)) {
      return;
    }
    if (threadsWatched) {
      call.awaitThread();
      undecided.add(new Undecided(call, nowNs + THREAD_WITHIN_NS, reason));
      waitForReport(call);
    } else {
      missing.add(reason);
      settleByHeader(call);
    }
  }

  /// Settles what has waited for its thread long enough.
  private void settleUndecided() {
    while (!unnamed.isEmpty() && (!threadsWatched || unnamed.element().untilNs() - nowNs <= 0)) {
      nameDecided(unnamed.remove().invocation());
    }
    while (!undecided.isEmpty()) {
      Undecided oldest = undecided.element();
      if (threadsWatched && oldest.untilNs() - nowNs > 0) {
        return;
      }
      undecided.remove();
      Node call = oldest.call();
      if (isWaiting(call) && !joinThread(call)) {
        missing.add(oldest.reason());
        settleByHeader(call);
      }
    }
  }

  /// Puts a call below the invocation that its thread served, if that is known.
  private boolean joinThread(Node call) {
    ToldCall told = callsOfThreads.get(ExchangeId.of(call));
    Instance instance = instances.get(call.cgroupId());
    if (told == null || instance == null || call.contextCutOff()) {
      return false;
    }
    CallOfThread made = told.call();
    Node invocation =
        call.headNs() < made.pickupNs()
            ? null
            : instance.pickedUpAt(made.pickupNs(), made.invocationCookie(), call);
    if (invocation == null || !invocation.hasSpan()) {
      return false;
    }
    if (!call.hasContext()) {
      join(call, invocation, ParentEvidence.CALLING_THREAD);
    } else if (invocation.carriesTraceOf(call)) {
      call.settleUnder(invocation, ParentEvidence.CALLING_THREAD);
      settled(call);
    } else {
      return (call.hasNewTrace() || invocation.isNamedAs(call))
          && nameTrace(call, invocation, ParentEvidence.CALLING_THREAD);
    }
    return true;
  }

  private boolean isNewTrace(Node node, long nowNs) {
    SeenTraces seen = seenTraces;
    if (seen == null) {
      seen = new SeenTraces(TRACES_REMEMBERED_NS, nowNs);
      seenTraces = seen;
    }
    return seen.add(node.cgroupId(), node.traceIdHigh(), node.traceIdLow(), nowNs);
  }

  /// Evidence 3: has `invocation` wait for the calls that may name its trace.
  private void awaitNames(Node invocation, Instance instance) {
    if (!mayBeNamed(invocation)) {
      return;
    }
    TimeLine calls = instance.waitingCalls;
    int end = calls.firstFrom(invocation.tailNs() + 1);
    int first = calls.firstFrom(invocation.headNs());
    if (first == end) {
      return;
    }
    Set<TraceId> begun = new HashSet<>();
    for (int i = first; i < end; i++) {
      if (calls.node(i).hasNewTrace()) {
        begun.add(TraceId.of(calls.node(i)));
      }
    }
    boolean threadMayTell = false;
    for (int i = first; i < end && !begun.isEmpty(); i++) {
      Node call = calls.node(i);
      if (call.hasContext() && begun.contains(TraceId.of(call))) {
        threadMayTell = threadsWatched;
        boolean mayBeOnly = call.awaitedInvocations() == 1 && call.watch() == Watch.WHOLE_LIFE;
        if (mayBeOnly && call.mayName() == null) {
          invocation.awaitNameOf(call);
        }
      }
    }
    if (threadMayTell) {
      invocation.awaitName();
      unnamed.add(new Unnamed(invocation, nowNs + THREAD_WITHIN_NS));
    }
  }

  /// Whether its function began a trace for `invocation`, if it has an SDK, and it has none yet.
  private static boolean mayBeNamed(Node invocation) {
    return !invocation.hasContext() && !invocation.contextCutOff() && !invocation.isSettled();
  }

  /// Has `call`, whose trace its function began, name that of the invocation that made it. False if
  /// that has one already.
  private boolean nameTrace(Node call, Node invocation, ParentEvidence evidence) {
    if (!mayBeNamed(invocation) || isAncestor(call, invocation)) {
      return false;
    }
    invocation.nameTrace(call);
    call.follow(invocation, evidence);
    callDecided(call);
    return true;
  }

  /// Takes note that it is known whose trace `call` names, if any.
  private void callDecided(Node call) {
    Node invocation = call.takeMayName();
    if (invocation != null) {
      nameDecided(invocation);
    }
  }

  private void nameDecided(Node invocation) {
    invocation.nameDecided();
    Node first = invocation;
    for (Node at = first; at != null; at = at.parent()) {
      first = at;
    }
    if (first.isHeld() && !first.isSettled()) {
      beginTrace(first, true);
    }
  }

  /// Puts `child`, which carried no context, into the trace of `parent`: now, or when that is
  /// known.
  private void join(Node child, Node parent, ParentEvidence evidence) {
    if (parent.knowsTrace()) {
      child.settleInTraceOf(parent, evidence);
      settled(child);
    } else if (isAncestor(child, parent)) {
      // Heads go back in time from child to parent; only clocks that disagree could make a circle.
      missing.add(MissingEvidence.AMBIGUOUS);
      settleByHeader(child);
    } else {
      child.follow(parent, evidence);
    }
  }

  private static boolean isAncestor(Node ancestor, Node node) {
    for (Node at = node; at != null; at = at.parent()) {
      if (at == ancestor) {
        return true;
      }
    }
    return false;
  }

  private static boolean nests(Node call, Node invocation) {
    return call.headNs() <= invocation.headNs() + EDGE_NS
        && invocation.headNs() <= call.tailNs() + EDGE_NS;
  }

  @SuppressWarnings("NonAtomicVolatileUpdate") // One writer.
  private void countForgotten() {
    forgotten++;
  }

  private void waitForReport(Node node) {
    waiting.add(node);
    if (node.role() == HttpExchange.Role.CLIENT) {
      callsThatWait.put(ExchangeId.of(node), node);
    }
    if (waiting.size() > 2 * unsettled + 1024) {
      waiting.removeIf(gone -> !isWaiting(gone));
      callsThatWait.values().removeIf(gone -> !isWaiting(gone));
    }
  }

  /// Whether `node` waits for reports, not for another node.
  private static boolean isWaiting(Node node) {
    return !node.isSettled() && node.parent() == null;
  }

  private void giveUpOldest(MissingEvidence reason) {
    while (true) {
      // What follows another is settled with it, and the first of a chain is in here.
      Node oldest = waiting.remove();
      if (isWaiting(oldest)) {
        giveUp(oldest, reason);
        return;
      }
    }
  }

  /// Settles what waits for reports without them.
  private void giveUp(Node node, MissingEvidence reason) {
    if (node.isHeld()) {
      callsThatWait.remove(ExchangeId.of(node), node);
      beginTrace(node, false);
      return;
    }
    switch (node.role()) {
      case SERVER -> callees.remove(node.key(), node);
      case CLIENT -> {
        boolean joined = joinThread(node);
        forgetWaiting(node);
        if (joined) {
          return;
        }
      }
    }
    missing.add(reason);
    if (node.hasContext()) {
      settleByHeader(node);
    } else {
      beginTrace(node, false);
    }
  }

  private void forgetWaiting(Node call) {
    callsThatWait.remove(ExchangeId.of(call), call);
    Instance instance = instances.get(call.cgroupId());
    if (instance != null) {
      instance.waitingCalls.remove(call.headNs(), call);
      removeIfEmpty(call.cgroupId(), instance);
    }
  }

  private void forget(Node node) {
    switch (node.role()) {
      case SERVER -> {
        Instance instance = instances.get(node.cgroupId());
        if (instance != null) {
          instance.remove(node);
          removeIfEmpty(node.cgroupId(), instance);
        }
      }
      case CLIENT -> calls.remove(node.key(), node);
    }
  }

  private void removeIfEmpty(long cgroupId, Instance instance) {
    if (instance.isEmpty()) {
      instances.remove(cgroupId);
    }
  }

  private void settleByHeader(Node node) {
    if (node.hasContext()) {
      node.settleByHeader();
      settled(node);
    } else {
      beginTrace(node, true);
    }
  }

  /// Has `first` begin a trace: the one that an SDK began in it or in what follows it, else a new
  /// one.
  ///
  /// @param mayWait whether it may wait until it is known if an SDK did
  private void beginTrace(Node first, boolean mayWait) {
    Node name = null;
    ArrayDeque<Node> tree = new ArrayDeque<>(2);
    tree.add(first);
    while (!tree.isEmpty()) {
      Node node = tree.remove();
      if (node.awaitsName() && mayWait) {
        if (!first.isHeld()) {
          first.hold();
          waitForReport(first);
        }
        return;
      }
      Node call = node.namedBy();
      if (call != null && (name == null || call.headNs() < name.headNs())) {
        name = call;
      }
      tree.addAll(node.followers());
    }
    if (name == null) {
      first.settleInNewTrace(random.nextLong(), nonZero());
    } else {
      first.settleInTraceNamedBy(name);
    }
    settled(first);
  }

  private void settled(Node node) {
    unsettled--;
    settled.add(node);
    callDecided(node);
  }

  /// Hands out what is settled, and then what followed it.
  private void handOut() {
    while (!settled.isEmpty()) {
      Node node = settled.remove();
      for (Node follower : node.takeFollowers()) {
        settleFollower(follower, node);
        settled(follower);
      }
      evidence.add(node.evidence());
      output.accept(node.takeResult());
      Instance instance = node.isInNamedTrace() ? instances.get(node.cgroupId()) : null;
      if (instance != null) {
        findInvocations(instance, node);
      }
    }
  }

  private void settleFollower(Node follower, Node followed) {
    if (!follower.hasContext()) {
      follower.settleInTraceOf(followed, follower.evidence());
    } else if (followed.carriesTraceOf(follower)) {
      follower.settleUnder(followed, follower.evidence());
    } else {
      missing.add(MissingEvidence.OTHER_TRACES);
      follower.settleByHeader();
    }
  }

  private long nonZero() {
    long id;
    do {
      id = random.nextLong();
    } while (id == 0);
    return id;
  }
}
