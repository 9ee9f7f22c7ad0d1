package io.headspan.collector;

import com.linecorp.armeria.common.TlsKeyPair;
import com.linecorp.armeria.common.TlsProvider;
import com.linecorp.armeria.server.ServerBuilder;
import com.linecorp.armeria.server.ServerTlsConfig;
import io.headspan.wire.tls.TlsException;
import io.headspan.wire.tls.TlsFiles;
import io.headspan.wire.tls.TlsMaterial;
import io.headspan.wire.tls.TlsPaths;
import io.netty.handler.ssl.ClientAuth;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The certificate that the listener shows, and those that it wants to see, as they are in their
/// files at the time of each handshake.
final class ListenerTls implements TlsProvider {
  private static final Logger logger = LoggerFactory.getLogger(ListenerTls.class);

  private final TlsFiles files;
  private final ServerTlsConfig config;
  private @Nullable TlsMaterial material;
  private @Nullable TlsKeyPair keyPair;

  private ListenerTls(TlsFiles files, ServerTlsConfig config) {
    this.files = files;
    this.config = config;
  }

  /// Reads the files; empty if TLS is off.
  ///
  /// @param certificateRequired whether a client has to show a certificate if there are authorities
  /// @throws CollectorException of kind CONFIGURATION if they cannot be used
  static Optional<ListenerTls> open(TlsPaths paths, boolean certificateRequired) {
    if (paths.certificate() == null) {
      return Optional.empty();
    }
    ClientAuth clientAuth =
        paths.authorities() == null
            ? ClientAuth.NONE
            : certificateRequired ? ClientAuth.REQUIRE : ClientAuth.OPTIONAL;
    try {
      TlsFiles files =
          TlsFiles.open(
              paths,
              e ->
                  logger.warn(
                      "changed certificates are not used, the old ones are: {}", e.getMessage()));
      return Optional.of(
          new ListenerTls(files, ServerTlsConfig.builder().clientAuth(clientAuth).build()));
    } catch (TlsException e) {
      throw new CollectorException(
          CollectorException.Kind.CONFIGURATION,
          "the collector cannot listen with TLS: "
              + e.getMessage()
              + " (HEADSPAN_COLLECTOR_TLS_CERTIFICATE, HEADSPAN_COLLECTOR_TLS_KEY,"
              + " HEADSPAN_COLLECTOR_TLS_CLIENT_CA)",
          e);
    }
  }

  /// Makes all listeners of `builder` use TLS.
  void addTo(ServerBuilder builder) {
    builder.tlsProvider(this, config);
  }

  @Override
  public synchronized @Nullable TlsKeyPair keyPair(String hostname) {
    TlsMaterial current = files.current();
    if (current != material) {
      // The same object as long as nothing changes: TLS contexts are kept by it.
      PrivateKey key = current.key().orElseThrow();
      keyPair = TlsKeyPair.of(key, current.chain());
      material = current;
    }
    return keyPair;
  }

  @Override
  public List<X509Certificate> trustedCertificates(String hostname) {
    return files.current().authorities();
  }
}
