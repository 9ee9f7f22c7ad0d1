package io.headspan.agent;

import io.headspan.agent.governor.Budget;
import io.headspan.agent.identity.PlatformSettings;
import io.headspan.wire.config.HostPort;
import io.headspan.wire.config.SettingSources;
import io.headspan.wire.config.Settings;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The settings of a node agent, from defaults, a YAML file (`--config`, `HEADSPAN_AGENT_CONFIG`),
/// the environment and the command line. `docs/agent.md` lists them.
///
/// A setting called `HEADSPAN_AGENT_BATCH_AGE` here is `batch_age` in the file. Durations are
/// written `10s`, `500ms`, `1m` or `2h`.
///
/// @param collector where spans go, `HEADSPAN_AGENT_COLLECTOR` (`host:port`, gRPC)
/// @param listen where `/metrics` and `/ready` are, `HEADSPAN_AGENT_LISTEN`; port 0 for any free
///   one
/// @param agentId names the agent in its batches, `HEADSPAN_AGENT_ID`; null for the machine's id
/// @param hostName value of `host.name`, `HEADSPAN_AGENT_HOST_NAME`; null for the machine's own
/// @param platforms where to ask who an instance is, and the operator's own rules
/// @param excludedPorts of processes that are no container, requests to these ports are not
///   captured, `HEADSPAN_AGENT_EXCLUDED_PORTS` (comma separated)
/// @param runDirectory where Wasm executors register, `HEADSPAN_RUN_DIR`
/// @param parentWait how long a span waits for evidence of its parent, `HEADSPAN_AGENT_PARENT_WAIT`
/// @param identityWait how long a span waits for who its instance is,
///   `HEADSPAN_AGENT_IDENTITY_WAIT`
/// @param batchSpans spans in a full batch, `HEADSPAN_AGENT_BATCH_SPANS`
/// @param batchAge how long a batch is filled, `HEADSPAN_AGENT_BATCH_AGE`
/// @param queueBytes memory for batches not acknowledged, less than the heap,
///   `HEADSPAN_AGENT_QUEUE_MIB`
/// @param queueBatches number of batches not acknowledged, `HEADSPAN_AGENT_QUEUE_BATCHES`
/// @param inFlight batches sent and not acknowledged, `HEADSPAN_AGENT_IN_FLIGHT`
/// @param acknowledgeTimeout when a collector that does not answer counts as gone,
///   `HEADSPAN_AGENT_ACKNOWLEDGE_TIMEOUT`
/// @param compressed whether batches are compressed as a whole, `HEADSPAN_AGENT_COMPRESSION`
///   (`zstd` or `none`)
/// @param timeAccounts whether the scheduler is watched for time accounts of invocations and for
///   the interference matrix, `HEADSPAN_AGENT_TIME_ACCOUNTS` (`on` or `off`)
/// @param delivery how batches are kept until then
/// @param budget what the agent may use before it gives less detail, `HEADSPAN_AGENT_CPU_BUDGET`
///   (cores) and `HEADSPAN_AGENT_MEMORY_BUDGET_MIB`, 0 for no limit
/// @param closeTimeout how long closing waits for the collector, `HEADSPAN_AGENT_CLOSE_TIMEOUT`
public record AgentConfig(
    HostPort collector,
    HostPort listen,
    @Nullable String agentId,
    @Nullable String hostName,
    PlatformSettings platforms,
    Set<Integer> excludedPorts,
    Path runDirectory,
    Duration parentWait,
    Duration identityWait,
    int batchSpans,
    Duration batchAge,
    long queueBytes,
    int queueBatches,
    int inFlight,
    Duration acknowledgeTimeout,
    boolean compressed,
    boolean timeAccounts,
    DeliveryConfig delivery,
    Budget budget,
    Duration closeTimeout) {
  static final String LISTEN = "HEADSPAN_AGENT_LISTEN";

  private static final long MIB = 1024 * 1024;

  /// Reads the settings from environment variables, and the file that they name.
  ///
  /// @throws AgentException that names every unknown key and every bad value
  public static AgentConfig from(Map<String, String> environment) {
    return from(SettingSources.of(environment));
  }

  /// Reads the settings; those not set have their defaults.
  ///
  /// @throws AgentException that names every unknown key and every bad value
  public static AgentConfig from(SettingSources sources) {
    Settings settings = Settings.of("agent", sources);
    settings.share("run_dir", "HEADSPAN_RUN_DIR");
    AgentConfig config =
        new AgentConfig(
            settings.hostPort("collector", new HostPort("127.0.0.1", 4317)),
            settings.hostPort("listen", new HostPort("127.0.0.1", 9464)),
            settings.text("id").orElse(null),
            settings.text("host_name").orElse(null),
            PlatformSettings.from(settings),
            settings.numbers("excluded_ports", Set.of(), 1, HostPort.PORT_MAX),
            settings.absolutePath("run_dir", Path.of("/run/headspan")),
            settings.duration("parent_wait", Duration.ofSeconds(10)),
            settings.duration("identity_wait", Duration.ofSeconds(10)),
            settings.number("batch_spans", 5_000, 1, 50_000),
            settings.duration("batch_age", Duration.ofSeconds(1)),
            queueBytes(settings),
            settings.number("queue_batches", 4_096, 1, 1_000_000),
            settings.number("in_flight", 8, 1, 1_000),
            settings.duration("acknowledge_timeout", Duration.ofSeconds(30)),
            settings.value("compression", true, AgentConfig::isCompressed, "zstd or none"),
            settings.value("time_accounts", true, AgentConfig::isOn, "on or off"),
            DeliveryConfig.read(settings),
            new Budget(
                settings.decimal("cpu_budget", 1, 0, 1_024),
                settings.number("memory_budget_mib", 512, 0, 1 << 20) * MIB),
            settings.duration("close_timeout", Duration.ofSeconds(5)));
    settings.finish(
        "the agent", message -> new AgentException(AgentException.Kind.CONFIGURATION, message));
    return config;
  }

  private static long queueBytes(Settings settings) {
    long bytes = settings.number("queue_mib", 12, 1, 1 << 20) * MIB;
    long heapBytes = Runtime.getRuntime().maxMemory();
    if (bytes >= heapBytes) {
      settings.problem(
          "queue_mib",
          "the heap is not larger: heapMib=%d; lower it, or give the agent more with -Xmx"
              .formatted(heapBytes / MIB));
    }
    return bytes;
  }

  private static @Nullable Boolean isOn(String text) {
    return switch (text) {
      case "on" -> true;
      case "off" -> false;
      default -> null;
    };
  }

  private static @Nullable Boolean isCompressed(String text) {
    return switch (text) {
      case "zstd" -> true;
      case "none" -> false;
      default -> null;
    };
  }
}
