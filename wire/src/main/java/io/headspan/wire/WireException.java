package io.headspan.wire;

/// Data from outside that is not what its format demands. The message says what failed, where, and
/// what the sender should do. Nothing of the input is kept when it is thrown.
public class WireException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public WireException(String message) {
    super(message);
  }

  public WireException(String message, Throwable cause) {
    super(message, cause);
  }
}
