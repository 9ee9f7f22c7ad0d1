package io.headspan.collector;

import com.linecorp.armeria.common.util.Exceptions;
import com.linecorp.armeria.server.Server;
import com.linecorp.armeria.server.ServerBuilder;
import io.headspan.collector.edge.Admission;
import io.headspan.collector.edge.Senders;
import io.headspan.collector.edge.TenantRules;
import io.headspan.collector.ingest.InFlight;
import io.headspan.collector.ingest.Ingest;
import io.headspan.collector.ingest.IngestMetrics;
import io.headspan.collector.ingest.Region;
import io.headspan.collector.ingest.Regions;
import io.headspan.collector.ingest.StoredListener;
import io.headspan.collector.receive.ReceiveLimits;
import io.headspan.collector.receive.Receivers;
import io.headspan.collector.receive.Reception;
import io.headspan.collector.sampling.SamplerConfig;
import io.headspan.collector.sampling.SamplingException;
import io.headspan.collector.sampling.SamplingPolicies;
import io.headspan.collector.spanmetrics.SpanMetrics;
import io.headspan.wire.access.ReloadedFile;
import io.headspan.wire.http.AcceptLoop;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A running collector: OTel-Arrow, OTLP/gRPC, OTLP/HTTP, node signals, `/ready`, `/live` and
/// `/metrics` on one port.
///
/// It runs whether or not the store does. Until the store answers and has the schema, and whenever
/// it is away, `/ready` says 503 and why, and batches are answered UNAVAILABLE, which tells senders
/// to keep them.
public final class Collector implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(Collector.class);

  /// Room for the messages of several streams of one connection, so that one that has to wait does
  /// not stop the others.
  private static final int CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;

  private static final int STREAM_WINDOW_BYTES = 1024 * 1024;
  private static final int STREAMS_PER_CONNECTION = 1000;
  private static final int BATCHES_PER_STREAM = 16;
  private static final Duration ADMISSION_TIMEOUT = Duration.ofSeconds(5);

  /// A peer that went away without a word is noticed by the pings; Armeria sends none unless an
  /// idle connection lives longer than the time between two.
  private static final Duration PING_INTERVAL = Duration.ofSeconds(30);

  private static final Duration IDLE_TIMEOUT = Duration.ofMinutes(2);
  private static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(10);

  private static final int HEAP_PER_IN_FLIGHT = 6;

  /// For so long what is kept is gathered to be copied.
  private static final Duration COPY_WAIT = Duration.ofSeconds(10);

  private static final long COPIED_SPANS = 200_000;

  private static final long REQUEST_BYTES = 64 * 1024;

  private final CollectorConfig config;
  private final PrometheusMeterRegistry registry;
  private final List<RegionStore> stores = new ArrayList<>();
  private final Ingest ingest;
  private final ExecutorService decoders;
  private final Receivers receivers;
  private final StatusEndpoints status;
  private final Server server;
  private final AtomicBoolean closed = new AtomicBoolean();

  /// Starts a collector. It accepts connections when this returns; the store may come later.
  ///
  /// @throws CollectorException of kind LISTEN if the port cannot be had
  public static Collector start(CollectorConfig config) {
    Collector collector = new Collector(config);
    try {
      collector.server.start().join();
    } catch (CompletionException e) {
      collector.close();
      Throwable reason = Exceptions.peel(e);
      throw new CollectorException(
          CollectorException.Kind.LISTEN,
          "the collector cannot listen: address="
              + config.host()
              + ":"
              + config.port()
              + ", reason="
              + reason.getMessage()
              + "; stop what uses the port, or set another address with --listen or "
              + CollectorConfig.LISTEN,
          reason);
    }
    logger.info(
        "collector listens: address={}:{}, store={}",
        config.host(),
        collector.port(),
        config.store());
    return collector;
  }

  private Collector(CollectorConfig config) {
    this.config = config;
    // First: nothing is running yet if the files are wrong.
    Optional<ListenerTls> tls =
        ListenerTls.open(config.tls(), config.access().certificateRequired());
    SamplerConfig sampling = sampling(config);
    registry = new PrometheusMeterRegistry(new MetricsFormat());
    Senders senders =
        Senders.open(
            config.access().tokens(),
            config.access().region(),
            registry,
            message -> new CollectorException(CollectorException.Kind.CONFIGURATION, message));
    Optional<ReloadedFile<TenantRules>> tenants = config.access().tenants().map(this::tenants);
    TenantRules rules = tenants.map(ReloadedFile::current).orElse(TenantRules.NONE);
    stores.add(RegionStore.open("", config.store(), sampling));
    rules
        .stores()
        .forEach((name, address) -> stores.add(RegionStore.open(name, address, sampling)));
    Regions regions = regions(tenants);
    InFlight inFlight = new InFlight(config.inFlightBytes());
    IngestMetrics metrics = new IngestMetrics(registry, inFlight, regions);
    ingest = new Ingest(regions, metrics, spanMetrics(config));
    Admission admission =
        tenants.isPresent()
            ? new Admission(tenants.get()::current, System::nanoTime)
            : new Admission();
    decoders =
        Executors.newFixedThreadPool(
            Runtime.getRuntime().availableProcessors(),
            Thread.ofPlatform().name("collector-decode-", 0).daemon().factory());
    ReceiveLimits limits =
        new ReceiveLimits(
            config.messageBytes(), config.streamBytes(), BATCHES_PER_STREAM, ADMISSION_TIMEOUT);
    receivers =
        new Receivers(
            new Reception(limits, inFlight, ingest, metrics, senders, admission, decoders));
    status = new StatusEndpoints(stores, registry, senders);
    stores.forEach(each -> each.startSampling(sampling));
    stores.forEach(each ->
        each.startExpiry(() ->
            tenants
                .map(ReloadedFile::current)
                .orElse(TenantRules.NONE)
                .retention(config.retentionDays())));
    new JvmMemoryMetrics().bindTo(registry);
    new JvmThreadMetrics().bindTo(registry);
    new ProcessorMetrics().bindTo(registry);
    server = server(tls);
    warnOfHeap();
  }

  /// What is in flight is alive as it came, as columns and as a block for the store.
  private void warnOfHeap() {
    long heapMib = Runtime.getRuntime().maxMemory() >> 20;
    long inFlightMib = config.inFlightBytes() >> 20;
    long wantedMib = HEAP_PER_IN_FLIGHT * inFlightMib;
    if (heapMib < wantedMib) {
      logger.warn(
          "the heap may be too small for in_flight_mib: heapMib={}, in_flight_mib={}, want=less in"
              + " flight, or HEADSPAN_JAVA_OPTIONS_COLLECTOR=-Xmx{}m",
          heapMib,
          inFlightMib,
          wantedMib);
    }
  }

  /// The port it listens on.
  public int port() {
    return server.activeLocalPort();
  }

  /// Takes no more batches, answers those under way, and stops. Waits for at most the configured
  /// time for streams to end, and as long for calls.
  @Override
  public void close() {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    long deadline = System.nanoTime() + config.closeTimeout().toNanos();
    status.close();
    try {
      if (!receivers.close(config.closeTimeout())) {
        logger.warn("streams did not end in time: timeout={}", config.closeTimeout());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    server.close();
    decoders.shutdown();
    ingest.close(Duration.ofNanos(Math.max(0, deadline - System.nanoTime())));
    stores.forEach(RegionStore::close);
    registry.close();
  }

  /// Stores are opened at the start, so a region that appears, goes or moves needs another one.
  private ReloadedFile<TenantRules> tenants(Path file) {
    String own = config.access().region();
    TenantRules first = readTenants(file, own);
    return ReloadedFile.open(
        file,
        each -> {
          TenantRules read = readTenants(each, own);
          if (!read.stores().equals(first.stores())) {
            throw new CollectorException(
                CollectorException.Kind.CONFIGURATION,
                "regions have changed: file=" + each + "; restart the collector to use them");
          }
          return read;
        },
        read -> logger.info("tenants read again: tenants={}", read.limits().size()),
        e -> logger.warn("changed tenants are not used, the old ones are: {}", e.getMessage()));
  }

  private static TenantRules readTenants(Path file, String own) {
    return TenantRules.read(
        file,
        own,
        message -> new CollectorException(CollectorException.Kind.CONFIGURATION, message));
  }

  private Regions regions(Optional<ReloadedFile<TenantRules>> tenants) {
    if (stores.size() == 1) {
      RegionStore only = stores.getFirst();
      return Regions.of(Region.only(only.store(), only.monitor(), config.inserters()));
    }
    ReloadedFile<TenantRules> rules = tenants.orElseThrow();
    return new Regions(
        stores.stream()
            .map(each ->
                Region.amongOthers(each.name(), each.store(), each.monitor(), config.inserters()))
            .toList(),
        tenant -> rules.current().regionOf(tenant));
  }

  private StoredListener spanMetrics(CollectorConfig config) {
    if (config.spanMetricsSeries() == 0) {
      return StoredListener.NONE;
    }
    SpanMetrics metrics = new SpanMetrics(config.spanMetricsSeries(), InstantSource.system());
    registry.getPrometheusRegistry().register(metrics);
    return metrics;
  }

  /// @throws CollectorException of kind CONFIGURATION if the policies cannot be read
  private static SamplerConfig sampling(CollectorConfig config) {
    return new SamplerConfig(
        config.sampling().policies().map(Collector::policies),
        config.sampling().decisionWait(),
        config.sampling().decisionWaitAfterRoot(),
        config.sampling().recentWindow(),
        COPY_WAIT,
        COPIED_SPANS,
        config.sampling().linkedTraces());
  }

  private static String policies(Path file) {
    try {
      String policies = Files.readString(file);
      SamplingPolicies.check(policies);
      return policies;
    } catch (IOException | SamplingException e) {
      throw new CollectorException(
          CollectorException.Kind.CONFIGURATION,
          "sampling policies cannot be used: file=" + file + ", reason=" + e.getMessage(),
          e);
    }
  }

  private Server server(Optional<ListenerTls> tls) {
    InetSocketAddress address = new InetSocketAddress(config.host(), config.port());
    ServerBuilder builder =
        tls.isPresent() ? Server.builder().https(address) : Server.builder().http(address);
    builder
        .meterRegistry(registry)
        .requestTimeout(REQUEST_TIMEOUT)
        .maxRequestLength(REQUEST_BYTES)
        .idleTimeout(IDLE_TIMEOUT)
        .pingInterval(PING_INTERVAL)
        .http2InitialConnectionWindowSize(CONNECTION_WINDOW_BYTES)
        .http2InitialStreamWindowSize(STREAM_WINDOW_BYTES)
        .http2MaxStreamsPerConnection(STREAMS_PER_CONNECTION)
        .bossGroupFactory(AcceptLoop::start)
        .gracefulShutdownTimeout(Duration.ZERO, config.closeTimeout());
    tls.ifPresent(each -> each.addTo(builder));
    receivers.addTo(builder);
    status.addTo(builder);
    return builder.build();
  }
}
