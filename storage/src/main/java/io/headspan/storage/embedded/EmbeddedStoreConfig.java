package io.headspan.storage.embedded;

import io.headspan.wire.config.HostPort;
import io.headspan.wire.config.SettingSources;
import io.headspan.wire.config.Settings;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/// How to run the embedded store: defaults, a YAML file (`--config`, `HEADSPAN_STORE_CONFIG`), the
/// environment and the command line. A setting called `HEADSPAN_STORE_PATH` here is `path` in the
/// file.
///
/// @param host `HEADSPAN_STORE_LISTEN`, address to listen on, 127.0.0.1 unless given
/// @param port `HEADSPAN_STORE_LISTEN`, port to listen on, 8123 unless given; 0 takes a free one
/// @param path `HEADSPAN_STORE_PATH`, the data directory,
///   `${XDG_DATA_HOME:-$HOME/.local/share}/headspan/store` unless given
/// @param remote `HEADSPAN_STORE_REMOTE`, whether to listen on other than loopback addresses: the
///   store knows no users, so whoever reaches it can do anything
/// @param external `HEADSPAN_STORE_EXTERNAL`, whether statements may read and write files, connect
///   elsewhere and run programs
/// @param memoryMib `HEADSPAN_STORE_MEMORY_MIB`, the most memory of the process, half of the
///   machine's unless given
/// @param markCacheMib `HEADSPAN_STORE_MARK_CACHE_MIB`, cache of index marks, 256 unless given
/// @param backgroundThreads `HEADSPAN_STORE_BACKGROUND_THREADS`, threads that merge parts, one for
///   each CPU, at least 2, unless given
/// @param maxConcurrent `HEADSPAN_STORE_MAX_CONCURRENT`, statements that run at once, and as many
///   INSERTs beside them, 16 unless given
/// @param engineConfig `HEADSPAN_STORE_ENGINE_CONFIG`, a file of settings for the engine in
///   ClickHouse's own XML: what a cluster is made of, say
/// @param library the file of libchdb, from `HEADSPAN_LIBCHDB`, else where `./dev setup` puts it
public record EmbeddedStoreConfig(
    String host,
    int port,
    Path path,
    boolean remote,
    boolean external,
    int memoryMib,
    int markCacheMib,
    int backgroundThreads,
    int maxConcurrent,
    Optional<Path> engineConfig,
    Path library) {
  static final String PREFIX = "HEADSPAN_STORE_";
  static final String LISTEN = PREFIX + "LISTEN";
  static final String PATH = PREFIX + "PATH";

  /// Reads the settings from environment variables, and the file that they name.
  ///
  /// @throws IllegalArgumentException listing everything that is wrong
  /// @throws io.headspan.storage.StoreException if libchdb is not there
  public static EmbeddedStoreConfig from(Map<String, String> environment) {
    return from(SettingSources.of(environment));
  }

  /// Reads the settings; those not set have their defaults.
  ///
  /// @throws IllegalArgumentException listing everything that is wrong
  /// @throws io.headspan.storage.StoreException if libchdb is not there
  public static EmbeddedStoreConfig from(SettingSources sources) {
    Settings settings = Settings.of("store", sources);
    HostPort listen = settings.hostPort("listen", new HostPort("127.0.0.1", 8123));
    boolean remote = settings.flag("remote", false);
    if (!remote && !isLoopback(listen.host())) {
      settings.problem(
          "listen",
          "not a loopback address, and the store knows no users (set "
              + settings.variable("remote")
              + "=true to let everybody in who can reach it)");
    }
    Path path = settings.value("path", defaultPath(sources.environment()), Path::of, "a path");
    boolean external = settings.flag("external", false);
    int memoryMib = settings.number("memory_mib", defaultMemoryMib(), 512, 1 << 24);
    int markCacheMib = settings.number("mark_cache_mib", 256, 1, 1 << 20);
    int cpus = Runtime.getRuntime().availableProcessors();
    int background = settings.number("background_threads", Math.max(2, cpus), 1, 1024);
    int maxConcurrent = settings.number("max_concurrent", 16, 1, 1024);
    Optional<Path> engineConfig = settings.text("engine_config").map(Path::of);
    settings.finish("the store", IllegalArgumentException::new);
    return new EmbeddedStoreConfig(
        listen.host(),
        listen.port(),
        path,
        remote,
        external,
        memoryMib,
        markCacheMib,
        background,
        maxConcurrent,
        engineConfig,
        LibChdbFile.locate(sources.environment()));
  }

  EngineLimits limits() {
    return new EngineLimits(
        (long) memoryMib << 20, (long) markCacheMib << 20, backgroundThreads, engineConfig);
  }

  private static boolean isLoopback(String host) {
    try {
      return InetAddress.getByName(host).isLoopbackAddress();
    } catch (UnknownHostException e) {
      // Not ours to judge here; binding will say what is wrong with it.
      return false;
    }
  }

  private static Path defaultPath(Map<String, String> environment) {
    String data = environment.getOrDefault("XDG_DATA_HOME", "");
    Path base =
        data.isEmpty()
            ? Path.of(
                environment.getOrDefault("HOME", System.getProperty("user.home")),
                ".local",
                "share")
            : Path.of(data);
    return base.resolve("headspan").resolve("store");
  }

  private static int defaultMemoryMib() {
    if (ManagementFactory.getOperatingSystemMXBean()
        instanceof com.sun.management.OperatingSystemMXBean machine) {
      return (int) Math.max(512, (machine.getTotalMemorySize() / 2) >> 20);
    }
    return 4096;
  }
}
