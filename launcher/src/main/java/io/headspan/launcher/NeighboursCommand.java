package io.headspan.launcher;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `headspan neighbours`.
@Command(
    name = "neighbours",
    mixinStandardHelpOptions = true,
    description = {
      "Show which tenant waited for whose threads, and when.",
      "Own load and idle processors are told apart: they are nobody else's doing."
    })
final class NeighboursCommand implements Callable<Integer> {
  /// Pairs with a column of their own in the table over time; the rest share one.
  private static final int COLUMNS = 6;

  private static final int NARROWEST = 10;

  @Option(names = "--victim", paramLabel = "TENANT", description = "Only what this tenant lost.")
  private @Nullable String victim;

  @Option(names = "--culprit", paramLabel = "TENANT", description = "Only what this tenant took.")
  private @Nullable String culprit;

  @Option(
      names = "--step",
      paramLabel = "DURATION",
      description = "Length of a row over time, such as 30s (default: a sixtieth of the range).")
  private @Nullable String step;

  @Mixin private QueryOption.Range range = new QueryOption.Range();

  @Mixin private QueryOption query = new QueryOption();

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    Map<String, @Nullable String> parameters = new LinkedHashMap<>(range.parameters());
    parameters.put("victim", victim);
    parameters.put("culprit", culprit);
    parameters.put("step", step);
    JsonNode answer = query.ask("neighbours", parameters);
    PrintWriter out = spec.commandLine().getOut();
    if (query.wantsJson()) {
      out.println(answer.toPrettyString());
    } else {
      print(out, answer);
    }
    out.flush();
    return 0;
  }

  private static void print(PrintWriter out, JsonNode answer) {
    if (answer.path("pairs").isEmpty()) {
      out.println("nobody waited for anybody else");
    } else {
      pairs(out, answer);
    }
    for (JsonNode one : answer.path("apart")) {
      out.printf(
          "apart: %s waited %.1f ms behind own load, %.1f ms for idle processors%n",
          one.path("tenant").asText(), one.path("ownMs").asDouble(), one.path("idleMs").asDouble());
    }
    if (!answer.path("pairs").isEmpty()) {
      out.println();
      overTime(out, answer);
    }
  }

  private static void pairs(PrintWriter out, JsonNode answer) {
    out.printf("%-24s %-24s %14s %12s%n", "victim", "culprit", "waited ms", "times");
    for (JsonNode pair : answer.path("pairs")) {
      out.printf(
          "%-24s %-24s %14.1f %12d%n",
          pair.path("victim").asText(),
          pair.path("culprit").asText(),
          pair.path("waitMs").asDouble(),
          pair.path("waits").asLong());
    }
    JsonNode robbed = answer.at("/victims/0");
    JsonNode taker = answer.at("/culprits/0");
    out.printf(
        "most robbed: %s (%.1f ms); biggest culprit: %s (%.1f ms)%n",
        robbed.path("tenant").asText(),
        robbed.path("lostMs").asDouble(),
        taker.path("tenant").asText(),
        taker.path("takenMs").asDouble());
  }

  /// A row for each step in which somebody waited, a column for each of the largest pairs.
  private static void overTime(PrintWriter out, JsonNode answer) {
    List<JsonNode> pairs = new ArrayList<>();
    answer.path("pairs").forEach(pairs::add);
    int own = Math.min(COLUMNS, pairs.size());
    int columns = pairs.size() > own ? own + 1 : own;
    Map<String, double[]> rows = new TreeMap<>();
    for (int i = 0; i < pairs.size(); i++) {
      for (JsonNode point : pairs.get(i).path("series")) {
        rows.computeIfAbsent(point.path("time").asText(), _ -> new double[columns])[
                Math.min(i, own)] +=
            point.path("waitMs").asDouble();
      }
    }
    String[] victims = new String[columns];
    String[] culprits = new String[columns];
    Arrays.fill(victims, "all");
    Arrays.fill(culprits, "others");
    for (int i = 0; i < own; i++) {
      victims[i] = pairs.get(i).path("victim").asText();
      culprits[i] = pairs.get(i).path("culprit").asText();
    }
    int begin =
        Math.max(
            "culprit".length(), rows.keySet().stream().mapToInt(String::length).max().orElse(0));
    out.printf("ms waited in each %.0f s%n", answer.path("stepMs").asDouble() / 1e3);
    line(out, begin, "victim", victims, victims, culprits);
    line(out, begin, "culprit", culprits, victims, culprits);
    rows.forEach((time, waitsMs) ->
        line(
            out,
            begin,
            time,
            Arrays.stream(waitsMs)
                .mapToObj(ms -> ms > 0 ? "%.1f".formatted(ms) : "-")
                .toArray(String[]::new),
            victims,
            culprits));
  }

  private static void line(
      PrintWriter out,
      int begin,
      String first,
      String[] cells,
      String[] victims,
      String[] culprits) {
    StringBuilder line = new StringBuilder(("%-" + begin + "s").formatted(first));
    for (int i = 0; i < cells.length; i++) {
      int width = Math.max(NARROWEST, Math.max(victims[i].length(), culprits[i].length()));
      line.append("  ").append(" ".repeat(Math.max(0, width - cells[i].length()))).append(cells[i]);
    }
    out.println(line);
  }
}
