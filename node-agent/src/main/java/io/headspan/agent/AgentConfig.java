package io.headspan.agent;

import io.headspan.agent.identity.IdentitySettings;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The settings of a node agent. Durations are written `10s`, `500ms` or `1m`.
///
/// @param collector where spans go, `HEADSPAN_AGENT_COLLECTOR` (`host:port`, gRPC)
/// @param listen where `/metrics` and `/ready` are, `HEADSPAN_AGENT_LISTEN`; port 0 for any free
///   one
/// @param agentId names the agent in its batches, `HEADSPAN_AGENT_ID`; null for the machine's id
/// @param hostName value of `host.name`, `HEADSPAN_AGENT_HOST_NAME`; null for the machine's own
/// @param containerRoots where runc keeps its containers' states, `HEADSPAN_AGENT_CONTAINER_ROOTS`
///   (comma separated, `*` for any one path element)
/// @param excludedPorts of processes that are no container, requests to these ports are not
///   captured, `HEADSPAN_AGENT_EXCLUDED_PORTS` (comma separated)
/// @param runDirectory where Wasm executors register, `HEADSPAN_RUN_DIR`
/// @param parentWait how long a span waits for evidence of its parent, `HEADSPAN_AGENT_PARENT_WAIT`
/// @param identityWait how long a span waits for who its instance is,
///   `HEADSPAN_AGENT_IDENTITY_WAIT`
/// @param batchSpans spans in a full batch, `HEADSPAN_AGENT_BATCH_SPANS`
/// @param batchAge how long a batch is filled, `HEADSPAN_AGENT_BATCH_AGE`
/// @param queueBytes memory for batches not acknowledged, `HEADSPAN_AGENT_QUEUE_MIB`
/// @param queueBatches number of batches not acknowledged, `HEADSPAN_AGENT_QUEUE_BATCHES`
/// @param inFlight batches sent and not acknowledged, `HEADSPAN_AGENT_IN_FLIGHT`
/// @param acknowledgeTimeout when a collector that does not answer counts as gone,
///   `HEADSPAN_AGENT_ACKNOWLEDGE_TIMEOUT`
/// @param compressed whether batches are compressed as a whole, `HEADSPAN_AGENT_COMPRESSION`
///   (`zstd` or `none`)
/// @param closeTimeout how long closing waits for the collector, `HEADSPAN_AGENT_CLOSE_TIMEOUT`
public record AgentConfig(
    HostPort collector,
    HostPort listen,
    @Nullable String agentId,
    @Nullable String hostName,
    List<String> containerRoots,
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
    Duration closeTimeout) {
  static final String PREFIX = "HEADSPAN_AGENT_";
  static final String COLLECTOR = PREFIX + "COLLECTOR";
  static final String LISTEN = PREFIX + "LISTEN";
  static final String ID = PREFIX + "ID";
  static final String HOST_NAME = PREFIX + "HOST_NAME";
  static final String CONTAINER_ROOTS = PREFIX + "CONTAINER_ROOTS";
  static final String EXCLUDED_PORTS = PREFIX + "EXCLUDED_PORTS";
  static final String PARENT_WAIT = PREFIX + "PARENT_WAIT";
  static final String IDENTITY_WAIT = PREFIX + "IDENTITY_WAIT";
  static final String BATCH_SPANS = PREFIX + "BATCH_SPANS";
  static final String BATCH_AGE = PREFIX + "BATCH_AGE";
  static final String QUEUE_MIB = PREFIX + "QUEUE_MIB";
  static final String QUEUE_BATCHES = PREFIX + "QUEUE_BATCHES";
  static final String IN_FLIGHT = PREFIX + "IN_FLIGHT";
  static final String ACKNOWLEDGE_TIMEOUT = PREFIX + "ACKNOWLEDGE_TIMEOUT";
  static final String COMPRESSION = PREFIX + "COMPRESSION";
  static final String CLOSE_TIMEOUT = PREFIX + "CLOSE_TIMEOUT";
  static final String RUN_DIR = "HEADSPAN_RUN_DIR";

  private static final Set<String> KEYS =
      Set.of(
          COLLECTOR,
          LISTEN,
          ID,
          HOST_NAME,
          CONTAINER_ROOTS,
          EXCLUDED_PORTS,
          PARENT_WAIT,
          IDENTITY_WAIT,
          BATCH_SPANS,
          BATCH_AGE,
          QUEUE_MIB,
          QUEUE_BATCHES,
          IN_FLIGHT,
          ACKNOWLEDGE_TIMEOUT,
          COMPRESSION,
          CLOSE_TIMEOUT);

  private static final long MIB = 1024 * 1024;
  private static final int PORT_MAX = 65_535;

  /// Reads the settings from environment variables; those not set have their defaults, variables
  /// without the prefix are not looked at.
  ///
  /// @throws AgentException that names every unknown key and every bad value
  public static AgentConfig from(Map<String, String> environment) {
    return new Reader(environment).read();
  }

  /// A host, by name or address, and a port.
  public record HostPort(String host, int port) {
    private static final Pattern PATTERN =
        Pattern.compile(
            "(?:\\[(?<v6>[0-9A-Fa-f:.%a-z]+)]|(?<host>[^:\\[\\]\\s/]+)):(?<port>\\d{1,5})");

    static @Nullable HostPort parse(String text) {
      Matcher matcher = PATTERN.matcher(text);
      if (!matcher.matches()) {
        return null;
      }
      String v6 = matcher.group("v6");
      int port = Integer.parseInt(matcher.group("port"));
      return port > PORT_MAX ? null : new HostPort(v6 == null ? matcher.group("host") : v6, port);
    }

    @Override
    public String toString() {
      return (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
    }
  }

  private static final class Reader {
    private static final Pattern DURATION = Pattern.compile("(?<amount>\\d{1,9})(?<unit>ms|s|m)");

    private final Map<String, String> environment;
    private final List<String> problems = new ArrayList<>();

    private Reader(Map<String, String> environment) {
      this.environment = environment;
    }

    private AgentConfig read() {
      for (String key : new TreeSet<>(environment.keySet())) {
        if (key.startsWith(PREFIX) && !KEYS.contains(key)) {
          problems.add("unknown key: key=" + key + ", known=" + new TreeSet<>(KEYS));
        }
      }
      AgentConfig config =
          new AgentConfig(
              hostPort(COLLECTOR, new HostPort("127.0.0.1", 4317)),
              hostPort(LISTEN, new HostPort("127.0.0.1", 9464)),
              text(ID),
              text(HOST_NAME),
              containerRoots(),
              ports(),
              runDirectory(),
              duration(PARENT_WAIT, Duration.ofSeconds(10)),
              duration(IDENTITY_WAIT, Duration.ofSeconds(10)),
              number(BATCH_SPANS, 5_000, 1, 50_000),
              duration(BATCH_AGE, Duration.ofSeconds(1)),
              number(QUEUE_MIB, 64, 1, 1 << 20) * MIB,
              number(QUEUE_BATCHES, 4_096, 1, 1_000_000),
              number(IN_FLIGHT, 8, 1, 1_000),
              duration(ACKNOWLEDGE_TIMEOUT, Duration.ofSeconds(30)),
              compressed(),
              duration(CLOSE_TIMEOUT, Duration.ofSeconds(5)));
      if (!problems.isEmpty()) {
        throw new AgentException(
            AgentException.Kind.CONFIGURATION,
            "the agent's settings are wrong: " + String.join("; ", problems));
      }
      return config;
    }

    private HostPort hostPort(String key, HostPort byDefault) {
      return value(key, byDefault, HostPort::parse, "host:port");
    }

    private Duration duration(String key, Duration byDefault) {
      return value(key, byDefault, Reader::parseDuration, "a number and ms, s or m");
    }

    private static @Nullable Duration parseDuration(String text) {
      Matcher matcher = DURATION.matcher(text);
      if (!matcher.matches()) {
        return null;
      }
      long amount = Long.parseLong(matcher.group("amount"));
      return switch (matcher.group("unit")) {
        case "ms" -> Duration.ofMillis(amount);
        case "s" -> Duration.ofSeconds(amount);
        default -> Duration.ofMinutes(amount);
      };
    }

    private int number(String key, int byDefault, int min, int max) {
      return value(key, byDefault, text -> parseNumber(text, min, max), min + " to " + max);
    }

    private static @Nullable Integer parseNumber(String text, int min, int max) {
      if (!text.matches("\\d{1,9}")) {
        return null;
      }
      int number = Integer.parseInt(text);
      return number < min || number > max ? null : number;
    }

    private boolean compressed() {
      return value(
          COMPRESSION,
          true,
          text ->
              switch (text) {
                case "zstd" -> true;
                case "none" -> false;
                default -> null;
              },
          "zstd or none");
    }

    private Path runDirectory() {
      return value(
          RUN_DIR,
          Path.of("/run/headspan"),
          text -> text.startsWith("/") ? Path.of(text) : null,
          "an absolute path");
    }

    private List<String> containerRoots() {
      return value(
          CONTAINER_ROOTS,
          IdentitySettings.DEFAULT_STATE_ROOTS,
          text -> {
            List<String> roots = items(text);
            return roots.stream().allMatch(root -> root.startsWith("/")) ? roots : null;
          },
          "absolute paths, comma separated");
    }

    private Set<Integer> ports() {
      return value(
          EXCLUDED_PORTS,
          Set.of(),
          text -> {
            Set<Integer> ports = new TreeSet<>();
            for (String item : items(text)) {
              Integer port = parseNumber(item, 1, PORT_MAX);
              if (port == null) {
                return null;
              }
              ports.add(port);
            }
            return ports;
          },
          "ports, comma separated");
    }

    private static List<String> items(String text) {
      List<String> items = new ArrayList<>();
      for (String item : text.split(",", -1)) {
        if (!item.isBlank()) {
          items.add(item.strip());
        }
      }
      return items;
    }

    private <T> T value(
        String key, T byDefault, Function<String, @Nullable T> parse, String wanted) {
      String text = text(key);
      if (text == null) {
        return byDefault;
      }
      T value = parse.apply(text);
      if (value == null) {
        problems.add("bad value: " + key + "=" + text + ", want=" + wanted);
        return byDefault;
      }
      return value;
    }

    private @Nullable String text(String key) {
      String text = environment.get(key);
      return text == null || text.isBlank() ? null : text.strip();
    }
  }
}
