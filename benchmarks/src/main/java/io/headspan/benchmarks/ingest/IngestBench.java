package io.headspan.benchmarks.ingest;

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
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// `./dev bench ingest`: spans over real gRPC into a collector with the embedded store behind it,
/// both in processes of their own, or into any receiver with `--endpoint HOST:PORT`; then only what
/// the sender sees is reported.
///
/// A run sends batches that were encoded before, over several connections, and ends when all are
/// acknowledged. The first runs warm up: a collector in use has its code compiled, which takes it
/// some 4 million spans. CPU per span is what collector and store use during the OTel-Arrow runs
/// and until the store has merged what they left, with all rollups. The wire ratio compares the
/// compressed messages of both protocols, spans of the same generator, same batch size, same zstd
/// level.
public final class IngestBench {
  private static final int RUNS = 3;
  private static final long WARM_UP_SPANS = 5_000_000;
  private static final Duration MERGE_TIMEOUT = Duration.ofSeconds(30);

  private final Options options;
  private final long startNs;
  private long seed;

  /// @param endpoint `HOST:PORT` of a receiver, empty to start one
  /// @param streams connections
  /// @param batches per stream and run
  /// @param batchSpans spans in a batch
  /// @param profile file for a flight recording of the collector, empty for none
  record Options(String endpoint, int streams, int batches, int batchSpans, String profile) {
    private static final String USAGE =
        "options: [--endpoint HOST:PORT] [--streams N] [--batches N] [--batch-spans N]"
            + " [--profile FILE.jfr]";

    static Options parse(String[] args) {
      Options options = new Options("", 4, 72, 5000, "");
      if (args.length % 2 != 0) {
        throw new IllegalArgumentException(USAGE);
      }
      for (int i = 0; i < args.length; i += 2) {
        String value = args[i + 1];
        options =
            switch (args[i]) {
              case "--endpoint" -> options.withEndpoint(value);
              case "--streams" ->
                  options.withShape(number(value), options.batches, options.batchSpans);
              case "--batches" ->
                  options.withShape(options.streams, number(value), options.batchSpans);
              case "--batch-spans" ->
                  options.withShape(options.streams, options.batches, number(value));
              case "--profile" ->
                  new Options(
                      options.endpoint,
                      options.streams,
                      options.batches,
                      options.batchSpans,
                      value);
              default ->
                  throw new IllegalArgumentException("unknown option: " + args[i] + "; " + USAGE);
            };
      }
      return options;
    }

    Shape shape() {
      return new Shape(streams, batches, batchSpans);
    }

    int warmUps() {
      return (int) Math.ceilDiv(WARM_UP_SPANS, (long) streams * batches * batchSpans);
    }

    private Options withEndpoint(String value) {
      return new Options(value, streams, batches, batchSpans, profile);
    }

    private Options withShape(int newStreams, int newBatches, int newBatchSpans) {
      return new Options(endpoint, newStreams, newBatches, newBatchSpans, profile);
    }

    private static int number(String text) {
      int number = Integer.parseInt(text);
      if (number < 1) {
        throw new IllegalArgumentException("not a positive number: " + text + "; " + USAGE);
      }
      return number;
    }
  }

  /// The runs with one protocol.
  ///
  /// @param spansPerSecond of each run
  /// @param cpuSeconds of collector and store in each run, none if they are not ours
  /// @param spansPerRun the same in each
  /// @param bytesPerSpan on the wire
  private record Phase(
      double[] spansPerSecond, double[] cpuSeconds, long spansPerRun, double bytesPerSpan) {}

  /// Waits until a receiver has done what is left to do of what it took.
  private interface Settling {
    void await() throws IOException, InterruptedException;
  }

  private IngestBench(Options options) {
    this.options = options;
    startNs =
        Instant.now().truncatedTo(ChronoUnit.MINUTES).minusSeconds(900).getEpochSecond()
            * 1_000_000_000L;
    seed = startNs;
  }

  public static void main(String[] args) throws Exception {
    Options options;
    try {
      options = Options.parse(args);
    } catch (IllegalArgumentException e) {
      System.err.println(e.getMessage());
      System.exit(2);
      return;
    }
    new IngestBench(options).run();
  }

  private void run() throws IOException, InterruptedException {
    System.out.printf(
        Locale.ROOT,
        "%d runs per protocol, and %d to warm up, of %d streams x %d batches x %d spans%n",
        RUNS,
        options.warmUps(),
        options.streams,
        options.batches,
        options.batchSpans);
    BenchReport report = new BenchReport("ingest");
    if (options.endpoint.isEmpty()) {
      againstOwn(report);
    } else {
      int colon = options.endpoint.lastIndexOf(':');
      against(
          report,
          options.endpoint.substring(0, colon),
          Integer.parseInt(options.endpoint.substring(colon + 1)));
    }
    var _ = report.finish();
  }

  private void against(BenchReport report, String host, int port)
      throws IOException, InterruptedException {
    ProcessUsage notOurs = ProcessUsage.of();
    try (Sender sender = new Sender(host, port, options.streams)) {
      Phase otap = phase(Encoding.OTAP, sender, notOurs, notOurs, () -> {});
      Phase otlp = phase(Encoding.OTLP, sender, notOurs, notOurs, () -> {});
      addSpeed(report, otap, otlp);
      addWire(report, otap, otlp);
    }
  }

  private void againstOwn(BenchReport report) throws IOException, InterruptedException {
    List<String> jvmFlags =
        options.profile.isEmpty()
            ? List.of()
            : List.of(
                "-XX:StartFlightRecording=settings=profile,filename=" + options.profile,
                "-Xlog:jfr*=error");
    try (TemporaryDirectory directory = TemporaryDirectory.create();
        StoreProcess store = StoreProcess.start(directory.path());
        CollectorProcess collector =
            CollectorProcess.start(store.address().toString(), jvmFlags, Map.of());
        HttpClient http = HttpClient.newHttpClient();
        Sender sender = new Sender("127.0.0.1", collector.port(), options.streams)) {
      collector.awaitReady(http);
      StoreQueries queries = new StoreQueries(http, store.address());
      ProcessUsage collectorUsage = ProcessUsage.of(collector.pid());
      ProcessUsage storeUsage = ProcessUsage.of(store.pid());
      Settling merged = () -> queries.awaitMerges(MERGE_TIMEOUT);
      Phase otap = phase(Encoding.OTAP, sender, collectorUsage, storeUsage, merged);
      double before = storeUsage.cpuSeconds();
      merged.await();
      double mergeSeconds = (storeUsage.cpuSeconds() - before) / RUNS;
      System.out.printf(
          Locale.ROOT,
          "OTAP merges after the runs: %.2f us CPU/span%n",
          1e6 * mergeSeconds / otap.spansPerRun);
      Phase otlp = phase(Encoding.OTLP, sender, collectorUsage, storeUsage, merged);
      addSpeed(report, otap, otlp);
      addCpu(report, otap, mergeSeconds);
      addWire(report, otap, otlp);
      report.add("disk_bytes_per_span", "B", Target.atMost(50), queries.mergedBytesPerSpan());
    }
  }

  /// Runs to warm up, then the runs that count.
  private Phase phase(
      Encoding encoding,
      Sender sender,
      ProcessUsage collectorUsage,
      ProcessUsage storeUsage,
      Settling afterWarmUp)
      throws IOException, InterruptedException {
    double[] spansPerSecond = new double[RUNS];
    double[] cpuSeconds = new double[RUNS];
    long spans = 0;
    long bytes = 0;
    for (int run = -options.warmUps(); run < RUNS; run++) {
      if (run == 0) {
        afterWarmUp.await();
      }
      PreparedLoad load = PreparedLoad.of(encoding, options.shape(), seed, startNs);
      seed += options.streams;
      double collectorBefore = collectorUsage.cpuSeconds();
      double storeBefore = storeUsage.cpuSeconds();
      double seconds = sender.send(encoding, load);
      double collectorUsed = collectorUsage.cpuSeconds() - collectorBefore;
      double storeUsed = storeUsage.cpuSeconds() - storeBefore;
      System.out.printf(
          Locale.ROOT,
          "%s %s: %,.0f spans/s, %.1f bytes/span%s%n",
          encoding,
          run < 0 ? "warm-up" : "run " + (run + 1),
          load.spans() / seconds,
          (double) load.bytes() / load.spans(),
          options.endpoint.isEmpty()
              ? String.format(
                  Locale.ROOT,
                  ", us CPU/span: collector %.2f, store %.2f",
                  1e6 * collectorUsed / load.spans(),
                  1e6 * storeUsed / load.spans())
              : "");
      if (run >= 0) {
        spansPerSecond[run] = load.spans() / seconds;
        cpuSeconds[run] = collectorUsed + storeUsed;
        spans = load.spans();
        bytes += load.bytes();
      }
    }
    return new Phase(spansPerSecond, cpuSeconds, spans, (double) bytes / (RUNS * spans));
  }

  private static void addSpeed(BenchReport report, Phase otap, Phase otlp) {
    report.add("otap_spans_per_s", "spans/s", Target.atLeast(150_000), otap.spansPerSecond);
    report.add("otlp_spans_per_s", "spans/s", Target.none(Better.HIGHER), otlp.spansPerSecond);
  }

  /// @param mergeSeconds CPU that the store needed after the runs for the spans of one of them
  private static void addCpu(BenchReport report, Phase phase, double mergeSeconds) {
    double[] perSpan =
        Arrays.stream(phase.cpuSeconds)
            .map(run -> 1e6 * (run + mergeSeconds) / phase.spansPerRun)
            .toArray();
    report.add("cpu_us_per_span", "us", Target.atMost(10), perSpan);
  }

  private static void addWire(BenchReport report, Phase otap, Phase otlp) {
    report.add("wire_ratio", "ratio", Target.atMost(0.5), otap.bytesPerSpan / otlp.bytesPerSpan);
  }
}
