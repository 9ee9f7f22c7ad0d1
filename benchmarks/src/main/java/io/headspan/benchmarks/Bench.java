package io.headspan.benchmarks;

import io.headspan.benchmarks.capture.CaptureBench;
import io.headspan.benchmarks.ingest.IngestBench;
import io.headspan.benchmarks.ingest.SamplingBench;
import io.headspan.benchmarks.ingest.SoakBench;
import io.headspan.benchmarks.query.QueryBench;
import io.headspan.benchmarks.query.StoreBench;
import java.util.Arrays;
import java.util.Map;

/// `./dev bench NAME`: measures the figures of one line of docs/figures.md, prints them and writes
/// `target/bench/NAME.json`.
public final class Bench {
  private static final Map<String, Entry> BENCHES =
      Map.of(
          "capture", CaptureBench::main,
          "ingest", IngestBench::main,
          "query", QueryBench::main,
          "sampling", SamplingBench::main,
          "soak", SoakBench::main,
          "store", StoreBench::main);

  /// A benchmark's main method.
  private interface Entry {
    void run(String[] arguments) throws Exception;
  }

  private Bench() {}

  public static void main(String[] arguments) throws Exception {
    Entry bench = arguments.length == 0 ? null : BENCHES.get(arguments[0]);
    if (bench == null) {
      System.err.println(
          "which benchmark? ./dev bench "
              + String.join(" | ", BENCHES.keySet().stream().sorted().toList()));
      System.exit(2);
      return;
    }
    try {
      bench.run(Arrays.copyOfRange(arguments, 1, arguments.length));
    } catch (BenchArguments.UnusableException e) {
      System.err.println("bench " + arguments[0] + ": " + e.getMessage());
      System.exit(2);
    }
  }
}
