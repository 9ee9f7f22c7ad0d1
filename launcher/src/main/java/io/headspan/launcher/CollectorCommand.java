package io.headspan.launcher;

import io.headspan.collector.Collector;
import io.headspan.collector.CollectorConfig;
import io.headspan.wire.config.SettingSources;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `headspan collector`.
@Command(
    name = "collector",
    mixinStandardHelpOptions = true,
    description = "Receive OTel-Arrow and OTLP, store in ClickHouse.")
final class CollectorCommand extends RoleCommand {
  @Mixin private ConfigOption config = new ConfigOption();

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
          "ClickHouse, a server or a cluster (docs/deployment.md), or `headspan store` (default http://127.0.0.1:8123; HEADSPAN_COLLECTOR_STORE).")
  private @Nullable String store;

  @Option(
      names = "--tokens",
      paramLabel = "FILE",
      description =
          "Who may send (see `headspan token new`); without it, everybody on this machine (HEADSPAN_COLLECTOR_TOKENS).")
  private @Nullable String tokens;

  @Option(
      names = "--tenants",
      paramLabel = "FILE",
      description =
          "What each tenant may send, in which region it is stored, and for how long (HEADSPAN_COLLECTOR_TENANTS).")
  private @Nullable String tenants;

  @Option(
      names = "--retention-days",
      paramLabel = "DAYS",
      description =
          "How long what is stored stays, where the file of tenants says nothing else (default: for ever; HEADSPAN_COLLECTOR_RETENTION_DAYS).")
  private @Nullable String retentionDays;

  @Override
  List<Given> options() {
    return List.of(
        new Given(ConfigOption.NAME, "HEADSPAN_COLLECTOR_CONFIG", config.file()),
        new Given("--listen", "HEADSPAN_COLLECTOR_LISTEN", listen),
        new Given("--store", "HEADSPAN_COLLECTOR_STORE", store),
        new Given("--tokens", "HEADSPAN_COLLECTOR_TOKENS", tokens),
        new Given("--tenants", "HEADSPAN_COLLECTOR_TENANTS", tenants),
        new Given("--retention-days", "HEADSPAN_COLLECTOR_RETENTION_DAYS", retentionDays));
  }

  @Override
  Started start(SettingSources sources) {
    CollectorConfig settings = CollectorConfig.from(sources);
    Collector role = Collector.start(settings);
    return new Started("collector", address(settings.host(), role.port()), role);
  }
}
