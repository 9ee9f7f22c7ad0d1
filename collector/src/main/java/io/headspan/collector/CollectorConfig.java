package io.headspan.collector;

import io.headspan.collector.edge.TenantRules;
import io.headspan.storage.StoreAddress;
import io.headspan.wire.config.HostPort;
import io.headspan.wire.config.SettingSources;
import io.headspan.wire.config.Settings;
import io.headspan.wire.tls.TlsPaths;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The settings of a collector, from defaults, a YAML file (`--config`,
/// `HEADSPAN_COLLECTOR_CONFIG`), the environment and the command line. A setting called
/// `HEADSPAN_COLLECTOR_STREAM_MIB` here is `stream_mib` in the file.
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
/// @param tls PEM files: the certificate and key to listen with,
///   `HEADSPAN_COLLECTOR_TLS_CERTIFICATE` and `HEADSPAN_COLLECTOR_TLS_KEY`, clear text without
///   them; and whose certificate a client must show, `HEADSPAN_COLLECTOR_TLS_CLIENT_CA`, none
///   without it
/// @param access who may send
/// @param sampling what becomes of traces
/// @param spanMetricsSeries how many series of each kind `/metrics` has at most of what was stored,
///   `HEADSPAN_COLLECTOR_SPAN_METRICS_SERIES`; 0 for none
/// @param retentionDays how long what is stored stays of tenants for which the file of tenants says
///   nothing else, `HEADSPAN_COLLECTOR_RETENTION_DAYS`; 0 for ever
public record CollectorConfig(
    String host,
    int port,
    StoreAddress store,
    int messageBytes,
    long inFlightBytes,
    long streamBytes,
    int inserters,
    Duration closeTimeout,
    TlsPaths tls,
    Access access,
    Sampling sampling,
    int spanMetricsSeries,
    int retentionDays) {
  /// What becomes of traces.
  ///
  /// @param policies YAML of the `tail_sampling` processor, `HEADSPAN_COLLECTOR_SAMPLING_POLICIES`;
  ///   without it all traces are kept
  /// @param decisionWait how long after its last span a trace is decided,
  ///   `HEADSPAN_COLLECTOR_DECISION_WAIT`
  /// @param decisionWaitAfterRoot the same if its root has ended and nothing of it is open,
  ///   `HEADSPAN_COLLECTOR_DECISION_WAIT_AFTER_ROOT`
  /// @param recentWindow how long every span stays, `HEADSPAN_COLLECTOR_RECENT_WINDOW`
  /// @param linkedTraces whether what is linked to a kept trace is kept,
  ///   `HEADSPAN_COLLECTOR_LINKED_TRACES`
  public record Sampling(
      Optional<Path> policies,
      Duration decisionWait,
      Duration decisionWaitAfterRoot,
      Duration recentWindow,
      boolean linkedTraces) {}

  /// Who may send.
  ///
  /// @param tokens file of tokens, `HEADSPAN_COLLECTOR_TOKENS`; without one, whoever reaches the
  ///   collector
  /// @param region where the collector is, for tokens that are good in some regions only,
  ///   `HEADSPAN_COLLECTOR_REGION`; "" if nowhere in particular
  /// @param certificateRequired whether a client has to show a certificate where `tls_client_ca` is
  ///   set, `HEADSPAN_COLLECTOR_TLS_CLIENT_CERTIFICATE` (`required`); with `optional` one with a
  ///   token may come without
  /// @param tenants file of what each tenant may send and where it is stored,
  ///   `HEADSPAN_COLLECTOR_TENANTS`; without one, no limits and one store
  public record Access(
      Optional<Path> tokens, String region, boolean certificateRequired, Optional<Path> tenants) {
    /// Whoever reaches the collector may send.
    static final Access OPEN = new Access(Optional.empty(), "", true, Optional.empty());
  }

  static final String LISTEN = "HEADSPAN_COLLECTOR_LISTEN";

  private static final int MIB = 1024 * 1024;

  /// Reads the settings from environment variables, and the file that they name.
  ///
  /// @throws CollectorException that names every unknown key and every bad value
  public static CollectorConfig from(Map<String, String> environment) {
    return from(SettingSources.of(environment));
  }

  /// Reads the settings; those not set have their defaults.
  ///
  /// @throws CollectorException that names every unknown key and every bad value
  public static CollectorConfig from(SettingSources sources) {
    Settings settings = Settings.of("collector", sources);
    HostPort listen = settings.hostPort("listen", new HostPort("127.0.0.1", 4317));
    CollectorConfig config =
        new CollectorConfig(
            listen.host(),
            listen.port(),
            settings.parsed(
                "store", StoreAddress.parse("http://127.0.0.1:8123"), StoreAddress::parse),
            settings.number("message_mib", 16, 1, 1024) * MIB,
            (long) settings.number("in_flight_mib", 128, 1, 1024 * 1024) * MIB,
            (long) settings.number("stream_mib", 128, 1, 1024 * 1024) * MIB,
            settings.number("inserters", 32, 1, 64),
            settings.duration("close_timeout", Duration.ofSeconds(10)),
            new TlsPaths(
                settings.text("tls_client_ca").map(Path::of).orElse(null),
                settings.text("tls_certificate").map(Path::of).orElse(null),
                settings.text("tls_key").map(Path::of).orElse(null)),
            new Access(
                settings.text("tokens").map(Path::of),
                settings.text("region").orElse(""),
                settings.value(
                    "tls_client_certificate",
                    true,
                    CollectorConfig::isRequired,
                    "required or optional"),
                settings.text("tenants").map(Path::of)),
            new Sampling(
                settings.text("sampling_policies").map(Path::of),
                settings.duration("decision_wait", Duration.ofSeconds(10)),
                settings.duration("decision_wait_after_root", Duration.ofSeconds(1)),
                settings.duration("recent_window", Duration.ofMinutes(30)),
                settings.flag("linked_traces", true)),
            settings.number("span_metrics_series", 20_000, 0, 10_000_000),
            settings.number("retention_days", 0, 0, TenantRules.DAYS_MAX));
    if ((config.tls().certificate() == null) != (config.tls().key() == null)) {
      settings.problem("tls_key", "a certificate needs its key and a key its certificate");
    }
    if (config.tls().authorities() != null && config.tls().certificate() == null) {
      settings.problem("tls_client_ca", "clients can show certificates only to a server with one");
    }
    boolean anyone = settings.flag("allow_anyone", false);
    boolean isGuarded = config.access().tokens().isPresent() || config.tls().authorities() != null;
    if (!isGuarded && !anyone && !listen.isLoopback()) {
      settings.problem(
          "listen",
          "without tokens or client certificates everybody who reaches the collector may send as any"
              + " tenant, so it listens on loopback only: set "
              + settings.variable("tokens")
              + " or "
              + settings.variable("tls_client_ca")
              + " (docs/edge.md), or "
              + settings.variable("allow_anyone")
              + "=true where the network itself keeps strangers out");
    }
    if (!config.access().certificateRequired() && config.access().tokens().isEmpty()) {
      settings.problem(
          "tls_client_certificate", "a client without a certificate needs a token: set tokens");
    }
    settings.finish(
        "the collector",
        message -> new CollectorException(CollectorException.Kind.CONFIGURATION, message));
    return config;
  }

  private static @Nullable Boolean isRequired(String text) {
    return switch (text) {
      case "required" -> true;
      case "optional" -> false;
      default -> null;
    };
  }
}
