package io.headspan.launcher;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/// `headspan explain`.
@Command(
    name = "explain",
    mixinStandardHelpOptions = true,
    description = "Say what the added latency of a function consists of, against a baseline.")
final class ExplainCommand implements Callable<Integer> {
  private static final String LINE = "  %-52s %10s %10s %10s %21s %7s%n";

  @Mixin private ComparisonOption comparison = new ComparisonOption();

  @Mixin private QueryOption query = new QueryOption();

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    JsonNode answer = query.ask("explain", comparison.parameters());
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
    out.println(answer.path("sentence").asText());
    out.println();
    range(out, "range", answer.path("range"));
    range(out, "baseline", answer.path("baseline"));
    difference(out, "p99", answer.path("p99"));
    difference(out, "mean", answer.path("mean"));
    for (JsonNode without : answer.path("counterfactuals")) {
      out.printf(
          "without %s: %s %.1f ms or less (%.1f to %.1f), now %.1f ms%n",
          without.path("culprit").asText(),
          without.path("statistic").asText(),
          without.path("withoutMs").asDouble(),
          without.path("lowMs").asDouble(),
          without.path("highMs").asDouble(),
          without.path("nowMs").asDouble());
    }
    for (JsonNode note : answer.path("notes")) {
      out.println("note: " + note.asText());
    }
  }

  private static void range(PrintWriter out, String name, JsonNode range) {
    out.printf(
        "%-9s %s to %s: %d invocations, %d errors, %d cold starts, p50 %.1f ms, p99 %.1f ms%n",
        name,
        range.path("from").asText(),
        range.path("to").asText(),
        range.path("invocations").asLong(),
        range.path("errors").asLong(),
        range.path("coldStarts").asLong(),
        range.path("p50Ms").asDouble(),
        range.path("p99Ms").asDouble());
  }

  private static void difference(PrintWriter out, String name, JsonNode difference) {
    out.println();
    if (!difference.path("sufficient").asBoolean()) {
      out.printf(
          "%s: insufficient evidence: %d and %d invocations looked at, %d of each needed%n",
          name,
          difference.path("invocations").asLong(),
          difference.path("baselineInvocations").asLong(),
          difference.path("needed").asLong());
      return;
    }
    out.printf(LINE, name + ", ms", "now", "baseline", "added", "95 %", "share");
    for (JsonNode component : difference.path("components")) {
      line(out, component.path("text").asText(), component);
    }
    line(out, "unexplained", difference.path("residual"));
    line(out, "all", difference);
    JsonNode exemplars = difference.path("components").path(0).path("exemplars");
    if (!exemplars.isEmpty()) {
      out.println("  look at trace " + exemplars.path(0).asText());
    }
  }

  private static void line(PrintWriter out, String what, JsonNode amounts) {
    JsonNode share = amounts.path("share");
    out.printf(
        LINE,
        what,
        number(amounts.path("nowMs")),
        number(amounts.path("baselineMs")),
        number(amounts.path("addedMs")),
        number(amounts.path("lowMs")) + " to " + number(amounts.path("highMs")),
        share.isMissingNode() ? "" : Math.round(100 * share.asDouble()) + " %");
  }

  private static String number(JsonNode ms) {
    return "%.2f".formatted(ms.asDouble());
  }
}
