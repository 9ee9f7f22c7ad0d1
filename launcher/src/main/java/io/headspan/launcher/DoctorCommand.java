package io.headspan.launcher;

import io.headspan.agent.libbpf.BpfSupport;
import java.io.PrintWriter;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/// `headspan doctor`: whether this machine can capture, and what to do if not.
@Command(
    name = "doctor",
    mixinStandardHelpOptions = true,
    description = "Say whether this machine can capture, and what to do if not.",
    footer = {"", "Exit codes: 0 it can; 1 it cannot."})
final class DoctorCommand implements Callable<Integer> {
  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    List<BpfSupport.Missing> missing = BpfSupport.check();
    if (missing.isEmpty()) {
      out.println("capture: this machine has all that the probes need");
      return 0;
    }
    missing.forEach(part -> out.printf("capture: %s. %s%n", part.reason(), part.remedy()));
    return 1;
  }
}
