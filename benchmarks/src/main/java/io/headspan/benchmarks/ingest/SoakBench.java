package io.headspan.benchmarks.ingest;

import io.headspan.benchmarks.BenchArguments;
import io.headspan.benchmarks.BenchReport;
import io.headspan.benchmarks.BenchReport.Better;
import io.headspan.benchmarks.BenchReport.Target;
import io.headspan.benchmarks.ProcessUsage;
import io.headspan.benchmarks.TemporaryDirectory;
import io.headspan.storage.embedded.StoreProcess;
import java.io.IOException;
import java.net.http.HttpClient;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.ToDoubleFunction;

/// `./dev bench soak [SECONDS [SPANS_PER_S]]`: whether collector and store stay as they are while
/// spans come in at a fixed rate, are sampled, and go: memory, parts, lag. 20 minutes at 50,000
/// spans/s unless told otherwise; the recent window is a minute, so that partitions of it are
/// dropped from the eighth minute on.
///
/// Looked at every five seconds; all looks are in `target/bench/soak.csv`. What grows is told by
/// the last two thirds. The sender is on the same machine, and makes its spans as it sends them:
/// what that costs is a figure too.
public final class SoakBench {
  private static final int SECONDS = 20 * 60;
  private static final int SECONDS_LEAST = 60;
  private static final int SPANS_PER_S = 50_000;
  private static final int STREAMS = 4;
  private static final int BATCH_SPANS = 5_000;
  private static final Duration BETWEEN_LOOKS = Duration.ofSeconds(5);
  private static final Duration FINISH_TIMEOUT = Duration.ofMinutes(2);

  /// Spans are sent when they have ended.
  private static final long LEAD_NS = TimeUnit.SECONDS.toNanos(3);

  private static final double REACHED = 0.99;

  private static final Map<String, String> WINDOW =
      Map.of("HEADSPAN_COLLECTOR_RECENT_WINDOW", "1m");

  private final int seconds;
  private final int spansPerSecond;

  private SoakBench(int seconds, int spansPerSecond) {
    this.seconds = seconds;
    this.spansPerSecond = spansPerSecond;
  }

  public static void main(String[] arguments) throws IOException, InterruptedException {
    BenchArguments given = BenchArguments.of("[SECONDS [SPANS_PER_S]]", 2, arguments);
    new SoakBench(given.number(0, SECONDS, SECONDS_LEAST), given.number(1, SPANS_PER_S, STREAMS))
        .run();
  }

  /// What is seen at one moment.
  ///
  /// @param second since the first span
  /// @param collectorMib resident memory
  /// @param storeMib likewise
  /// @param parts active ones, by table
  /// @param dataMib of all active parts
  /// @param windows of the recent tier
  /// @param sendLagSeconds how long ago what is acknowledged now should have been
  /// @param samplerLagSeconds from the newest arrival that is decided to now
  private record Look(
      double second,
      double collectorMib,
      double storeMib,
      Map<String, Long> parts,
      double dataMib,
      long windows,
      double sendLagSeconds,
      double samplerLagSeconds) {
    long allParts() {
      return parts.values().stream().mapToLong(Long::longValue).sum();
    }
  }

  private void run() throws IOException, InterruptedException {
    System.out.printf(
        Locale.ROOT,
        "%,d spans/s for %d s: %d agents with batches of %,d spans%n",
        spansPerSecond,
        seconds,
        STREAMS,
        BATCH_SPANS);
    BenchReport report = new BenchReport("soak");
    try (TemporaryDirectory directory = TemporaryDirectory.create();
        StoreProcess store =
            StoreProcess.start(Files.createDirectory(directory.path().resolve("store")));
        CollectorProcess collector =
            CollectorProcess.start(store.address().toString(), List.of(), settings(directory));
        HttpClient http = HttpClient.newHttpClient()) {
      collector.awaitReady(http);
      measure(report, collector, store, new StoreQueries(http, store.address()));
    }
    var _ = report.finish();
  }

  private static Map<String, String> settings(TemporaryDirectory directory) throws IOException {
    Path policies =
        Files.writeString(directory.path().resolve("policies.yaml"), SamplingBench.POLICIES);
    Map<String, String> settings = new TreeMap<>(WINDOW);
    settings.put("HEADSPAN_COLLECTOR_SAMPLING_POLICIES", policies.toString());
    return settings;
  }

  private void measure(
      BenchReport report, CollectorProcess collector, StoreProcess store, StoreQueries queries)
      throws IOException, InterruptedException {
    ProcessUsage collectorUsage = ProcessUsage.of(collector.pid());
    ProcessUsage storeUsage = ProcessUsage.of(store.pid());
    ProcessUsage senderUsage = ProcessUsage.of(ProcessHandle.current().pid());
    double collectorBefore = collectorUsage.cpuSeconds();
    double storeBefore = storeUsage.cpuSeconds();
    double senderBefore = senderUsage.cpuSeconds();
    List<Look> looks = new ArrayList<>();
    Instant now = Instant.now();
    long startNs = Math.addExact(now.getEpochSecond() * 1_000_000_000L, now.getNano()) - LEAD_NS;
    long begunNs = System.nanoTime();
    try (SoakSender sender =
        new SoakSender(
            "127.0.0.1", collector.port(), STREAMS, BATCH_SPANS, spansPerSecond, startNs)) {
      for (int look = 1; look * BETWEEN_LOOKS.toSeconds() <= seconds; look++) {
        long leftNs = begunNs + look * BETWEEN_LOOKS.toNanos() - System.nanoTime();
        if (leftNs > 0) {
          TimeUnit.NANOSECONDS.sleep(leftNs);
        }
        sender.check();
        double second = (System.nanoTime() - begunNs) / 1e9;
        looks.add(
            new Look(
                second,
                collectorUsage.residentMib(),
                storeUsage.residentMib(),
                queries.activeParts(),
                queries.dataMib(),
                queries.recentWindows(),
                Math.max(0, second - (double) sender.acknowledged() / spansPerSecond),
                queries.samplerLagSeconds()));
        print(looks.getLast());
      }
      double took = (System.nanoTime() - begunNs) / 1e9;
      double reached = sender.acknowledged() / took;
      double senderCores = (senderUsage.cpuSeconds() - senderBefore) / took;
      double collectorCores = (collectorUsage.cpuSeconds() - collectorBefore) / took;
      double storeCores = (storeUsage.cpuSeconds() - storeBefore) / took;
      if (!sender.finish(FINISH_TIMEOUT)) {
        System.out.printf(
            "NOT ALL STORED: %,d spans were given up, or not acknowledged within %d s%n",
            sender.dropped(), FINISH_TIMEOUT.toSeconds());
      }
      write(looks);
      addSpeed(report, looks, reached);
      addGrowth(report, looks);
      report.add("sender_cores", "cores", Target.none(Better.LOWER), senderCores);
      report.add("collector_cores", "cores", Target.none(Better.LOWER), collectorCores);
      report.add("store_cores", "cores", Target.none(Better.LOWER), storeCores);
      report.add("lost_spans", "spans", Target.atMost(0), (double) sender.dropped());
      if (reached < REACHED * spansPerSecond) {
        System.out.printf(
            Locale.ROOT,
            "NOT REACHED: %,.0f of %,d spans/s. What follows is about a machine that has more to do"
                + " than it can, not about that rate.%n",
            reached,
            spansPerSecond);
      }
    }
  }

  private void addSpeed(BenchReport report, List<Look> looks, double reached) {
    report.add("spans_per_s", "spans/s", Target.atLeast(REACHED * spansPerSecond), reached);
    Target reported = Target.none(Better.LOWER);
    report.add("send_lag_max_s", "s", reported, max(looks, Look::sendLagSeconds));
    report.add("sampler_lag_max_s", "s", reported, max(looks, Look::samplerLagSeconds));
    report.add("sampler_lag_end_s", "s", reported, looks.getLast().samplerLagSeconds());
  }

  private static void addGrowth(BenchReport report, List<Look> looks) {
    List<Look> late = looks.subList(looks.size() / 3, looks.size());
    Target flat = Target.atMost(1);
    Target reported = Target.none(Better.LOWER);
    report.add("collector_rss_mib", "MiB", reported, looks.getLast().collectorMib());
    report.add("collector_rss_mib_per_min", "MiB/min", reported, slope(late, Look::collectorMib));
    report.add("collector_rss_growth", "%/min", flat, growth(late, Look::collectorMib));
    report.add("store_rss_mib", "MiB", reported, looks.getLast().storeMib());
    report.add("store_rss_mib_per_min", "MiB/min", reported, slope(late, Look::storeMib));
    report.add("store_rss_growth", "%/min", flat, growth(late, Look::storeMib));
    report.add("parts_max", "parts", reported, max(looks, Look::allParts));
    report.add("parts_growth", "%/min", flat, growth(late, Look::allParts));
    report.add("data_mib", "MiB", reported, looks.getLast().dataMib());
    report.add("data_mib_per_min", "MiB/min", reported, slope(late, Look::dataMib));
    report.add("recent_windows_max", "windows", reported, max(looks, Look::windows));
  }

  private static double max(List<Look> looks, ToDoubleFunction<Look> of) {
    return looks.stream().mapToDouble(of).max().orElseThrow();
  }

  /// By how many percent of its mean something grows in a minute.
  private static double growth(List<Look> looks, ToDoubleFunction<Look> of) {
    return 100 * slope(looks, of) / looks.stream().mapToDouble(of).average().orElseThrow();
  }

  /// By how much something grows in a minute, by least squares.
  private static double slope(List<Look> looks, ToDoubleFunction<Look> of) {
    double meanMinute = looks.stream().mapToDouble(Look::second).average().orElseThrow() / 60;
    double mean = looks.stream().mapToDouble(of).average().orElseThrow();
    double both = 0;
    double squares = 0;
    for (Look look : looks) {
      double minute = look.second() / 60 - meanMinute;
      both += minute * (of.applyAsDouble(look) - mean);
      squares += minute * minute;
    }
    return both / squares;
  }

  private static void print(Look look) {
    System.out.printf(
        Locale.ROOT,
        "%5.0f s: collector %,.0f MiB, store %,.0f MiB, %d parts, %,.0f MiB of data, %d windows,"
            + " send lag %.1f s, sampler lag %.1f s%n",
        look.second,
        look.collectorMib,
        look.storeMib,
        look.allParts(),
        look.dataMib,
        look.windows,
        look.sendLagSeconds,
        look.samplerLagSeconds);
  }

  private static void write(List<Look> looks) throws IOException {
    List<String> tables = looks.getLast().parts().keySet().stream().sorted().toList();
    List<String> lines = new ArrayList<>();
    lines.add(
        "second,collector_mib,store_mib,data_mib,windows,send_lag_s,sampler_lag_s,parts,"
            + String.join(",", tables));
    for (Look look : looks) {
      StringBuilder line =
          new StringBuilder(
              String.format(
                  Locale.ROOT,
                  "%.1f,%.1f,%.1f,%.1f,%d,%.2f,%.2f,%d",
                  look.second,
                  look.collectorMib,
                  look.storeMib,
                  look.dataMib,
                  look.windows,
                  look.sendLagSeconds,
                  look.samplerLagSeconds,
                  look.allParts()));
      tables.forEach(table -> line.append(',').append(look.parts.getOrDefault(table, 0L)));
      lines.add(line.toString());
    }
    Path directory = Files.createDirectories(Path.of("target", "bench"));
    var _ = Files.write(directory.resolve("soak.csv"), lines);
  }
}
