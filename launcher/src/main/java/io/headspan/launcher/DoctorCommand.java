package io.headspan.launcher;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.headspan.agent.AgentConfig;
import io.headspan.agent.doctor.Doctor;
import io.headspan.agent.doctor.Finding;
import io.headspan.agent.doctor.Finding.Status;
import io.headspan.wire.config.SettingSources;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `headspan doctor`: what capturing can do on this machine, what is off, what that costs, and what
/// to do about it.
@Command(
    name = "doctor",
    mixinStandardHelpOptions = true,
    description = "Say what the agent can do on this machine, what is off, and what that costs.",
    footer = {
      "",
      "Exit codes: 0 everything is on; 1 the agent cannot capture here, or its settings are wrong; 2 wrong usage;",
      "3 it captures, and something is off; 4 all is well but for leftovers of killed agents (see --clean)."
    })
final class DoctorCommand implements Callable<Integer> {
  @Option(names = "--json", description = "Print the report as JSON.")
  private boolean json;

  @Option(
      names = "--clean",
      description =
          "Remove what killed agents and executors left: registrations of executors that are gone, pinned BPF objects. Says what it removed.")
  private boolean clean;

  @Mixin private ConfigOption config = new ConfigOption();
  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() throws IOException {
    SettingSources sources = SettingSources.of(System.getenv());
    String file = config.file();
    if (file != null) {
      sources = sources.withFlag("HEADSPAN_AGENT_CONFIG", ConfigOption.NAME, file);
    }
    AgentConfig settings = AgentConfig.from(sources);
    List<String> removed = clean ? Doctor.clean(settings) : List.of();
    List<Finding> findings = Doctor.examine(settings);
    int exitCode = Doctor.exitCode(findings);
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      printJson(out, findings, removed, exitCode);
    } else {
      print(out, findings, removed, exitCode);
    }
    out.flush();
    return exitCode;
  }

  private void print(PrintWriter out, List<Finding> findings, List<String> removed, int exitCode) {
    removed.forEach(each -> out.println("removed  " + each));
    if (clean && removed.isEmpty()) {
      out.println("removed  nothing: there are no leftovers");
    }
    for (Finding finding : findings) {
      out.printf("%-8s %s%n", word(finding.status()), finding.what());
      if (finding.cost() != null) {
        out.printf("%-8s so: %s%n", "", finding.cost());
      }
      if (finding.remedy() != null) {
        out.printf("%-8s to do: %s%n", "", finding.remedy());
      }
    }
    out.println();
    out.println(
        switch (exitCode) {
          case Doctor.ALL_ON -> "The agent captures here, and everything is on.";
          case Doctor.SOMETHING_OFF -> "The agent captures here; what is off is said above.";
          case Doctor.LEFTOVERS -> "The agent captures here; run headspan doctor --clean.";
          default -> "The agent cannot capture here.";
        });
  }

  private static void printJson(
      PrintWriter out, List<Finding> findings, List<String> removed, int exitCode)
      throws IOException {
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode report = mapper.createObjectNode();
    report.put("captures", exitCode != Doctor.CANNOT_CAPTURE);
    report.put("exitCode", exitCode);
    ArrayNode list = report.putArray("findings");
    for (Finding finding : findings) {
      list.addObject()
          .put("id", finding.id())
          .put("status", finding.status().name().toLowerCase(Locale.ROOT))
          .put("what", finding.what())
          .put("cost", finding.cost())
          .put("remedy", finding.remedy());
    }
    ArrayNode gone = report.putArray("removed");
    removed.forEach(gone::add);
    out.println(mapper.writerWithDefaultPrettyPrinter().writeValueAsString(report));
  }

  private static String word(Status status) {
    return switch (status) {
      case OK -> "ok";
      case ABSENT -> "-";
      case OFF -> "OFF";
      case MISSING -> "MISSING";
      case LEFTOVER -> "LEFT";
    };
  }
}
