package io.headspan.wire.tls;

import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// What the files hold.
public final class TlsMaterial {
  private final List<X509Certificate> authorities;
  private final List<X509Certificate> chain;
  private final @Nullable PrivateKey key;

  TlsMaterial(
      List<X509Certificate> authorities, List<X509Certificate> chain, @Nullable PrivateKey key) {
    this.authorities = List.copyOf(authorities);
    this.chain = List.copyOf(chain);
    this.key = key;
  }

  /// Whom to trust; empty if no file says so.
  public List<X509Certificate> authorities() {
    return authorities;
  }

  /// The own certificate first, then those between it and its authority; empty if there is none.
  public List<X509Certificate> chain() {
    return chain;
  }

  /// The key of the own certificate.
  public Optional<PrivateKey> key() {
    return Optional.ofNullable(key);
  }
}
