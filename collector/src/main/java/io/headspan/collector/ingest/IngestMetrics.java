package io.headspan.collector.ingest;

import static java.util.Objects.requireNonNull;

import io.headspan.wire.signal.NodeSignal;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;

/// What the collector counts, by protocol and by reason. For every protocol, batches received =
/// batches stored + batches rejected + batches under way, and the same for spans as soon as they
/// are decoded. Thread-safe.
public final class IngestMetrics {
  private static final String PREFIX = "headspan.collector.";

  private static final int TENANTS_MAX = 1_000;

  private final MeterRegistry registry;
  private final Set<String> tenants = new HashSet<>();
  private final Map<Protocol, OfProtocol> protocols = new EnumMap<>(Protocol.class);
  private final AtomicInteger streams = new AtomicInteger();
  private final Timer insert;
  private final Counter insertRetries;
  private final Counter replaysKnown;
  private final Map<Rejection, Counter> signalsRejected = new EnumMap<>(Rejection.class);
  private final Map<RecordSignal, OfRecords> records = new EnumMap<>(RecordSignal.class);
  private final Counter ledgersStored;
  private final Counter interferenceStored;
  private final Counter pressureStored;

  public IngestMetrics(MeterRegistry registry, InFlight inFlight, Regions regions) {
    this.registry = registry;
    for (Protocol protocol : Protocol.values()) {
      protocols.put(protocol, new OfProtocol(registry, protocol));
    }
    for (RecordSignal signal : RecordSignal.values()) {
      records.put(signal, new OfRecords(registry, signal));
    }
    insert =
        Timer.builder(PREFIX + "insert")
            .description("Time of one insert into the store that succeeded, with its retries")
            .serviceLevelObjectives(
                Duration.ofMillis(5),
                Duration.ofMillis(10),
                Duration.ofMillis(25),
                Duration.ofMillis(50),
                Duration.ofMillis(100),
                Duration.ofMillis(250),
                Duration.ofMillis(500),
                Duration.ofSeconds(1),
                Duration.ofMillis(2500),
                Duration.ofSeconds(5),
                Duration.ofSeconds(10))
            .register(registry);
    insertRetries =
        Counter.builder(PREFIX + "insert.retries")
            .description("Inserts tried again while the sender waited")
            .register(registry);
    replaysKnown =
        Counter.builder(PREFIX + "replays.known")
            .description("Batches sent again after a long time that the store had already")
            .register(registry);
    for (Rejection reason : Rejection.values()) {
      signalsRejected.put(
          reason,
          Counter.builder(PREFIX + "signals.rejected")
              .description("Reports about nodes not stored")
              .tag("reason", reason.label())
              .register(registry));
    }
    ledgersStored = signalsStored(registry, "ledger");
    interferenceStored = signalsStored(registry, "interference");
    pressureStored = signalsStored(registry, "pressure");
    Gauge.builder(PREFIX + "streams", streams, AtomicInteger::get)
        .description("Open OTel-Arrow streams")
        .register(registry);
    Gauge.builder(PREFIX + "in.flight.bytes", inFlight, InFlight::bytes)
        .description("Bytes of messages received and not answered yet")
        .register(registry);
    Gauge.builder(PREFIX + "in.flight.limit.bytes", inFlight, InFlight::limitBytes)
        .description("In-flight bytes from which on senders are stopped")
        .register(registry);
    Gauge.builder(PREFIX + "store.ready", regions.own().monitor(), IngestMetrics::isReady)
        .description("Whether the store answers and has the schema")
        .register(registry);
    for (Region region : regions.all()) {
      if (!region.name().isEmpty()) {
        Gauge.builder(PREFIX + "region.ready", region.monitor(), IngestMetrics::isReady)
            .description("Whether the store of another region answers and has the schema")
            .tag("region", region.name())
            .register(registry);
      }
    }
  }

  private static double isReady(StoreMonitor monitor) {
    return monitor.notReadyReason().isPresent() ? 0 : 1;
  }

  /// A message arrived.
  public void batchReceived(Protocol protocol) {
    of(protocol).batchesReceived.increment();
  }

  /// A message was decoded and found to hold `spans`.
  public void spansReceived(Protocol protocol, int spans, Duration decodeTime) {
    of(protocol).spansReceived.increment(spans);
    of(protocol).decode.record(decodeTime);
  }

  /// `spans` of a batch will not be stored; others of it may be.
  public void spansRejected(Protocol protocol, Rejection reason, int spans) {
    of(protocol).spansRejected(reason).increment(spans);
  }

  /// A whole batch is not stored.
  ///
  /// @param spans how many it held, 0 if that is not known
  public void batchRejected(Protocol protocol, Rejection reason, int spans) {
    of(protocol).batchesRejected(reason).increment();
    of(protocol).spansRejected(reason).increment(spans);
  }

  /// A message was decoded and found to hold `count` log records or data points.
  public void recordsReceived(
      Protocol protocol, RecordSignal signal, int count, Duration decodeTime) {
    requireNonNull(records.get(signal)).received.increment(count);
    of(protocol).decode.record(decodeTime);
  }

  /// A whole batch of log records or data points is not stored.
  public void recordsRefused(Protocol protocol, RecordSignal signal, Rejection reason, int count) {
    requireNonNull(records.get(signal)).rejected(reason).increment(count);
    of(protocol).batchesRejected(reason).increment();
  }

  /// What is left out of a batch of which the rest goes to the store.
  void omitted(Protocol protocol, Omission omission) {
    String tenant = omission.tenant().isEmpty() ? "{none}" : omission.tenant();
    synchronized (tenants) {
      if (tenants.size() < TENANTS_MAX) {
        tenants.add(tenant);
      } else if (!tenants.contains(tenant)) {
        tenant = "{other}";
      }
    }
    Counter.builder(PREFIX + "left.out")
        .description("Spans, log records and data points left out of batches that were taken")
        .tag("tenant", tenant)
        .tag("signal", omission.kind().signal())
        .tag("reason", omission.reason().label())
        .register(registry)
        .increment(omission.count());
    switch (omission.kind()) {
      case SPANS -> spansRejected(protocol, omission.reason(), omission.count());
      case LOG_RECORDS -> recordsOmitted(RecordSignal.LOGS, omission);
      case DATA_POINTS -> recordsOmitted(RecordSignal.METRICS, omission);
    }
  }

  private void recordsOmitted(RecordSignal signal, Omission omission) {
    requireNonNull(records.get(signal)).rejected(omission.reason()).increment(omission.count());
  }

  /// What became of a batch of log records or data points.
  void recordsDone(Protocol protocol, RecordSignal signal, int count, InsertOutcome outcome) {
    OfRecords counters = requireNonNull(records.get(signal));
    switch (outcome) {
      case InsertOutcome.Stored() -> {
        counters.stored.increment(count);
        of(protocol).batchesStored.increment();
      }
      case InsertOutcome.Unavailable _, InsertOutcome.RegionAway _ -> {
        counters.rejected(Rejection.STORE_UNAVAILABLE).increment(count);
        of(protocol).batchesRejected(Rejection.STORE_UNAVAILABLE).increment();
      }
      case InsertOutcome.Rejected _ -> {
        counters.rejected(Rejection.STORE_REJECTED).increment(count);
        of(protocol).batchesRejected(Rejection.STORE_REJECTED).increment();
      }
    }
  }

  /// A stream was opened.
  public void streamOpened() {
    streams.incrementAndGet();
  }

  /// A stream has ended.
  public void streamClosed() {
    streams.decrementAndGet();
  }

  /// A report about a node is not stored.
  public void signalRejected(Rejection reason) {
    requireNonNull(signalsRejected.get(reason)).increment();
  }

  void signalStored(NodeSignal signal) {
    switch (signal) {
      case NodeSignal.Ledger _ -> ledgersStored.increment();
      case NodeSignal.Interference _ -> interferenceStored.increment();
      case NodeSignal.Pressure _ -> pressureStored.increment();
    }
  }

  void replayKnown() {
    replaysKnown.increment();
  }

  private static Counter signalsStored(MeterRegistry registry, String kind) {
    return Counter.builder(PREFIX + "signals.stored")
        .description("Reports about nodes that the store has")
        .tag("kind", kind)
        .register(registry);
  }

  void stored(Protocol protocol, int spans) {
    of(protocol).batchesStored.increment();
    of(protocol).spansStored.increment(spans);
  }

  void inserted(Duration time) {
    insert.record(time);
  }

  void insertRetried() {
    insertRetries.increment();
  }

  private OfProtocol of(Protocol protocol) {
    return requireNonNull(protocols.get(protocol));
  }

  private static final class OfProtocol {
    private final Counter batchesReceived;
    private final Counter spansReceived;
    private final Counter batchesStored;
    private final Counter spansStored;
    private final Map<Rejection, Counter> batchesRejected = new EnumMap<>(Rejection.class);
    private final Map<Rejection, Counter> spansRejected = new EnumMap<>(Rejection.class);
    private final Timer decode;

    private OfProtocol(MeterRegistry registry, Protocol protocol) {
      batchesReceived = counter(registry, "batches.received", "Batches that arrived", protocol);
      spansReceived = counter(registry, "spans.received", "Spans decoded", protocol);
      batchesStored = counter(registry, "batches.stored", "Batches the store has", protocol);
      spansStored = counter(registry, "spans.stored", "Spans the store has", protocol);
      for (Rejection reason : Rejection.values()) {
        batchesRejected.put(
            reason, rejected(registry, "batches.rejected", "Batches not stored", protocol, reason));
        spansRejected.put(
            reason, rejected(registry, "spans.rejected", "Spans not stored", protocol, reason));
      }
      decode =
          Timer.builder(PREFIX + "decode")
              .description("Time to expand and decode one batch")
              .tag("protocol", protocol.label())
              .register(registry);
    }

    private Counter batchesRejected(Rejection reason) {
      return requireNonNull(batchesRejected.get(reason));
    }

    private Counter spansRejected(Rejection reason) {
      return requireNonNull(spansRejected.get(reason));
    }

    private static Counter counter(
        MeterRegistry registry, String name, String description, Protocol protocol) {
      return Counter.builder(PREFIX + name)
          .description(description)
          .tag("protocol", protocol.label())
          .register(registry);
    }

    private static Counter rejected(
        MeterRegistry registry,
        String name,
        String description,
        Protocol protocol,
        Rejection reason) {
      return Counter.builder(PREFIX + name)
          .description(description)
          .tag("protocol", protocol.label())
          .tag("reason", reason.label())
          .register(registry);
    }
  }

  private static final class OfRecords {
    private final Counter received;
    private final Counter stored;
    private final Map<Rejection, Counter> rejected = new EnumMap<>(Rejection.class);

    private OfRecords(MeterRegistry registry, RecordSignal signal) {
      received = counter(registry, "records.received", "Log records and data points", signal);
      stored = counter(registry, "records.stored", "Those that the store has", signal);
      for (Rejection reason : Rejection.values()) {
        rejected.put(
            reason,
            Counter.builder(PREFIX + "records.rejected")
                .description("Log records and data points not stored")
                .tag("signal", signal.label())
                .tag("reason", reason.label())
                .register(registry));
      }
    }

    private Counter rejected(Rejection reason) {
      return requireNonNull(rejected.get(reason));
    }

    private static Counter counter(
        MeterRegistry registry, String name, String description, RecordSignal signal) {
      return Counter.builder(PREFIX + name)
          .description(description)
          .tag("signal", signal.label())
          .register(registry);
    }
  }
}
