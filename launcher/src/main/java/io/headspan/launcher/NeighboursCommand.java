package io.headspan.launcher;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.Map;
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
    description = "Show which tenant waited for whose threads.")
final class NeighboursCommand implements Callable<Integer> {
  @Option(names = "--victim", paramLabel = "TENANT", description = "Only what this tenant lost.")
  private @Nullable String victim;

  @Option(names = "--culprit", paramLabel = "TENANT", description = "Only what this tenant took.")
  private @Nullable String culprit;

  @Mixin private QueryOption.Range range = new QueryOption.Range();

  @Mixin private QueryOption query = new QueryOption();

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    Map<String, @Nullable String> parameters = new LinkedHashMap<>(range.parameters());
    parameters.put("victim", victim);
    parameters.put("culprit", culprit);
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
      out.println("nobody waited for anybody");
      return;
    }
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
}
