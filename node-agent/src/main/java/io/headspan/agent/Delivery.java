package io.headspan.agent;

import io.headspan.agent.export.CollectorChannel;
import io.headspan.agent.export.CollectorToken;
import io.headspan.agent.export.ExportSettings;
import io.headspan.agent.export.SpanExporter;
import io.headspan.agent.ledger.Ledger;
import io.headspan.agent.ledger.LedgerFile;
import io.headspan.agent.ledger.LedgerSnapshot;
import io.headspan.agent.signal.PressureSource;
import io.headspan.agent.signal.SignalSender;
import io.headspan.agent.spool.Spool;
import io.headspan.agent.spool.SpoolException;
import io.headspan.agent.spool.SpoolSettings;
import io.headspan.wire.config.HostPort;
import io.headspan.wire.tls.TlsException;
import io.headspan.wire.tls.TlsFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The way of what was captured to the collector: ledger, spool and exporter; and of what is told
/// about the node.
final class Delivery implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Delivery.class);

  private static final Path PROC = Path.of("/proc");

  private final AgentConfig config;
  private final @Nullable Spool spool;
  private final Ledger ledger;
  private final SpanExporter exporter;
  private final SignalSender signals;
  private volatile Consumer<Ledger> losses = _ -> {};

  /// Opens the spool and begins to send what is in it.
  ///
  /// @throws AgentException if the spool cannot be had
  static Delivery open(AgentConfig config, HostIdentity host) {
    TlsFiles tls = tls(config.delivery());
    CollectorToken token = token(config);
    Path directory = config.delivery().spoolDirectory();
    if (directory == null) {
      return new Delivery(config, host, tls, token, null);
    }
    Spool spool;
    try {
      spool =
          Spool.open(SpoolSettings.of(directory, config.delivery().spoolBytes()), host.bootId());
    } catch (SpoolException e) {
      throw new AgentException(
          AgentException.Kind.CONFIGURATION,
          e.getMessage() + " (HEADSPAN_AGENT_SPOOL, a directory or off)",
          e);
    }
    try {
      return new Delivery(config, host, tls, token, spool);
    } catch (RuntimeException | Error e) {
      spool.close();
      throw e;
    }
  }

  private static @Nullable TlsFiles tls(DeliveryConfig config) {
    if (!config.tls()) {
      return null;
    }
    try {
      return TlsFiles.open(
          config.tlsPaths(),
          e -> LOG.warn("Changed certificates are not used, the old ones are: {}", e.getMessage()));
    } catch (TlsException e) {
      throw new AgentException(
          AgentException.Kind.CONFIGURATION,
          "TLS to the collector cannot be had: "
              + e.getMessage()
              + " (HEADSPAN_AGENT_TLS_CA, HEADSPAN_AGENT_TLS_CERTIFICATE, HEADSPAN_AGENT_TLS_KEY)",
          e);
    }
  }

  private static @Nullable CollectorToken token(AgentConfig config) {
    DeliveryConfig delivery = config.delivery();
    if (delivery.token() == null && delivery.tokenFile() == null) {
      return null;
    }
    if (!delivery.tls() && !config.collector().isLoopback()) {
      LOG.warn(
          "The token for the collector goes over the network in clear text: collector={}; set"
              + " HEADSPAN_AGENT_TLS=true",
          config.collector());
    }
    try {
      return delivery.token() != null
          ? CollectorToken.of(delivery.token())
          : CollectorToken.inFile(
              Objects.requireNonNull(delivery.tokenFile()),
              e -> LOG.warn("A changed token is not used, the old one is: {}", e.getMessage()));
    } catch (IllegalArgumentException | UncheckedIOException e) {
      throw new AgentException(
          AgentException.Kind.CONFIGURATION,
          "The token for the collector cannot be had: "
              + e.getMessage()
              + " (HEADSPAN_AGENT_TOKEN_FILE, HEADSPAN_AGENT_TOKEN)",
          e);
    }
  }

  private Delivery(
      AgentConfig config,
      HostIdentity host,
      @Nullable TlsFiles tls,
      @Nullable CollectorToken token,
      @Nullable Spool spool) {
    this.config = config;
    this.spool = spool;
    List<ClosedBooks> closed = spool == null ? List.of() : ClosedBooks.of(spool, host);
    ledger = new Ledger(spool == null ? null : ledgerFile(spool, host));
    if (spool != null) {
      tellRecovered(spool);
    }
    HostPort collector = config.collector();
    exporter =
        SpanExporter.start(
            new ExportSettings(
                collector.host(),
                collector.port(),
                host.agentId(),
                host.bootId(),
                config.queueBytes(),
                config.queueBatches(),
                config.inFlight(),
                config.acknowledgeTimeout(),
                config.delivery().spoolAfter(),
                config.compressed()),
            CollectorChannel.open(collector.host(), collector.port(), tls, token),
            ledger,
            spool);
    signals =
        SignalSender.start(
            CollectorChannel.open(collector.host(), collector.port(), tls, token),
            host.agentId(),
            host.bootId(),
            host.hostName(),
            config.delivery().signalInterval());
    signals.add(new PressureSource(PROC));
    signals.add(() -> Optional.of(LedgerReports.signal(books())));
    closed.forEach(books -> signals.submit(books.report(), books::delete));
  }

  private static @Nullable LedgerFile ledgerFile(Spool spool, HostIdentity host) {
    try {
      return LedgerFile.create(spool.directory(), host.bootId());
    } catch (IOException e) {
      LOG.warn(
          "The ledger cannot be kept on disk; if this agent is killed, what it held in memory will"
              + " not be told: directory={}",
          spool.directory(),
          e);
      return null;
    }
  }

  private void tellRecovered(Spool spool) {
    long spans = spool.held().stream().mapToLong(batch -> batch.spans().total()).sum();
    if (spans > 0 || spool.tornBytes() > 0) {
      LOG.info(
          "The spool holds what was not acknowledged before: directory={}, spans={}, bytes={},"
              + " torn bytes={}, damaged segments={}",
          spool.directory(),
          spans,
          spool.sizeBytes(),
          spool.tornBytes(),
          spool.damagedSegments());
    }
  }

  /// Asks `losses`, before the ledger is read, to tell it what was lost elsewhere.
  void countLosses(Consumer<Ledger> losses) {
    this.losses = losses;
  }

  /// The books as they are now.
  LedgerSnapshot books() {
    losses.accept(ledger);
    return ledger.snapshot();
  }

  Ledger ledger() {
    return ledger;
  }

  SpanExporter exporter() {
    return exporter;
  }

  SignalSender signals() {
    return signals;
  }

  /// Hands over or spools what is held, waiting for the collector no longer than configured.
  @Override
  public void close() {
    exporter.close(config.closeTimeout());
    if (spool != null) {
      spool.close();
    }
    // Last, so that the books it sends are those at the end.
    signals.close(config.closeTimeout());
  }
}
