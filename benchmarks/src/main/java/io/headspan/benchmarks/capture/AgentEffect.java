package io.headspan.benchmarks.capture;

import io.headspan.benchmarks.BenchReport;
import io.headspan.benchmarks.BenchReport.Better;
import io.headspan.benchmarks.BenchReport.Target;
import io.headspan.benchmarks.capture.Application.Run;
import io.headspan.launcher.RoleProcess;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;

/// What applications lose by the agent: runs without, with, with, without it, several times. At a
/// fixed rate that leaves the machine air, latencies; as fast as it can, throughput.
///
/// The agent sends to an address where nobody listens, so that collector and store take no CPU from
/// the application; what it captures fills its bounded queue and is then dropped and counted.
final class AgentEffect {
  private static final int PAIRS = 3;
  private static final int SECONDS = 5;
  private static final int CONNECTIONS = 16;
  private static final int PAUSE_MILLIS = 8;

  private final Supplier<RoleProcess> agent;
  private final SplittableRandom random = new SplittableRandom();

  /// Ratios of figures with the agent to those without, a value a pair.
  private record Effect(double[] p50, double[] p99, double[] throughput) {}

  /// @param agent starts one
  AgentEffect(Supplier<RoleProcess> agent) {
    this.agent = agent;
  }

  /// Adds each application's figures, and the worst of them as those of the design.
  void measure(List<Application> applications, BenchReport report)
      throws IOException, InterruptedException {
    double[] worstP50 = {};
    double[] worstThroughput = {};
    for (Application application : applications) {
      Effect effect = measure(application);
      String name = application.name();
      report.add(name + "_p50_ratio", "ratio", Target.none(Better.LOWER), effect.p50);
      report.add(name + "_p99_ratio", "ratio", Target.none(Better.LOWER), effect.p99);
      report.add(
          name + "_throughput_ratio", "ratio", Target.none(Better.HIGHER), effect.throughput);
      if (worstP50.length == 0 || median(effect.p50) > median(worstP50)) {
        worstP50 = effect.p50;
      }
      if (worstThroughput.length == 0 || median(effect.throughput) < median(worstThroughput)) {
        worstThroughput = effect.throughput;
      }
    }
    report.add("app_p50_ratio", "ratio", Target.atMost(1.03), worstP50);
    report.add("app_throughput_ratio", "ratio", Target.atLeast(0.95), worstThroughput);
  }

  private Effect measure(Application application) throws IOException, InterruptedException {
    var effect = new Effect(new double[PAIRS], new double[PAIRS], new double[PAIRS]);
    // Server and client get warm, and the cores busy.
    run(application, 0);
    for (int i = 0; i < PAIRS; i++) {
      List<Run> paced = new ArrayList<>();
      List<Run> unpaced = new ArrayList<>();
      List<Run> pacedWith = new ArrayList<>();
      List<Run> unpacedWith = new ArrayList<>();
      paced.add(run(application, PAUSE_MILLIS));
      unpaced.add(run(application, 0));
      try (RoleProcess running = agent.get()) {
        if (!running.isAlive()) {
          throw new IllegalStateException("the agent ended: output=" + running.output());
        }
        // The agent gets warm too: nodes run it for weeks.
        run(application, 0);
        pacedWith.add(run(application, PAUSE_MILLIS));
        unpacedWith.add(run(application, 0));
        unpacedWith.add(run(application, 0));
        pacedWith.add(run(application, PAUSE_MILLIS));
      }
      unpaced.add(run(application, 0));
      paced.add(run(application, PAUSE_MILLIS));
      effect.p50[i] = ratio(pacedWith, paced, Run::p50Us);
      effect.p99[i] = ratio(pacedWith, paced, Run::p99Us);
      effect.throughput[i] = ratio(unpacedWith, unpaced, Run::perSecond);
    }
    return effect;
  }

  private Run run(Application application, int pauseMillis)
      throws IOException, InterruptedException {
    String prefix = HexFormat.of().toHexDigits(random.nextLong());
    return application.run(prefix, CONNECTIONS, pauseMillis, SECONDS);
  }

  private static double ratio(List<Run> with, List<Run> without, ToDoubleFunction<Run> figure) {
    return mean(with, figure) / mean(without, figure);
  }

  private static double mean(List<Run> runs, ToDoubleFunction<Run> figure) {
    return runs.stream().mapToDouble(figure).average().orElseThrow();
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }
}
