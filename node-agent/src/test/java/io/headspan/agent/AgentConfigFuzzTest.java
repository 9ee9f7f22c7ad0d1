package io.headspan.agent;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The agent's own keys with values and rules put together from pieces, in a file and in variables:
/// whatever comes, it is a configuration within its limits, or one message.
/// `-Dheadspan.fuzz.seconds` sets the time.
class AgentConfigFuzzTest {
  /// With a value that each takes.
  private static final Map<String, String> KEYS =
      Map.ofEntries(
          Map.entry("collector", "127.0.0.1:4317"),
          Map.entry("listen", "[::1]:0"),
          Map.entry("excluded_ports", "[1, 2]"),
          Map.entry("run_dir", "/run/x"),
          Map.entry("parent_wait", "10s"),
          Map.entry("batch_spans", "50000"),
          Map.entry("queue_mib", "1"),
          Map.entry("spool", "off"),
          Map.entry("spool_mib", "64"),
          Map.entry("compression", "none"),
          Map.entry("time_accounts", "off"),
          Map.entry("cpu_budget", "0.5"),
          Map.entry("memory_budget_mib", "0"),
          Map.entry("container_roots", "/run/*"),
          Map.entry("cri_sockets", "/run/cri.sock"),
          Map.entry("kubelet", "http://127.0.0.1:10255"),
          Map.entry("docker_root", "/var/lib/docker"),
          Map.entry("trust_environment", "true"),
          Map.entry("signal_interval", "1s"),
          Map.entry("rules", "[{match: {cgroup: '/**/a?'}, tenant: '${label:x}'}]"));

  private static final List<String> VALUES =
      List.of(
          "127.0.0.1:1",
          "[::1]:65536",
          "5",
          "-1",
          "1e999",
          "NaN",
          "10s",
          "99999999999999999h",
          "off",
          "on",
          "true",
          "zstd",
          "/run/*",
          "relative",
          "/\u0001",
          "https://[",
          "http://127.0.0.1:10255",
          "[1, 2]",
          "[]",
          "{}",
          "\"\"",
          "[{match: {cgroup: '/**/a?'}, tenant: t}]",
          "[{match: {labels: {a: '~(('}}, tenant: t}]",
          "[{match: {executable: '~(a+)+$'}, function: '${label:x}', version: '${pod}'}]",
          "[{match: {cgroup: a, nothing: b}, tenant: '${what}'}]",
          "[{tenant: t}, {match: {}}]");

  @TempDir private Path directory;

  @Test
  void givesAConfigurationOrOneMessage() throws IOException {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    long endNs =
        System.nanoTime() + Duration.ofSeconds(Long.getLong("headspan.fuzz.seconds", 1)).toNanos();
    Path file = directory.resolve("agent.yaml");
    List<String> keys = new ArrayList<>(KEYS.keySet());
    keys.addAll(List.of("tls", "token", "kubelet_ca_file", "rulez"));
    int read = 0;
    int refused = 0;
    while (System.nanoTime() - endNs < 0) {
      StringBuilder yaml = new StringBuilder();
      Map<String, String> environment = new HashMap<>();
      environment.put("HEADSPAN_AGENT_CONFIG", file.toString());
      for (int i = random.nextInt(4); i >= 0; i--) {
        String key = keys.get(random.nextInt(keys.size()));
        String value = random.nextBoolean() ? KEYS.getOrDefault(key, "") : value(random);
        if (random.nextBoolean()) {
          environment.put("HEADSPAN_AGENT_" + key.toUpperCase(Locale.ROOT), value);
        } else {
          yaml.append(key).append(": ").append(value).append('\n');
        }
      }
      Files.writeString(file, yaml);
      String about = "seed=" + seed + ", environment=" + environment + ", file=" + yaml;
      try {
        AgentConfig config = AgentConfig.from(environment);
        assertThat(config.listen().port()).as(about).isBetween(0, 65_535);
        assertThat(config.batchSpans()).as(about).isBetween(1, 50_000);
        assertThat(config.queueBytes()).as(about).isBetween(1L, Runtime.getRuntime().maxMemory());
        assertThat(config.excludedPorts()).as(about).allMatch(port -> port > 0 && port <= 65_535);
        assertThat(config.budget().cores()).as(about).isBetween(0.0, 1_024.0);
        read++;
      } catch (AgentException e) {
        assertThat(e.kind()).as(about).isEqualTo(AgentException.Kind.CONFIGURATION);
        assertThat(e).as(about).hasMessageStartingWith("the agent's settings are wrong: ");
        refused++;
      }
    }
    assertThat(read).isPositive();
    assertThat(refused).isPositive();
  }

  private static String value(Random random) {
    String value = VALUES.get(random.nextInt(VALUES.size()));
    if (random.nextInt(4) > 0) {
      return value;
    }
    // Damaged at one place.
    int at = random.nextInt(value.length());
    return value.substring(0, at) + (char) random.nextInt(1, 0xd7ff) + value.substring(at + 1);
  }
}
