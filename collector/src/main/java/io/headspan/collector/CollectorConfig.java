package io.headspan.collector;

import io.headspan.storage.StoreAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The settings of a collector.
///
/// @param host name or address to listen on, `HEADSPAN_COLLECTOR_LISTEN` (`host:port`, IPv6 in
///   brackets)
/// @param port the port to listen on, 0 for any free one
/// @param store where spans go, `HEADSPAN_COLLECTOR_STORE` (`http://[user:password@]host:port`)
/// @param messageBytes the largest message, on the wire and expanded,
///   `HEADSPAN_COLLECTOR_MESSAGE_MIB`
/// @param inFlightBytes received and not answered, all senders together; above it senders are
///   stopped, `HEADSPAN_COLLECTOR_IN_FLIGHT_MIB`
/// @param streamBytes memory of one OTel-Arrow stream's dictionaries,
///   `HEADSPAN_COLLECTOR_STREAM_MIB`
/// @param inserters inserts at the same time, `HEADSPAN_COLLECTOR_INSERTERS`
/// @param closeTimeout how long closing waits for what is under way,
///   `HEADSPAN_COLLECTOR_CLOSE_TIMEOUT` (`10s`, `500ms`, `1m`)
public record CollectorConfig(
    String host,
    int port,
    StoreAddress store,
    int messageBytes,
    long inFlightBytes,
    long streamBytes,
    int inserters,
    Duration closeTimeout) {
  static final String PREFIX = "HEADSPAN_COLLECTOR_";
  static final String LISTEN = PREFIX + "LISTEN";
  static final String STORE = PREFIX + "STORE";
  static final String MESSAGE_MIB = PREFIX + "MESSAGE_MIB";
  static final String IN_FLIGHT_MIB = PREFIX + "IN_FLIGHT_MIB";
  static final String STREAM_MIB = PREFIX + "STREAM_MIB";
  static final String INSERTERS = PREFIX + "INSERTERS";
  static final String CLOSE_TIMEOUT = PREFIX + "CLOSE_TIMEOUT";

  private static final Set<String> KEYS =
      Set.of(LISTEN, STORE, MESSAGE_MIB, IN_FLIGHT_MIB, STREAM_MIB, INSERTERS, CLOSE_TIMEOUT);

  private static final int MIB = 1024 * 1024;
  private static final Pattern HOST_AND_PORT =
      Pattern.compile("(?:\\[(?<v6>[0-9A-Fa-f:.%a-z]+)]|(?<host>[^:\\[\\]]+)):(?<port>[0-9]{1,5})");
  private static final Pattern DURATION = Pattern.compile("(?<amount>[0-9]{1,9})(?<unit>ms|s|m)");

  /// Reads the settings from environment variables; those not set have their defaults, variables
  /// without the prefix are not looked at.
  ///
  /// @throws CollectorException that names every unknown key and every bad value
  public static CollectorConfig from(Map<String, String> environment) {
    return new Reader(environment).read();
  }

  private static final class Reader {
    private final Map<String, String> environment;
    private final List<String> problems = new ArrayList<>();

    private Reader(Map<String, String> environment) {
      this.environment = environment;
    }

    private CollectorConfig read() {
      for (String key : new TreeSet<>(environment.keySet())) {
        if (key.startsWith(PREFIX) && !KEYS.contains(key)) {
          problems.add("unknown key: key=" + key + ", known=" + new TreeSet<>(KEYS));
        }
      }
      String listen = text(LISTEN, "127.0.0.1:4317");
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
      int messageMib = number(MESSAGE_MIB, 16, 1, 1024);
      int inFlightMib = number(IN_FLIGHT_MIB, 128, 1, 1024 * 1024);
      int streamMib = number(STREAM_MIB, 128, 1, 1024 * 1024);
      int inserters = number(INSERTERS, 4, 1, 64);
      Duration closeTimeout = duration(CLOSE_TIMEOUT, "10s");
      if (!problems.isEmpty()) {
        throw new CollectorException(
            CollectorException.Kind.CONFIGURATION,
            "the collector's settings are wrong: " + String.join("; ", problems));
      }
      return new CollectorConfig(
          host,
          port,
          store,
          messageMib * MIB,
          (long) inFlightMib * MIB,
          (long) streamMib * MIB,
          inserters,
          closeTimeout);
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

    private Duration duration(String key, String defaultText) {
      String text = text(key, defaultText);
      Matcher matcher = DURATION.matcher(text);
      if (!matcher.matches()) {
        problems.add("not a duration: " + key + "=" + text + ", want=a number and ms, s or m");
        return Duration.ZERO;
      }
      long amount = Long.parseLong(matcher.group("amount"));
      return switch (matcher.group("unit")) {
        case "ms" -> Duration.ofMillis(amount);
        case "s" -> Duration.ofSeconds(amount);
        default -> Duration.ofMinutes(amount);
      };
    }

    private int number(String key, int defaultValue, int min, int max) {
      String text = text(key, String.valueOf(defaultValue));
      try {
        int value = Integer.parseInt(text);
        if (value >= min && value <= max) {
          return value;
        }
      } catch (NumberFormatException e) {
        // Reported below, like a number out of range.
      }
      problems.add("not a number in range: " + key + "=" + text + ", want=" + min + ".." + max);
      return defaultValue;
    }

    private String text(String key, String defaultText) {
      String text = environment.get(key);
      return text == null ? defaultText : text.strip();
    }
  }
}
