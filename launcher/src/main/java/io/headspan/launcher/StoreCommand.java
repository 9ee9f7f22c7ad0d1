package io.headspan.launcher;

import io.headspan.storage.embedded.EmbeddedStore;
import io.headspan.storage.embedded.EmbeddedStoreConfig;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `headspan store`.
@Command(
    name = "store",
    mixinStandardHelpOptions = true,
    description = "Run the embedded ClickHouse engine behind ClickHouse's HTTP protocol.")
final class StoreCommand extends RoleCommand {
  @Option(
      names = "--listen",
      paramLabel = "HOST:PORT",
      description = "Where to listen (default 127.0.0.1:8123; HEADSPAN_STORE_LISTEN).")
  private @Nullable String listen;

  @Option(
      names = "--path",
      paramLabel = "DIR",
      description = "Data directory (default ./headspan-data; HEADSPAN_STORE_PATH).")
  private @Nullable String path;

  @Override
  Map<String, @Nullable String> options() {
    Map<String, @Nullable String> options = new HashMap<>();
    options.put("HEADSPAN_STORE_LISTEN", listen);
    options.put("HEADSPAN_STORE_PATH", path);
    return options;
  }

  @Override
  Started start(Map<String, String> environment) {
    EmbeddedStoreConfig config = EmbeddedStoreConfig.from(environment);
    EmbeddedStore role = EmbeddedStore.start(config);
    return new Started("store", address(config.host(), role.port()), role);
  }
}
