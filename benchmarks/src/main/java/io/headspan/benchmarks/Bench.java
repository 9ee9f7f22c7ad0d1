package io.headspan.benchmarks;

import io.headspan.benchmarks.ingest.IngestBench;
import java.util.Arrays;

/// What `./dev bench NAME` runs.
public final class Bench {
  private static final String NAMES = "ingest";

  private Bench() {}

  public static void main(String[] args) throws Exception {
    String name = args.length == 0 ? "" : args[0];
    String[] rest = args.length == 0 ? args : Arrays.copyOfRange(args, 1, args.length);
    switch (name) {
      case "ingest" -> IngestBench.main(rest);
      default -> {
        System.err.println("no such benchmark: name=" + name + ", known=" + NAMES);
        System.exit(2);
      }
    }
  }
}
