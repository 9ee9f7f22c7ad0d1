package io.headspan.launcher;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
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
  private static final String AMOUNTS = " %10s %10s %10s %21s %7s%n";

  /// The shortest first column.
  private static final int NARROW = 52;

  /// A component that added less than this part of what the first one did is not worth a line.
  private static final double WORTH_A_LINE = 0.01;

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
          "without %s: %s %s (%.1f to %.1f), now %.1f ms%n",
          without.path("culprit").asText(),
          without.path("statistic").asText(),
          bounded(without),
          without.path("lowMs").asDouble(),
          without.path("highMs").asDouble(),
          without.path("nowMs").asDouble());
    }
    for (JsonNode note : answer.path("notes")) {
      out.println("note: " + note.asText());
    }
  }

  private static String bounded(JsonNode without) {
    String ms = "%.1f ms".formatted(without.path("withoutMs").asDouble());
    return without.path("bound").asText().equals("lower") ? ms + " or less" : "about " + ms;
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
    List<JsonNode> components = new ArrayList<>();
    difference.path("components").forEach(components::add);
    double mostMs = components.stream().mapToDouble(ExplainCommand::added).max().orElse(0);
    List<JsonNode> told =
        components.stream().filter(each -> added(each) >= WORTH_A_LINE * mostMs).toList();
    int width = told.stream().mapToInt(each -> text(each).length()).reduce(NARROW, Math::max);
    String line = "  %-" + width + "s" + AMOUNTS;
    out.printf(line, name + ", ms", "now", "baseline", "added", "95 %", "share");
    for (JsonNode component : told) {
      line(out, line, text(component), component);
    }
    components.removeAll(told);
    if (!components.isEmpty()) {
      small(out, line, components);
    }
    line(out, line, "unexplained", difference.path("residual"));
    line(out, line, "all", difference);
    JsonNode exemplars = difference.path("components").path(0).path("exemplars");
    if (!exemplars.isEmpty()) {
      out.println("  look at trace " + exemplars.path(0).asText());
    }
  }

  private static String text(JsonNode component) {
    return component.path("text").asText();
  }

  private static double added(JsonNode component) {
    return Math.abs(component.path("addedMs").asDouble());
  }

  /// Their sum; of an interval of it nothing is known.
  private static void small(PrintWriter out, String line, List<JsonNode> components) {
    double share = sum(components, "share");
    out.printf(
        line,
        components.size() + (components.size() == 1 ? " smaller one" : " smaller ones"),
        "%.2f".formatted(sum(components, "nowMs")),
        "%.2f".formatted(sum(components, "baselineMs")),
        "%.2f".formatted(sum(components, "addedMs")),
        "",
        components.getFirst().has("share") ? Math.round(100 * share) + " %" : "");
  }

  private static double sum(List<JsonNode> components, String field) {
    return components.stream().mapToDouble(each -> each.path(field).asDouble()).sum();
  }

  private static void line(PrintWriter out, String line, String what, JsonNode amounts) {
    JsonNode share = amounts.path("share");
    out.printf(
        line,
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
