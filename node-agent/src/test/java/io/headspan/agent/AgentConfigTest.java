package io.headspan.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.agent.governor.Budget;
import io.headspan.agent.identity.PlatformSettings;
import io.headspan.wire.config.HostPort;
import io.headspan.wire.tls.TlsPaths;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class AgentConfigTest {
  @Test
  void refusesAQueueThatTheHeapCannotHold() {
    long heapMib = Runtime.getRuntime().maxMemory() >> 20;
    assertThatThrownBy(
            () -> AgentConfig.from(Map.of("HEADSPAN_AGENT_QUEUE_MIB", Long.toString(heapMib + 1))))
        .isInstanceOf(AgentException.class)
        .hasMessageContaining("the heap is not larger: heapMib=" + heapMib)
        .hasMessageContaining("HEADSPAN_AGENT_QUEUE_MIB=" + (heapMib + 1));
  }

  @Test
  void hasDefaults() {
    assertThat(AgentConfig.from(Map.of("PATH", "/bin", "HEADSPAN_QUERY_LISTEN", "x")))
        .isEqualTo(
            new AgentConfig(
                new HostPort("127.0.0.1", 4317),
                new HostPort("127.0.0.1", 9464),
                null,
                null,
                PlatformSettings.DEFAULT,
                Set.of(),
                Path.of("/run/headspan"),
                Duration.ofSeconds(10),
                Duration.ofSeconds(10),
                5_000,
                Duration.ofSeconds(1),
                12L << 20,
                4_096,
                8,
                Duration.ofSeconds(30),
                true,
                true,
                new DeliveryConfig(
                    Path.of("/var/lib/headspan/agent"),
                    512L << 20,
                    Duration.ofSeconds(10),
                    Duration.ofSeconds(10),
                    false,
                    new TlsPaths(null, null, null),
                    null,
                    null),
                new Budget(1, 512L << 20),
                Duration.ofSeconds(5)));
  }

  @Test
  void readsEveryKey() {
    AgentConfig config =
        AgentConfig.from(
            Map.ofEntries(
                Map.entry("HEADSPAN_AGENT_COLLECTOR", "collector.example:14317"),
                Map.entry("HEADSPAN_AGENT_LISTEN", "[::1]:0"),
                Map.entry("HEADSPAN_AGENT_ID", "agent-7"),
                Map.entry("HEADSPAN_AGENT_HOST_NAME", "node-7"),
                Map.entry("HEADSPAN_AGENT_CONTAINER_ROOTS", "/a, /b/*"),
                Map.entry("HEADSPAN_AGENT_EXCLUDED_PORTS", "8123,3200"),
                Map.entry("HEADSPAN_AGENT_PARENT_WAIT", "500ms"),
                Map.entry("HEADSPAN_AGENT_IDENTITY_WAIT", "2m"),
                Map.entry("HEADSPAN_AGENT_BATCH_SPANS", "100"),
                Map.entry("HEADSPAN_AGENT_BATCH_AGE", "50ms"),
                Map.entry("HEADSPAN_AGENT_QUEUE_MIB", "3"),
                Map.entry("HEADSPAN_AGENT_QUEUE_BATCHES", "17"),
                Map.entry("HEADSPAN_AGENT_IN_FLIGHT", "2"),
                Map.entry("HEADSPAN_AGENT_ACKNOWLEDGE_TIMEOUT", "4s"),
                Map.entry("HEADSPAN_AGENT_COMPRESSION", "none"),
                Map.entry("HEADSPAN_AGENT_TIME_ACCOUNTS", "off"),
                Map.entry("HEADSPAN_AGENT_CPU_BUDGET", "0.25"),
                Map.entry("HEADSPAN_AGENT_MEMORY_BUDGET_MIB", "100"),
                Map.entry("HEADSPAN_AGENT_CLOSE_TIMEOUT", "9s"),
                Map.entry("HEADSPAN_AGENT_SPOOL", "/spool"),
                Map.entry("HEADSPAN_AGENT_SPOOL_MIB", "7"),
                Map.entry("HEADSPAN_AGENT_SPOOL_AFTER", "3s"),
                Map.entry("HEADSPAN_AGENT_SIGNAL_INTERVAL", "4s"),
                Map.entry("HEADSPAN_AGENT_TLS", "true"),
                Map.entry("HEADSPAN_AGENT_TLS_CA", "/ca"),
                Map.entry("HEADSPAN_AGENT_TLS_CERTIFICATE", "/cert"),
                Map.entry("HEADSPAN_AGENT_TLS_KEY", "/key"),
                Map.entry("HEADSPAN_AGENT_TOKEN_FILE", "/token"),
                Map.entry("HEADSPAN_RUN_DIR", "/tmp/headspan")));
    assertThat(config)
        .isEqualTo(
            new AgentConfig(
                new HostPort("collector.example", 14317),
                new HostPort("::1", 0),
                "agent-7",
                "node-7",
                PlatformSettings.DEFAULT.withStateRoots(List.of("/a", "/b/*")),
                Set.of(3200, 8123),
                Path.of("/tmp/headspan"),
                Duration.ofMillis(500),
                Duration.ofMinutes(2),
                100,
                Duration.ofMillis(50),
                3L << 20,
                17,
                2,
                Duration.ofSeconds(4),
                false,
                false,
                new DeliveryConfig(
                    Path.of("/spool"),
                    7L << 20,
                    Duration.ofSeconds(3),
                    Duration.ofSeconds(4),
                    true,
                    new TlsPaths(Path.of("/ca"), Path.of("/cert"), Path.of("/key")),
                    Path.of("/token"),
                    null),
                new Budget(0.25, 100L << 20),
                Duration.ofSeconds(9)));
    assertThat(config.listen()).hasToString("[::1]:0");
  }

  @Test
  void canHaveNoSpool() {
    AgentConfig config = AgentConfig.from(Map.of("HEADSPAN_AGENT_SPOOL", "off"));
    assertThat(config.delivery().spoolDirectory()).isNull();
  }

  @Test
  void namesAllProblemsAtOnce() {
    assertThatThrownBy(() ->
            AgentConfig.from(
                Map.of(
                    "HEADSPAN_AGENT_COLECTOR", "x:1",
                    "HEADSPAN_AGENT_COLLECTOR", "http://x:1/",
                    "HEADSPAN_AGENT_LISTEN", "x:99999",
                    "HEADSPAN_AGENT_BATCH_AGE", "1 s",
                    "HEADSPAN_AGENT_IN_FLIGHT", "0",
                    "HEADSPAN_AGENT_COMPRESSION", "gzip",
                    "HEADSPAN_AGENT_TIME_ACCOUNTS", "yes",
                    "HEADSPAN_AGENT_EXCLUDED_PORTS", "80,x",
                    "HEADSPAN_AGENT_CONTAINER_ROOTS", "run/runc",
                    "HEADSPAN_RUN_DIR", "run")))
        .isInstanceOfSatisfying(
            AgentException.class,
            e -> assertThat(e.kind()).isEqualTo(AgentException.Kind.CONFIGURATION))
        .hasMessageStartingWith("the agent's settings are wrong: bad value: ")
        .hasMessageContainingAll(
            "unknown key: HEADSPAN_AGENT_COLECTOR, did you mean HEADSPAN_AGENT_COLLECTOR?",
            "; bad value: HEADSPAN_AGENT_LISTEN=x:99999, want=host:port;",
            "; bad value: HEADSPAN_AGENT_BATCH_AGE=1 s, want=a number and",
            "; bad value: HEADSPAN_AGENT_IN_FLIGHT=0, want=1 to 1000;",
            "; bad value: HEADSPAN_AGENT_COMPRESSION=gzip, want=zstd or none",
            "; bad value: HEADSPAN_AGENT_TIME_ACCOUNTS=yes, want=on or off",
            "; bad value: HEADSPAN_AGENT_EXCLUDED_PORTS=80,x, want=1 to 65535,",
            "; bad value: HEADSPAN_AGENT_CONTAINER_ROOTS=run/runc, want=abs",
            "; bad value: HEADSPAN_RUN_DIR=run, want=an absolute path",
            "bad value: HEADSPAN_AGENT_COLLECTOR=http://x:1/, want=host:port;");
  }

  @Test
  void doesNotTellATokenThatIsGivenTwice() {
    assertThatThrownBy(() ->
            AgentConfig.from(
                Map.of("HEADSPAN_AGENT_TOKEN", "hunter2", "HEADSPAN_AGENT_TOKEN_FILE", "/token")))
        .isInstanceOf(AgentException.class)
        .hasMessageContaining("a token is given beside a file with one")
        .hasMessageNotContaining("hunter2");
    assertThat(AgentConfig.from(Map.of("HEADSPAN_AGENT_TOKEN", "hunter2")).toString())
        .doesNotContain("hunter2");
  }
}
