package io.headspan.launcher;

import io.headspan.agent.AgentConfig;
import io.headspan.agent.NodeAgent;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `headspan agent`.
@Command(
    name = "agent",
    mixinStandardHelpOptions = true,
    description =
        "Capture invocations on this node and send them to a collector. Needs root and BPF.")
final class AgentCommand extends RoleCommand {
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
  Map<String, @Nullable String> options() {
    Map<String, @Nullable String> options = new HashMap<>();
    options.put("HEADSPAN_AGENT_COLLECTOR", collector);
    options.put("HEADSPAN_AGENT_LISTEN", listen);
    options.put("HEADSPAN_AGENT_EXCLUDED_PORTS", excludedPorts);
    return options;
  }

  @Override
  Started start(Map<String, String> environment) {
    AgentConfig config = AgentConfig.from(environment);
    NodeAgent role = NodeAgent.start(config);
    return new Started("agent", address(config.listen().host(), role.port()), role);
  }
}
