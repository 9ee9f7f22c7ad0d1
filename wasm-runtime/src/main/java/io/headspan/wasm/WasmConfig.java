package io.headspan.wasm;

import io.headspan.wire.config.HostPort;
import io.headspan.wire.config.SettingSources;
import io.headspan.wire.config.Settings;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;

/// How the executor runs: defaults, a YAML file (`--config`, `HEADSPAN_WASM_CONFIG`),
/// `HEADSPAN_WASM_*` variables and `HEADSPAN_RUN_DIR`, and the command line.
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
  private static final int PAGES_PER_MIB = 16;
  private static final int KIB = 1 << 10;
  private static final long MIB = 1 << 20;

  /// Reads the settings from environment variables, and the file that they name.
  ///
  /// @throws IllegalArgumentException listing everything that is wrong
  public static WasmConfig from(Map<String, String> environment) {
    return from(SettingSources.of(environment));
  }

  /// Reads the settings; those not set have their defaults.
  ///
  /// @throws IllegalArgumentException listing everything that is wrong
  public static WasmConfig from(SettingSources sources) {
    Settings settings = Settings.of("wasm", sources);
    settings.share("run_dir", "HEADSPAN_RUN_DIR");
    HostPort listen = settings.hostPort("listen", new HostPort("127.0.0.1", 8085));
    WasmConfig config =
        new WasmConfig(
            listen.host(),
            listen.port(),
            settings.absolutePath("run_dir", Path.of("/run/headspan")),
            settings.number("threads", defaultThreads(), 1, 1_024),
            settings.number("stack_kib", 1_024, 256, 65_536) * KIB,
            settings.number("queue", 256, 1, 1_000_000),
            settings.number("tenant_invocations", 64, 1, 1_000_000),
            Duration.ofMillis(settings.number("deadline_millis", 10_000, 1, 86_400_000)),
            Duration.ofMillis(settings.number("deadline_max_millis", 60_000, 1, 86_400_000)),
            settings.number("memory_mib", 64, 1, 2_047) * PAGES_PER_MIB,
            settings.number("memory_max_mib", 512, 1, 2_047) * PAGES_PER_MIB,
            settings.number("memory_total_mib", defaultMemoryTotalMib(), 1, 1 << 24) * MIB,
            settings.number("module_max_kib", 4_096, 1, 65_536) * KIB,
            settings.number("request_max_kib", 6_144, 1, 1 << 20) * KIB,
            settings.number("response_max_kib", 6_144, 1, 1 << 20) * KIB,
            settings.number("functions_max", 1_000, 1, 1_000_000));
    if (config.deadline().compareTo(config.deadlineMax()) > 0) {
      settings.problem(
          "deadline_millis", "larger than " + settings.variable("deadline_max_millis"));
    }
    if (config.memoryPages() > config.memoryPagesMax()) {
      settings.problem("memory_mib", "larger than " + settings.variable("memory_max_mib"));
    }
    settings.finish("the Wasm executor", IllegalArgumentException::new);
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
}
