package io.headspan.query.slo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ObjectivesTest {
  @TempDir Path directory;

  private Path file(String text) throws IOException {
    return Files.writeString(directory.resolve("slo.yaml"), text);
  }

  @Test
  void readsLatencyAndErrors() throws IOException {
    Objectives objectives =
        Objectives.read(
            file(
                """
                window_days: 28
                slos:
                  - name: checkout
                    function: gateway
                    tenant: shop
                    latency: {within: 300ms, objective: 99}
                    errors: {objective: 99.9 %}
                """));
    assertThat(objectives.windowDays()).isEqualTo(28);
    assertThat(objectives.list())
        .containsExactly(
            new Objective("checkout", Objective.Kind.LATENCY, "gateway", "shop", 300_000_000, 0.99),
            new Objective("checkout", Objective.Kind.ERRORS, "gateway", "shop", 0, 0.999));
  }

  @Test
  void readsTheExample() {
    Objectives objectives = Objectives.read(Path.of("..", "grafana-dashboards", "slo.yaml"));
    assertThat(objectives.list()).isNotEmpty();
  }

  @Test
  void namesEveryProblemWithItsLine() throws IOException {
    Path file =
        file(
            """
            window_days: 3
            slos:
              - name: a
                latency: {within: fast, objective: 100}
              - name: a
                function: f
                error: {objective: 99}
            """);
    assertThatThrownBy(() -> Objectives.read(file))
        .isInstanceOf(SloException.class)
        .hasMessageContaining("window_days")
        .hasMessageContaining("needs a function: name=a: slos, at=" + file + ":3")
        .hasMessageContaining("not a duration: within=fast")
        .hasMessageContaining("not a percentage below 100: objective=100")
        .hasMessageContaining("needs a name of its own")
        .hasMessageContaining("needs latency, errors or both")
        .hasMessageContaining("unknown key: slos.error, at=" + file + ":7, did you mean errors?");
  }

  @Test
  void refusesAFileWithoutObjectives() throws IOException {
    Path file = file("window_days: 30\n");
    assertThatThrownBy(() -> Objectives.read(file)).hasMessageContaining("no objective");
  }
}
