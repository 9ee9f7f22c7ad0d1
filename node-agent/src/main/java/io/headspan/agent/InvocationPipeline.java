package io.headspan.agent;

import io.headspan.agent.export.SpanBatcher;
import io.headspan.agent.governor.DetailLevel;
import io.headspan.agent.http.CarriedContext;
import io.headspan.agent.http.RequestHead;
import io.headspan.agent.http.UnreadableHead;
import io.headspan.agent.identity.Identities;
import io.headspan.agent.identity.Identity;
import io.headspan.agent.identity.InstanceRuntime;
import io.headspan.agent.identity.Lookup;
import io.headspan.agent.identity.NoIdentity;
import io.headspan.agent.interference.InvocationAccount;
import io.headspan.agent.interference.TimeAccounts;
import io.headspan.agent.invocation.CorrelationLimits;
import io.headspan.agent.invocation.Correlator;
import io.headspan.agent.invocation.ParentEvidence;
import io.headspan.agent.invocation.PeerProtocol;
import io.headspan.agent.invocation.TracedExchange;
import io.headspan.agent.invocation.Watch;
import io.headspan.agent.ledger.DropReason;
import io.headspan.agent.ledger.Ledger;
import io.headspan.agent.ledger.Tally;
import io.headspan.agent.life.Circumstances;
import io.headspan.agent.life.ColdStarts;
import io.headspan.agent.life.Deaths;
import io.headspan.agent.probe.http.HttpExchange;
import io.headspan.agent.probe.http.HttpExchange.End;
import io.headspan.agent.probe.http.HttpExchange.Protocol;
import io.headspan.agent.probe.http.HttpExchange.Role;
import io.headspan.agent.probe.lifecycle.LifecycleEvent;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// From exchanges to spans: reads the head, finds the parent, finds out whose instance it was, and
/// batches. All that for one thread; only the tallies are for any.
///
/// Calls out are spans only where they leave a container: of other cgroups nothing tells whose they
/// are. So who called has to be known before the correlator takes a call, while an invocation is
/// taken at once, because calls may be waiting for it, and its identity is looked up meanwhile.
final class InvocationPipeline {
  /// Where OTLP goes, by HTTP and by gRPC.
  private static final Set<String> TELEMETRY_PATHS =
      Set.of(
          "/v1/traces",
          "/v1/metrics",
          "/v1/logs",
          "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
          "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
          "/opentelemetry.proto.collector.logs.v1.LogsService/Export");

  /// What an exchange has that is no HTTP.
  private static final RequestHead NO_HEAD = new RequestHead("", "", 0, CarriedContext.NONE, null);

  /// 2^64 divided by the golden ratio: spreads times evenly (Fibonacci hashing).
  private static final long GOLDEN_RATIO = 0x9e3779b97f4a7c15L;

  private final Identities identities;
  private final SpanBatcher batcher;
  private final TimeAccounts accounts;
  private final Ledger ledger;
  private final Correlator correlator;
  private final Set<Integer> excludedPorts;
  private final ColdStarts coldStarts = new ColdStarts();
  private final Deaths deaths = new Deaths();
  private DetailLevel detail = DetailLevel.FULL;
  private long nowNs;
  private long lossesBefore;

  private final Tally<Role> captured = new Tally<>(Role.class);
  private final Tally<UnreadableHead> unreadable = new Tally<>(UnreadableHead.class);
  private final Tally<CarriedContext> contexts = new Tally<>(CarriedContext.class);

  /// @param ledger is told of every exchange
  /// @param excludedPorts ports of processes whose requests are not captured
  InvocationPipeline(
      Identities identities,
      SpanBatcher batcher,
      TimeAccounts accounts,
      Ledger ledger,
      CorrelationLimits limits,
      Set<Integer> excludedPorts,
      RandomGenerator random) {
    this.identities = identities;
    this.batcher = batcher;
    this.accounts = accounts;
    this.ledger = ledger;
    this.excludedPorts = excludedPorts;
    correlator = new Correlator(limits, random, this::deliverWithCause);
    accounts.tellCalls(correlator::madeBy);
  }

  /// Takes what became known or overdue meanwhile. To be called at every beat, before the events
  /// and exchanges of it.
  void advance(long nowNs) {
    this.nowNs = nowNs;
    identities.poll(nowNs);
    correlator.watchThreads(accounts.watchesThreads());
    correlator.advance(nowNs);
    batcher.advance(nowNs);
  }

  /// Takes note of how often exchanges may have been lost until now, before they came here.
  void countLosses(long losses) {
    if (losses != lossesBefore) {
      lossesBefore = losses;
      correlator.lost(nowNs);
    }
  }

  void onEvent(LifecycleEvent event) {
    identities.onEvent(event);
    coldStarts.onEvent(event);
    accounts.onEvent(event);
    if (event instanceof LifecycleEvent.SocketLeft left) {
      deaths.onEvent(left);
    }
  }

  /// Goes on with exchanges that had to wait for the events of this beat. To be called when these
  /// have been handed on.
  void onEventsRead() {
    deaths.onEventsRead(nowNs);
  }

  /// Takes an exchange of a probe.
  void onExchange(HttpExchange exchange) {
    if (exchange.end() == End.OPEN) {
      if (correlator.confirm(exchange)) {
        return;
      }
    } else {
      captured.add(exchange.role());
      ledger.captured();
    }
    coldStarts.onExchange(exchange);
    if (isShed(exchange)) {
      leaveOut(exchange, DropReason.SHED);
      return;
    }
    if (exchange.protocol() == Protocol.OTHER) {
      onCall(exchange, NO_HEAD, false);
      return;
    }
    switch (RequestHead.parse(exchange.requestHead(), exchange.headComplete())) {
      case UnreadableHead reason -> {
        unreadable.add(reason);
        leaveOut(exchange, DropReason.UNREADABLE);
      }
      case RequestHead head -> {
        contexts.add(head.carried());
        // Many wait for their place for seconds: not with cookies and tokens.
        HttpExchange read = exchange.withoutHead();
        switch (exchange.role()) {
          case SERVER -> {
            // Begins the look-up; the answer is asked for when the parent is known.
            var _ =
                identities.ofServer(
                    exchange.cgroupId(),
                    exchange.local(),
                    head.method(),
                    head.path(),
                    exchange.headNs());
            correlator.report(read, head, watch(read), nowNs);
          }
          case CLIENT -> onCall(read, head, false);
        }
      }
    }
  }

  /// How much detail there is to be from now on.
  void detail(DetailLevel level) {
    detail = level;
  }

  /// Before anything is parsed: that is where the time goes. What is left out still tells the
  /// correlator about others. Whether it is follows from when the exchange began, so that one which
  /// was told as open is told as ended, too.
  private boolean isShed(HttpExchange exchange) {
    return switch (exchange.role()) {
      case CLIENT -> !detail.hasCalls();
      case SERVER -> ((exchange.headNs() * GOLDEN_RATIO) >>> Integer.SIZE) % detail.oneOf() != 0;
    };
  }

  /// Lets everything go that waits, with what is known.
  void finish() {
    identities.giveUp();
    correlator.close();
    deaths.onEventsRead(nowNs);
    identities.giveUp();
    accounts.flush();
    batcher.flush();
  }

  private void onCall(HttpExchange exchange, RequestHead head, boolean late) {
    if (TELEMETRY_PATHS.contains(head.path())) {
      leaveOut(exchange, DropReason.TELEMETRY);
      return;
    }
    long cgroupId = exchange.cgroupId();
    switch (identities.ofCaller(cgroupId)) {
      case Identity _ -> correlator.report(exchange, head, watch(exchange), nowNs);
      case NoIdentity.NO_CONTAINER -> leaveOut(exchange, DropReason.NO_CONTAINER);
      case NoIdentity.PENDING -> {
        if (late || !identities.await(cgroupId, null, again -> onCall(exchange, head, again))) {
          leaveOut(exchange, DropReason.NO_CONTAINER);
        }
      }
    }
  }

  private void leaveOut(HttpExchange exchange, DropReason why) {
    tellLeftOut(exchange, tenant(exchange), why);
    correlator.report(exchange, null, watch(exchange), nowNs);
  }

  private void tellLeftOut(HttpExchange exchange, @Nullable String tenant, DropReason why) {
    if (exchange.end() != End.OPEN) {
      ledger.leftOut(tenant, why);
    }
  }

  /// As far as it is known at once.
  private @Nullable String tenant(HttpExchange exchange) {
    return switch (identities.ofCaller(exchange.cgroupId())) {
      case Identity known -> known.tenant();
      case NoIdentity _ -> null;
    };
  }

  private Watch watch(HttpExchange exchange) {
    long cgroupId = exchange.cgroupId();
    if (identities.ofCaller(cgroupId) == NoIdentity.NO_CONTAINER) {
      return Watch.INVOCATIONS;
    }
    return identities.sawBeginning(cgroupId) ? Watch.WHOLE_LIFE : Watch.SINCE_LATER;
  }

  private void deliverWithCause(TracedExchange traced) {
    if (!deaths.hold(traced.exchange(), () -> deliver(traced, false))) {
      deliver(traced, false);
    }
  }

  private void deliver(TracedExchange traced, boolean late) {
    HttpExchange exchange = traced.exchange();
    boolean serves = exchange.role() == Role.SERVER;
    Lookup lookup =
        serves
            ? identities.ofServer(
                exchange.cgroupId(),
                exchange.local(),
                traced.head().method(),
                traced.head().path(),
                exchange.headNs())
            : identities.ofCaller(exchange.cgroupId());
    Identity identity =
        switch (lookup) {
          case Identity known -> known;
          case NoIdentity.NO_CONTAINER -> Identity.UNKNOWN;
          case NoIdentity.PENDING -> late ? Identity.UNKNOWN : awaited(traced, serves);
        };
    if (identity == null) {
      return;
    }
    if (serves
        && identity.runtime() == InstanceRuntime.PROCESS
        && excludedPorts.contains(exchange.local().getPort())) {
      tellLeftOut(exchange, identity.tenant(), DropReason.EXCLUDED);
      return;
    }
    if (exchange.protocol() == Protocol.OTHER
        && traced.evidence() == ParentEvidence.NONE
        && PeerProtocol.of(exchange.requestHead(), exchange.remote().getPort()) == null) {
      tellLeftOut(exchange, identity.tenant(), DropReason.NO_CALLER);
      return;
    }
    boolean isContainer = identity.runtime() == InstanceRuntime.CONTAINER;
    boolean hasOwnCgroup = isContainer && hasOwnCgroup(exchange.cgroupId());
    if (hasOwnCgroup) {
      accounts.onCgroup(exchange.cgroupId(), identity);
    }
    if (exchange.end() == End.OPEN) {
      // A span of its own beside the one at its end, and captured only if it becomes one.
      ledger.captured();
    }
    Circumstances circumstances = circumstances(exchange, hasOwnCgroup);
    boolean sharesCgroup = isContainer && !hasOwnCgroup;
    accounts.attach(
        exchange,
        account ->
            batcher.add(
                traced,
                identity,
                circumstances,
                sharesCgroup ? account.map(InvocationAccount::ofSharedCgroup) : account,
                nowNs));
  }

  /// Whether the cgroup is that of one container. With cgroups of version 1, containers may share
  /// one of version 2 with each other, their engine or the whole machine.
  private boolean hasOwnCgroup(long cgroupId) {
    return identities.ofCaller(cgroupId) instanceof Identity;
  }

  private Circumstances circumstances(HttpExchange exchange, boolean hasOwnCgroup) {
    long coldStartNs = hasOwnCgroup ? coldStarts.coldStartNs(exchange) : 0;
    String death = deaths.causeOf(exchange);
    return coldStartNs == 0 && death == null
        ? Circumstances.ORDINARY
        : new Circumstances(coldStartNs, death);
  }

  /// Null if the exchange waits now.
  private @Nullable Identity awaited(TracedExchange traced, boolean serves) {
    HttpExchange exchange = traced.exchange();
    boolean waits =
        identities.await(
            exchange.cgroupId(), serves ? exchange.local() : null, again -> deliver(traced, again));
    return waits ? null : Identity.UNKNOWN;
  }

  Tally<Role> captured() {
    return captured;
  }

  Tally<UnreadableHead> unreadable() {
    return unreadable;
  }

  Tally<CarriedContext> contexts() {
    return contexts;
  }

  Correlator correlator() {
    return correlator;
  }

  Identities identities() {
    return identities;
  }

  SpanBatcher batcher() {
    return batcher;
  }
}
