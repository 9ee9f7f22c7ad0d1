package io.headspan.loadgen.net;

/// `ip` or `tc` failed; the message says with which arguments and what it printed.
public final class NetworkException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  NetworkException(String message) {
    super(message);
  }

  NetworkException(String message, Throwable cause) {
    super(message, cause);
  }
}
