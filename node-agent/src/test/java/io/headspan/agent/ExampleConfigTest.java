package io.headspan.agent;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.governor.Budget;
import io.headspan.wire.config.SettingSources;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/// The example and the table in the documentation are as the agent reads them.
class ExampleConfigTest {
  private static final Path DOCS = Path.of("..", "docs");

  @Test
  void theExampleIsValid() {
    AgentConfig config =
        AgentConfig.from(
            SettingSources.of(Map.of())
                .withFlag(
                    "HEADSPAN_AGENT_CONFIG",
                    "--config",
                    DOCS.resolve("agent.example.yaml").toString()));
    assertThat(config.collector()).hasToString("collector.observability:4317");
    assertThat(config.excludedPorts()).isEqualTo(Set.of(9100, 10256));
    assertThat(config.budget()).isEqualTo(new Budget(0.5, 256L << 20));
    assertThat(config.platforms().criSockets()).containsExactly("/run/containerd/containerd.sock");
  }

  /// A key that the table has and the agent has not is an error of the table.
  @Test
  void everyKeyOfTheReferenceIsKnown() throws Exception {
    String text = Files.readString(DOCS.resolve("agent.md"));
    String table = text.substring(text.indexOf("| Key |"), text.indexOf("## Who an instance is"));
    Set<String> keys = new TreeSet<>();
    for (String row : table.split("\n", -1)) {
      String[] cells = row.split("\\|", -1);
      Matcher key = Pattern.compile("`([a-z_]+)`").matcher(cells.length > 1 ? cells[1] : "");
      while (key.find()) {
        keys.add(key.group(1));
      }
    }
    assertThat(keys).contains("collector", "rules", "kubelet_ca_file").hasSizeGreaterThan(20);
    for (String key : keys) {
      Path file = Files.createTempFile("agent", ".yaml");
      try {
        // A key without a value is known or not, and nothing else.
        Files.writeString(file, key + ":\n");
        assertThat(AgentConfig.from(Map.of("HEADSPAN_AGENT_CONFIG", file.toString())))
            .as(key)
            .isEqualTo(AgentConfig.from(Map.of()));
      } finally {
        Files.delete(file);
      }
    }
  }
}
