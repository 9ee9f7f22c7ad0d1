package io.headspan.benchmarks;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;

/// What a benchmark found: named figures beside their targets, as a table for people and as
/// `target/bench/NAME.json` for programs. The file holds an array of objects `{"figure", "value",
/// "unit", "target", "better", "runs"}`; `target` is null for a figure that has none.
///
/// ```java
/// var report = new BenchReport("ingest");
/// report.add("otap_spans_per_s", "spans/s", Target.atLeast(150_000), runs);
/// report.finish();
/// ```
///
/// Not thread-safe.
public final class BenchReport {
  /// Which direction is better, and the value to reach if there is one.
  ///
  /// @param better the direction
  /// @param bound the value to reach, in the figure's unit
  public record Target(Better better, OptionalDouble bound) {
    public static Target atLeast(double bound) {
      return new Target(Better.HIGHER, OptionalDouble.of(bound));
    }

    public static Target atMost(double bound) {
      return new Target(Better.LOWER, OptionalDouble.of(bound));
    }

    /// A figure that is only reported.
    public static Target none(Better better) {
      return new Target(better, OptionalDouble.empty());
    }

    /// Whether `value` reaches the bound; true without one.
    public boolean isMetBy(double value) {
      if (bound.isEmpty()) {
        return true;
      }
      return switch (better) {
        case HIGHER -> value >= bound.getAsDouble();
        case LOWER -> value <= bound.getAsDouble();
      };
    }
  }

  /// The direction in which a figure improves.
  public enum Better {
    LOWER,
    HIGHER
  }

  private record Figure(String id, String unit, Target target, double value, double[] runs) {}

  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  private final String name;
  private final List<Figure> figures = new ArrayList<>();

  /// @param name the benchmark, as in `./dev bench NAME`
  public BenchReport(String name) {
    this.name = name;
  }

  /// Adds a figure whose value is the median of `runs`.
  ///
  /// @throws IllegalArgumentException if there is no run or one is not a finite number
  public void add(String figure, String unit, Target target, double... runs) {
    if (runs.length == 0) {
      throw new IllegalArgumentException("figure without a run: figure=" + figure);
    }
    for (double run : runs) {
      if (!Double.isFinite(run)) {
        throw new IllegalArgumentException(
            "run is not a finite number: figure=" + figure + ", run=" + run);
      }
    }
    figures.add(new Figure(figure, unit, target, median(runs), runs.clone()));
  }

  /// Prints the table to standard output and writes the file below `target/bench` of the working
  /// directory.
  ///
  /// @return the file
  public Path finish() {
    print(System.out);
    Path file = write(Path.of("target", "bench"));
    System.out.println("written to " + file);
    return file;
  }

  /// Prints figure, value, unit, target and whether it is met, one figure a line.
  public void print(PrintStream out) {
    out.printf(Locale.ROOT, "%-32s %14s  %-10s %14s%n", name, "value", "unit", "target");
    for (Figure figure : figures) {
      out.printf(
          Locale.ROOT,
          "%-32s %14s  %-10s %14s %s%n",
          figure.id,
          number(figure.value),
          figure.unit,
          targetText(figure.target),
          verdict(figure));
    }
  }

  /// Writes `NAME.json` into `directory`, which is created if need be.
  ///
  /// @return the file
  public Path write(Path directory) {
    Path file = directory.resolve(name + ".json");
    try {
      Files.createDirectories(directory);
      JSON.writeValue(file.toFile(), json());
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write bench report: file=" + file, e);
    }
    return file;
  }

  private ArrayNode json() {
    ArrayNode array = JSON.createArrayNode();
    for (Figure figure : figures) {
      ObjectNode node = array.addObject();
      node.put("figure", figure.id);
      node.put("value", figure.value);
      node.put("unit", figure.unit);
      if (figure.target.bound.isPresent()) {
        node.put("target", figure.target.bound.getAsDouble());
      } else {
        node.putNull("target");
      }
      node.put("better", figure.target.better.name().toLowerCase(Locale.ROOT));
      ArrayNode runs = node.putArray("runs");
      for (double run : figure.runs) {
        runs.add(run);
      }
    }
    return array;
  }

  private static String verdict(Figure figure) {
    if (figure.target.bound.isEmpty()) {
      return "";
    }
    return figure.target.isMetBy(figure.value) ? "met" : "MISSED";
  }

  private static String targetText(Target target) {
    if (target.bound.isEmpty()) {
      return "-";
    }
    String sign =
        switch (target.better) {
          case HIGHER -> ">= ";
          case LOWER -> "<= ";
        };
    return sign + number(target.bound.getAsDouble());
  }

  private static String number(double value) {
    double size = Math.abs(value);
    if (value == Math.rint(value) && size < 1e15) {
      return String.format(Locale.ROOT, "%,d", (long) value);
    }
    if (size >= 1000) {
      return String.format(Locale.ROOT, "%,.0f", value);
    }
    return String.format(Locale.ROOT, size >= 10 ? "%.1f" : "%.4f", value);
  }

  private static double median(double[] runs) {
    double[] sorted = runs.clone();
    Arrays.sort(sorted);
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }
}
