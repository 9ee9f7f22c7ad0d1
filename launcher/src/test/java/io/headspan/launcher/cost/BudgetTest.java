package io.headspan.launcher.cost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.time.LocalDate;
import java.time.YearMonth;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class BudgetTest {
  private static final YearMonth NOVEMBER = YearMonth.of(2026, 11);
  private static final Budget BUDGET = new Budget("checkout", 100, "lambda-x86", 3);

  /// Costs of days that end with `last`, the newest first.
  private static Map<LocalDate, Double> days(LocalDate last, double... costs) {
    Map<LocalDate, Double> days = new TreeMap<>();
    for (int i = 0; i < costs.length; i++) {
      days.put(last.minusDays(i), costs[i]);
    }
    return days;
  }

  @Test
  void expectsTheMonthToGoOn() {
    LocalDate today = NOVEMBER.atDay(11);

    Budget.State state =
        BUDGET.state(days(today, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4), NOVEMBER, today, 1 / 3.0);

    assertThat(state.spent()).isCloseTo(40, within(1e-9));
    assertThat(state.forecast()).isCloseTo(120, within(1e-9));
    assertThat(state.isOver()).isFalse();
    assertThat(state.willBeOver()).isTrue();
    assertThat(state.spikeDay()).isEmpty();
    assertThat(state.isAlert()).isTrue();
  }

  @Test
  void leavesOutOtherMonths() {
    LocalDate today = NOVEMBER.atDay(2);

    Budget.State state = BUDGET.state(days(today, 1, 2, 50, 50), NOVEMBER, today, 0.05);

    assertThat(state.spent()).isCloseTo(3, within(1e-9));
    assertThat(state.isAlert()).isFalse();
  }

  @Test
  void tellsOfADayThatStandsOut() {
    LocalDate today = NOVEMBER.atDay(20);

    // Today is not over; yesterday cost 13, the days before 4 in the middle.
    Budget.State state =
        BUDGET.state(days(today, 1, 13, 4, 3, 5, 4, 2, 4, 9), NOVEMBER, today, 0.65);

    assertThat(state.spikeDay()).contains(NOVEMBER.atDay(19));
    assertThat(state.spikeDayCost()).isEqualTo(13);
    assertThat(state.usualDayCost()).isEqualTo(4);
    assertThat(BUDGET.state(days(today, 1, 12, 4, 3, 5, 4), NOVEMBER, today, 0.65).spikeDay())
        .isEmpty();
  }

  @Test
  void knowsNoUsualDayFromTwo() {
    LocalDate today = NOVEMBER.atDay(20);

    assertThat(BUDGET.state(days(today, 1, 60, 1, 1), NOVEMBER, today, 0.65).spikeDay()).isEmpty();
    assertThat(BUDGET.state(days(today, 1, 60, 1, 1, 1), NOVEMBER, today, 0.65).spikeDay())
        .isPresent();
  }

  @Test
  void looksAtTheLastDayOfAMonthThatIsOver() {
    LocalDate last = NOVEMBER.atEndOfMonth();

    Budget.State state = BUDGET.state(days(last, 101, 1, 1, 1), NOVEMBER, last, 1);

    assertThat(state.isOver()).isTrue();
    assertThat(state.forecast()).isCloseTo(104, within(1e-9));
    assertThat(state.spikeDay()).contains(last);
  }
}
