package io.headspan.collector.edge;

import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.server.ServiceRequestContext;
import io.headspan.wire.access.Authorization;
import io.headspan.wire.access.CertificateNames;
import io.headspan.wire.access.Tokens;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/// What a caller shows of itself.
///
/// @param hasHeader whether there is a header `Authorization`
/// @param tokenHash hash of the token in it; the token itself is not kept
/// @param certificate names of the client certificate that TLS has checked
public record Credentials(boolean hasHeader, Optional<String> tokenHash, List<String> certificate) {
  /// Nothing.
  public static final Credentials NONE = new Credentials(false, Optional.empty(), List.of());

  public Credentials {
    certificate = List.copyOf(certificate);
  }

  /// What a request shows.
  public static Credentials of(ServiceRequestContext context) {
    String header = context.request().headers().get(HttpHeaderNames.AUTHORIZATION, "");
    return new Credentials(
        !header.isEmpty(),
        Authorization.token(header).map(Tokens::hash),
        certificate(context.sslSession()));
  }

  /// What a header `Authorization` alone shows.
  public static Credentials ofHeader(String header) {
    return new Credentials(true, Authorization.token(header).map(Tokens::hash), List.of());
  }

  private static List<String> certificate(@Nullable SSLSession session) {
    if (session == null) {
      return List.of();
    }
    try {
      Certificate[] chain = session.getPeerCertificates();
      return chain.length > 0 && chain[0] instanceof X509Certificate own
          ? CertificateNames.of(own)
          : List.of();
    } catch (SSLPeerUnverifiedException _) {
      return List.of(); // it showed none
    }
  }
}
