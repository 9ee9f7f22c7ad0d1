package io.headspan.collector.receive;

import com.linecorp.armeria.server.Server;
import com.linecorp.armeria.server.ServerBuilder;
import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import io.headspan.collector.Await;
import io.headspan.collector.edge.Admission;
import io.headspan.collector.edge.Senders;
import io.headspan.collector.ingest.FakeStore;
import io.headspan.collector.ingest.InFlight;
import io.headspan.collector.ingest.Ingest;
import io.headspan.collector.ingest.IngestMetrics;
import io.headspan.collector.ingest.Region;
import io.headspan.collector.ingest.Regions;
import io.headspan.collector.ingest.StoreMonitor;
import io.headspan.collector.ingest.StoredListener;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/// Receivers on a server of their own, with a store in memory behind them.
final class TestReceivers implements AutoCloseable {
  static final int MESSAGE_BYTES = 1024 * 1024;
  static final int STREAM_BATCHES = 4;

  final FakeStore store = new FakeStore();
  final SimpleMeterRegistry registry = new SimpleMeterRegistry();
  final InFlight inFlight;
  final Receivers receivers;
  private final StoreMonitor monitor;
  private final Ingest ingest;
  private final ExecutorService decoders;
  private final Server server;
  private final List<ManagedChannel> channels = new ArrayList<>();

  TestReceivers() {
    this(64L * 1024 * 1024);
  }

  TestReceivers(long inFlightBytes) {
    this(inFlightBytes, Optional.empty());
  }

  TestReceivers(long inFlightBytes, Optional<Path> tokens) {
    this(inFlightBytes, tokens, new Admission());
  }

  TestReceivers(long inFlightBytes, Optional<Path> tokens, Admission admission) {
    inFlight = new InFlight(inFlightBytes);
    monitor = StoreMonitor.start(store);
    Regions regions = Regions.of(Region.only(store, monitor, 2));
    IngestMetrics metrics = new IngestMetrics(registry, inFlight, regions);
    ingest = new Ingest(regions, metrics, StoredListener.NONE);
    decoders = Executors.newFixedThreadPool(2);
    ReceiveLimits limits =
        new ReceiveLimits(MESSAGE_BYTES, 16 * 1024 * 1024, STREAM_BATCHES, Duration.ofMillis(300));
    Senders senders =
        Senders.open(tokens, "", registry, message -> new IllegalArgumentException(message));
    receivers =
        new Receivers(
            new Reception(limits, inFlight, ingest, metrics, senders, admission, decoders));
    ServerBuilder builder =
        Server.builder()
            .http(new InetSocketAddress("127.0.0.1", 0))
            .gracefulShutdownTimeout(Duration.ZERO, Duration.ofSeconds(5));
    receivers.addTo(builder);
    server = builder.build();
    server.start().join();
    Await.until("ready", () -> monitor.notReadyReason().isEmpty());
  }

  int port() {
    return server.activeLocalPort();
  }

  /// A new connection.
  ManagedChannel channel() {
    ManagedChannel channel =
        NettyChannelBuilder.forAddress("127.0.0.1", port())
            .usePlaintext()
            .compressorRegistry(TestCompressors.registry())
            .build();
    channels.add(channel);
    return channel;
  }

  /// Sum of a counter over the labels not given.
  double count(String name, String... labels) {
    return registry.find("headspan.collector." + name).tags(labels).counters().stream()
        .mapToDouble(Counter::count)
        .sum();
  }

  @Override
  public void close() {
    store.letGo();
    for (ManagedChannel channel : channels) {
      channel.shutdownNow();
    }
    // Not waited for: Armeria's acceptor thread takes 2 s to end.
    var _ = server.closeAsync();
    decoders.shutdown();
    ingest.close(Duration.ofSeconds(5));
    monitor.close();
  }
}
