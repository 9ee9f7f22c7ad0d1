package io.headspan.benchmarks.query;

import io.headspan.benchmarks.BenchReport;
import io.headspan.benchmarks.BenchReport.Better;
import io.headspan.benchmarks.BenchReport.Target;
import java.io.IOException;
import java.util.Arrays;
import java.util.Locale;

/// Asks one kind of question many times, one after the other, and reports how long answers took.
final class Questions {
  /// As a store and an API answer that have run for a while: their code compiled.
  private static final int WARM_UP = 100;

  private static final double P99 = 0.99;

  private final BenchReport report;

  /// One question.
  @FunctionalInterface
  interface Question {
    /// Asks it, and returns how long the answer took, in ms.
    ///
    /// @param number counts up from 0
    double ask(int number) throws IOException, InterruptedException;
  }

  Questions(BenchReport report) {
    this.report = report;
  }

  /// Adds the figures `NAME_ms` (p50) and `NAME_p99_ms`.
  void measure(String name, int times, Target target, Question question)
      throws IOException, InterruptedException {
    for (int i = 0; i < WARM_UP; i++) {
      var _ = question.ask(i);
    }
    double[] ms = new double[times];
    for (int i = 0; i < times; i++) {
      ms[i] = question.ask(WARM_UP + i);
    }
    report.add(name + "_ms", "ms", target, ms);
    Arrays.sort(ms);
    System.out.printf(Locale.ROOT, "%s: %.1f ms (p50 of %d)%n", name, ms[times / 2], times);
    report.add(
        name + "_p99_ms", "ms", Target.none(Better.LOWER), ms[(int) Math.ceil(P99 * times) - 1]);
  }
}
