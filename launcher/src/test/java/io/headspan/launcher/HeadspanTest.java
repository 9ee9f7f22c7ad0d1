package io.headspan.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

final class HeadspanTest {
  @TempDir private Path directory;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @Test
  void listsEveryRole() {
    assertThat(run("--help")).isZero();
    assertThat(out.toString())
        .contains(
            "demo", "all", "agent", "collector", "query", "store", "wasm", "sampling", "doctor");
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
  @ValueSource(
      strings = {
        "",
        "nonsense",
        "demo --for soon",
        "demo --rate 0",
        "collector --port 1",
        "sampling",
        "sampling explain"
      })
  void wrongUsageExitsWithTwo(String line) {
    assertThat(run(line.isEmpty() ? new String[0] : line.split(" ", -1))).isEqualTo(2);
    assertThat(err.toString()).isNotBlank().doesNotContain("\tat ");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "test POLICIES | unknown type of policy: name=a, type=magic",
        "explain abc --policies POLICIES | unknown type of policy: name=a, type=magic",
        "test nowhere.yaml | policies cannot be read: file=nowhere.yaml",
      })
  void samplingSaysWhatIsWrongWithPolicies(String line, String message) throws Exception {
    Path file = Files.writeString(directory.resolve("policies.yaml"), "[{name: a, type: magic}]");
    String[] arguments = ("sampling " + line.replace("POLICIES", file.toString())).split(" ", -1);

    assertThat(run(arguments)).isEqualTo(1);
    assertThat(err.toString()).contains(message).doesNotContain("\tat ");
  }

  /// Whatever this machine allows, the report is whole and its exit code the one it says.
  @Test
  void doctorReportsAsJson() throws Exception {
    int exitCode = run("doctor", "--json");
    JsonNode report = new ObjectMapper().readTree(out.toString());
    assertThat(exitCode).isIn(0, 1, 3, 4).isEqualTo(report.path("exitCode").asInt());
    assertThat(report.path("captures").asBoolean()).isEqualTo(exitCode != 1);
    assertThat(report.path("findings").findValuesAsText("id"))
        .contains("library", "permission", "btf", "cgroup2", "kernel", "identity.cri");
  }

  @Test
  void doctorSaysWhichSettingIsWrong() throws Exception {
    Path file = Files.writeString(directory.resolve("agent.yaml"), "listn: x:1\n");
    assertThat(run("doctor", "--config", file.toString())).isEqualTo(1);
    assertThat(err.toString())
        .contains("unknown key: listn, at=" + file + ":1, did you mean listen?")
        .doesNotContain("\tat ");
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
