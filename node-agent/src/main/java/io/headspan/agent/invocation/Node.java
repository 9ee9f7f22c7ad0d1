package io.headspan.agent.invocation;

import io.headspan.agent.http.CarriedContext;
import io.headspan.agent.http.RequestHead;
import io.headspan.agent.probe.http.HttpExchange;
import io.headspan.wire.TraceContext;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// What the [Correlator] knows of one exchange. Nodes are remembered by the ten thousands, so this
/// one lets go of the exchange itself, addresses and path when it is handed out.
final class Node {
  /// W3C trace flags of a trace that starts here: sampled, and the trace id is random (level 2).
  private static final byte STARTED_HERE = 0x03;

  private @Nullable HttpExchange exchange;
  private @Nullable RequestHead head;
  private int awaitedInvocations;
  private @Nullable Node parent;
  private @Nullable List<Node> followers;

  private final HttpExchange.Role role;
  private final @Nullable ConnectionKey key;
  private final Watch watch;
  private final boolean hasSpan;
  private final boolean hasContext;
  private final long cgroupId;
  private final long socketCookie;
  private final int headSequence;
  private final int localPort;
  private final int remotePort;
  private final long headNs;
  private long tailNs;
  private long openUntilNs;
  private long deadlineNs;
  private final long spanId;

  /// Of a call: whether nothing of its instance was seen with its trace before.
  private boolean newTrace;

  /// Of a call that waits: the invocation whose trace it may name.
  private @Nullable Node mayName;

  /// Of an invocation: how much is still to come that may name its trace.
  private int namesAwaited;

  /// Of an invocation: the first call that names its trace.
  private @Nullable Node namedBy;

  private boolean namedDifferently;
  private boolean held;
  private boolean inNamedTrace;

  private boolean awaitsThread;
  private boolean settled;
  private long traceIdHigh;
  private long traceIdLow;
  private byte flags;
  private String traceState = "";
  private long parentSpanId;
  private ParentEvidence evidence = ParentEvidence.NONE;

  /// @param head null if the exchange is to have no span, but is known to have been there
  Node(
      HttpExchange exchange,
      @Nullable RequestHead head,
      Watch watch,
      long spanId,
      long deadlineNs) {
    this.watch = watch;
    this.exchange = exchange;
    this.head = head;
    this.spanId = spanId;
    this.deadlineNs = deadlineNs;
    role = exchange.role();
    boolean hasLocalPeer = role == HttpExchange.Role.CLIENT || exchange.peerLocal();
    key = hasLocalPeer ? ConnectionKey.of(exchange) : null;
    cgroupId = exchange.cgroupId();
    socketCookie = exchange.socketCookie();
    headSequence = exchange.headSequence();
    localPort = exchange.local().getPort();
    remotePort = exchange.remote().getPort();
    headNs = exchange.headNs();
    tailNs = exchange.tailNs();
    openUntilNs = openUntilNs(exchange);
    hasSpan = head != null;
    TraceContext context = head == null ? null : head.context();
    hasContext = context != null;
    if (context != null) {
      traceIdHigh = context.traceIdHigh();
      traceIdLow = context.traceIdLow();
      flags = context.flags();
      traceState = context.traceState();
    }
    // Without a span there is nothing to find out.
    settled = !hasSpan;
  }

  /// Up to when the kernel counts it as open: to the response's beginning, or of HTTP/2 to the end
  /// of its stream. Pipelined ones it does not count, and says so.
  private static long openUntilNs(HttpExchange exchange) {
    return exchange.responseNs() == 0 || exchange.protocol() != HttpExchange.Protocol.HTTP_1
        ? exchange.tailNs()
        : exchange.responseNs();
  }

  /// Takes note that it is open still.
  ///
  /// @param open the same exchange, as it was seen later
  void confirm(HttpExchange open) {
    tailNs = open.tailNs();
    openUntilNs = openUntilNs(open);
  }

  /// Takes note of its end.
  ///
  /// @param ended the same exchange
  void complete(HttpExchange ended, @Nullable RequestHead head, long deadlineNs) {
    confirm(ended);
    this.deadlineNs = deadlineNs;
    if (exchange != null && head != null) {
      exchange = ended;
      this.head = head;
    }
  }

  HttpExchange.Role role() {
    return role;
  }

  /// What both ends of the connection have in common, if the other end may be on this node.
  ConnectionKey key() {
    return Objects.requireNonNull(key);
  }

  boolean hasSpan() {
    return hasSpan;
  }

  /// How many invocations were open when this call left, if it waits for their reports.
  int awaitedInvocations() {
    return awaitedInvocations;
  }

  void awaitInvocations(int count) {
    awaitedInvocations = count;
  }

  /// Whether nothing but its thread can tell its parent, and that may be told any moment.
  boolean awaitsThread() {
    return awaitsThread;
  }

  void awaitThread() {
    awaitsThread = true;
  }

  /// How much of its instance is watched.
  Watch watch() {
    return watch;
  }

  /// Whether the request carried a valid context.
  boolean hasContext() {
    return hasContext;
  }

  /// Whether both requests carried a context, and of the same trace; or `other` did, and its trace
  /// is the one that the function began for this invocation.
  boolean carriesTraceOf(Node other) {
    return (hasContext || inNamedTrace) && other.hasContext && hasTraceIdOf(other);
  }

  private boolean hasTraceIdOf(Node other) {
    return traceIdHigh == other.traceIdHigh && traceIdLow == other.traceIdLow;
  }

  /// First 8 bytes of the trace id, of a node that knows it.
  long traceIdHigh() {
    return traceIdHigh;
  }

  /// Last 8 bytes of it.
  long traceIdLow() {
    return traceIdLow;
  }

  /// Of a call: whether nothing of its instance was seen with its trace before.
  boolean hasNewTrace() {
    return newTrace;
  }

  void foundNewTrace() {
    newTrace = true;
  }

  /// Of a call: the invocation whose trace it may name.
  @Nullable Node mayName() {
    return mayName;
  }

  /// Takes note that this invocation's trace may be named by `call`.
  void awaitNameOf(Node call) {
    call.mayName = this;
    namesAwaited++;
  }

  /// Takes note that the trace of this invocation may be named by a call whose thread tells.
  void awaitName() {
    namesAwaited++;
  }

  /// Takes note that one of these did, or will not.
  void nameDecided() {
    namesAwaited--;
  }

  /// Of a call that is decided: the invocation that waits for that, once.
  @Nullable Node takeMayName() {
    Node invocation = mayName;
    mayName = null;
    return invocation;
  }

  /// Whether there is something to come that may name the trace of this invocation.
  boolean awaitsName() {
    return namesAwaited > 0;
  }

  /// Takes the trace of a call that this invocation made for its own, if all that name one agree.
  void nameTrace(Node call) {
    if (namedBy == null) {
      namedBy = call;
    } else if (!namedBy.hasTraceIdOf(call)) {
      namedDifferently = true;
    }
  }

  /// The call that names the trace of this invocation; null if none does, or several that differ.
  @Nullable Node namedBy() {
    return namedDifferently ? null : namedBy;
  }

  /// Whether a call named the trace that `call` is of.
  boolean isNamedAs(Node call) {
    return namedBy != null && namedBy.hasTraceIdOf(call);
  }

  /// Whether the trace of this invocation was named by a call, and that is its trace.
  boolean isInNamedTrace() {
    return inNamedTrace;
  }

  /// Whether it begins a trace, and waits for that to be named.
  boolean isHeld() {
    return held;
  }

  void hold() {
    held = true;
  }

  /// Whether the request may have carried a context that was cut off.
  boolean contextCutOff() {
    return head != null && head.carried() == CarriedContext.UNKNOWN;
  }

  /// Whether `this` is what `call` led to, in a function that calls itself.
  boolean isCalleeOf(Node call) {
    return headSequence == call.headSequence
        && localPort == call.remotePort
        && remotePort == call.localPort;
  }

  long cgroupId() {
    return cgroupId;
  }

  long socketCookie() {
    return socketCookie;
  }

  int headSequence() {
    return headSequence;
  }

  /// Whether it was read at `pickupNs` from this socket, as far as its own times allow.
  boolean wasPickedUpAt(long pickupNs, long cookie) {
    return socketCookie == cookie && headNs <= pickupNs && pickupNs <= tailNs;
  }

  long headNs() {
    return headNs;
  }

  long tailNs() {
    return tailNs;
  }

  /// Until when the kernel counted this invocation as open: its response's first byte; or, if it is
  /// open, until when this is known.
  long openUntilNs() {
    return openUntilNs;
  }

  long deadlineNs() {
    return deadlineNs;
  }

  boolean isSettled() {
    return settled;
  }

  /// Whether the trace is known, though perhaps not the parent.
  boolean knowsTrace() {
    return settled || hasContext;
  }

  ParentEvidence evidence() {
    return evidence;
  }

  /// The node whose trace this one will join, while that is not settled.
  @Nullable Node parent() {
    return parent;
  }

  /// Waits for `parent` to be settled.
  void follow(Node parent, ParentEvidence evidence) {
    this.parent = parent;
    this.evidence = evidence;
    if (parent.followers == null) {
      parent.followers = new ArrayList<>(2);
    }
    parent.followers.add(this);
  }

  /// Puts this node, which carried no context, into the trace of `parent`.
  void settleInTraceOf(Node parent, ParentEvidence evidence) {
    traceIdHigh = parent.traceIdHigh;
    traceIdLow = parent.traceIdLow;
    flags = parent.flags;
    traceState = parent.traceState;
    settleUnder(parent, evidence);
  }

  /// Puts this node, which is in the trace of `parent` already, below it.
  void settleUnder(Node parent, ParentEvidence evidence) {
    settle(parent.spanId, evidence);
  }

  /// Takes the word of the header.
  void settleByHeader() {
    TraceContext context = Objects.requireNonNull(Objects.requireNonNull(head).context());
    settle(context.spanId(), ParentEvidence.HEADER);
  }

  /// Begins the trace that `call` names.
  void settleInTraceNamedBy(Node call) {
    traceIdHigh = call.traceIdHigh;
    traceIdLow = call.traceIdLow;
    flags = call.flags;
    traceState = call.traceState;
    settle(0, ParentEvidence.NONE);
  }

  void settleInNewTrace(long traceIdHigh, long traceIdLow) {
    this.traceIdHigh = traceIdHigh;
    this.traceIdLow = traceIdLow;
    flags = STARTED_HERE;
    settle(0, ParentEvidence.NONE);
  }

  private void settle(long parentSpanId, ParentEvidence evidence) {
    this.parentSpanId = parentSpanId;
    this.evidence = evidence;
    inNamedTrace = !hasContext && namedBy() != null && isNamedAs(this);
    namedBy = null;
    settled = true;
    parent = null;
  }

  /// Those that wait for this one.
  List<Node> followers() {
    return followers == null ? List.of() : followers;
  }

  /// Those that waited for this one, once.
  List<Node> takeFollowers() {
    List<Node> taken = followers();
    followers = null;
    return taken;
  }

  /// The settled exchange, once; keeps only what others may ask for.
  TracedExchange takeResult() {
    TracedExchange result =
        result(Objects.requireNonNull(exchange), Objects.requireNonNull(head), false);
    exchange = null;
    head = null;
    return result;
  }

  /// The end of an exchange that was handed out as open, at the same place.
  TracedExchange resultAtEnd(HttpExchange ended, RequestHead head) {
    return result(ended, head, true);
  }

  private TracedExchange result(HttpExchange exchange, RequestHead head, boolean wasOpen) {
    return new TracedExchange(
        exchange,
        head,
        spanId,
        traceIdHigh,
        traceIdLow,
        flags,
        traceState,
        parentSpanId,
        evidence,
        wasOpen);
  }
}
