package io.headspan.launcher;

import io.headspan.wasm.WasmConfig;
import io.headspan.wasm.WasmExecutor;
import io.headspan.wire.config.SettingSources;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `headspan wasm`.
@Command(
    name = "wasm",
    mixinStandardHelpOptions = true,
    description = "Run the reference Wasm executor.")
final class WasmCommand extends RoleCommand {
  @Mixin private ConfigOption config = new ConfigOption();

  @Option(
      names = "--listen",
      paramLabel = "HOST:PORT",
      description =
          "Where to listen: functions, deployment, /metrics (default 127.0.0.1:8085; HEADSPAN_WASM_LISTEN).")
  private @Nullable String listen;

  @Override
  List<Given> options() {
    return List.of(
        new Given(ConfigOption.NAME, "HEADSPAN_WASM_CONFIG", config.file()),
        new Given("--listen", "HEADSPAN_WASM_LISTEN", listen));
  }

  @Override
  Started start(SettingSources sources) {
    WasmConfig settings = WasmConfig.from(sources);
    WasmExecutor role = WasmExecutor.start(settings);
    return new Started("wasm", address(settings.listenHost(), role.port()), role);
  }
}
