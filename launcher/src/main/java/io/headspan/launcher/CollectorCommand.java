package io.headspan.launcher;

import io.headspan.collector.Collector;
import io.headspan.collector.CollectorConfig;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `headspan collector`.
@Command(
    name = "collector",
    mixinStandardHelpOptions = true,
    description = "Receive OTel-Arrow and OTLP, store in ClickHouse.")
final class CollectorCommand extends RoleCommand {
  @Option(
      names = "--listen",
      paramLabel = "HOST:PORT",
      description =
          "Where to listen: OTel-Arrow, OTLP/gRPC, /ready, /metrics (default 127.0.0.1:4317; HEADSPAN_COLLECTOR_LISTEN).")
  private @Nullable String listen;

  @Option(
      names = "--store",
      paramLabel = "URL",
      description =
          "ClickHouse or `headspan store` (default http://127.0.0.1:8123; HEADSPAN_COLLECTOR_STORE).")
  private @Nullable String store;

  @Override
  Map<String, @Nullable String> options() {
    Map<String, @Nullable String> options = new HashMap<>();
    options.put("HEADSPAN_COLLECTOR_LISTEN", listen);
    options.put("HEADSPAN_COLLECTOR_STORE", store);
    return options;
  }

  @Override
  Started start(Map<String, String> environment) {
    CollectorConfig config = CollectorConfig.from(environment);
    Collector role = Collector.start(config);
    return new Started("collector", address(config.host(), role.port()), role);
  }
}
