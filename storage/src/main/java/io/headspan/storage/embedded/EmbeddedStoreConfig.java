package io.headspan.storage.embedded;

import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// How to run the embedded store.
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
/// @param maxConcurrent `HEADSPAN_STORE_MAX_CONCURRENT`, statements that run at once, 16 unless
///   given
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
    Path library) {
  static final String PREFIX = "HEADSPAN_STORE_";
  static final String LISTEN = PREFIX + "LISTEN";
  static final String PATH = PREFIX + "PATH";
  static final String REMOTE = PREFIX + "REMOTE";
  static final String EXTERNAL = PREFIX + "EXTERNAL";
  static final String MEMORY_MIB = PREFIX + "MEMORY_MIB";
  static final String MARK_CACHE_MIB = PREFIX + "MARK_CACHE_MIB";
  static final String BACKGROUND_THREADS = PREFIX + "BACKGROUND_THREADS";
  static final String MAX_CONCURRENT = PREFIX + "MAX_CONCURRENT";

  /// Reads the configuration, unset variables having their defaults.
  ///
  /// @throws IllegalArgumentException listing everything that is wrong, unknown `HEADSPAN_STORE_*`
  ///   variables included
  /// @throws io.headspan.storage.StoreException if libchdb is not there
  public static EmbeddedStoreConfig from(Map<String, String> environment) {
    Reader reader = new Reader(environment);
    String listen = reader.text(LISTEN, "127.0.0.1:8123");
    int colon = listen.lastIndexOf(':');
    String host = colon < 0 ? "" : listen.substring(0, colon).replaceAll("^\\[|\\]$", "");
    int port = colon < 0 ? -1 : reader.number(LISTEN, listen.substring(colon + 1), 0, 65535);
    boolean remote = reader.flag(REMOTE);
    if (host.isEmpty()) {
      reader.problem(LISTEN + " is not host:port: value=" + listen);
    } else if (!remote && !isLoopback(host)) {
      reader.problem(
          LISTEN
              + " is not a loopback address: host="
              + host
              + "; the store knows no users, set "
              + REMOTE
              + "=true to let everybody in who can reach it");
    }
    Path path = Path.of(reader.text(PATH, defaultPath(environment)));
    boolean external = reader.flag(EXTERNAL);
    int memoryMib = reader.integer(MEMORY_MIB, defaultMemoryMib(), 512, 1 << 24);
    int markCacheMib = reader.integer(MARK_CACHE_MIB, 256, 1, 1 << 20);
    int cpus = Runtime.getRuntime().availableProcessors();
    int background = reader.integer(BACKGROUND_THREADS, Math.max(2, cpus), 1, 1024);
    int maxConcurrent = reader.integer(MAX_CONCURRENT, 16, 1, 1024);
    reader.finish();
    return new EmbeddedStoreConfig(
        host,
        port,
        path,
        remote,
        external,
        memoryMib,
        markCacheMib,
        background,
        maxConcurrent,
        LibChdbFile.locate(environment));
  }

  EngineLimits limits() {
    return new EngineLimits((long) memoryMib << 20, (long) markCacheMib << 20, backgroundThreads);
  }

  private static boolean isLoopback(String host) {
    try {
      return InetAddress.getByName(host).isLoopbackAddress();
    } catch (UnknownHostException e) {
      // Not ours to judge here; binding will say what is wrong with it.
      return false;
    }
  }

  private static String defaultPath(Map<String, String> environment) {
    String data = environment.getOrDefault("XDG_DATA_HOME", "");
    Path base =
        data.isEmpty()
            ? Path.of(
                environment.getOrDefault("HOME", System.getProperty("user.home")),
                ".local",
                "share")
            : Path.of(data);
    return base.resolve("headspan").resolve("store").toString();
  }

  private static int defaultMemoryMib() {
    if (ManagementFactory.getOperatingSystemMXBean()
        instanceof com.sun.management.OperatingSystemMXBean machine) {
      return (int) Math.max(512, (machine.getTotalMemorySize() / 2) >> 20);
    }
    return 4096;
  }

  /// Takes variables and collects what is wrong with them.
  private static final class Reader {
    private final Map<String, String> left = new TreeMap<>();
    private final List<String> problems = new ArrayList<>();

    Reader(Map<String, String> environment) {
      environment.forEach((key, value) -> {
        if (key.startsWith(PREFIX)) {
          left.put(key, value);
        }
      });
    }

    String text(String key, String otherwise) {
      String value = left.remove(key);
      return value == null || value.isEmpty() ? otherwise : value;
    }

    boolean flag(String key) {
      String value = text(key, "false");
      if (!value.equals("true") && !value.equals("false")) {
        problem(key + " is neither true nor false: value=" + value);
      }
      return value.equals("true");
    }

    int integer(String key, int otherwise, int min, int max) {
      String value = text(key, "");
      return value.isEmpty() ? otherwise : number(key, value, min, max);
    }

    int number(String key, String value, int min, int max) {
      try {
        int number = Integer.parseInt(value);
        if (number >= min && number <= max) {
          return number;
        }
      } catch (NumberFormatException e) {
        // Reported below like a number out of range.
      }
      problem(key + " is not a number from " + min + " to " + max + ": value=" + value);
      return min;
    }

    void problem(String text) {
      problems.add(text);
    }

    void finish() {
      left.keySet().forEach(key -> problem(key + " is unknown"));
      if (!problems.isEmpty()) {
        throw new IllegalArgumentException(
            "store configuration is wrong: " + String.join("; ", problems));
      }
    }
  }
}
