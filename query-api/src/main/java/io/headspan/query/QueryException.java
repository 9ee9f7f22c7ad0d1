package io.headspan.query;

import java.io.Serial;

/// The query API cannot start. The message says why and what to do about it; no stack trace is
/// needed to understand it.
public final class QueryException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1;

  /// What kept it from starting.
  public enum Kind {
    /// A setting is unknown or has a value that cannot be.
    CONFIGURATION,
    /// The address to listen on is taken or not an address of this machine.
    LISTEN
  }

  private final Kind kind;

  QueryException(Kind kind, String message) {
    super(message);
    this.kind = kind;
  }

  QueryException(Kind kind, String message, Throwable cause) {
    super(message, cause);
    this.kind = kind;
  }

  public Kind kind() {
    return kind;
  }
}
