package io.headspan.launcher;

import java.io.PrintWriter;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// The `headspan` program. Exit codes: 0 success, 1 a role or the demo failed (one message says
/// why), 2 wrong usage.
@Command(
    name = "headspan",
    description = "Sees every function invocation on a node from the kernel.",
    mixinStandardHelpOptions = true,
    version = "headspan 0.1.0-SNAPSHOT",
    subcommands = {
      DemoCommand.class,
      AllCommand.class,
      AgentCommand.class,
      CollectorCommand.class,
      QueryCommand.class,
      StoreCommand.class,
      WasmCommand.class,
      ExplainCommand.class,
      CompareCommand.class,
      CriticalPathCommand.class,
      NeighboursCommand.class,
      TokenCommand.class,
      AuditCommand.class,
      CostCommand.class,
      SamplingCommand.class,
      KeepCommand.class,
      SloCommand.class,
      DoctorCommand.class
    },
    footer = {
      "",
      "Every option of a role can be set in the environment too; `headspan ROLE --help` names the variable.",
      "HEADSPAN_JAVA_OPTIONS_ROLE has further options for a role's JVM, such as -Xmx4g for HEADSPAN_JAVA_OPTIONS_COLLECTOR.",
      "Start with: headspan demo"
    })
public final class Headspan implements Runnable {
  @Spec private CommandSpec spec = CommandSpec.create();

  public static void main(String[] arguments) {
    System.exit(commandLine().execute(arguments));
  }

  static CommandLine commandLine() {
    return new CommandLine(new Headspan())
        .setExecutionExceptionHandler(Headspan::report)
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setUsageHelpAutoWidth(true);
  }

  /// Without a subcommand.
  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "missing subcommand");
  }

  /// Failures that a role explains in its message are told by that message; anything else is a
  /// fault of ours and comes with its stack trace.
  private static int report(
      Exception failure, CommandLine command, CommandLine.ParseResult parsed) {
    PrintWriter err = command.getErr();
    String role = command.getCommandSpec().qualifiedName();
    if (failure.getClass().getName().startsWith("io.headspan.")
        || failure instanceof IllegalArgumentException) {
      err.println(role + ": " + failure.getMessage());
    } else {
      err.println(role + ": unexpected failure");
      failure.printStackTrace(err);
    }
    err.flush();
    return CommandLine.ExitCode.SOFTWARE;
  }
}
