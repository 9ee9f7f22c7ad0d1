package io.headspan.agent.spool;

/// The spool cannot do what it was asked for.
public final class SpoolException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /// What is the matter.
  public enum Kind {
    /// Another agent uses the directory.
    LOCKED,
    /// The directory cannot be used at all.
    UNUSABLE,
    /// The file system is full.
    DISK_FULL,
    /// Writing or reading failed.
    FAILED,
    /// What was read is not what was written.
    DAMAGED
  }

  private final Kind kind;

  SpoolException(Kind kind, String message) {
    super(message);
    this.kind = kind;
  }

  SpoolException(Kind kind, String message, Throwable cause) {
    super(message, cause);
    this.kind = kind;
  }

  public Kind kind() {
    return kind;
  }
}
