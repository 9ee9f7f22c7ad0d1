package io.headspan.wasm;

import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/// How the executor runs. [#from] reads it from `HEADSPAN_WASM_*` variables and `HEADSPAN_RUN_DIR`;
/// `docs/wasm-functions.md` lists them.
///
/// @param listenHost where to listen
/// @param listenPort 0 for any free port
/// @param runDirectory where the agent looks for running executors
/// @param threads how many guests run at once
/// @param stackBytes the stack of each
/// @param queueLength how many invocations may wait for a thread
/// @param tenantInvocations how many invocations of one tenant may run or wait
/// @param deadline of a function that was deployed without one
/// @param deadlineMax the longest that a function may be deployed with
/// @param memoryPages of a function that was deployed without a limit, 64 KiB each
/// @param memoryPagesMax the most that a function may be deployed with
/// @param memoryTotalBytes what all guests together may have written
/// @param moduleBytesMax the largest module
/// @param requestBytesMax the largest request body
/// @param responseBytesMax the largest response body
/// @param functionsMax how many functions can be deployed
public record WasmConfig(
    String listenHost,
    int listenPort,
    Path runDirectory,
    int threads,
    int stackBytes,
    int queueLength,
    int tenantInvocations,
    Duration deadline,
    Duration deadlineMax,
    int memoryPages,
    int memoryPagesMax,
    long memoryTotalBytes,
    int moduleBytesMax,
    int requestBytesMax,
    int responseBytesMax,
    int functionsMax) {
  private static final String PREFIX = "HEADSPAN_WASM_";
  private static final String RUN_DIRECTORY = "HEADSPAN_RUN_DIR";
  private static final int PAGES_PER_MIB = 16;
  private static final int KIB = 1 << 10;
  private static final long MIB = 1 << 20;

  /// Reads the configuration. `HEADSPAN_*` variables of other roles are left alone.
  ///
  /// @throws IllegalArgumentException listing everything that is wrong
  public static WasmConfig from(Map<String, String> environment) {
    Reader reader = new Reader(environment);
    InetSocketAddress listen = reader.address("LISTEN", "127.0.0.1", 8085);
    WasmConfig config =
        new WasmConfig(
            listen.getHostString(),
            listen.getPort(),
            Path.of(environment.getOrDefault(RUN_DIRECTORY, "/run/headspan")),
            reader.number("THREADS", defaultThreads(), 1, 1_024),
            reader.number("STACK_KIB", 1_024, 256, 65_536) * KIB,
            reader.number("QUEUE", 256, 1, 1_000_000),
            reader.number("TENANT_INVOCATIONS", 64, 1, 1_000_000),
            Duration.ofMillis(reader.number("DEADLINE_MILLIS", 10_000, 1, 86_400_000)),
            Duration.ofMillis(reader.number("DEADLINE_MAX_MILLIS", 60_000, 1, 86_400_000)),
            reader.number("MEMORY_MIB", 64, 1, 2_047) * PAGES_PER_MIB,
            reader.number("MEMORY_MAX_MIB", 512, 1, 2_047) * PAGES_PER_MIB,
            reader.number("MEMORY_TOTAL_MIB", defaultMemoryTotalMib(), 1, 1 << 24) * MIB,
            reader.number("MODULE_MAX_KIB", 4_096, 1, 65_536) * KIB,
            reader.number("REQUEST_MAX_KIB", 6_144, 1, 1 << 20) * KIB,
            reader.number("RESPONSE_MAX_KIB", 6_144, 1, 1 << 20) * KIB,
            reader.number("FUNCTIONS_MAX", 1_000, 1, 1_000_000));
    reader.check(
        config.deadline().compareTo(config.deadlineMax()) <= 0,
        "DEADLINE_MILLIS is larger than " + PREFIX + "DEADLINE_MAX_MILLIS");
    reader.check(
        config.memoryPages() <= config.memoryPagesMax(),
        "MEMORY_MIB is larger than " + PREFIX + "MEMORY_MAX_MIB");
    reader.finish();
    return config;
  }

  /// Guests compute, and the kernel shares the processors fairly among threads; more threads than
  /// processors let one that sleeps or runs long not hold up the rest.
  private static int defaultThreads() {
    return Math.max(4, 2 * Runtime.getRuntime().availableProcessors());
  }

  private static int defaultMemoryTotalMib() {
    return (int) Math.max(1, Runtime.getRuntime().maxMemory() / 2 / MIB);
  }

  /// Takes values out of the environment and remembers every problem.
  private static final class Reader {
    private final Map<String, String> environment;
    private final TreeSet<String> unread = new TreeSet<>();
    private final List<String> problems = new ArrayList<>();

    Reader(Map<String, String> environment) {
      this.environment = environment;
      environment.keySet().stream().filter(k -> k.startsWith(PREFIX)).forEach(unread::add);
    }

    int number(String key, int fallback, int min, int max) {
      String text = take(key, Integer.toString(fallback));
      try {
        int value = Integer.parseInt(text.strip());
        if (value >= min && value <= max) {
          return value;
        }
      } catch (NumberFormatException e) {
        // Falls through: not a number is out of range, too.
      }
      problems.add(PREFIX + key + "=" + text + " is not a whole number from " + min + " to " + max);
      return fallback;
    }

    InetSocketAddress address(String key, String host, int port) {
      String text = take(key, host + ":" + port).strip();
      int colon = text.lastIndexOf(':');
      if (colon > 0) {
        try {
          int value = Integer.parseInt(text.substring(colon + 1));
          String name = text.substring(0, colon);
          if (value >= 0 && value <= 65_535) {
            return InetSocketAddress.createUnresolved(
                name.startsWith("[") && name.endsWith("]")
                    ? name.substring(1, name.length() - 1)
                    : name,
                value);
          }
        } catch (NumberFormatException e) {
          // Falls through: the message below covers it.
        }
      }
      problems.add(PREFIX + key + "=" + text + " is not host:port, such as " + host + ":" + port);
      return InetSocketAddress.createUnresolved(host, port);
    }

    void check(boolean holds, String problem) {
      if (!holds) {
        problems.add(PREFIX + problem);
      }
    }

    void finish() {
      unread.forEach(key -> problems.add(key + " is not a variable that the executor knows"));
      if (!problems.isEmpty()) {
        throw new IllegalArgumentException(
            "the configuration of the Wasm executor is wrong: " + String.join("; ", problems));
      }
    }

    private String take(String key, String fallback) {
      unread.remove(PREFIX + key);
      return environment.getOrDefault(PREFIX + key, fallback);
    }
  }
}
