package io.headspan.agent;

import io.headspan.wire.access.Secret;
import io.headspan.wire.config.Settings;
import io.headspan.wire.tls.TlsPaths;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// How batches are kept until the collector has acknowledged them; part of an agent's settings.
///
/// @param spoolDirectory where batches are kept on disk, `HEADSPAN_AGENT_SPOOL` (an absolute path
///   or `off`); null for nowhere
/// @param spoolBytes most bytes there, `HEADSPAN_AGENT_SPOOL_MIB`
/// @param spoolAfter when the collector has acknowledged nothing for so long, everything goes
///   there, `HEADSPAN_AGENT_SPOOL_AFTER`
/// @param signalInterval how often the agent tells about its node, `HEADSPAN_AGENT_SIGNAL_INTERVAL`
/// @param tls whether the collector is spoken to with TLS, `HEADSPAN_AGENT_TLS`
/// @param tlsPaths PEM files: whom to trust, `HEADSPAN_AGENT_TLS_CA` (the JVM's authorities without
///   it), and this agent's own certificate, `HEADSPAN_AGENT_TLS_CERTIFICATE` and
///   `HEADSPAN_AGENT_TLS_KEY`, where the collector wants one
/// @param tokenFile where the token is that the collector wants, `HEADSPAN_AGENT_TOKEN_FILE`; null
///   for nowhere
/// @param token the token itself, `HEADSPAN_AGENT_TOKEN`; null for none
record DeliveryConfig(
    @Nullable Path spoolDirectory,
    long spoolBytes,
    Duration spoolAfter,
    Duration signalInterval,
    boolean tls,
    TlsPaths tlsPaths,
    @Nullable Path tokenFile,
    @Nullable Secret token) {
  private static final String SPOOL_DIRECTORY = "/var/lib/headspan/agent";
  private static final String OFF = "off";
  private static final long MIB = 1024 * 1024;

  static DeliveryConfig read(Settings settings) {
    String spool =
        settings.value(
            "spool",
            SPOOL_DIRECTORY,
            text -> text.equals(OFF) || text.startsWith("/") ? text : null,
            "an absolute path, or off");
    boolean tls = settings.flag("tls", false);
    TlsPaths paths =
        new TlsPaths(
            settings.text("tls_ca").map(Path::of).orElse(null),
            settings.text("tls_certificate").map(Path::of).orElse(null),
            settings.text("tls_key").map(Path::of).orElse(null));
    if (!tls && !paths.equals(new TlsPaths(null, null, null))) {
      settings.problem("tls", "files for TLS are given, but TLS is off; set it to true");
    }
    Path tokenFile = settings.text("token_file").map(Path::of).orElse(null);
    Secret token = settings.text("token").map(Secret::new).orElse(null);
    if (token != null && tokenFile != null) {
      settings.secretProblem("token", "a token is given beside a file with one; give one of them");
    }
    return new DeliveryConfig(
        spool.equals(OFF) ? null : Path.of(spool),
        settings.number("spool_mib", 512, 1, 1 << 20) * MIB,
        settings.duration("spool_after", Duration.ofSeconds(10)),
        settings.positiveDuration("signal_interval", Duration.ofSeconds(10)),
        tls,
        paths,
        tokenFile,
        token);
  }
}
