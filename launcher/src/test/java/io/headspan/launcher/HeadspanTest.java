package io.headspan.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

final class HeadspanTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @Test
  void listsEveryRole() {
    assertThat(run("--help")).isZero();
    assertThat(out.toString())
        .contains("demo", "all", "agent", "collector", "query", "store", "wasm", "doctor");
  }

  @ParameterizedTest
  @CsvSource({
    "collector, HEADSPAN_COLLECTOR_LISTEN",
    "query, HEADSPAN_QUERY_STORE",
    "store, HEADSPAN_STORE_PATH",
    "wasm, HEADSPAN_WASM_LISTEN",
    "agent, HEADSPAN_AGENT_COLLECTOR"
  })
  void helpOfARoleNamesItsVariables(String role, String variable) {
    assertThat(run(role, "--help")).isZero();
    assertThat(out.toString()).contains(variable);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "nonsense", "demo --for soon", "demo --rate 0", "collector --port 1"})
  void wrongUsageExitsWithTwo(String line) {
    assertThat(run(line.isEmpty() ? new String[0] : line.split(" ", -1))).isEqualTo(2);
    assertThat(err.toString()).isNotBlank().doesNotContain("\tat ");
  }

  @Test
  void anOccupiedPortIsOneClearError() throws Exception {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      String address = "127.0.0.1:" + taken.getLocalPort();
      assertThat(run("wasm", "--listen", address)).isEqualTo(1);
      assertThat(err.toString())
          .contains(Integer.toString(taken.getLocalPort()))
          .doesNotContain("\tat ");
    }
  }

  private int run(String... arguments) {
    CommandLine command =
        Headspan.commandLine().setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
    return command.execute(arguments);
  }
}
