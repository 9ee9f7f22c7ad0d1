package io.headspan.wire.tls;

import io.headspan.wire.WireException;

/// A certificate or key that cannot be used. The message names the file and the remedy.
public final class TlsException extends WireException {
  private static final long serialVersionUID = 1L;

  public TlsException(String message) {
    super(message);
  }

  public TlsException(String message, Throwable cause) {
    super(message, cause);
  }
}
