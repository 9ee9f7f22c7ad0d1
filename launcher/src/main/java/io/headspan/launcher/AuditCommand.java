package io.headspan.launcher;

import io.headspan.query.access.AuditLog;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `headspan audit`: the log of what was asked of the query API.
@Command(
    name = "audit",
    mixinStandardHelpOptions = true,
    description = "Check the log of what was asked of the query API.",
    subcommands = AuditCommand.Verify.class)
final class AuditCommand implements Runnable {
  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "missing subcommand");
  }

  /// `headspan audit verify`.
  @Command(
      name = "verify",
      mixinStandardHelpOptions = true,
      description = {
        "Check that no line of an audit log was changed, removed or put in.",
        "Whoever can write the file can write all of it anew: note the last hash elsewhere from time to time, and give it with --expect.",
        "A log that was opened again without having been closed has a gap: the query API was killed, or somebody cut the log's end off. Say with --gaps how many you know of."
      },
      footer = {"", "Exit codes: 0 as it was written; 1 not; 2 wrong usage."})
  static final class Verify implements Callable<Integer> {
    @Parameters(paramLabel = "FILE", description = "The log (HEADSPAN_QUERY_AUDIT).")
    private Path file = Path.of("");

    @Option(
        names = "--expect",
        paramLabel = "HASH",
        description = "A hash that must be that of one of its lines.")
    private @Nullable String expected;

    @Option(
        names = "--gaps",
        paramLabel = "N",
        description = "Gaps that are known of (default: 0).")
    private int knownGaps;

    @Spec private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() {
      AuditLog.Verdict verdict = verify();
      PrintWriter out = spec.commandLine().getOut();
      out.printf("%d lines as they were written; last hash %s%n", verdict.lines(), verdict.last());
      verdict
          .gaps()
          .forEach(gap -> out.println("not closed, lines may be missing or cut off: " + gap));
      if (verdict.refused() > 0) {
        out.printf("%d requests refused while the log could not be written%n", verdict.refused());
      }
      verdict.problem().ifPresent(problem -> out.println("then: " + problem));
      boolean missing = expected != null && !verdict.hasExpected();
      if (missing) {
        out.println("no line has the expected hash: the log was cut off or written anew");
      }
      out.flush();
      boolean unknownGaps = verdict.gaps().size() > knownGaps;
      return verdict.problem().isPresent() || missing || unknownGaps ? 1 : 0;
    }

    private AuditLog.Verdict verify() {
      try {
        return AuditLog.verify(file, expected == null ? "" : expected);
      } catch (IOException e) {
        throw new LauncherException(
            "the audit log cannot be read: file=" + file + ", reason=" + e, e);
      }
    }
  }
}
