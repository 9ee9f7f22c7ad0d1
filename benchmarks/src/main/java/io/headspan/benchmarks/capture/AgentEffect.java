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

/// What applications lose by the agent: runs without, with, with, without it, several times; at a
/// fixed rate that leaves the machine air, and as fast as they can. Throughput, median and 99th
/// percentile of both; the design asks for the median at the fixed rate, and for the throughput at
/// the highest.
///
/// The agent sends to an address where nobody listens, so that collector and store take no CPU from
/// the application; what it captures fills its bounded queue and is then dropped and counted.
final class AgentEffect {
  private static final int PAIRS = 3;
  private static final int SECONDS = 3;
  private static final int CONNECTIONS = 16;
  private static final int FIXED_PER_SECOND = 1_000;

  private final Supplier<RoleProcess> agent;
  private final SplittableRandom random = new SplittableRandom();

  /// Ratios of figures with the agent to those without, and those without; a value a pair.
  private static final class Effect {
    final double[] p50 = new double[PAIRS];
    final double[] p99 = new double[PAIRS];
    final double[] throughput = new double[PAIRS];
    final double[] p50Us = new double[PAIRS];
    final double[] p99Us = new double[PAIRS];
    final double[] perSecond = new double[PAIRS];

    void set(int pair, List<Run> with, List<Run> without) {
      p50Us[pair] = mean(without, Run::p50Us);
      p99Us[pair] = mean(without, Run::p99Us);
      perSecond[pair] = mean(without, Run::perSecond);
      p50[pair] = mean(with, Run::p50Us) / p50Us[pair];
      p99[pair] = mean(with, Run::p99Us) / p99Us[pair];
      throughput[pair] = mean(with, Run::perSecond) / perSecond[pair];
    }

    private static double mean(List<Run> runs, ToDoubleFunction<Run> figure) {
      return runs.stream().mapToDouble(figure).average().orElseThrow();
    }

    void report(String name, BenchReport report) {
      report.add(name + "_per_s", "requests/s", Target.none(Better.HIGHER), perSecond);
      report.add(name + "_p50_us", "us", Target.none(Better.LOWER), p50Us);
      report.add(name + "_p99_us", "us", Target.none(Better.LOWER), p99Us);
      report.add(name + "_throughput_ratio", "ratio", Target.none(Better.HIGHER), throughput);
      report.add(name + "_p50_ratio", "ratio", Target.none(Better.LOWER), p50);
      report.add(name + "_p99_ratio", "ratio", Target.none(Better.LOWER), p99);
    }
  }

  /// Both of an application.
  private record Effects(Effect fixed, Effect highest) {}

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
      Effects effects = measure(application);
      effects.fixed.report(application.name() + "_fixed", report);
      effects.highest.report(application.name() + "_max", report);
      double[] p50 = effects.fixed.p50;
      if (worstP50.length == 0 || median(p50) > median(worstP50)) {
        worstP50 = p50;
      }
      double[] throughput = effects.highest.throughput;
      if (worstThroughput.length == 0 || median(throughput) < median(worstThroughput)) {
        worstThroughput = throughput;
      }
    }
    report.add("app_p50_ratio", "ratio", Target.atMost(1.03), worstP50);
    report.add("app_throughput_ratio", "ratio", Target.atLeast(0.95), worstThroughput);
  }

  private Effects measure(Application application) throws IOException, InterruptedException {
    Effects effects = new Effects(new Effect(), new Effect());
    // Server and client get warm, and the cores busy.
    run(application, 0);
    for (int i = 0; i < PAIRS; i++) {
      List<Run> fixed = new ArrayList<>();
      List<Run> highest = new ArrayList<>();
      List<Run> fixedWith = new ArrayList<>();
      List<Run> highestWith = new ArrayList<>();
      fixed.add(run(application, FIXED_PER_SECOND));
      highest.add(run(application, 0));
      try (RoleProcess running = agent.get()) {
        if (!running.isAlive()) {
          throw new IllegalStateException("the agent ended: output=" + running.output());
        }
        // The agent gets warm too: nodes run it for weeks.
        run(application, 0);
        fixedWith.add(run(application, FIXED_PER_SECOND));
        highestWith.add(run(application, 0));
        highestWith.add(run(application, 0));
        fixedWith.add(run(application, FIXED_PER_SECOND));
      }
      highest.add(run(application, 0));
      fixed.add(run(application, FIXED_PER_SECOND));
      effects.fixed.set(i, fixedWith, fixed);
      effects.highest.set(i, highestWith, highest);
    }
    return effects;
  }

  /// @param perSecond 0 for as fast as answered
  private Run run(Application application, int perSecond) throws IOException, InterruptedException {
    String prefix = HexFormat.of().toHexDigits(random.nextLong());
    return application.run(prefix, CONNECTIONS, perSecond, SECONDS);
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }
}
