package io.headspan.collector;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.storage.StoreAddress;
import io.headspan.wire.tls.TlsPaths;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class CollectorConfigTest {
  @Test
  void hasDefaults() {
    CollectorConfig config = CollectorConfig.from(Map.of("HOME", "/root", "HEADSPAN_QUERY_X", "1"));

    assertThat(config)
        .isEqualTo(
            new CollectorConfig(
                "127.0.0.1",
                4317,
                StoreAddress.parse("http://127.0.0.1:8123"),
                16 * 1024 * 1024,
                128L * 1024 * 1024,
                128L * 1024 * 1024,
                32,
                Duration.ofSeconds(10),
                new TlsPaths(null, null, null),
                CollectorConfig.Access.OPEN,
                new CollectorConfig.Sampling(
                    Optional.empty(),
                    Duration.ofSeconds(10),
                    Duration.ofSeconds(1),
                    Duration.ofMinutes(30),
                    true),
                20_000,
                0));
  }

  @Test
  void readsEveryKey() {
    CollectorConfig config =
        CollectorConfig.from(
            Map.ofEntries(
                Map.entry("HEADSPAN_COLLECTOR_LISTEN", "[::1]:0"),
                Map.entry("HEADSPAN_COLLECTOR_TOKENS", "/tokens.yaml"),
                Map.entry("HEADSPAN_COLLECTOR_REGION", "eu"),
                Map.entry("HEADSPAN_COLLECTOR_TENANTS", "/tenants.yaml"),
                Map.entry("HEADSPAN_COLLECTOR_TLS_CLIENT_CERTIFICATE", "optional"),
                Map.entry("HEADSPAN_COLLECTOR_STORE", "http://store:9000/spans"),
                Map.entry("HEADSPAN_COLLECTOR_MESSAGE_MIB", "8"),
                Map.entry("HEADSPAN_COLLECTOR_IN_FLIGHT_MIB", "4096"),
                Map.entry("HEADSPAN_COLLECTOR_STREAM_MIB", "32"),
                Map.entry("HEADSPAN_COLLECTOR_INSERTERS", "2"),
                Map.entry("HEADSPAN_COLLECTOR_TLS_CLIENT_CA", "/ca"),
                Map.entry("HEADSPAN_COLLECTOR_TLS_CERTIFICATE", "/cert"),
                Map.entry("HEADSPAN_COLLECTOR_TLS_KEY", "/key"),
                Map.entry("HEADSPAN_COLLECTOR_SAMPLING_POLICIES", "/policies.yaml"),
                Map.entry("HEADSPAN_COLLECTOR_DECISION_WAIT", "30s"),
                Map.entry("HEADSPAN_COLLECTOR_DECISION_WAIT_AFTER_ROOT", "5s"),
                Map.entry("HEADSPAN_COLLECTOR_RECENT_WINDOW", "1h"),
                Map.entry("HEADSPAN_COLLECTOR_LINKED_TRACES", "false"),
                Map.entry("HEADSPAN_COLLECTOR_SPAN_METRICS_SERIES", "0"),
                Map.entry("HEADSPAN_COLLECTOR_RETENTION_DAYS", "30"),
                Map.entry("HEADSPAN_COLLECTOR_CLOSE_TIMEOUT", "500ms")));

    assertThat(config)
        .isEqualTo(
            new CollectorConfig(
                "::1",
                0,
                StoreAddress.parse("http://store:9000/spans"),
                8 * 1024 * 1024,
                4096L * 1024 * 1024,
                32L * 1024 * 1024,
                2,
                Duration.ofMillis(500),
                new TlsPaths(Path.of("/ca"), Path.of("/cert"), Path.of("/key")),
                new CollectorConfig.Access(
                    Optional.of(Path.of("/tokens.yaml")),
                    "eu",
                    false,
                    Optional.of(Path.of("/tenants.yaml"))),
                new CollectorConfig.Sampling(
                    Optional.of(Path.of("/policies.yaml")),
                    Duration.ofSeconds(30),
                    Duration.ofSeconds(5),
                    Duration.ofHours(1),
                    false),
                0,
                30));
  }

  @Test
  void wantsCertificateAndKeyTogether() {
    assertThatThrownBy(
            () -> CollectorConfig.from(Map.of("HEADSPAN_COLLECTOR_TLS_CERTIFICATE", "/cert")))
        .hasMessageContaining("a certificate needs its key");
    assertThatThrownBy(
            () -> CollectorConfig.from(Map.of("HEADSPAN_COLLECTOR_TLS_CLIENT_CA", "/ca")))
        .hasMessageContaining("only to a server with one");
  }

  @Test
  void listsAllProblemsAtOnce() {
    assertThatThrownBy(() ->
            CollectorConfig.from(
                Map.of(
                    "HEADSPAN_COLLECTOR_LISTEN", "localhost",
                    "HEADSPAN_COLLECTOR_STORE", "ftp://x",
                    "HEADSPAN_COLLECTOR_INSERTERS", "0",
                    "HEADSPAN_COLLECTOR_MESSAGE_MIB", "many",
                    "HEADSPAN_COLLECTOR_CLOSE_TIMEOUT", "10",
                    "HEADSPAN_COLLECTOR_PORT", "1")))
        .isInstanceOfSatisfying(
            CollectorException.class,
            e -> assertThat(e.kind()).isEqualTo(CollectorException.Kind.CONFIGURATION))
        .hasMessageContainingAll(
            "the collector's settings are wrong: bad value: ",
            "unknown key: HEADSPAN_COLLECTOR_PORT, did you mean HEADSPAN_COLLECTOR_STORE?",
            "bad value: HEADSPAN_COLLECTOR_LISTEN=localhost, want=host:port",
            "bad value: HEADSPAN_COLLECTOR_STORE: not a store address",
            "bad value: HEADSPAN_COLLECTOR_INSERTERS=0, want=1 to 64",
            "bad value: HEADSPAN_COLLECTOR_MESSAGE_MIB=many, want=1 to 1024",
            "bad value: HEADSPAN_COLLECTOR_CLOSE_TIMEOUT=10, want=a number and ms, s, m or h");
  }

  @Test
  void listensOnLoopbackOnlyUnlessItKnowsWhoMaySend() {
    assertThatThrownBy(
            () -> CollectorConfig.from(Map.of("HEADSPAN_COLLECTOR_LISTEN", "0.0.0.0:4317")))
        .isInstanceOf(CollectorException.class)
        .hasMessageContaining("HEADSPAN_COLLECTOR_LISTEN=0.0.0.0:4317")
        .hasMessageContaining("set HEADSPAN_COLLECTOR_TOKENS")
        .hasMessageContaining("HEADSPAN_COLLECTOR_ALLOW_ANYONE=true");
    for (Map<String, String> guarded :
        List.of(
            Map.of("HEADSPAN_COLLECTOR_TOKENS", "/tokens.yaml"),
            Map.of("HEADSPAN_COLLECTOR_ALLOW_ANYONE", "true"),
            Map.of(
                "HEADSPAN_COLLECTOR_TLS_CERTIFICATE", "/cert",
                "HEADSPAN_COLLECTOR_TLS_KEY", "/key",
                "HEADSPAN_COLLECTOR_TLS_CLIENT_CA", "/ca"))) {
      Map<String, String> settings = new HashMap<>(guarded);
      settings.put("HEADSPAN_COLLECTOR_LISTEN", "0.0.0.0:4317");
      assertThat(CollectorConfig.from(settings).host()).isEqualTo("0.0.0.0");
    }
  }

  @Test
  void aClientWithoutACertificateNeedsAToken() {
    assertThatThrownBy(() ->
            CollectorConfig.from(Map.of("HEADSPAN_COLLECTOR_TLS_CLIENT_CERTIFICATE", "optional")))
        .hasMessageContaining("a client without a certificate needs a token");
  }
}
