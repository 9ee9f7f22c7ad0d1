package io.headspan.benchmarks.capture;

import io.headspan.benchmarks.BenchReport;
import io.headspan.benchmarks.BenchReport.Target;
import io.headspan.benchmarks.ProcessUsage;
import io.headspan.launcher.Headspan;
import io.headspan.launcher.Parts;
import io.headspan.launcher.RoleProcess;
import io.headspan.loadgen.TemporaryDirectory;
import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import io.headspan.storage.StoreAddress;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.locks.LockSupport;

/// `./dev bench capture`: cost of the probe in the kernel, of the agent at 10,000 requests/s, its
/// effect on an nginx and a gRPC server that do nothing else, and whether all is captured at twice
/// that rate, and of HTTP/1.1, HTTP/2 and gRPC over containers. Client, server, agent, collector
/// and store share this machine.
public final class CaptureBench {
  private static final int PAIRS = 3;
  private static final int SECONDS = 5;
  private static final int PAUSE_MILLIS = 10;
  private static final int RATED_CONNECTIONS = 100;
  private static final int OVERLOAD_CONNECTIONS = 200;
  private static final Duration IDLE_AFTER = Duration.ofSeconds(35);
  private static final Duration IDLE = Duration.ofSeconds(20);

  /// Exit code of `headspan doctor`.
  private static final int CANNOT_CAPTURE = 1;

  private static final Duration STORED_WITHIN = Duration.ofSeconds(60);

  private final Path directory;
  private final SplittableRandom random = new SplittableRandom();
  private final BenchReport report = new BenchReport("capture");

  private CaptureBench(Path directory) {
    this.directory = directory;
  }

  public static void main(String[] arguments) throws Exception {
    try (TemporaryDirectory directory = TemporaryDirectory.create("headspan-bench")) {
      // nginx drops its privileges and must still reach its directories.
      Files.setPosixFilePermissions(directory.path(), PosixFilePermissions.fromString("rwxr-xr-x"));
      new CaptureBench(directory.path()).run();
    }
  }

  private void run() throws Exception {
    ProbeCostBench.NetCosts costs = ProbeCostBench.measure();
    report.add("body_packet_ns", "ns", Target.atMost(50), costs.bodyPacketNs());
    report.add("head_ns", "ns", Target.atMost(300), costs.headNs());
    SchedCostBench.NetCosts scheduling = SchedCostBench.measure();
    Target lower = Target.none(BenchReport.Better.LOWER);
    report.add("switch_ns", "ns", lower, scheduling.watchedSwitchNs());
    report.add("wakeup_ns", "ns", lower, scheduling.watchedWakeupNs());
    report.add("switch_unwatched_ns", "ns", lower, scheduling.switchNs());
    report.add("wakeup_unwatched_ns", "ns", lower, scheduling.wakeupNs());
    report.add("empty_program_ns", "ns", lower, costs.emptyNs());
    measureDoctor();
    Wrk wrk = new Wrk(directory);
    try (WebServer server = WebServer.start(directory)) {
      measureAgent(server, wrk);
    }
    try (Application nginx = new Nginx(WebServer.start(directory), wrk);
        Application grpc = GrpcApplication.start()) {
      new AgentEffect(() -> startAgent("127.0.0.1:9")).measure(List.of(nginx, grpc), report);
    }
    report.finish();
  }

  /// The agent's own use at the rated load, and completeness at twice that.
  private void measureAgent(WebServer server, Wrk wrk) throws Exception {
    try (RoleProcess agent = startAgent("127.0.0.1:9")) {
      measureIdle("idle_node_cores", ProcessUsage.of(agent.pid()));
    }
    try (Parts parts = new Parts()) {
      RoleProcess engine =
          parts.add(
              RoleProcess.start(
                  "store",
                  Map.of(),
                  "--listen",
                  "127.0.0.1:0",
                  "--path",
                  directory.resolve("store").toString()));
      String store = "http://" + engine.address();
      RoleProcess collector =
          parts.add(
              RoleProcess.start(
                  "collector", Map.of(), "--listen", "127.0.0.1:0", "--store", store));
      RoleProcess agent = parts.add(startAgent(collector.address()));
      ProcessUsage usage = ProcessUsage.of(agent.pid());
      // Collector and store speak with one another by HTTP, which the agent sees.
      measureIdle("idle_cores", usage);
      SpanStore reader = parts.add(SpanStore.connect(StoreAddress.parse(store)));
      // The first run warms the agent's code up; what it used is not counted.
      wrk.run(server.url(), prefix(), RATED_CONNECTIONS, PAUSE_MILLIS, SECONDS);
      double[] cores = new double[PAIRS];
      double[] rates = new double[PAIRS];
      for (int i = 0; i < PAIRS; i++) {
        double before = usage.cpuSeconds();
        Application.Run run =
            wrk.run(server.url(), prefix(), RATED_CONNECTIONS, PAUSE_MILLIS, SECONDS);
        cores[i] = (usage.cpuSeconds() - before) / SECONDS;
        rates[i] = run.perSecond();
      }
      report.add("agent_cores_at_10k", "cores", Target.atMost(0.15), cores);
      report.add("rate_at_10k", "requests/s", Target.none(BenchReport.Better.HIGHER), rates);
      report.add("agent_rss_mib", "MiB", Target.atMost(200), usage.residentMib());
      measureCompleteness(server, wrk, reader);
      new MixedLoad(reader).measure(report);
      report.add("ledger_imbalance", "spans", Target.atMost(0), ledgerImbalance(agent));
    }
  }

  /// What the agent needs when nothing is asked of the node, once it has started.
  private void measureIdle(String name, ProcessUsage usage)
      throws IOException, InterruptedException {
    Thread.sleep(IDLE_AFTER);
    double[] cores = new double[PAIRS];
    for (int i = 0; i < PAIRS; i++) {
      double before = usage.cpuSeconds();
      Thread.sleep(IDLE);
      cores[i] = (usage.cpuSeconds() - before) / IDLE.toSeconds();
    }
    report.add(name, "cores", Target.atMost(0.005), cores);
  }

  /// How long `headspan doctor` takes, the start of its JVM included.
  private void measureDoctor() throws IOException, InterruptedException {
    double[] seconds = new double[PAIRS];
    for (int i = 0; i < PAIRS; i++) {
      long beganNs = System.nanoTime();
      Process doctor =
          new ProcessBuilder(
                  System.getProperty("java.home") + "/bin/java",
                  "--enable-native-access=ALL-UNNAMED",
                  "-XX:+UseSerialGC",
                  "-XX:TieredStopAtLevel=1",
                  "-cp",
                  System.getProperty("java.class.path"),
                  Headspan.class.getName(),
                  "doctor")
              .redirectErrorStream(true)
              .start();
      String said = new String(doctor.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (doctor.waitFor() == CANNOT_CAPTURE) {
        throw new IllegalStateException("nothing can be captured here: " + said);
      }
      seconds[i] = (System.nanoTime() - beganNs) / 1e9;
    }
    report.add("doctor_s", "s", Target.atMost(2), seconds);
  }

  private void measureCompleteness(WebServer server, Wrk wrk, SpanStore reader) throws Exception {
    double[] captured = new double[PAIRS];
    double[] right = new double[PAIRS];
    double[] wrong = new double[PAIRS];
    double[] rates = new double[PAIRS];
    for (int i = 0; i < PAIRS; i++) {
      String prefix = prefix();
      Application.Run run =
          wrk.run(server.url(), prefix, OVERLOAD_CONNECTIONS, PAUSE_MILLIS, SECONDS);
      long[] stored = awaitStored(reader, prefix, run.requests());
      // wrk stops in mid-request: what it had sent but not counted may be stored beyond what it
      // counted.
      captured[i] = Math.min(1, (double) stored[0] / run.requests());
      right[i] = stored[0] == 0 ? 0 : (double) stored[1] / stored[0];
      wrong[i] = stored[0] - stored[1];
      rates[i] = run.perSecond();
    }
    report.add("captured_ratio", "ratio", Target.atLeast(0.999), captured);
    report.add("right_parent_ratio", "ratio", Target.atLeast(0.999), right);
    report.add("wrong_parents", "spans", Target.atMost(0), wrong);
    report.add("rate_at_20k", "requests/s", Target.none(BenchReport.Better.HIGHER), rates);
  }

  /// Distinct invocations stored of a run, and those of them whose parent is the one sent.
  private static long[] awaitStored(SpanStore reader, String prefix, long expected) {
    SqlQuery query =
        SqlQuery.of(
                """
                SELECT uniqExact(trace_id) AS found,
                       uniqExactIf(trace_id, parent_span_id = reinterpretAsUInt64(reverse(substring(trace_id, 9, 8)))) AS right
                FROM spans
                WHERE startsWith(trace_id, unhex({prefix:String})) AND kind = 2
                """)
            .bind("prefix", prefix);
    long deadlineNs = System.nanoTime() + STORED_WITHIN.toNanos();
    while (true) {
      long[] found =
          reader.query(query, row -> new long[] {row.integer(0), row.integer(1)}).getFirst();
      if (found[0] >= expected || System.nanoTime() - deadlineNs > 0) {
        return found;
      }
      LockSupport.parkNanos(Duration.ofMillis(200).toNanos());
    }
  }

  private static RoleProcess startAgent(String collector) {
    return RoleProcess.start(
        // Without a spool: the pairs send nowhere, and writing that to disk is not what is
        // measured.
        "agent",
        Map.of("HEADSPAN_AGENT_SPOOL", "off"),
        "--listen",
        "127.0.0.1:0",
        "--collector",
        collector);
  }

  /// Spans of which the agent's ledger does not say what became of them, now that it is quiet.
  private static double ledgerImbalance(RoleProcess agent)
      throws IOException, InterruptedException {
    HttpRequest scrape =
        HttpRequest.newBuilder(URI.create("http://" + agent.address() + "/metrics")).build();
    try (HttpClient client = HttpClient.newHttpClient()) {
      return client
          .send(scrape, HttpResponse.BodyHandlers.ofLines())
          .body()
          .filter(line ->
              line.startsWith("headspan_ledger_imbalance_spans")
                  || line.startsWith("headspan_ledger_pending"))
          .mapToDouble(line -> Math.abs(Double.parseDouble(line.substring(line.lastIndexOf(' ')))))
          .sum();
    }
  }

  private String prefix() {
    return HexFormat.of().toHexDigits(random.nextLong());
  }
}
