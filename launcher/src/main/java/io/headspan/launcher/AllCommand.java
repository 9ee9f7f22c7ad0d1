package io.headspan.launcher;

import io.headspan.agent.AgentConfig;
import io.headspan.agent.NodeAgent;
import io.headspan.agent.libbpf.BpfSupport;
import io.headspan.collector.Collector;
import io.headspan.collector.CollectorConfig;
import io.headspan.query.QueryApi;
import io.headspan.query.QueryConfig;
import io.headspan.wire.config.SettingSources;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `headspan all`: a whole Headspan for one machine. Collector, query API and agent share this
/// process; the embedded engine has one of its own, because a fault in native code must not take
/// the rest with it.
@Command(
    name = "all",
    mixinStandardHelpOptions = true,
    description =
        "Run store, collector, query API and, where BPF is allowed, the node agent, for one machine.")
final class AllCommand extends RoleCommand {
  @Option(
      names = "--store",
      paramLabel = "URL",
      description =
          "ClickHouse to use instead of the embedded engine: a server, or a cluster (docs/deployment.md).")
  private @Nullable String store;

  @Option(
      names = "--path",
      paramLabel = "DIR",
      description =
          "Data directory of the embedded engine (default ./headspan-data; HEADSPAN_STORE_PATH).")
  private @Nullable String path;

  @Option(
      names = "--collector-listen",
      paramLabel = "HOST:PORT",
      description = "(default 127.0.0.1:4317; HEADSPAN_COLLECTOR_LISTEN).")
  private @Nullable String collectorListen;

  @Option(
      names = "--query-listen",
      paramLabel = "HOST:PORT",
      description = "(default 127.0.0.1:3200; HEADSPAN_QUERY_LISTEN).")
  private @Nullable String queryListen;

  @Override
  List<Given> options() {
    return List.of(
        new Given("--path", "HEADSPAN_STORE_PATH", path),
        new Given("--collector-listen", "HEADSPAN_COLLECTOR_LISTEN", collectorListen),
        new Given("--query-listen", "HEADSPAN_QUERY_LISTEN", queryListen));
  }

  @Override
  Started start(SettingSources sources) {
    Parts parts = new Parts();
    try {
      String address = store;
      if (address == null) {
        String directory = directory(sources);
        RoleProcess engine =
            RoleProcess.start("store", Map.of(), "--listen", "127.0.0.1:0", "--path", directory);
        parts.add(engine);
        address = "http://" + engine.address();
      }
      SettingSources settings =
          sources.with("HEADSPAN_COLLECTOR_STORE", address).with("HEADSPAN_QUERY_STORE", address);
      CollectorConfig collectorConfig = CollectorConfig.from(settings);
      Collector collector = Collector.start(collectorConfig);
      parts.add(collector);
      QueryConfig queryConfig = QueryConfig.from(settings);
      QueryApi query = QueryApi.start(queryConfig);
      parts.add(query);
      List<BpfSupport.Missing> missing = BpfSupport.check();
      missing.forEach(part ->
          System.err.printf(
              "headspan all: node agent off: %s. %s%n", part.reason(), part.remedy()));
      if (missing.isEmpty()) {
        // What Headspan's own parts ask each other is no invocation.
        SettingSources agentSettings =
            settings
                .with(
                    "HEADSPAN_AGENT_EXCLUDED_PORTS",
                    "%d,%d,%s"
                        .formatted(
                            collector.port(),
                            query.port(),
                            address.substring(address.lastIndexOf(':') + 1)))
                .with(
                    "HEADSPAN_AGENT_COLLECTOR", address(collectorConfig.host(), collector.port()));
        parts.add(NodeAgent.startBesideOthers(AgentConfig.from(agentSettings)));
      }
      return new Started("all", address(queryConfig.host(), query.port()), parts);
    } catch (RuntimeException e) {
      parts.close();
      throw e;
    }
  }

  private String directory(SettingSources sources) {
    return path != null
        ? path
        : sources.environment().getOrDefault("HEADSPAN_STORE_PATH", "headspan-data");
  }
}
