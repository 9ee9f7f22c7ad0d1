package io.headspan.wasm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;

class WasmConfigTest {
  @Test
  void hasDefaults() {
    int processors = Runtime.getRuntime().availableProcessors();
    assertThat(WasmConfig.from(Map.of()))
        .isEqualTo(
            new WasmConfig(
                "127.0.0.1",
                8085,
                Path.of("/run/headspan"),
                Math.max(4, 2 * processors),
                1 << 20,
                256,
                64,
                Duration.ofSeconds(10),
                Duration.ofSeconds(60),
                1_024,
                8_192,
                ((Runtime.getRuntime().maxMemory() / 2) >> 20) << 20,
                4 << 20,
                6 << 20,
                6 << 20,
                1_000));
  }

  @Test
  void readsEveryVariable() {
    assertThat(
            WasmConfig.from(
                Map.ofEntries(
                    Map.entry("HEADSPAN_WASM_LISTEN", "[::1]:0"),
                    Map.entry("HEADSPAN_RUN_DIR", "/tmp/run"),
                    Map.entry("HEADSPAN_WASM_THREADS", "3"),
                    Map.entry("HEADSPAN_WASM_STACK_KIB", "512"),
                    Map.entry("HEADSPAN_WASM_QUEUE", "5"),
                    Map.entry("HEADSPAN_WASM_TENANT_INVOCATIONS", "7"),
                    Map.entry("HEADSPAN_WASM_DEADLINE_MILLIS", "250"),
                    Map.entry("HEADSPAN_WASM_DEADLINE_MAX_MILLIS", "2500"),
                    Map.entry("HEADSPAN_WASM_MEMORY_MIB", "2"),
                    Map.entry("HEADSPAN_WASM_MEMORY_MAX_MIB", "4"),
                    Map.entry("HEADSPAN_WASM_MEMORY_TOTAL_MIB", "8"),
                    Map.entry("HEADSPAN_WASM_MODULE_MAX_KIB", "16"),
                    Map.entry("HEADSPAN_WASM_REQUEST_MAX_KIB", "32"),
                    Map.entry("HEADSPAN_WASM_RESPONSE_MAX_KIB", "64"),
                    Map.entry("HEADSPAN_WASM_FUNCTIONS_MAX", "9"),
                    Map.entry("HEADSPAN_AGENT_LISTEN", "not ours"),
                    Map.entry("PATH", "/bin"))))
        .isEqualTo(
            new WasmConfig(
                "::1",
                0,
                Path.of("/tmp/run"),
                3,
                512 << 10,
                5,
                7,
                Duration.ofMillis(250),
                Duration.ofMillis(2_500),
                32,
                64,
                8 << 20,
                16 << 10,
                32 << 10,
                64 << 10,
                9));
  }

  @Test
  void listsEverythingThatIsWrong() {
    assertThatThrownBy(() ->
            WasmConfig.from(
                Map.of(
                    "HEADSPAN_WASM_LISTEN", "8085",
                    "HEADSPAN_WASM_THREADS", "0",
                    "HEADSPAN_WASM_QUEUE", "many",
                    "HEADSPAN_WASM_DEADLINE_MILLIS", "70000",
                    "HEADSPAN_WASM_MEMORY_MIB", "1024",
                    "HEADSPAN_WASM_SPEED", "11")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(
            "the Wasm executor's settings are wrong: ",
            "bad value: HEADSPAN_WASM_LISTEN=8085, want=host:port",
            "bad value: HEADSPAN_WASM_THREADS=0, want=1 to 1024",
            "bad value: HEADSPAN_WASM_QUEUE=many, want=1 to 1000000",
            "larger than HEADSPAN_WASM_DEADLINE_MAX_MILLIS: HEADSPAN_WASM_DEADLINE_MILLIS=70000",
            "larger than HEADSPAN_WASM_MEMORY_MAX_MIB: HEADSPAN_WASM_MEMORY_MIB=1024",
            "unknown key: HEADSPAN_WASM_SPEED, ");
  }
}
