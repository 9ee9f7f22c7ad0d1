package io.headspan.launcher;

import io.headspan.query.QueryApi;
import io.headspan.query.QueryConfig;
import io.headspan.wire.config.SettingSources;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `headspan query`.
@Command(
    name = "query",
    mixinStandardHelpOptions = true,
    description = "Serve Tempo's API with TraceQL, Jaeger's, and our own.")
final class QueryCommand extends RoleCommand {
  @Mixin private ConfigOption config = new ConfigOption();

  @Option(
      names = "--listen",
      paramLabel = "HOST:PORT",
      description =
          "Where to listen; the URL for Grafana's Tempo data source (default 127.0.0.1:3200; HEADSPAN_QUERY_LISTEN).")
  private @Nullable String listen;

  @Option(
      names = "--store",
      paramLabel = "URL",
      description =
          "ClickHouse, a server or a cluster (docs/deployment.md), or `headspan store` (default http://127.0.0.1:8123; HEADSPAN_QUERY_STORE).")
  private @Nullable String store;

  @Option(
      names = "--tokens",
      paramLabel = "FILE",
      description =
          "Who may ask (see `headspan token new`); without it, everybody on this machine (HEADSPAN_QUERY_TOKENS).")
  private @Nullable String tokens;

  @Option(
      names = "--audit",
      paramLabel = "FILE",
      description = "Where to write down what was asked (HEADSPAN_QUERY_AUDIT).")
  private @Nullable String audit;

  @Override
  List<Given> options() {
    return List.of(
        new Given(ConfigOption.NAME, "HEADSPAN_QUERY_CONFIG", config.file()),
        new Given("--listen", "HEADSPAN_QUERY_LISTEN", listen),
        new Given("--store", "HEADSPAN_QUERY_STORE", store),
        new Given("--tokens", "HEADSPAN_QUERY_TOKENS", tokens),
        new Given("--audit", "HEADSPAN_QUERY_AUDIT", audit));
  }

  @Override
  Started start(SettingSources sources) {
    QueryConfig settings = QueryConfig.from(sources);
    QueryApi role = QueryApi.start(settings);
    return new Started("query", address(settings.host(), role.port()), role);
  }
}
