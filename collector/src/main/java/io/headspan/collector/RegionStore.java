package io.headspan.collector;

import io.headspan.collector.ingest.Omission;
import io.headspan.collector.ingest.Store;
import io.headspan.collector.ingest.StoreMonitor;
import io.headspan.collector.sampling.Sampler;
import io.headspan.collector.sampling.SamplerConfig;
import io.headspan.storage.LeftOut;
import io.headspan.storage.Retention;
import io.headspan.storage.SpanStore;
import io.headspan.storage.StoreAddress;
import io.headspan.storage.Tier;
import io.headspan.wire.LogBatch;
import io.headspan.wire.MetricBatch;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.signal.NodeReport;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// The store of a region with what looks after it: its schema, whether it is there, its sampler.
final class RegionStore implements AutoCloseable {
  private final String name;
  private final SpanStore spans;
  private final Store store;
  private final StoreMonitor monitor;
  private final List<Sampler> samplers = new ArrayList<>();
  private @Nullable SamplerConfig sampling;
  private boolean isMigrated;
  private boolean closed;
  private @Nullable Expirer expirer;

  /// Opens it; it need not be there yet.
  ///
  /// @param name "" for the collector's own
  static RegionStore open(String name, StoreAddress address, SamplerConfig sampling) {
    return new RegionStore(name, SpanStore.connect(address), sampling.tier());
  }

  private RegionStore(String name, SpanStore spans, Tier tier) {
    this.name = name;
    this.spans = spans;
    store = new IngestStore(spans, tier, hostName(), this::migrated);
    monitor = StoreMonitor.start(store);
  }

  private static String hostName() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException _) {
      return "unknown";
    }
  }

  /// Begins to decide about traces: in each shard for itself, as soon as the store has said what
  /// those are.
  synchronized void startSampling(SamplerConfig config) {
    sampling = config;
    startSamplers();
  }

  private synchronized void migrated() {
    isMigrated = true;
    startSamplers();
  }

  private void startSamplers() {
    SamplerConfig config = sampling;
    if (config != null && isMigrated && samplers.isEmpty() && !closed) {
      for (SpanStore shard : spans.shards()) {
        samplers.add(Sampler.start(shard, config, () -> monitor.notReadyReason().isEmpty()));
      }
    }
  }

  /// Begins to let go of what is too old.
  void startExpiry(Supplier<Retention> retention) {
    expirer = Expirer.start(spans, retention, () -> monitor.notReadyReason().isEmpty());
  }

  String name() {
    return name;
  }

  /// The store as ingest sees it.
  Store store() {
    return store;
  }

  StoreMonitor monitor() {
    return monitor;
  }

  /// Why it cannot be used now, with the region's name; empty if it can.
  Optional<String> notReadyReason() {
    return monitor
        .notReadyReason()
        .map(reason -> name.isEmpty() ? reason : "region " + name + ": " + reason);
  }

  @Override
  public void close() {
    synchronized (this) {
      closed = true;
    }
    samplers.forEach(Sampler::close);
    Expirer expiring = expirer;
    if (expiring != null) {
      expiring.close();
    }
    monitor.close();
    spans.close();
  }

  private record IngestStore(SpanStore store, Tier tier, String collector, Runnable migrated)
      implements Store {
    @Override
    public void migrate() {
      store.migrate();
      migrated.run();
    }

    @Override
    public void insert(SpanBatch batch, String deduplicationToken) {
      store.insert(batch, deduplicationToken, tier);
    }

    @Override
    public void insert(LogBatch batch, String deduplicationToken) {
      store.insert(batch, deduplicationToken);
    }

    @Override
    public void insert(MetricBatch batch, String deduplicationToken) {
      store.insert(batch, deduplicationToken);
    }

    @Override
    public boolean isStored(SpanBatch batch) {
      return store.isStored(batch);
    }

    @Override
    public boolean knowsTokens(Duration age) {
      return store.knowsTokens(age);
    }

    @Override
    public void insert(NodeReport report, String deduplicationToken) {
      store.insert(report, deduplicationToken);
    }

    @Override
    public void insert(List<Omission> omitted, String deduplicationToken) {
      Instant now = Instant.now();
      long timeNs = Math.addExact(now.getEpochSecond() * 1_000_000_000L, now.getNano());
      store.insertLeftOut(
          omitted.stream()
              .map(each ->
                  new LeftOut(
                      timeNs,
                      collector,
                      each.sender(),
                      each.tenant(),
                      each.kind().signal(),
                      each.reason().label(),
                      each.count()))
              .toList(),
          deduplicationToken);
    }

    @Override
    public boolean isReady() {
      return store.isReady();
    }
  }
}
