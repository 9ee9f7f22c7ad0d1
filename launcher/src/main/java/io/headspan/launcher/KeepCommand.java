package io.headspan.launcher;

import io.headspan.query.traceql.SearchPlan;
import io.headspan.query.traceql.SearchPlanner;
import io.headspan.query.traceql.TimeRange;
import io.headspan.query.traceql.TraceQl;
import io.headspan.query.traceql.TraceQlException;
import io.headspan.storage.SpanStore;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/// `headspan keep`: keeps traces after the fact, as long as all of their spans are there.
@Command(
    name = "keep",
    mixinStandardHelpOptions = true,
    description = {
      "Keep traces whose spans are still recent, whatever sampling decided or will decide about them:",
      "those of a time range that a TraceQL filter finds."
    })
final class KeepCommand implements Callable<Integer> {
  /// Ids in one statement.
  private static final int TRACES_PER_BATCH = 10_000;

  private static final Duration FIND_LIMIT = Duration.ofMinutes(5);

  @Option(
      names = "--from",
      required = true,
      paramLabel = "TIME",
      description = "Begin, e.g. 2026-01-31T12:00:00Z, or a duration before now, e.g. 30m.")
  private String from = "";

  @Option(
      names = "--to",
      paramLabel = "TIME",
      defaultValue = "0s",
      description = "End, the same (default now).")
  private String to = "";

  @Option(
      names = "--where",
      paramLabel = "TRACEQL",
      defaultValue = "{}",
      description = "Which traces, e.g. '{ status = error }' (default all).")
  private String where = "";

  @Option(
      names = "--max-traces",
      paramLabel = "N",
      defaultValue = "100000",
      description = "Keep at most so many, the newest (default ${DEFAULT-VALUE}).")
  private int maxTraces;

  @Mixin private SamplingCommand.StoreOption store = new SamplingCommand.StoreOption();

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    Instant now = Instant.now();
    TimeRange range = new TimeRange(nanos("--from", from, now), nanos("--to", to, now));
    if (range.fromNs() >= range.toNs() || maxTraces < 1) {
      throw new ParameterException(
          spec.commandLine(), "--from must be before --to, and --max-traces above 0");
    }
    SearchPlan plan = plan(range);
    try (SpanStore connected = store.connect()) {
      List<String> ids =
          connected.query(plan.candidates(maxTraces).timeout(FIND_LIMIT), row -> row.text(0));
      long kept = 0;
      for (int first = 0; first < ids.size(); first += TRACES_PER_BATCH) {
        int last = Math.min(ids.size(), first + TRACES_PER_BATCH);
        kept += connected.keep(ids.subList(first, last));
      }
      spec.commandLine()
          .getOut()
          .printf("%d traces found, %d of them kept now that were not%n", ids.size(), kept);
      spec.commandLine().getOut().flush();
    }
    return 0;
  }

  private SearchPlan plan(TimeRange range) {
    try {
      return SearchPlanner.plan(TraceQl.parse(where), range);
    } catch (TraceQlException e) {
      throw new ParameterException(spec.commandLine(), "bad --where: " + e.getMessage(), e);
    }
  }

  private long nanos(String option, String text, Instant now) {
    try {
      Instant time =
          text.endsWith("Z")
              ? Instant.parse(text)
              : now.minus(new DurationConverter().convert(text));
      return TimeUnit.SECONDS.toNanos(time.getEpochSecond()) + time.getNano();
    } catch (DateTimeException | TypeConversionException e) {
      throw new ParameterException(
          spec.commandLine(), "bad time: option=" + option + ", value=" + text, e);
    }
  }
}
