package io.headspan.launcher;

import io.headspan.launcher.cost.Budget;
import io.headspan.launcher.cost.CostReport;
import io.headspan.launcher.cost.CostReport.Dimension;
import io.headspan.launcher.cost.PriceModel;
import io.headspan.launcher.cost.PriceTable;
import io.headspan.launcher.cost.Usage;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.YearMonth;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `headspan cost`.
@Command(
    name = "cost",
    mixinStandardHelpOptions = true,
    description = {
      "Say what functions cost in a month, under one or several price models, and how teams stand with their budgets.",
      "Exit code 3: a team is over its budget, will be, or had a day that stands out."
    })
final class CostCommand implements Callable<Integer> {
  private static final int ATTENTION = 3;

  /// Days before the month that tell what a usual day costs.
  private static final int DAYS_BEFORE = 8;

  @Option(
      names = "--month",
      paramLabel = "YYYY-MM",
      converter = YearMonthConverter.class,
      description = "Which month, in UTC (default: this one).")
  private @Nullable YearMonth month;

  @Option(
      names = "--model",
      paramLabel = "NAME",
      split = ",",
      description = "Price models (default: all, side by side).")
  private List<String> models = List.of();

  @Option(
      names = "--prices",
      paramLabel = "FILE",
      description = "YAML with models and budgets of your own (docs/cost.md).")
  private @Nullable Path prices;

  @Option(
      names = "--by",
      paramLabel = "WHAT",
      split = ",",
      defaultValue = "tenant,function",
      description =
          "Rows by these: ${COMPLETION-CANDIDATES}, in lower case too (default ${DEFAULT-VALUE}).")
  private List<Dimension> by = List.of();

  @Option(names = "--csv", description = "Comma separated values, exactly.")
  private boolean csv;

  @Mixin private QueryOption query = new QueryOption();

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    Instant now = Instant.now();
    LocalDate today = LocalDate.ofInstant(now, ZoneOffset.UTC);
    YearMonth asked = month == null ? YearMonth.from(today) : month;
    if (asked.isAfter(YearMonth.from(today))) {
      throw new ParameterException(spec.commandLine(), "--month is still to come: " + asked);
    }
    Instant begin = asked.atDay(1).atStartOfDay(ZoneOffset.UTC).toInstant();
    Instant end = asked.plusMonths(1).atDay(1).atStartOfDay(ZoneOffset.UTC).toInstant();
    Instant to = now.isBefore(end) ? now : end.minusNanos(1);
    PriceTable table = prices == null ? PriceTable.builtIn() : PriceTable.read(prices);
    List<PriceModel> chosen =
        models.isEmpty() ? table.models() : models.stream().map(table::model).toList();
    Instant from = table.budgets().isEmpty() ? begin : begin.minus(Duration.ofDays(DAYS_BEFORE));
    List<Usage> usage =
        Usage.of(query.ask("usage", Map.of("from", from.toString(), "to", to.toString())));
    List<Usage> ofMonth =
        usage.stream().filter(one -> YearMonth.from(one.day()).equals(asked)).toList();
    CostReport report = new CostReport(ofMonth, by, chosen, table.size());
    PrintWriter out = spec.commandLine().getOut();
    if (csv) {
      out.print(report.csv());
    } else {
      out.printf("%s, until %s%n%n", asked, to);
      out.print(report.table());
    }
    double elapsed =
        (double) Duration.between(begin, to.plusNanos(1)).toMillis()
            / Duration.between(begin, end).toMillis();
    LocalDate lastDay = LocalDate.ofInstant(to, ZoneOffset.UTC);
    boolean attention = false;
    for (Budget budget : table.budgets()) {
      Budget.State state = budget.state(costByDay(usage, budget, table), asked, lastDay, elapsed);
      attention |= state.isAlert();
      print(csv ? spec.commandLine().getErr() : out, state, table.model(budget.model()));
    }
    out.flush();
    spec.commandLine().getErr().flush();
    return attention ? ATTENTION : 0;
  }

  private static Map<LocalDate, Double> costByDay(
      List<Usage> usage, Budget budget, PriceTable table) {
    PriceModel model = table.model(budget.model());
    return usage.stream()
        .filter(one -> one.team().equals(budget.team()))
        .collect(
            Collectors.groupingBy(
                Usage::day, Collectors.summingDouble(one -> model.cost(one, table.size()))));
  }

  private static void print(PrintWriter out, Budget.State state, PriceModel model) {
    Budget budget = state.budget();
    String standing =
        state.isOver() ? "OVER" : state.willBeOver() ? "will be over" : "within its budget";
    out.printf(
        "%nteam %s: %s: %.2f of %.2f %s spent, %.2f expected by the end of the month (%s)%n",
        budget.team(),
        standing,
        state.spent(),
        budget.month(),
        model.currency(),
        state.forecast(),
        model.name());
    state
        .spikeDay()
        .ifPresent(day ->
            out.printf(
                "team %s: SPIKE: %s cost %.2f %s, a usual day %.2f%n",
                budget.team(), day, state.spikeDayCost(), model.currency(), state.usualDayCost()));
  }
}
