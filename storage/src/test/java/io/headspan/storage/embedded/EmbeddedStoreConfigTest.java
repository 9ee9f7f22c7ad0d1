package io.headspan.storage.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.storage.StoreException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class EmbeddedStoreConfigTest {
  @TempDir private Path home;

  @Test
  void hasDefaults() throws IOException {
    EmbeddedStoreConfig config = EmbeddedStoreConfig.from(environment(Map.of()));
    int cpus = Runtime.getRuntime().availableProcessors();
    assertThat(config)
        .isEqualTo(
            new EmbeddedStoreConfig(
                "127.0.0.1",
                8123,
                home.resolve(".local/share/headspan/store"),
                false,
                false,
                config.memoryMib(),
                256,
                Math.max(2, cpus),
                16,
                Optional.empty(),
                home.resolve(".cache/headspan/libchdb/26.7.3-stable.1/libchdb.so")));
    assertThat(config.memoryMib()).isGreaterThanOrEqualTo(512);
  }

  @Test
  void takesEverythingFromTheEnvironment() throws IOException {
    Path library = Files.createFile(home.resolve("lib.so"));
    Map<String, String> environment = new HashMap<>();
    environment.put("HEADSPAN_STORE_LISTEN", "[::]:0");
    environment.put("HEADSPAN_STORE_PATH", "/data");
    environment.put("HEADSPAN_STORE_REMOTE", "true");
    environment.put("HEADSPAN_STORE_EXTERNAL", "true");
    environment.put("HEADSPAN_STORE_MEMORY_MIB", "1024");
    environment.put("HEADSPAN_STORE_MARK_CACHE_MIB", "64");
    environment.put("HEADSPAN_STORE_BACKGROUND_THREADS", "3");
    environment.put("HEADSPAN_STORE_MAX_CONCURRENT", "5");
    environment.put("HEADSPAN_STORE_ENGINE_CONFIG", "/engine.xml");
    environment.put("HEADSPAN_LIBCHDB", library.toString());
    assertThat(EmbeddedStoreConfig.from(environment))
        .isEqualTo(
            new EmbeddedStoreConfig(
                "::",
                0,
                Path.of("/data"),
                true,
                true,
                1024,
                64,
                3,
                5,
                Optional.of(Path.of("/engine.xml")),
                library));
  }

  @Test
  void listsAllProblemsAtOnce() {
    assertThatThrownBy(() ->
            EmbeddedStoreConfig.from(
                environment(
                    Map.of(
                        "HEADSPAN_STORE_LISTEN", "here",
                        "HEADSPAN_STORE_REMOTE", "yes",
                        "HEADSPAN_STORE_MEMORY_MIB", "1",
                        "HEADSPAN_STORE_PAHT", "/data"))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("bad value: HEADSPAN_STORE_LISTEN=here, want=host:port")
        .hasMessageContaining("bad value: HEADSPAN_STORE_REMOTE=yes, want=true or false")
        .hasMessageContaining("bad value: HEADSPAN_STORE_MEMORY_MIB=1, want=512 to ")
        .hasMessageContaining(
            "unknown key: HEADSPAN_STORE_PAHT, did you mean HEADSPAN_STORE_PATH?");
  }

  @Test
  void refusesToListenBeyondLoopbackUnlessTold() throws IOException {
    assertThatThrownBy(() ->
            EmbeddedStoreConfig.from(environment(Map.of("HEADSPAN_STORE_LISTEN", "0.0.0.0:8123"))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("HEADSPAN_STORE_REMOTE=true");
  }

  @Test
  void saysHowToGetTheLibrary() {
    assertThatThrownBy(() -> EmbeddedStoreConfig.from(Map.of("HOME", home.toString())))
        .isInstanceOf(StoreException.class)
        .hasMessageContaining(home + "/.cache/headspan/libchdb/")
        .hasMessageContaining("run ./headspan or ./dev setup");
  }

  private Map<String, String> environment(Map<String, String> settings) throws IOException {
    Path library = home.resolve(".cache/headspan/libchdb/26.7.3-stable.1/libchdb.so");
    Files.createDirectories(library.getParent());
    if (!Files.exists(library)) {
      Files.createFile(library);
    }
    Map<String, String> environment = new HashMap<>(settings);
    environment.put("HOME", home.toString());
    return environment;
  }
}
