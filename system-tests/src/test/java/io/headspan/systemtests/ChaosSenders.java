package io.headspan.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.LedgerReports;
import io.headspan.agent.export.CollectorChannel;
import io.headspan.agent.export.ExportSettings;
import io.headspan.agent.export.SpanExporter;
import io.headspan.agent.ledger.Ledger;
import io.headspan.agent.ledger.LedgerSnapshot;
import io.headspan.agent.ledger.TenantCounts;
import io.headspan.agent.signal.SignalSender;
import io.headspan.agent.spool.Spool;
import io.headspan.agent.spool.SpoolSettings;
import io.headspan.systemtests.ChaosTraffic.Source;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otlp.OtlpEncoder;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/// Sends [ChaosTraffic] until it is told to finish: two agents' exporters, with ledger, spool and
/// reports, each to a collector of its own, and an SDK by OTLP to whichever answers.
final class ChaosSenders implements AutoCloseable {
  private static final long AGENT_BATCH_NS = TimeUnit.MILLISECONDS.toNanos(125);
  private static final long OTLP_BATCH_NS = ChaosTraffic.OTLP_STEPS * AGENT_BATCH_NS;
  private static final long OTLP_PAUSE_NS = TimeUnit.MILLISECONDS.toNanos(50);
  private static final Duration SIGNALS = Duration.ofSeconds(1);
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final long QUEUE_BYTES = 12L << 20;
  private static final int QUEUE_BATCHES = 64;

  /// Enough that some are spooled, which is done from half of the queue on.
  private static final int HELD_MOST = 48;

  private static final int IN_FLIGHT = 8;
  private static final long SPOOL_BYTES = 64L << 20;

  private final ChaosTraffic traffic;
  private final List<String> collectors;
  private final Map<Source, Agent> agents = new EnumMap<>(Source.class);
  private final ExecutorService threads = Executors.newFixedThreadPool(2);
  private final List<Future<?>> running = new ArrayList<>();
  private final AtomicInteger agentBatches = new AtomicInteger();
  private final AtomicInteger otlpBatches = new AtomicInteger();
  private final AtomicInteger otlpAcknowledged = new AtomicInteger();
  private volatile boolean finishing;

  /// @param collectors `host:port` of the one of the left agent and that of the right one
  /// @param directory for the agents' spools
  ChaosSenders(ChaosTraffic traffic, List<String> collectors, Path directory) {
    this.traffic = traffic;
    this.collectors = collectors;
    agents.put(Source.LEFT, new Agent(Source.LEFT, collectors.getFirst(), directory));
    agents.put(Source.RIGHT, new Agent(Source.RIGHT, collectors.getLast(), directory));
    running.add(threads.submit(this::capture));
    running.add(threads.submit(this::sendByOtlp));
  }

  /// How many batches a source has sent.
  int batches(Source source) {
    return source.isAgent() ? agentBatches.get() : otlpBatches.get();
  }

  long spans() {
    long spans = 0;
    for (Source source : Source.values()) {
      spans += (long) batches(source) * ChaosTraffic.spans(source);
    }
    return spans;
  }

  /// Spans of each source that were acknowledged.
  Map<Source, Long> acknowledged() {
    Map<Source, Long> acknowledged = new EnumMap<>(Source.class);
    agents.forEach((source, agent) -> acknowledged.put(source, agent.ledger.acknowledged()));
    acknowledged.put(Source.OTLP, (long) otlpAcknowledged.get() * ChaosTraffic.OTLP_SPANS);
    return acknowledged;
  }

  /// The agents' books.
  Map<Source, LedgerSnapshot.Row> books() {
    Map<Source, LedgerSnapshot.Row> books = new EnumMap<>(Source.class);
    agents.forEach((source, agent) -> books.put(source, agent.ledger.snapshot().total()));
    return books;
  }

  /// How often an agent's stream to its collector broke.
  long brokenStreams() {
    return agents.values().stream().mapToLong(agent -> agent.exporter.brokenStreams()).sum();
  }

  /// Throws what ended a sender, if one has ended.
  void check() throws ExecutionException, InterruptedException {
    for (Future<?> each : running) {
      if (each.isDone()) {
        var _ = each.get();
      }
    }
  }

  /// Sends no more, and waits until all that was sent is acknowledged.
  void finish() throws Exception {
    finishing = true;
    for (Future<?> each : running) {
      var _ = each.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    }
    Await.until(
        "everything is acknowledged",
        this::books,
        () -> agents.values().stream().allMatch(agent -> agent.exporter.heldSpans() == 0));
  }

  @Override
  public void close() {
    finishing = true;
    threads.shutdownNow();
    agents.values().forEach(Agent::close);
  }

  /// Both agents capture at a fixed rate while their collectors are away too, up to what they can
  /// send soon afterwards.
  private void capture() {
    long nextNs = System.nanoTime();
    while (!finishing) {
      if (agents.values().stream().anyMatch(agent -> agent.exporter.heldBatches() > HELD_MOST)) {
        LockSupport.parkNanos(AGENT_BATCH_NS);
        nextNs = System.nanoTime();
        continue;
      }
      int number = agentBatches.get() + 1;
      agents.values().forEach(agent -> agent.submit(number));
      agentBatches.set(number);
      nextNs += AGENT_BATCH_NS;
      LockSupport.parkNanos(nextNs - System.nanoTime());
    }
  }

  /// Repeats each batch until it is acknowledged, as the protocol asks, at the one collector or the
  /// other.
  private void sendByOtlp() {
    try (HttpClient client =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(2))
            .build()) {
      int tries = 0;
      long nextNs = System.nanoTime();
      while (!finishing) {
        byte[] batch =
            OtlpEncoder.encode(traffic.batch(Source.OTLP, otlpBatches.incrementAndGet()))
                .toByteArray();
        while (!isAcknowledged(client, collectors.get(tries % collectors.size()), batch)) {
          tries++;
          LockSupport.parkNanos(OTLP_PAUSE_NS);
        }
        var _ = otlpAcknowledged.incrementAndGet();
        nextNs += OTLP_BATCH_NS;
        LockSupport.parkNanos(nextNs - System.nanoTime());
      }
    }
  }

  private static boolean isAcknowledged(HttpClient client, String collector, byte[] batch) {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create("http://" + collector + "/v1/traces"))
            .header("Content-Type", "application/x-protobuf")
            .timeout(Duration.ofSeconds(10))
            .POST(HttpRequest.BodyPublishers.ofByteArray(batch))
            .build();
    try {
      int status = client.send(request, HttpResponse.BodyHandlers.discarding()).statusCode();
      assertThat(status).as("stored, or to be sent again").isIn(200, 429, 502, 503, 504);
      return status == 200;
    } catch (IOException e) {
      return false; // it was killed; whether the batch was stored before, nobody knows
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  /// What an agent has behind its probes.
  private final class Agent {
    final Source source;
    final Ledger ledger = new Ledger();
    final Spool spool;
    final SpanExporter exporter;
    final SignalSender signals;

    Agent(Source source, String collector, Path directory) {
      this.source = source;
      int colon = collector.indexOf(':');
      String host = collector.substring(0, colon);
      int port = Integer.parseInt(collector.substring(colon + 1));
      String id = "chaos-" + source.tenant();
      spool =
          Spool.open(
              SpoolSettings.of(directory.resolve("spool-" + source.tenant()), SPOOL_BYTES), "1");
      exporter =
          SpanExporter.start(
              new ExportSettings(
                  host,
                  port,
                  id,
                  "1",
                  QUEUE_BYTES,
                  QUEUE_BATCHES,
                  IN_FLIGHT,
                  Duration.ofSeconds(10),
                  Duration.ofSeconds(2),
                  true),
              CollectorChannel.open(host, port, null),
              ledger,
              spool);
      signals = SignalSender.start(CollectorChannel.open(host, port, null), id, "1", id, SIGNALS);
      signals.add(() -> Optional.of(LedgerReports.signal(ledger.snapshot())));
    }

    void submit(int number) {
      SpanBatch batch = traffic.batch(source, number);
      for (int i = 0; i < batch.size(); i++) {
        ledger.captured();
        ledger.batched(source.tenant());
      }
      exporter.submit(batch, TenantCounts.of(Map.of(source.tenant(), batch.size())));
    }

    /// With a last report of the books.
    void close() {
      exporter.close();
      spool.close();
      signals.close(PATIENCE);
    }
  }
}
