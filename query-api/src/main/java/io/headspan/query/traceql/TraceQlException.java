package io.headspan.query.traceql;

/// A query that cannot be answered because of what it says. The message tells where, what is wrong
/// and what would be right.
public final class TraceQlException extends RuntimeException {
  /// Why the query is refused.
  public enum Kind {
    /// Not TraceQL, or of wrong types.
    INVALID,
    /// TraceQL, but this version does not run it.
    UNSUPPORTED,
    /// Longer, deeper or wider than allowed.
    TOO_LARGE
  }

  private static final long serialVersionUID = 1;

  private final Kind kind;

  private TraceQlException(Kind kind, String message) {
    super(message);
    this.kind = kind;
  }

  static TraceQlException invalid(Position at, String problem) {
    return new TraceQlException(Kind.INVALID, "invalid TraceQL query: " + at + ": " + problem);
  }

  static TraceQlException unsupported(Position at, String construct) {
    return new TraceQlException(
        Kind.UNSUPPORTED,
        "TraceQL query not supported yet: " + at + ": " + construct + " cannot be run so far");
  }

  static TraceQlException tooLarge(String problem) {
    return new TraceQlException(Kind.TOO_LARGE, "TraceQL query too large: " + problem);
  }

  public Kind kind() {
    return kind;
  }
}
