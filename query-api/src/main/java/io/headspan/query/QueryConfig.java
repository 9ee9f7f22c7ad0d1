package io.headspan.query;

import io.headspan.query.http.QueryLimits;
import io.headspan.storage.StoreAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The settings of a query API.
///
/// @param host name or address to listen on, `HEADSPAN_QUERY_LISTEN` (`host:port`, IPv6 in
///   brackets)
/// @param port the port to listen on, 0 for any free one
/// @param store where spans are, `HEADSPAN_QUERY_STORE` (`http://[user:password@]host:port`)
/// @param threads queries at the same time, `HEADSPAN_QUERY_THREADS`
/// @param waiting requests that may wait for one of those threads; more are refused with 429,
///   `HEADSPAN_QUERY_WAITING`
/// @param limits what one query may use: `HEADSPAN_QUERY_TIMEOUT` (`30s`, `500ms`, `1m`),
///   `HEADSPAN_QUERY_MEMORY_MIB`, `HEADSPAN_QUERY_TRACE_SPANS`
public record QueryConfig(
    String host, int port, StoreAddress store, int threads, int waiting, QueryLimits limits) {
  static final String PREFIX = "HEADSPAN_QUERY_";
  static final String LISTEN = PREFIX + "LISTEN";
  static final String STORE = PREFIX + "STORE";
  static final String THREADS = PREFIX + "THREADS";
  static final String WAITING = PREFIX + "WAITING";
  static final String TIMEOUT = PREFIX + "TIMEOUT";
  static final String MEMORY_MIB = PREFIX + "MEMORY_MIB";
  static final String TRACE_SPANS = PREFIX + "TRACE_SPANS";

  private static final Pattern HOST_AND_PORT =
      Pattern.compile("(?:\\[(?<v6>[0-9A-Fa-f:.%a-z]+)]|(?<host>[^:\\[\\]]+)):(?<port>[0-9]{1,5})");
  private static final Pattern DURATION = Pattern.compile("(?<amount>[0-9]{1,9})(?<unit>ms|s|m)");

  /// Reads the settings from environment variables; those not set have their defaults, variables
  /// without the prefix are not looked at.
  ///
  /// @throws QueryException that names every unknown key and every bad value
  public static QueryConfig from(Map<String, String> environment) {
    return new Reader(environment).read();
  }

  private static final class Reader {
    private final Map<String, String> left = new TreeMap<>();
    private final List<String> problems = new ArrayList<>();

    private Reader(Map<String, String> environment) {
      environment.forEach((key, value) -> {
        if (key.startsWith(PREFIX)) {
          left.put(key, value.strip());
        }
      });
    }

    private QueryConfig read() {
      String listen = text(LISTEN, "127.0.0.1:3200");
      Matcher hostAndPort = HOST_AND_PORT.matcher(listen);
      String host = "";
      int port = 0;
      if (hostAndPort.matches()) {
        String v6 = hostAndPort.group("v6");
        host = v6 != null ? v6 : hostAndPort.group("host");
        port = Integer.parseInt(hostAndPort.group("port"));
      }
      if (host.isEmpty() || port > 65535) {
        problems.add("not an address to listen on: " + LISTEN + "=" + listen + ", want=host:port");
      }
      StoreAddress store = store();
      int threads = number(THREADS, 8, 1, 1024);
      int waiting = number(WAITING, 64, 1, 100_000);
      Duration timeout = duration(TIMEOUT, "30s");
      int memoryMib = number(MEMORY_MIB, 1024, 16, 1 << 20);
      int traceSpans = number(TRACE_SPANS, 50_000, 1, 1_000_000);
      left.keySet().forEach(key -> problems.add("unknown key: key=" + key));
      if (!problems.isEmpty()) {
        throw new QueryException(
            QueryException.Kind.CONFIGURATION,
            "the query API's settings are wrong: " + String.join("; ", problems));
      }
      return new QueryConfig(
          host,
          port,
          store,
          threads,
          waiting,
          new QueryLimits(timeout, (long) memoryMib << 20, traceSpans));
    }

    private StoreAddress store() {
      String text = text(STORE, "http://127.0.0.1:8123");
      try {
        return StoreAddress.parse(text);
      } catch (IllegalArgumentException e) {
        problems.add(STORE + ": " + e.getMessage());
        return StoreAddress.parse("http://unused");
      }
    }

    private Duration duration(String key, String otherwise) {
      String text = text(key, otherwise);
      Matcher matcher = DURATION.matcher(text);
      if (!matcher.matches() || Long.parseLong(matcher.group("amount")) == 0) {
        problems.add("not a duration: " + key + "=" + text + ", want=a number and ms, s or m");
        return Duration.ofSeconds(1);
      }
      long amount = Long.parseLong(matcher.group("amount"));
      return switch (matcher.group("unit")) {
        case "ms" -> Duration.ofMillis(amount);
        case "s" -> Duration.ofSeconds(amount);
        default -> Duration.ofMinutes(amount);
      };
    }

    private int number(String key, int otherwise, int min, int max) {
      String text = text(key, String.valueOf(otherwise));
      try {
        int value = Integer.parseInt(text);
        if (value >= min && value <= max) {
          return value;
        }
      } catch (NumberFormatException _) {
        // Reported below, like a number out of range.
      }
      problems.add("not a number in range: " + key + "=" + text + ", want=" + min + ".." + max);
      return otherwise;
    }

    private String text(String key, String otherwise) {
      String value = left.remove(key);
      return value == null || value.isEmpty() ? otherwise : value;
    }
  }
}
