package io.headspan.launcher.cost;

import java.time.LocalDate;
import java.time.YearMonth;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;

/// What a team may spend in a month, and from what on a day stands out.
///
/// @param month in the model's currency
/// @param model whose prices count
/// @param spike a day that costs more than so many times the usual day is told
public record Budget(String team, double month, String model, double spike) {
  private static final int DAYS_BEFORE = 7;
  private static final int DAYS_NEEDED = 3;

  /// How a team stands.
  ///
  /// @param spent from the first of the month until now
  /// @param forecast of the whole month, if it goes on as until now
  /// @param spikeDay the last whole day, if it cost more than the budget's times the usual one
  /// @param spikeDayCost what that day cost
  /// @param usualDayCost the median of up to seven days before it
  public record State(
      Budget budget,
      double spent,
      double forecast,
      Optional<LocalDate> spikeDay,
      double spikeDayCost,
      double usualDayCost) {
    public boolean isOver() {
      return spent > budget.month();
    }

    public boolean willBeOver() {
      return forecast > budget.month();
    }

    public boolean isAlert() {
      return isOver() || willBeOver() || spikeDay.isPresent();
    }
  }

  /// Compares with what was spent.
  ///
  /// @param costByDay of the team; days without cost may be missing
  /// @param today the last day of which something is known, perhaps not over yet
  /// @param elapsed how much of the month has passed, above 0 and up to 1
  public State state(
      Map<LocalDate, Double> costByDay, YearMonth ofMonth, LocalDate today, double elapsed) {
    double spent =
        costByDay.entrySet().stream()
            .filter(day -> YearMonth.from(day.getKey()).equals(ofMonth))
            .mapToDouble(Map.Entry::getValue)
            .sum();
    LocalDate last = elapsed < 1 ? today.minusDays(1) : today;
    double lastCost = costByDay.getOrDefault(last, 0.0);
    double[] before =
        last.minusDays(DAYS_BEFORE)
            .datesUntil(last)
            .filter(costByDay::containsKey)
            .mapToDouble(costByDay::get)
            .sorted()
            .toArray();
    double usual = before.length == 0 ? 0 : median(before);
    boolean spikes = before.length >= DAYS_NEEDED && usual > 0 && lastCost > spike * usual;
    return new State(
        this,
        spent,
        spent / elapsed,
        spikes ? Optional.of(last) : Optional.empty(),
        lastCost,
        usual);
  }

  private static double median(double[] sorted) {
    return Arrays.stream(sorted)
        .skip((sorted.length - 1) / 2)
        .limit(2 - sorted.length % 2)
        .average()
        .orElseThrow();
  }
}
