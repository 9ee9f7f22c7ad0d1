package io.headspan.query;

import io.headspan.query.access.AccessSettings;
import io.headspan.query.http.QueryLimits;
import io.headspan.storage.StoreAddress;
import io.headspan.wire.config.HostPort;
import io.headspan.wire.config.SettingSources;
import io.headspan.wire.config.Settings;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;

/// The settings of a query API, from defaults, a YAML file (`--config`, `HEADSPAN_QUERY_CONFIG`),
/// the environment and the command line. A setting called `HEADSPAN_QUERY_MEMORY_MIB` here is
/// `memory_mib` in the file.
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
/// @param access who may ask: `HEADSPAN_QUERY_TOKENS` (a file), `HEADSPAN_QUERY_REGION`,
///   `HEADSPAN_QUERY_AUDIT` (a file)
public record QueryConfig(
    String host,
    int port,
    StoreAddress store,
    int threads,
    int waiting,
    QueryLimits limits,
    AccessSettings access) {
  static final String LISTEN = "HEADSPAN_QUERY_LISTEN";

  /// Reads the settings from environment variables, and the file that they name.
  ///
  /// @throws QueryException that names every unknown key and every bad value
  public static QueryConfig from(Map<String, String> environment) {
    return from(SettingSources.of(environment));
  }

  /// Reads the settings; those not set have their defaults.
  ///
  /// @throws QueryException that names every unknown key and every bad value
  public static QueryConfig from(SettingSources sources) {
    Settings settings = Settings.of("query", sources);
    HostPort listen = settings.hostPort("listen", new HostPort("127.0.0.1", 3200));
    QueryConfig config =
        new QueryConfig(
            listen.host(),
            listen.port(),
            settings.parsed(
                "store", StoreAddress.parse("http://127.0.0.1:8123"), StoreAddress::parse),
            settings.number("threads", 8, 1, 1024),
            settings.number("waiting", 64, 1, 100_000),
            new QueryLimits(
                settings.positiveDuration("timeout", Duration.ofSeconds(30)),
                (long) settings.number("memory_mib", 1024, 16, 1 << 20) << 20,
                settings.number("trace_spans", 50_000, 1, 1_000_000)),
            new AccessSettings(
                settings.text("tokens").map(Path::of),
                settings.text("region").orElse(""),
                settings.text("audit").map(Path::of)));
    if (config.access().tokens().isEmpty() && !listen.isLoopback()) {
      settings.problem(
          "listen",
          "without tokens everybody who reaches the query API sees everything, so it listens on loopback only: set "
              + settings.variable("tokens")
              + " (docs/access.md)");
    }
    settings.finish(
        "the query API", message -> new QueryException(QueryException.Kind.CONFIGURATION, message));
    return config;
  }
}
