package io.headspan.wire.config;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// A host, by name or address, and a port.
///
/// @param host an IPv6 address without brackets
/// @param port 0 to 65535
public record HostPort(String host, int port) {
  /// The largest port.
  public static final int PORT_MAX = 65_535;

  private static final Pattern PATTERN =
      Pattern.compile(
          "(?:\\[(?<v6>[0-9A-Fa-f:.%a-z]+)]|(?<host>[^:\\[\\]\\s/]+)):(?<port>[0-9]{1,5})");

  /// Reads `host:port`, an IPv6 address being in brackets; null if the text is something else.
  public static @Nullable HostPort parse(String text) {
    Matcher matcher = PATTERN.matcher(text);
    if (!matcher.matches()) {
      return null;
    }
    String v6 = matcher.group("v6");
    int port = Integer.parseInt(matcher.group("port"));
    return port > PORT_MAX ? null : new HostPort(v6 == null ? matcher.group("host") : v6, port);
  }

  /// Whether it is of this machine only. A host that is not known counts as such: to listen there
  /// fails too, and says so.
  public boolean isLoopback() {
    try {
      return InetAddress.getByName(host).isLoopbackAddress();
    } catch (UnknownHostException _) {
      return true;
    }
  }

  /// `host:port`, as [#parse] reads it.
  @Override
  public String toString() {
    return (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
  }
}
