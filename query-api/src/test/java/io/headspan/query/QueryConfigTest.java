package io.headspan.query;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.query.access.AccessSettings;
import io.headspan.query.http.QueryLimits;
import io.headspan.storage.StoreAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class QueryConfigTest {
  @Test
  void hasDefaults() {
    assertThat(QueryConfig.from(Map.of("PATH", "/bin", "HEADSPAN_STORE_PATH", "x")))
        .isEqualTo(
            new QueryConfig(
                "127.0.0.1",
                3200,
                StoreAddress.parse("http://127.0.0.1:8123"),
                8,
                64,
                new QueryLimits(Duration.ofSeconds(30), 1024L << 20, 50_000),
                AccessSettings.OPEN));
  }

  @Test
  void readsEveryKey() {
    assertThat(
            QueryConfig.from(
                Map.of(
                    "HEADSPAN_QUERY_LISTEN", "[::1]:0",
                    "HEADSPAN_QUERY_STORE", "https://u:p@ch.example:9000/spans",
                    "HEADSPAN_QUERY_THREADS", "3",
                    "HEADSPAN_QUERY_WAITING", "5",
                    "HEADSPAN_QUERY_TIMEOUT", "1500ms",
                    "HEADSPAN_QUERY_MEMORY_MIB", "64",
                    "HEADSPAN_QUERY_TRACE_SPANS", "10",
                    "HEADSPAN_QUERY_TOKENS", "/etc/tokens.yaml",
                    "HEADSPAN_QUERY_REGION", "eu",
                    "HEADSPAN_QUERY_AUDIT", "/var/log/audit")))
        .isEqualTo(
            new QueryConfig(
                "::1",
                0,
                StoreAddress.parse("https://u:p@ch.example:9000/spans"),
                3,
                5,
                new QueryLimits(Duration.ofMillis(1500), 64L << 20, 10),
                new AccessSettings(
                    Optional.of(Path.of("/etc/tokens.yaml")),
                    "eu",
                    Optional.of(Path.of("/var/log/audit")))));
  }

  @Test
  void listensOnLoopbackOnlyWithoutTokens() {
    assertThatThrownBy(() -> QueryConfig.from(Map.of("HEADSPAN_QUERY_LISTEN", "0.0.0.0:3200")))
        .isInstanceOf(QueryException.class)
        .hasMessageContaining("HEADSPAN_QUERY_LISTEN=0.0.0.0:3200")
        .hasMessageContaining("set HEADSPAN_QUERY_TOKENS");
    QueryConfig guarded =
        QueryConfig.from(
            Map.of(
                "HEADSPAN_QUERY_LISTEN", "0.0.0.0:3200", "HEADSPAN_QUERY_TOKENS", "/etc/tokens"));
    assertThat(guarded.host()).isEqualTo("0.0.0.0");
  }

  @Test
  void namesEveryProblemAtOnce() {
    assertThatThrownBy(() ->
            QueryConfig.from(
                Map.of(
                    "HEADSPAN_QUERY_LISTEN", "3200",
                    "HEADSPAN_QUERY_STORE", "ftp://x",
                    "HEADSPAN_QUERY_THREADS", "0",
                    "HEADSPAN_QUERY_TIMEOUT", "0s",
                    "HEADSPAN_QUERY_SPEED", "fast")))
        .isInstanceOfSatisfying(
            QueryException.class,
            e -> assertThat(e.kind()).isEqualTo(QueryException.Kind.CONFIGURATION))
        .hasMessageContaining("HEADSPAN_QUERY_LISTEN=3200, want=host:port")
        .hasMessageContaining("HEADSPAN_QUERY_STORE: not a store address")
        .hasMessageContaining("HEADSPAN_QUERY_THREADS=0, want=1 to 1024")
        .hasMessageContaining("HEADSPAN_QUERY_TIMEOUT=0s")
        .hasMessageContaining("unknown key: HEADSPAN_QUERY_SPEED, ");
  }
}
