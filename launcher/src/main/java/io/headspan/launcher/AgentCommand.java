package io.headspan.launcher;

import io.headspan.agent.AgentConfig;
import io.headspan.agent.NodeAgent;
import io.headspan.wire.config.SettingSources;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `headspan agent`.
@Command(
    name = "agent",
    mixinStandardHelpOptions = true,
    description =
        "Capture invocations on this node and send them to a collector. Needs root and BPF.")
final class AgentCommand extends RoleCommand {
  @Mixin private ConfigOption config = new ConfigOption();

  @Option(
      names = "--collector",
      paramLabel = "HOST:PORT",
      description = "Collector to send to (default 127.0.0.1:4317; HEADSPAN_AGENT_COLLECTOR).")
  private @Nullable String collector;

  @Option(
      names = "--listen",
      paramLabel = "HOST:PORT",
      description =
          "Where to serve /ready and /metrics (default 127.0.0.1:9464; HEADSPAN_AGENT_LISTEN).")
  private @Nullable String listen;

  @Option(
      names = "--exclude-ports",
      paramLabel = "PORT,...",
      description =
          "Ports of plain processes whose requests are not captured, e.g. those of Headspan itself (HEADSPAN_AGENT_EXCLUDED_PORTS).")
  private @Nullable String excludedPorts;

  @Override
  List<Given> options() {
    return List.of(
        new Given(ConfigOption.NAME, "HEADSPAN_AGENT_CONFIG", config.file()),
        new Given("--collector", "HEADSPAN_AGENT_COLLECTOR", collector),
        new Given("--listen", "HEADSPAN_AGENT_LISTEN", listen),
        new Given("--exclude-ports", "HEADSPAN_AGENT_EXCLUDED_PORTS", excludedPorts));
  }

  @Override
  Started start(SettingSources sources) {
    AgentConfig settings = AgentConfig.from(sources);
    NodeAgent role = NodeAgent.start(settings);
    return new Started("agent", address(settings.listen().host(), role.port()), role);
  }
}
