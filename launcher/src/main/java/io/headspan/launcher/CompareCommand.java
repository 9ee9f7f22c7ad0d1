package io.headspan.launcher;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/// `headspan compare`.
@Command(
    name = "compare",
    mixinStandardHelpOptions = true,
    description = "Show a function's operations in a range beside those of a baseline.")
final class CompareCommand implements Callable<Integer> {
  private static final String LINE = "%-40s %10s %10s %8s %9s %9s %9s %9s %9s %9s %9s%n";

  @Mixin private ComparisonOption comparison = new ComparisonOption();

  @Mixin private QueryOption query = new QueryOption();

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    JsonNode answer = query.ask("compare", comparison.parameters());
    PrintWriter out = spec.commandLine().getOut();
    if (query.wantsJson()) {
      out.println(answer.toPrettyString());
    } else {
      out.printf(
          LINE,
          "",
          "",
          "count",
          "errors",
          "p50 ms",
          "p99 ms",
          "cpu",
          "queue",
          "stolen",
          "throttled",
          "blocked");
      pair(out, "all", answer.path("total"));
      for (JsonNode operation : answer.path("operations")) {
        pair(out, operation.path("operation").asText(), operation);
      }
    }
    out.flush();
    return 0;
  }

  private static void pair(PrintWriter out, String name, JsonNode pair) {
    side(out, name, "now", pair.path("now"));
    side(out, "", "baseline", pair.path("baseline"));
  }

  private static void side(PrintWriter out, String name, String side, JsonNode summary) {
    if (summary.isMissingNode()) {
      out.printf("%-40s %10s no invocations%n", name, side);
      return;
    }
    out.printf(
        LINE,
        name,
        side,
        summary.path("invocations").asLong(),
        summary.path("errors").asLong(),
        number(summary.path("p50Ms")),
        number(summary.path("p99Ms")),
        number(summary.path("cpuMs")),
        number(summary.path("queueMs")),
        number(summary.path("stolenMs")),
        number(summary.path("throttledMs")),
        number(summary.path("blockedMs")));
  }

  private static String number(JsonNode ms) {
    return "%.2f".formatted(ms.asDouble());
  }
}
