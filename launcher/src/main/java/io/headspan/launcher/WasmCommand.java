package io.headspan.launcher;

import io.headspan.wasm.WasmConfig;
import io.headspan.wasm.WasmExecutor;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `headspan wasm`.
@Command(
    name = "wasm",
    mixinStandardHelpOptions = true,
    description = "Run the reference Wasm executor.")
final class WasmCommand extends RoleCommand {
  @Option(
      names = "--listen",
      paramLabel = "HOST:PORT",
      description =
          "Where to listen: functions, deployment, /metrics (default 127.0.0.1:8085; HEADSPAN_WASM_LISTEN).")
  private @Nullable String listen;

  @Override
  Map<String, @Nullable String> options() {
    Map<String, @Nullable String> options = new HashMap<>();
    options.put("HEADSPAN_WASM_LISTEN", listen);
    return options;
  }

  @Override
  Started start(Map<String, String> environment) {
    WasmConfig config = WasmConfig.from(environment);
    WasmExecutor role = WasmExecutor.start(config);
    return new Started("wasm", address(config.listenHost(), role.port()), role);
  }
}
