package io.headspan.benchmarks.ingest;

import io.headspan.benchmarks.BenchArguments;
import io.headspan.benchmarks.BenchReport;
import io.headspan.benchmarks.BenchReport.Better;
import io.headspan.benchmarks.BenchReport.Target;
import io.headspan.benchmarks.ProcessUsage;
import io.headspan.benchmarks.TemporaryDirectory;
import io.headspan.benchmarks.ingest.PreparedLoad.Encoding;
import io.headspan.benchmarks.ingest.PreparedLoad.Shape;
import io.headspan.storage.embedded.StoreProcess;
import java.io.IOException;
import java.net.http.HttpClient;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// `./dev bench sampling [BATCHES]`: what tail sampling costs beside storing. The same spans go
/// into a collector without policies and into one with them, each with an embedded store of its
/// own; with them until every trace is decided and what is kept is copied.
public final class SamplingBench {
  private static final int STREAMS = 4;
  private static final int BATCHES = 48;
  private static final int BATCH_SPANS = 5_000;
  private static final int WARM_UP_BATCHES = 8;
  private static final Duration MERGE_TIMEOUT = Duration.ofSeconds(60);
  private static final Duration DECISION_TIMEOUT = Duration.ofMinutes(5);

  /// Of this bench and of [SoakBench].
  static final String POLICIES =
      """
      - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
      - {name: slow, type: latency, latency: {threshold_ms: 2000}}
      - {name: some, type: probabilistic, probabilistic: {sampling_percentage: 10}}
      """;

  private final int batches;
  private final long startNs =
      Instant.now().truncatedTo(ChronoUnit.MINUTES).minusSeconds(900).getEpochSecond()
          * 1_000_000_000L;
  private final HttpClient http;

  /// @param batches of each stream
  private SamplingBench(int batches, HttpClient http) {
    this.batches = batches;
    this.http = http;
  }

  public static void main(String[] arguments) throws IOException, InterruptedException {
    int batches = BenchArguments.of("[BATCHES]", 1, arguments).number(0, BATCHES, 1);
    BenchReport report = new BenchReport("sampling");
    try (HttpClient http = HttpClient.newHttpClient()) {
      new SamplingBench(batches, http).run(report);
    }
    var _ = report.finish();
  }

  private void run(BenchReport report) throws IOException, InterruptedException {
    Outcome plain = measure(Map.of());
    Outcome sampled;
    try (TemporaryDirectory directory = TemporaryDirectory.create()) {
      Path policies = Files.writeString(directory.path().resolve("policies.yaml"), POLICIES);
      sampled = measure(Map.of("HEADSPAN_COLLECTOR_SAMPLING_POLICIES", policies.toString()));
    }
    Target reported = Target.none(Better.LOWER);
    report.add(
        "sampled_spans_per_s", "spans/s", Target.none(Better.HIGHER), sampled.spansPerSecond);
    report.add(
        "sampled_throughput_ratio",
        "ratio",
        Target.none(Better.HIGHER),
        sampled.spansPerSecond / plain.spansPerSecond);
    report.add("cpu_us_per_stored_span", "us", reported, plain.cpuUsPerSpan);
    report.add("cpu_us_per_sampled_span", "us", reported, sampled.cpuUsPerSpan);
    report.add("undecided_s", "s", reported, sampled.undecidedSeconds);
    report.add("decided_after_p50_s", "s", reported, sampled.decidedAfterP50Seconds);
    report.add("decided_after_p99_s", "s", reported, sampled.decidedAfterP99Seconds);
    report.add("kept_span_share", "ratio", reported, sampled.keptShare);
    report.add("lost_errors", "traces", Target.atMost(0), sampled.lostErrors);
  }

  /// @param spansPerSecond acknowledged while spans were sent
  /// @param cpuUsPerSpan of collector and store, from the first span until all is merged
  /// @param undecidedSeconds from the last acknowledgement until all was decided and copied
  /// @param decidedAfterP50Seconds from a trace's last arrival to its decision, the wait included
  /// @param decidedAfterP99Seconds likewise
  /// @param keptShare of all spans
  /// @param lostErrors traces with an error that are not kept
  private record Outcome(
      double spansPerSecond,
      double cpuUsPerSpan,
      double undecidedSeconds,
      double decidedAfterP50Seconds,
      double decidedAfterP99Seconds,
      double keptShare,
      double lostErrors) {}

  private Outcome measure(Map<String, String> settings) throws IOException, InterruptedException {
    try (TemporaryDirectory directory = TemporaryDirectory.create();
        StoreProcess store = StoreProcess.start(directory.path());
        CollectorProcess collector =
            CollectorProcess.start(store.address().toString(), List.of(), settings);
        Sender sender = new Sender("127.0.0.1", collector.port(), STREAMS)) {
      collector.awaitReady(http);
      StoreQueries queries = new StoreQueries(http, store.address());
      ProcessUsage usage = ProcessUsage.of(collector.pid(), store.pid());
      boolean samples = !settings.isEmpty();
      var _ = sender.send(Encoding.OTAP, load(WARM_UP_BATCHES, 0));
      settle(queries, samples);
      PreparedLoad load = load(batches, STREAMS);
      double cpuBefore = usage.cpuSeconds();
      double seconds = sender.send(Encoding.OTAP, load);
      long sentNs = System.nanoTime();
      if (samples) {
        queries.awaitDecisions(DECISION_TIMEOUT);
      }
      double undecidedSeconds = (System.nanoTime() - sentNs) / 1e9;
      queries.awaitMerges(MERGE_TIMEOUT);
      double cpuUs = 1e6 * (usage.cpuSeconds() - cpuBefore) / load.spans();
      System.out.printf(
          Locale.ROOT,
          "%s policies: %,d spans, %,.0f spans/s, %.1f us CPU/span%n",
          samples ? "with" : "without",
          load.spans(),
          load.spans() / seconds,
          cpuUs);
      return samples
          ? new Outcome(
              load.spans() / seconds,
              cpuUs,
              undecidedSeconds,
              queries.decidedAfterSeconds(0.5),
              queries.decidedAfterSeconds(0.99),
              queries.keptShare(),
              queries.lostErrors())
          : new Outcome(load.spans() / seconds, cpuUs, 0, 0, 0, 1, 0);
    }
  }

  private static void settle(StoreQueries queries, boolean samples)
      throws IOException, InterruptedException {
    if (samples) {
      queries.awaitDecisions(DECISION_TIMEOUT);
    }
    queries.awaitMerges(MERGE_TIMEOUT);
  }

  private PreparedLoad load(int batchesOfStream, long seed) throws InterruptedException {
    return PreparedLoad.of(
        Encoding.OTAP, new Shape(STREAMS, batchesOfStream, BATCH_SPANS), startNs + seed, startNs);
  }
}
