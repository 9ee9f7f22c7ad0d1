package io.headspan.launcher;

import io.headspan.storage.embedded.EmbeddedStore;
import io.headspan.storage.embedded.EmbeddedStoreConfig;
import io.headspan.wire.config.SettingSources;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `headspan store`.
@Command(
    name = "store",
    mixinStandardHelpOptions = true,
    description = "Run the embedded ClickHouse engine behind ClickHouse's HTTP protocol.")
final class StoreCommand extends RoleCommand {
  @Mixin private ConfigOption config = new ConfigOption();

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
  List<Given> options() {
    return List.of(
        new Given(ConfigOption.NAME, "HEADSPAN_STORE_CONFIG", config.file()),
        new Given("--listen", "HEADSPAN_STORE_LISTEN", listen),
        new Given("--path", "HEADSPAN_STORE_PATH", path));
  }

  @Override
  Started start(SettingSources sources) {
    EmbeddedStoreConfig settings = EmbeddedStoreConfig.from(sources);
    EmbeddedStore role = EmbeddedStore.start(settings);
    return new Started("store", address(settings.host(), role.port()), role);
  }
}
