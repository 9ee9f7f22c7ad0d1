package io.headspan.agent;

import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.util.Exceptions;
import com.linecorp.armeria.server.Server;
import io.headspan.agent.export.SpanBatcher;
import io.headspan.agent.governor.Detail;
import io.headspan.agent.governor.DetailLevel;
import io.headspan.agent.identity.Identities;
import io.headspan.agent.identity.IdentitySettings;
import io.headspan.agent.interference.TimeAccounts;
import io.headspan.agent.invocation.CorrelationLimits;
import io.headspan.agent.libbpf.BpfSupport;
import io.headspan.agent.libbpf.Capabilities;
import io.headspan.agent.libbpf.Capabilities.Capability;
import io.headspan.agent.libbpf.LibbpfException;
import io.headspan.agent.libbpf.Niceness;
import io.headspan.agent.log.FailureLog;
import io.headspan.agent.probe.http.HttpProbe;
import io.headspan.agent.probe.lifecycle.LifecycleProbe;
import io.headspan.wire.config.HostPort;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A running node agent. It captures the HTTP invocations of the whole machine, sends them as spans
/// to the collector, and tells about itself on `/metrics` and `/ready`.
///
/// One thread takes everything out of the kernel's rings and works on it, at a beat that follows
/// the load: about [#RECORDS_PER_BEAT] exchanges at a time, every 1 to 50 ms; the kernel wakes it
/// early if the ring fills up. Another one talks to the collector, a third reads files.
public final class NodeAgent implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(NodeAgent.class);

  private static final Path PROC = Path.of("/proc");

  /// What is needed after the programs are attached: their maps and iterators (BPF; for tracing
  /// programs PERFMON), who listens at a port and what containers are (the others).
  private static final Set<Capability> LASTING_RIGHTS =
      EnumSet.of(
          Capability.BPF, Capability.PERFMON, Capability.SYS_PTRACE, Capability.DAC_READ_SEARCH);

  /// Of the threads that take out what the kernel tells, and read the states of containers. When
  /// every processor is busy the ring must not run over, for that is when its records are wanted,
  /// and a state is there for no longer than its container; the budget bounds what they take.
  private static final int PRECEDENCE_NICENESS = -10;

  private static final int BEAT_MIN_MILLIS = 1;
  private static final int BEAT_MAX_MILLIS = 50;
  private static final int RECORDS_PER_BEAT = 256;

  /// After so long without a record of HTTP, beats are for what processes and cgroups do and for
  /// what is due by time only.
  private static final long QUIET_AFTER_NS = TimeUnit.SECONDS.toNanos(1);

  private static final long QUIET_BEAT_NS = TimeUnit.MILLISECONDS.toNanos(200);
  private static final int IDENTITY_WAITING_MAX = 20_000;
  private static final Duration IDENTITY_GRACE = Duration.ofSeconds(60);

  private final AgentConfig config;
  private final PrometheusMeterRegistry registry =
      new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);

  /// What is open, to be closed in reverse.
  private final List<AutoCloseable> open = new ArrayList<>();

  private final Server server;
  private final LifecycleProbe lifecycle;
  private final HttpProbe http;
  private final TimeAccounts accounts;
  private final Delivery delivery;
  private volatile @Nullable LedgerMetrics ledgerMetrics;
  private final ProbeCounters counters;
  private final InvocationPipeline pipeline;
  private final EventsFirst eventsFirst;
  private final Detail detail;
  private final Thread capture;
  private final CompletableFuture<Integer> captureThreadId = new CompletableFuture<>();

  /// Null until everything is open; scrapes may come before.
  private volatile @Nullable AccountMetrics accountMetrics;

  private volatile boolean capturing;
  private volatile boolean stopping;
  private final FailureLog failures = new FailureLog(LOG);

  /// Starts an agent. It captures when this returns.
  ///
  /// @throws AgentException that lists what this machine or process lacks, or names the port that
  ///   cannot be had
  public static NodeAgent start(AgentConfig config) {
    return start(config, true);
  }

  /// Starts an agent in one process with other roles, whose use of processors is not the agent's.
  ///
  /// @throws AgentException as [#start]
  public static NodeAgent startBesideOthers(AgentConfig config) {
    return start(config, false);
  }

  private static NodeAgent start(AgentConfig config, boolean alone) {
    List<BpfSupport.Missing> missing = BpfSupport.check();
    if (!missing.isEmpty()) {
      StringBuilder message = new StringBuilder("the agent cannot capture here:");
      for (BpfSupport.Missing each : missing) {
        message.append("\n- ").append(each.reason()).append("; ").append(each.remedy());
      }
      throw new AgentException(AgentException.Kind.CAPTURE, message.toString());
    }
    Path cgroups =
        BpfSupport.cgroup2Mount()
            .orElseThrow(() ->
                new AgentException(
                    AgentException.Kind.CAPTURE, "the cgroup v2 hierarchy was unmounted"));
    NodeAgent agent = onItsOwnThread(() -> new NodeAgent(config, alone, cgroups));
    // By this thread, which still has the right to.
    agent.givePrecedence();
    return agent;
  }

  /// The agent lays down rights when its programs are loaded. That is a matter of threads, and not
  /// to be that of the caller.
  private static NodeAgent onItsOwnThread(Callable<NodeAgent> start) {
    FutureTask<NodeAgent> task = new FutureTask<>(start);
    Thread.ofPlatform().name("headspan-start").start(task);
    try {
      return task.get();
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case null -> throw new IllegalStateException("the agent did not start", e);
        case RuntimeException cause -> throw cause;
        case Error cause -> throw cause;
        default -> throw new IllegalStateException("the agent did not start", e);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while the agent starts", e);
    }
  }

  private NodeAgent(AgentConfig config, boolean alone, Path cgroups) {
    this.config = config;
    open.add(registry::close);
    try {
      http = HttpProbe.open(cgroups);
      open.add(http);
      countOlderConnections();
      // After that: of a cgroup whose beginning is told, no connection was missed.
      lifecycle = LifecycleProbe.open();
      open.add(lifecycle);
      http.wakeAlsoBy(lifecycle.ring());
      accounts =
          config.timeAccounts()
              ? TimeAccounts.start(http)
              : TimeAccounts.off("the configuration says so: time_accounts=off");
      open.add(accounts);
      counters = new ProbeCounters(http, lifecycle);
      open.add(counters::close);
      // Everything is loaded. All that listens, reads and sends is started with less rights.
      layDownRights();
      HostIdentity host = HostIdentity.read(PROC, config);
      delivery = Delivery.open(config, host);
      // Closed after the probes: what they still have to say is sent.
      open.addFirst(delivery);
      ledgerMetrics = new LedgerMetrics(registry, delivery);
      delivery.signals().add(new InterferenceSource(accounts::matrix));
      delivery.countLosses(counters::tell);
      server = listen();
      open.addFirst(server);
      Identities identities = Identities.start(identitySettings(cgroups), this::watch, nowNs());
      open.add(identities);
      SpanBatcher batcher =
          new SpanBatcher(
              host.hostName(),
              config.batchSpans(),
              config.batchAge(),
              System::nanoTime,
              Instant::now,
              delivery.ledger(),
              delivery.exporter()::submit);
      pipeline =
          new InvocationPipeline(
              identities,
              batcher,
              accounts,
              delivery.ledger(),
              new CorrelationLimits(
                  config.parentWait(),
                  CorrelationLimits.DEFAULT.waitingMax(),
                  CorrelationLimits.DEFAULT.rememberedMax()),
              excludedPorts(),
              new SplittableRandom(new SecureRandom().nextLong()));
      eventsFirst =
          new EventsFirst(
              () -> lifecycle.drain(pipeline::onEvent), NodeAgent::nowNs, pipeline::onExchange);
      AgentMetrics.register(registry, pipeline, delivery, counters);
      accountMetrics = new AccountMetrics(registry, accounts);
      detail = new Detail(config.budget(), alone, this::followDetail, nowNs());
      detail.register(registry);
      capture = Thread.ofPlatform().daemon().name("headspan-capture").unstarted(this::capture);
      capturing = true;
      capture.start();
      open.add(this::stopCapture);
      LOG.info(
          "Agent captures: cgroups={}, collector={}, agentId={}, bootId={}, listen={}:{}",
          cgroups,
          config.collector(),
          host.agentId(),
          host.bootId(),
          config.listen().host(),
          port());
    } catch (LibbpfException e) {
      close();
      throw new AgentException(
          AgentException.Kind.CAPTURE, "the agent cannot capture here: " + e.getMessage(), e);
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  private void countOlderConnections() {
    try {
      http.countOlderConnections();
    } catch (LibbpfException e) {
      failures.warn("Connections that were there before the agent are not counted", "", e);
    }
  }

  private void followDetail(DetailLevel level) {
    pipeline.detail(level);
    if (level.hasTimeAccounts()) {
      accounts.switchOn();
    } else {
      accounts.switchOff("the agent keeps within its budget");
    }
  }

  private void givePrecedence() {
    try {
      Niceness.set(captureThreadId.join(), PRECEDENCE_NICENESS);
      Niceness.set(pipeline.identities().glancerThreadId(), PRECEDENCE_NICENESS);
    } catch (LibbpfException e) {
      failures.warn("Capture has no precedence: on busy processors more may be lost", "", e);
    }
  }

  private void layDownRights() {
    try {
      Set<Capability> kept = Capabilities.keepOnly(LASTING_RIGHTS);
      LOG.info("Capabilities laid down: kept={}", kept);
    } catch (LibbpfException e) {
      failures.warn("Capabilities cannot be laid down, the agent keeps them all", "", e);
    }
  }

  /// The port of `/metrics` and `/ready`.
  public int port() {
    return server.activeLocalPort();
  }

  /// Stops capturing, hands what was captured to the collector, waiting for it no longer than the
  /// configured time, and detaches from the kernel.
  @Override
  public void close() {
    while (!open.isEmpty()) {
      AutoCloseable last = open.removeLast();
      try {
        last.close();
      } catch (Exception e) {
        LOG.error("A part of the agent could not be closed: part={}", last, e);
      }
    }
  }

  private Server listen() {
    HostPort listen = config.listen();
    Server listening =
        Server.builder()
            .http(new InetSocketAddress(listen.host(), listen.port()))
            .meterRegistry(registry)
            .service(
                "/ready",
                (_, _) ->
                    isReady()
                        ? HttpResponse.of(readyText())
                        : HttpResponse.of(
                            HttpStatus.SERVICE_UNAVAILABLE,
                            MediaType.PLAIN_TEXT_UTF_8,
                            "not capturing\n"))
            .service(
                "/metrics",
                (_, _) ->
                    HttpResponse.of(
                        HttpStatus.OK,
                        MediaType.parse("text/plain; version=0.0.4; charset=utf-8"),
                        scrape()))
            .gracefulShutdownTimeout(Duration.ZERO, config.closeTimeout())
            .build();
    try {
      listening.start().join();
      return listening;
    } catch (CompletionException e) {
      Throwable reason = Exceptions.peel(e);
      throw new AgentException(
          AgentException.Kind.LISTEN,
          "the agent cannot listen: address="
              + listen
              + ", reason="
              + reason.getMessage()
              + "; stop what uses the port, or set another address with --listen or "
              + AgentConfig.LISTEN,
          reason);
    }
  }

  private String scrape() {
    LedgerMetrics metrics = ledgerMetrics;
    if (metrics != null) {
      metrics.refresh();
    }
    AccountMetrics ofAccounts = accountMetrics;
    if (ofAccounts != null) {
      ofAccounts.refresh();
    }
    return registry.scrape();
  }

  private String readyText() {
    DetailLevel level = detail.level();
    return level == DetailLevel.FULL
        ? "ready\n"
        : "ready, with less detail: " + level.cost() + "\n";
  }

  private boolean isReady() {
    return capturing && delivery.exporter().isRunning();
  }

  private IdentitySettings identitySettings(Path cgroups) {
    return new IdentitySettings(
        cgroups,
        PROC,
        config.platforms(),
        config.runDirectory(),
        config.identityWait(),
        IDENTITY_WAITING_MAX,
        IDENTITY_GRACE);
  }

  /// Scrapes of the agent are not invocations of anybody's function.
  private Set<Integer> excludedPorts() {
    Set<Integer> ports = new HashSet<>(config.excludedPorts());
    ports.add(port());
    return ports;
  }

  /// Calls out are captured only where they leave containers, and time is accounted for there.
  private void watch(long cgroupId, boolean container) {
    accounts.onCgroup(cgroupId, pipeline.identities().ofCaller(cgroupId));
    try {
      if (container) {
        http.watchCgroup(cgroupId);
      } else {
        http.ignoreCgroup(cgroupId);
      }
    } catch (LibbpfException e) {
      failures.error("Calls of a cgroup may be missing", "cgroup=" + cgroupId, e);
    }
  }

  /// The life of the capture thread.
  private void capture() {
    captureThreadId.complete(Niceness.threadId());
    try {
      captureUntilStopped();
      beat();
      pipeline.finish();
    } catch (RuntimeException | Error e) {
      LOG.error("Capturing ended", e);
    } finally {
      capturing = false;
    }
  }

  private void captureUntilStopped() {
    int beatMillis = BEAT_MIN_MILLIS;
    long httpNs = nowNs();
    long beatNs = httpNs;
    while (!stopping) {
      int exchanges = 0;
      try {
        long nowNs = nowNs();
        if (http.hasRecords()) {
          httpNs = nowNs;
        }
        if (nowNs - httpNs < QUIET_AFTER_NS
            || nowNs - beatNs >= QUIET_BEAT_NS
            || lifecycle.ring().pendingBytes() > 0) {
          beatNs = nowNs;
          exchanges = beat();
        }
        http.awaitPressure(beatMillis);
      } catch (RuntimeException e) {
        failures.error("Capturing failed and goes on", "", e);
        beatMillis = BEAT_MAX_MILLIS;
      }
      // Half of the way to the beat that would have brought just enough.
      long wantedMillis = (long) beatMillis * RECORDS_PER_BEAT / Math.max(1, exchanges);
      beatMillis =
          Math.toIntExact(
              Math.clamp((beatMillis + wantedMillis) / 2, BEAT_MIN_MILLIS, BEAT_MAX_MILLIS));
    }
  }

  private int beat() {
    detail.poll(nowNs());
    pipeline.countLosses(counters.losses());
    pipeline.advance(nowNs());
    eventsFirst.readEvents();
    pipeline.onEventsRead();
    int exchanges = http.drain(eventsFirst::onExchange);
    http.takeFailure()
        .ifPresent(failure -> failures.error("Exchanges cannot be read", "", failure));
    accounts.poll(nowNs());
    accounts
        .takeFailure()
        .ifPresent(failure -> failures.error("Accounts cannot be read", "", failure));
    return exchanges;
  }

  private void stopCapture() throws InterruptedException {
    capturing = false;
    stopping = true;
    capture.join();
  }

  private static long nowNs() {
    return System.nanoTime();
  }
}
