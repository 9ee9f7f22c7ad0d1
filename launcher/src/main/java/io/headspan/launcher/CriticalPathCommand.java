package io.headspan.launcher;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.PrintWriter;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `headspan critical-path`.
@Command(
    name = "critical-path",
    mixinStandardHelpOptions = true,
    description = "Show which spans the duration of a trace consists of.")
final class CriticalPathCommand implements Callable<Integer> {
  private static final double NS_PER_MS = 1e6;

  @Parameters(paramLabel = "TRACE_ID", description = "Up to 32 hex digits.")
  private String traceId = "";

  @Mixin private QueryOption query = new QueryOption();

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    if (!traceId.matches("[0-9a-fA-F]{1,32}")) {
      throw new ParameterException(
          spec.commandLine(), "not a trace id: '" + traceId + "' (up to 32 hex digits)");
    }
    JsonNode answer = query.ask("traces/" + traceId + "/critical-path", Map.of());
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
    out.printf(
        "%.2f ms%s%n",
        answer.path("durationMs").asDouble(),
        answer.path("partial").asBoolean() ? ", of a part of the trace" : "");
    long startNs = answer.at("/segments/0/fromUnixNano").asLong();
    for (JsonNode segment : answer.path("segments")) {
      out.printf(
          "  at %9.2f ms %9.2f ms  %s %s%n",
          (segment.path("fromUnixNano").asLong() - startNs) / NS_PER_MS,
          segment.path("selfMs").asDouble(),
          segment.path("service").asText(),
          segment.path("operation").asText());
    }
    out.println("by span:");
    for (JsonNode span : answer.path("spans")) {
      out.printf(
          "  %9.2f ms %3.0f %%  %s %s %s%s%n",
          span.path("onPathMs").asDouble(),
          100 * span.path("share").asDouble(),
          span.path("kind").asText(),
          span.path("service").asText(),
          span.path("operation").asText(),
          account(span));
    }
  }

  private static String account(JsonNode span) {
    if (span.path("cpuMs").isMissingNode()) {
      return "";
    }
    String culprit = span.path("culprit").asText();
    return ": cpu %.2f, queue %.2f, stolen %.2f%s, throttled %.2f, blocked %.2f"
        .formatted(
            span.path("cpuMs").asDouble(),
            span.path("queueMs").asDouble(),
            span.path("stolenMs").asDouble(),
            culprit.isEmpty() ? "" : " by " + culprit,
            span.path("throttledMs").asDouble(),
            span.path("blockedMs").asDouble());
  }
}
