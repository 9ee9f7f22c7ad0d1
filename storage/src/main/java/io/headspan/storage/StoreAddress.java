package io.headspan.storage;

import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;

/// Where the store is: an HTTP interface of ClickHouse, or of the embedded engine.
///
/// @param secure whether to speak TLS
/// @param host name or address, an IPv6 one without brackets
/// @param port the port of the HTTP interface
/// @param database the database that holds the tables
/// @param user the user to log in as
/// @param password the user's password, "" for none
public record StoreAddress(
    boolean secure, String host, int port, String database, String user, String password) {
  /// The database of an address that names none.
  public static final String DEFAULT_DATABASE = "headspan";

  private static final String FORM = "http[s]://[user[:password]@]host[:port][/database]";
  private static final int DEFAULT_PORT = 8123;
  private static final int DEFAULT_TLS_PORT = 8443;

  public StoreAddress {
    if (host.isEmpty()) {
      throw new IllegalArgumentException("store address without a host: expected=" + FORM);
    }
    if (port < 1 || port > 65535) {
      throw new IllegalArgumentException("store port out of range: port=" + port);
    }
    if (!database.matches("[A-Za-z_][A-Za-z0-9_]*")) {
      throw new IllegalArgumentException(
          "store database is not a plain name: database=" + database + ", expected=" + FORM);
    }
  }

  /// Reads `http[s]://[user[:password]@]host[:port][/database]`.
  ///
  /// @throws IllegalArgumentException if the text has another form
  public static StoreAddress parse(String text) {
    URI uri;
    try {
      uri = URI.create(text);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("not a store address: expected=" + FORM, e);
    }
    String scheme = uri.getScheme();
    boolean secure = "https".equals(scheme);
    if ((!secure && !"http".equals(scheme))
        || uri.getHost() == null
        || uri.getRawQuery() != null
        || uri.getRawFragment() != null) {
      throw new IllegalArgumentException(
          "not a store address: address=" + withoutCredentials(text) + ", expected=" + FORM);
    }
    String host = uri.getHost();
    if (host.startsWith("[")) {
      host = host.substring(1, host.length() - 1);
    }
    int port = uri.getPort();
    if (port == -1) {
      port = secure ? DEFAULT_TLS_PORT : DEFAULT_PORT;
    }
    String path = uri.getPath() == null ? "" : uri.getPath();
    String database = path.startsWith("/") ? path.substring(1) : path;
    String user = "default";
    String password = "";
    String credentials = uri.getRawUserInfo();
    if (credentials != null) {
      int colon = credentials.indexOf(':');
      user = decode(colon < 0 ? credentials : credentials.substring(0, colon));
      password = colon < 0 ? "" : decode(credentials.substring(colon + 1));
    }
    return new StoreAddress(
        secure, host, port, database.isEmpty() ? DEFAULT_DATABASE : database, user, password);
  }

  /// The same store with another database.
  public StoreAddress withDatabase(String name) {
    return new StoreAddress(secure, host, port, name, user, password);
  }

  /// The address without path and credentials, as HTTP clients want it.
  String endpoint() {
    String bracketed = host.indexOf(':') < 0 ? host : "[" + host + "]";
    return (secure ? "https://" : "http://") + bracketed + ":" + port;
  }

  /// The address without user and password, fit for messages and logs.
  @Override
  public String toString() {
    return endpoint() + "/" + database;
  }

  private static String decode(String text) {
    return URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
  }

  private static String withoutCredentials(String text) {
    return text.replaceFirst("//.*@", "//");
  }
}
