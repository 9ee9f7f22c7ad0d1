package io.headspan.launcher.cost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.headspan.launcher.cost.PriceModel.InstanceSize;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PriceModelTest {
  private static final InstanceSize SMALL = new InstanceSize(128L << 20, 0.5);
  private static final PriceTable OURS = PriceTable.builtIn();

  /// A million invocations of 10.2 ms each, of which 2 ms on a CPU, by one instance in 200 minutes.
  private static Usage usage(long memoryBytes) {
    return new Usage(
        LocalDate.of(2026, 11, 3),
        "acme",
        "checkout",
        "pay",
        "7",
        memoryBytes,
        1_000_000,
        10_200,
        11_000_000,
        100_000_000,
        2_000,
        200,
        3L << 30);
  }

  @Test
  void billsWaitingByMemory() {
    // 11,000 s of half a GiB, and a million requests.
    assertThat(OURS.model("lambda-x86").cost(usage(512L << 20), SMALL))
        .isCloseTo(11_000 * 0.5 * 0.0000166667 + 0.20, within(1e-9));
  }

  @Test
  void takesTheGivenMemoryWhereNobodyToldIt() {
    assertThat(OURS.model("lambda-arm").cost(usage(0), SMALL))
        .isCloseTo(11_000 * 0.125 * 0.0000133334 + 0.20, within(1e-9));
  }

  @Test
  void billsTimeOnTheProcessorOnly() {
    // 2,000 s are two million ms.
    assertThat(OURS.model("workers").cost(usage(512L << 20), SMALL))
        .isCloseTo(2 * 0.02 + 0.30, within(1e-9));
  }

  @Test
  void billsInstancesAsLongAsTheyLive() {
    assertThat(OURS.model("cloud-run-instance").cost(usage(2L << 30), SMALL))
        .isCloseTo(12_000 * (0.5 * 0.000018 + 2 * 0.000002), within(1e-9));
    assertThat(OURS.model("instance").cost(usage(2L << 30), SMALL))
        .isCloseTo(12_000 * 0.0000116, within(1e-9));
  }

  @Test
  void readsModelsOfItsOwn(@TempDir Path directory) throws Exception {
    Path file = directory.resolve("prices.yaml");
    Files.writeString(
        file,
        """
        memory_mib: 256
        vcpus: 2
        models:
          - name: old
            currency: EUR
            per_gb_second: 0.00002
            round_up: 100ms
            per_log_gb: 0.5
        """);

    PriceTable table = PriceTable.read(file);

    assertThat(table.size()).isEqualTo(new InstanceSize(256L << 20, 2));
    assertThat(table.model("old").currency()).isEqualTo("EUR");
    assertThat(table.model("old").cost(usage(0), table.size()))
        .isCloseTo(100_000 * 0.25 * 0.00002 + 3 * 0.5, within(1e-9));
  }

  @Test
  void tellsEverythingThatIsWrongWithAFile(@TempDir Path directory) throws Exception {
    Path file = directory.resolve("prices.yaml");
    Files.writeString(
        file,
        """
        models:
          - name: a
            per_gb_seconds: 1
            per_million_requests: -2
          - name: a
            round_up: 10ms
            per_log_gb: much
        budgets:
          - team: checkout
            model: b
            month: 10
          - team: search
        """);

    assertThatThrownBy(() -> PriceTable.read(file))
        .isInstanceOf(PriceException.class)
        .hasMessageContaining("unknown key: models.per_gb_seconds")
        .hasMessageContaining("did you mean per_gb_second")
        .hasMessageContaining("per_million_requests=-2, want=a number that is not negative")
        .hasMessageContaining("two models of one name: a")
        .hasMessageContaining("round_up=10ms, want=1ms or 100ms")
        .hasMessageContaining("per_log_gb=much, want=a number")
        .hasMessageContaining("no such price model: b, known=a,a")
        .hasMessageContaining("a budget needs team, model and month")
        .hasMessageContaining("prices.yaml:12");
  }

  @Test
  void namesTheModelsThatThereAre() {
    assertThatThrownBy(() -> OURS.model("lamda"))
        .hasMessage(
            "no such price model: lamda, known=lambda-x86,lambda-arm,workers,cloud-run-instance,instance");
  }
}
