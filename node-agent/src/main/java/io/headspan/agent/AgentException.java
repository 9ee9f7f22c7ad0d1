package io.headspan.agent;

/// The agent cannot start. The message says everything that is wrong, and what to do about it.
public final class AgentException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /// What is wrong.
  public enum Kind {
    /// Settings.
    CONFIGURATION,
    /// The port of `/metrics` and `/ready`.
    LISTEN,
    /// This machine or this process lacks something that capturing needs.
    CAPTURE
  }

  private final Kind kind;

  AgentException(Kind kind, String message) {
    super(message);
    this.kind = kind;
  }

  AgentException(Kind kind, String message, Throwable cause) {
    super(message, cause);
    this.kind = kind;
  }

  public Kind kind() {
    return kind;
  }
}
