package io.headspan.storage.embedded;

import com.linecorp.armeria.common.SessionProtocol;
import com.linecorp.armeria.server.Server;
import io.headspan.storage.StoreAddress;
import io.headspan.storage.StoreException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Clock;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// ClickHouse in this process: the embedded engine on a data directory, behind ClickHouse's HTTP
/// interface. A process can have one, once; a fault in the engine's native code ends the process,
/// so prefer [StoreProcess] where other work goes on.
///
/// The process must not exit before [#close()] has returned, or it aborts.
public final class EmbeddedStore implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(EmbeddedStore.class);
  private static final int URL_MAX_BYTES = 1 << 20;

  private final Engine engine;
  private final HttpGateway gateway;
  private final Server server;
  private final String host;

  private EmbeddedStore(Engine engine, HttpGateway gateway, Server server, String host) {
    this.engine = engine;
    this.gateway = gateway;
    this.server = server;
    this.host = host;
  }

  /// Starts the engine, then listens.
  ///
  /// @throws StoreException with one clear message if the directory or the port is taken
  public static EmbeddedStore start(EmbeddedStoreConfig config) {
    DataDirectory directory = DataDirectory.lock(config.path());
    InsertJournal journal;
    Engine engine;
    try {
      forgetUnstored(directory);
      journal = InsertJournal.open(directory.path(), Clock.systemUTC());
      engine = Engine.open(LibChdb.load(config.library()), directory, config.limits());
    } catch (RuntimeException e) {
      directory.close();
      throw e;
    }
    try {
      Optional<ExternalAccess> externalAccess =
          config.external() ? Optional.empty() : Optional.of(ExternalAccess.refusedBy(engine));
      GroupedInserts groups = new GroupedInserts(engine, journal, config.limits().memoryBytes());
      groups.finishLeft();
      HttpGateway gateway =
          new HttpGateway(
              engine,
              externalAccess,
              // Of a cluster another node may be asked next time, which knows nothing of groups.
              config.engineConfig().isPresent() ? Optional.empty() : Optional.of(groups),
              config.maxConcurrent(),
              !config.remote());
      Server server = server(config, gateway);
      listen(server, config);
      EmbeddedStore store = new EmbeddedStore(engine, gateway, server, config.host());
      LOG.info(
          "Store serves: address={}, path={}, engine={}",
          store.address(),
          directory.path(),
          engine.version());
      return store;
    } catch (EngineException e) {
      engine.close();
      throw new StoreException(
          StoreException.Kind.UNAVAILABLE, e.code(), "embedded engine does not answer", e);
    } catch (IOException e) {
      engine.close();
      throw new StoreException(
          StoreException.Kind.UNAVAILABLE,
          0,
          "journal of inserts cannot be used: path=" + directory.path() + ", reason=" + e,
          e);
    } catch (RuntimeException e) {
      engine.close();
      throw e;
    }
  }

  /// The port listened on, the actual one if 0 was asked for.
  public int port() {
    return server.activeLocalPort();
  }

  /// The address for [io.headspan.storage.SpanStore#connect].
  public StoreAddress address() {
    String bracketed = host.indexOf(':') < 0 ? host : "[" + host + "]";
    return StoreAddress.parse("http://" + bracketed + ":" + port());
  }

  /// Stops listening, ends what runs and stops the engine.
  @Override
  public void close() {
    stop().join();
    LOG.info("Store stopped");
  }

  /// As [#close()], without waiting for the server's threads, which linger for 2 s. When this
  /// returns the process may exit.
  CompletableFuture<Void> stop() {
    CompletableFuture<Void> stopped = server.stop();
    gateway.stop();
    engine.close();
    gateway.close();
    return stopped;
  }

  /// Undoes what a kill left half done, see [DeduplicationLogs].
  private static void forgetUnstored(DataDirectory directory) {
    if (directory.hasOtherEngine()) {
      return; // It has the directory, and this one will not start.
    }
    int forgotten = DeduplicationLogs.repair(directory.path());
    if (forgotten > 0) {
      LOG.info(
          "Blocks that were announced, but not stored, are forgotten: path={}, blocks={}",
          directory.path(),
          forgotten);
    }
  }

  private static Server server(EmbeddedStoreConfig config, HttpGateway gateway) {
    return Server.builder()
        .port(new InetSocketAddress(config.host(), config.port()), SessionProtocol.HTTP)
        // Statements and bodies may take as long and be as large as they like; the engine has
        // limits of its own.
        .requestTimeoutMillis(0)
        .maxRequestLength(0)
        .http1MaxInitialLineLength(URL_MAX_BYTES)
        .gracefulShutdownTimeoutMillis(0, 0)
        .serviceUnder("/", gateway)
        .build();
  }

  private static void listen(Server server, EmbeddedStoreConfig config) {
    try {
      server.start().join();
    } catch (CompletionException e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      String address = config.host() + ":" + config.port();
      if (cause instanceof IOException) {
        throw new StoreException(
            StoreException.Kind.UNAVAILABLE,
            0,
            "store cannot listen: address="
                + address
                + ", reason="
                + cause.getMessage()
                + "; stop what uses the port, or set "
                + EmbeddedStoreConfig.LISTEN
                + " to another one",
            cause);
      }
      throw new StoreException(
          StoreException.Kind.UNAVAILABLE, 0, "store cannot listen: address=" + address, cause);
    }
  }
}
