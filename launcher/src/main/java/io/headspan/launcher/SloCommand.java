package io.headspan.launcher;

import io.headspan.query.slo.BurnRateAlerts;
import io.headspan.query.slo.Objectives;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `headspan slo`.
@Command(
    name = "slo",
    mixinStandardHelpOptions = true,
    description = "Check service level objectives and write Grafana's burn-rate alerts for them.")
final class SloCommand implements Callable<Integer> {
  @Parameters(paramLabel = "OBJECTIVES", description = "YAML file with the objectives.")
  private Path file = Path.of("");

  @Option(
      names = "--out",
      paramLabel = "FILE",
      description = "Where to write the alerts (default: standard output).")
  private @Nullable Path out;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    String yaml = BurnRateAlerts.yaml(Objectives.read(file));
    if (out == null) {
      spec.commandLine().getOut().print(yaml);
      spec.commandLine().getOut().flush();
      return 0;
    }
    try {
      Files.writeString(out, yaml);
    } catch (IOException e) {
      throw new LauncherException("alerts not written: file=" + out + ", reason=" + e, e);
    }
    return 0;
  }
}
