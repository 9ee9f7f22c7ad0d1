package io.headspan.storage;

import io.headspan.wire.config.HostPort;
import java.io.IOException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// Where the store is: the HTTP interface of a ClickHouse server, of each node of a cluster, or of
/// the embedded engine.
///
/// @param secure whether to speak TLS
/// @param nodes the HTTP interfaces, an IPv6 address without brackets; several only of a cluster
/// @param database the database that is read
/// @param user the user to log in as
/// @param password the user's password, "" for none
/// @param tls files for TLS, if not the JDK's authorities are to be trusted
/// @param cluster what the nodes make up; empty for a server that stands alone
public record StoreAddress(
    boolean secure,
    List<HostPort> nodes,
    String database,
    String user,
    String password,
    Tls tls,
    Optional<Cluster> cluster) {
  /// The database of an address that names none.
  public static final String DEFAULT_DATABASE = "headspan";

  /// Of a cluster's database: where the tables of a node's own shard are.
  private static final String SHARD_SUFFIX = "_shard";

  private static final String FORM =
      "http[s]://[user[:password]@]host[:port][,host[:port]...][/database]"
          + "[?cluster=name&replicated=false&password_file=file&password_env=variable"
          + "&ca=file&certificate=file&key=file]";
  private static final Pattern PATTERN =
      Pattern.compile(
          "(?<scheme>https?)://(?:(?<credentials>[^@/?#]*)@)?(?<nodes>[^@/?#]+)"
              + "(?:/(?<database>[^/?#]*))?(?:\\?(?<parameters>[^?#]*))?");
  private static final Pattern NAME = Pattern.compile("[A-Za-z_][A-Za-z0-9_]*");
  private static final Pattern CLUSTER_NAME = Pattern.compile("[A-Za-z0-9_.-]+");
  private static final int DEFAULT_PORT = 8123;
  private static final int DEFAULT_TLS_PORT = 8443;

  /// Files in PEM.
  ///
  /// @param authorities who may vouch for the nodes
  /// @param certificate what this program shows them
  /// @param key the certificate's
  public record Tls(Optional<Path> authorities, Optional<Path> certificate, Optional<Path> key) {
    /// The JDK's authorities, and no certificate.
    public static final Tls NONE = new Tls(Optional.empty(), Optional.empty(), Optional.empty());
  }

  /// Nodes that hold the data together.
  ///
  /// @param name as the nodes' `remote_servers` call it
  /// @param replicated whether tables are Replicated; without, each shard has one node and needs no
  ///   Keeper
  public record Cluster(String name, boolean replicated) {}

  public StoreAddress {
    nodes = List.copyOf(nodes);
    if (nodes.isEmpty()) {
      throw new IllegalArgumentException("store address without a host: expected=" + FORM);
    }
    for (HostPort node : nodes) {
      if (node.host().isEmpty()) {
        throw new IllegalArgumentException("store address without a host: expected=" + FORM);
      }
      if (node.port() < 1) {
        throw new IllegalArgumentException("store port out of range: port=" + node.port());
      }
    }
    if (new HashSet<>(nodes).size() < nodes.size()) {
      throw new IllegalArgumentException("store node is named twice: nodes=" + nodes);
    }
    if (nodes.size() > 1 && cluster.isEmpty()) {
      throw new IllegalArgumentException(
          "store address of several nodes without a cluster: nodes="
              + nodes
              + "; say which they make up with ?cluster=name (docs/deployment.md)");
    }
    if (!NAME.matcher(database).matches()) {
      throw new IllegalArgumentException(
          "store database is not a plain name: database=" + database + ", expected=" + FORM);
    }
    cluster.ifPresent(each -> {
      if (!CLUSTER_NAME.matcher(each.name()).matches()) {
        throw new IllegalArgumentException(
            "store cluster is not a plain name: cluster=" + each.name());
      }
    });
    if (!secure && !tls.equals(Tls.NONE)) {
      throw new IllegalArgumentException(
          "store address names files for TLS, but does not speak it: use https");
    }
    if (tls.certificate().isPresent() != tls.key().isPresent()) {
      throw new IllegalArgumentException(
          "store address needs both or neither: parameters=certificate, key");
    }
  }

  /// A server that stands alone.
  ///
  /// @param port the port of the HTTP interface
  public StoreAddress(
      boolean secure, String host, int port, String database, String user, String password) {
    this(
        secure,
        List.of(new HostPort(host, port)),
        database,
        user,
        password,
        Tls.NONE,
        Optional.empty());
  }

  /// Reads an address of the form that [#FORM] shows; docs/deployment.md says what its parts are.
  ///
  /// @throws IllegalArgumentException if the text has another form, or a file or variable that it
  ///   names for the password cannot be read
  public static StoreAddress parse(String text) {
    return parse(text, System.getenv());
  }

  static StoreAddress parse(String text, Map<String, String> environment) {
    Matcher matcher = PATTERN.matcher(text);
    if (!matcher.matches()) {
      throw malformed(text);
    }
    boolean secure = matcher.group("scheme").equals("https");
    List<HostPort> nodes = new ArrayList<>();
    for (String node : matcher.group("nodes").split(",", -1)) {
      boolean hasPort = node.lastIndexOf(':') > node.lastIndexOf(']');
      HostPort parsed =
          HostPort.parse(hasPort ? node : node + ":" + (secure ? DEFAULT_TLS_PORT : DEFAULT_PORT));
      if (parsed == null) {
        throw malformed(text);
      }
      nodes.add(parsed);
    }
    Map<String, String> parameters = parameters(text, matcher.group("parameters"));
    String user = "default";
    String password = "";
    String credentials = matcher.group("credentials");
    if (credentials != null) {
      int colon = credentials.indexOf(':');
      user = decode(colon < 0 ? credentials : credentials.substring(0, colon));
      password = colon < 0 ? "" : decode(credentials.substring(colon + 1));
    }
    password = password(parameters, password, environment);
    Tls tls =
        new Tls(
            Optional.ofNullable(parameters.remove("ca")).map(Path::of),
            Optional.ofNullable(parameters.remove("certificate")).map(Path::of),
            Optional.ofNullable(parameters.remove("key")).map(Path::of));
    boolean replicated = replicated(parameters);
    Optional<Cluster> cluster =
        Optional.ofNullable(parameters.remove("cluster"))
            .map(name -> new Cluster(name, replicated));
    if (!parameters.isEmpty()) {
      throw new IllegalArgumentException(
          "store address has unknown parameters: parameters="
              + parameters.keySet()
              + ", expected="
              + FORM);
    }
    String database = matcher.group("database");
    return new StoreAddress(
        secure,
        nodes,
        database == null || database.isEmpty() ? DEFAULT_DATABASE : database,
        user,
        password,
        tls,
        cluster);
  }

  private static Map<String, String> parameters(String text, String query) {
    Map<String, String> parameters = new HashMap<>();
    if (query != null) {
      for (String each : query.split("&", -1)) {
        int equals = each.indexOf('=');
        if (equals < 1
            || parameters.put(each.substring(0, equals), decode(each.substring(equals + 1)))
                != null) {
          throw malformed(text);
        }
      }
    }
    return parameters;
  }

  private static boolean replicated(Map<String, String> parameters) {
    String value = parameters.remove("replicated");
    if (value == null) {
      return true;
    }
    if (!value.equals("true") && !value.equals("false")) {
      throw new IllegalArgumentException("store parameter is no truth: replicated=" + value);
    }
    if (!parameters.containsKey("cluster")) {
      throw new IllegalArgumentException(
          "store parameter needs a cluster: parameter=replicated, expected=" + FORM);
    }
    return Boolean.parseBoolean(value);
  }

  private static String password(
      Map<String, String> parameters, String given, Map<String, String> environment) {
    String file = parameters.remove("password_file");
    String variable = parameters.remove("password_env");
    int ways = (given.isEmpty() ? 0 : 1) + (file == null ? 0 : 1) + (variable == null ? 0 : 1);
    if (ways > 1) {
      throw new IllegalArgumentException(
          "store password is given twice: use one of the address, password_file, password_env");
    }
    if (file != null) {
      try {
        return Files.readString(Path.of(file)).strip();
      } catch (IOException e) {
        throw new IllegalArgumentException(
            "store password cannot be read: file=" + file + ", reason=" + e.getMessage(), e);
      }
    }
    if (variable != null) {
      String value = environment.get(variable);
      if (value == null) {
        throw new IllegalArgumentException("store password is not set: variable=" + variable);
      }
      return value;
    }
    return given;
  }

  private static IllegalArgumentException malformed(String text) {
    return new IllegalArgumentException(
        "not a store address: address=" + withoutCredentials(text) + ", expected=" + FORM);
  }

  /// The host of the first node.
  public String host() {
    return nodes.getFirst().host();
  }

  /// The port of the first node.
  public int port() {
    return nodes.getFirst().port();
  }

  /// The same store with another database.
  public StoreAddress withDatabase(String name) {
    return new StoreAddress(secure, nodes, name, user, password, tls, cluster);
  }

  /// The database in which the tables are: the one that is read, but of a cluster, where that has
  /// only the names of all shards' tables together.
  public String tableDatabase() {
    return cluster.isPresent() ? database + SHARD_SUFFIX : database;
  }

  /// One of the nodes, as a server that stands alone.
  StoreAddress node(HostPort node) {
    return new StoreAddress(secure, List.of(node), database, user, password, tls, Optional.empty());
  }

  /// The address of the only node without path and credentials, as HTTP clients want it.
  String endpoint() {
    return (secure ? "https://" : "http://") + nodes.getFirst();
  }

  /// The address without user, password and files, fit for messages and logs.
  @Override
  public String toString() {
    return (secure ? "https://" : "http://")
        + nodes.stream().map(HostPort::toString).collect(Collectors.joining(","))
        + "/"
        + database
        + cluster
            .map(each -> "?cluster=" + each.name() + (each.replicated() ? "" : "&replicated=false"))
            .orElse("");
  }

  private static String decode(String text) {
    return URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
  }

  private static String withoutCredentials(String text) {
    return text.replaceFirst("//.*@", "//");
  }
}
