package io.headspan.launcher;

import io.headspan.query.QueryApi;
import io.headspan.query.QueryConfig;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `headspan query`.
@Command(
    name = "query",
    mixinStandardHelpOptions = true,
    description = "Serve Tempo's API with TraceQL.")
final class QueryCommand extends RoleCommand {
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
          "ClickHouse or `headspan store` (default http://127.0.0.1:8123; HEADSPAN_QUERY_STORE).")
  private @Nullable String store;

  @Override
  Map<String, @Nullable String> options() {
    Map<String, @Nullable String> options = new HashMap<>();
    options.put("HEADSPAN_QUERY_LISTEN", listen);
    options.put("HEADSPAN_QUERY_STORE", store);
    return options;
  }

  @Override
  Started start(Map<String, String> environment) {
    QueryConfig config = QueryConfig.from(environment);
    QueryApi role = QueryApi.start(config);
    return new Started("query", address(config.host(), role.port()), role);
  }
}
