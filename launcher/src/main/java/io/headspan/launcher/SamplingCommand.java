package io.headspan.launcher;

import io.headspan.collector.sampling.PolicyDecision;
import io.headspan.collector.sampling.SamplingPolicies;
import io.headspan.collector.sampling.SamplingTrial;
import io.headspan.storage.Decision;
import io.headspan.storage.SpanStore;
import io.headspan.storage.SpanTiers;
import io.headspan.storage.StoreAddress;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `headspan sampling`: what was decided about traces, and what policies would decide about those
/// that are in the store. It reads only.
@Command(
    name = "sampling",
    mixinStandardHelpOptions = true,
    description = {
      "Try tail sampling policies on the traces in the store; changes nothing.",
      "The policies are those of the OpenTelemetry Collector's tail_sampling processor, in its YAML."
    },
    subcommands = {SamplingCommand.Trial.class, SamplingCommand.Explain.class})
final class SamplingCommand implements Runnable {
  private static final String LINE = "%-32s %10s %10s %12s %12s %10s %10s%n";
  private static final double MEBIBYTE = 1024.0 * 1024;
  private static final int ID_DIGITS = 32;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "missing subcommand");
  }

  /// The option that says where the traces are.
  static final class StoreOption {
    @Option(
        names = "--store",
        paramLabel = "URL",
        defaultValue = "http://127.0.0.1:8123",
        description =
            "ClickHouse, a server or a cluster (docs/deployment.md), or `headspan store` (default ${DEFAULT-VALUE}).")
    private String url = "";

    SpanStore connect() {
      return SpanStore.connect(StoreAddress.parse(url));
    }
  }

  /// `headspan sampling test`.
  @Command(
      name = "test",
      mixinStandardHelpOptions = true,
      description = "Say what would be kept of the traces that ended lately, by policy and tenant.")
  static final class Trial implements Callable<Integer> {
    @Parameters(paramLabel = "POLICIES", description = "YAML file with the policies.")
    private Path file = Path.of("");

    @Option(
        names = "--window",
        paramLabel = "DURATION",
        converter = DurationConverter.class,
        defaultValue = "10m",
        description = "How far back (default ${DEFAULT-VALUE}).")
    private Duration window = Duration.ZERO;

    @Option(
        names = "--max-traces",
        paramLabel = "N",
        defaultValue = "2000",
        description =
            "The most traces to look at; of more, a random choice (default ${DEFAULT-VALUE}).")
    private int maxTraces;

    @Mixin private StoreOption store = new StoreOption();

    @Spec private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() {
      if (window.isZero() || maxTraces < 1) {
        throw new ParameterException(
            spec.commandLine(), "--window and --max-traces must be above 0");
      }
      String yaml = read(file);
      Instant now = Instant.now();
      try (SpanStore connected = store.connect()) {
        print(
            spec.commandLine().getOut(),
            SamplingTrial.run(connected, yaml, now.minus(window), now, maxTraces));
      }
      return 0;
    }

    private static void print(PrintWriter out, SamplingTrial.Report report) {
      long looked = report.total().all().traces();
      if (looked < report.found()) {
        out.printf(
            "%d of %d traces looked at, by chance; policies with a rate see only these%n",
            looked, report.found());
      }
      out.printf(LINE, "", "traces", "kept", "spans", "kept", "MiB", "kept");
      line(out, "all", report.total());
      report
          .byTenant()
          .forEach((tenant, share) ->
              line(out, tenant.isEmpty() ? "no tenant" : "tenant " + tenant, share));
      report
          .byPolicy()
          .forEach((policy, kept) ->
              out.printf(
                  LINE,
                  "policy " + policy,
                  "",
                  kept.traces(),
                  "",
                  kept.spans(),
                  "",
                  mebibytes(kept)));
      out.flush();
    }

    private static void line(PrintWriter out, String what, SamplingTrial.Share share) {
      out.printf(
          LINE,
          what,
          share.all().traces(),
          share.kept().traces(),
          share.all().spans(),
          share.kept().spans(),
          mebibytes(share.all()),
          mebibytes(share.kept()));
    }

    private static String mebibytes(SamplingTrial.Volume volume) {
      return String.format(Locale.ROOT, "%.2f", volume.sizeBytes() / MEBIBYTE);
    }
  }

  /// `headspan sampling explain`.
  @Command(
      name = "explain",
      mixinStandardHelpOptions = true,
      description = {
        "Say what was decided about a trace and by which policies;",
        "with --policies also whether those would keep it, and what each of them says."
      })
  static final class Explain implements Callable<Integer> {
    @Parameters(paramLabel = "TRACE_ID", description = "Up to 32 hex digits.")
    private String traceId = "";

    @Option(
        names = "--policies",
        paramLabel = "POLICIES",
        description = "YAML file with the policies.")
    private @Nullable Path file;

    @Mixin private StoreOption store = new StoreOption();

    @Spec private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() {
      if (!traceId.matches("[0-9a-fA-F]{1,32}")) {
        throw new LauncherException("no trace id: id=" + traceId + "; give up to 32 hex digits");
      }
      String yaml = "";
      if (file != null) {
        yaml = read(file);
        // What is wrong with it is told before the store is asked for anything.
        var _ = SamplingPolicies.parse(yaml, () -> 0);
      }
      PrintWriter out = spec.commandLine().getOut();
      try (SpanStore connected = store.connect()) {
        String id = "0".repeat(ID_DIGITS - traceId.length()) + traceId.toLowerCase(Locale.ROOT);
        List<SpanTiers.Recorded> recorded = connected.decisions(id);
        recorded.forEach(each -> print(out, each));
        if (recorded.isEmpty() && file == null) {
          out.println(
              "no decision: not yet, or longer ago than decisions are kept, or nothing is sampled");
        }
        out.flush();
        if (file != null) {
          SamplingTrial.Explanation explanation =
              SamplingTrial.explain(connected, yaml, traceId)
                  .orElseThrow(() ->
                      new LauncherException(
                          "no such trace: id="
                              + traceId
                              + ", store="
                              + connected.address()
                              + "; it may be older than the store keeps, or not have arrived yet"));
          print(out, explanation);
        }
      }
      return 0;
    }

    private static void print(PrintWriter out, SpanTiers.Recorded decision) {
      String share =
          decision.threshold() == Decision.PINNED
              ? "counting nothing in metrics"
              : Double.isNaN(decision.probability())
                  ? "of unknown probability"
                  : String.format(Locale.ROOT, "with probability %.4g", decision.probability());
      out.printf(
          "decided %s on %d spans: %s%n",
          decision.decided(),
          decision.rows(),
          !decision.kept()
              ? "not kept"
              : decision.again()
                  ? "kept, as it was before"
                  : "kept by " + decision.policies() + ", " + share);
    }

    private static void print(PrintWriter out, SamplingTrial.Explanation explanation) {
      out.printf(
          "%s: %d spans, about %d bytes%n",
          explanation.verdict().kept() ? "kept" : "not kept",
          explanation.volume().spans(),
          explanation.volume().sizeBytes());
      for (SamplingPolicies.Vote vote : explanation.verdict().votes()) {
        out.printf("%-32s %s%n", "policy " + vote.policy(), says(vote.decision()));
      }
      out.flush();
    }

    private static String says(PolicyDecision decision) {
      return switch (decision) {
        case SAMPLED -> "keep it";
        case NOT_SAMPLED -> "leave it to others";
        case INVERT_SAMPLED -> "keep it unless another policy leaves it (inverted, no match)";
        case INVERT_NOT_SAMPLED -> "do not keep it (inverted, matches)";
        case DROPPED -> "drop it";
      };
    }
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new LauncherException("policies cannot be read: file=" + file + ", reason=" + e, e);
    }
  }
}
