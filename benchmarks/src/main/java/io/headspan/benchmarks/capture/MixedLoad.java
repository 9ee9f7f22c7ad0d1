package io.headspan.benchmarks.capture;

import io.headspan.benchmarks.BenchReport;
import io.headspan.benchmarks.BenchReport.Better;
import io.headspan.benchmarks.BenchReport.Target;
import io.headspan.loadgen.mixed.MixedService;
import io.headspan.loadgen.mixed.MixedTraffic;
import io.headspan.loadgen.mixed.MixedTrees;
import io.headspan.loadgen.runc.RuncContainer;
import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import java.io.IOException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.locks.LockSupport;

/// HTTP/1.1, HTTP/2 and gRPC at once over two runc containers, the first of which calls the second
/// for a fifth of the requests: what of it is captured, and with which parents.
final class MixedLoad {
  private static final int RATE = 5_000;
  private static final int SECONDS = 10;
  private static final int REQUESTS = RATE * SECONDS;
  private static final int RUNS = 3;
  private static final String TENANT = "mixed";
  private static final Duration STORED_WITHIN = Duration.ofSeconds(60);

  private final SpanStore store;
  private final SplittableRandom random = new SplittableRandom();

  MixedLoad(SpanStore store) {
    this.store = store;
  }

  void measure(BenchReport report) throws IOException, InterruptedException {
    try (RuncContainer back = service("back", List.of());
        RuncContainer front = service("front", List.of("--next", address(back)))) {
      // Services and client get warm; what comes of it is not counted.
      send(front, prefix());
      double[] captured = new double[RUNS];
      double[] wrong = new double[RUNS];
      double[] rates = new double[RUNS];
      for (int i = 0; i < RUNS; i++) {
        String prefix = prefix();
        rates[i] = send(front, prefix).perSecond();
        MixedTrees.Outcome outcome = awaitStored(prefix);
        captured[i] = (double) outcome.found() / outcome.expected();
        wrong[i] = outcome.wrongParents() + outcome.unexpected();
      }
      report.add("mixed_captured_ratio", "ratio", Target.atLeast(0.999), captured);
      report.add("mixed_wrong_parents", "spans", Target.atMost(0), wrong);
      report.add("mixed_rate", "requests/s", Target.none(Better.HIGHER), rates);
    }
  }

  private static RuncContainer service(String function, List<String> arguments) {
    return RuncContainer.startHttpService(
        RuncContainer.javaProgram(
                "headspan-bench-" + function + "-" + ProcessHandle.current().pid(),
                MixedService.class,
                arguments)
            .asFunction(TENANT, function, "1"));
  }

  private static String address(RuncContainer container) {
    return "127.0.0.1:" + container.readyLine().substring("ready on ".length());
  }

  private static Application.Run send(RuncContainer front, String prefix)
      throws IOException, InterruptedException {
    return RunReport.of(
        List.of(
            System.getProperty("java.home") + "/bin/java",
            "-XX:+UseSerialGC",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-cp",
            System.getProperty("java.class.path"),
            MixedTraffic.class.getName(),
            "--target",
            address(front),
            "--prefix",
            prefix,
            "--requests",
            Integer.toString(REQUESTS),
            "--rate",
            Integer.toString(RATE)));
  }

  /// What is stored of a run, when that is all or does not get more.
  private MixedTrees.Outcome awaitStored(String prefix) {
    long deadlineNs = System.nanoTime() + STORED_WITHIN.toNanos();
    MixedTrees.Outcome outcome = stored(prefix);
    while (outcome.found() < outcome.expected() && System.nanoTime() - deadlineNs < 0) {
      LockSupport.parkNanos(Duration.ofSeconds(1).toNanos());
      outcome = stored(prefix);
    }
    return outcome;
  }

  private MixedTrees.Outcome stored(String prefix) {
    MixedTrees trees = new MixedTrees("front", "back", REQUESTS);
    var _ =
        store.query(
            SqlQuery.of(
                    """
                    SELECT reinterpretAsInt64(reverse(substring(trace_id, 9, 8))),
                           reinterpretAsInt64(span_id), reinterpretAsInt64(parent_span_id), kind,
                           toString(service)
                    FROM spans
                    WHERE tenant = {tenant:String} AND startsWith(trace_id, unhex({prefix:String}))
                      AND NOT open
                    """)
                .bind("tenant", TENANT)
                .bind("prefix", prefix),
            row -> {
              trees.add(
                  row.integer(0),
                  row.integer(1),
                  row.integer(2),
                  (int) row.integer(3),
                  row.text(4));
              return row.integer(0);
            });
    return trees.outcome();
  }

  private String prefix() {
    return HexFormat.of().toHexDigits(random.nextLong());
  }
}
