package io.headspan.loadgen.runc;

/// A container could not be started or removed. The message says what runc said.
public final class RuncException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  RuncException(String message) {
    super(message);
  }

  RuncException(String message, Throwable cause) {
    super(message, cause);
  }
}
