package io.headspan.collector.receive;

import java.io.Serial;

/// A message that cannot be read as what its sender says it is.
final class MessageException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1;

  /// What is wrong.
  enum Kind {
    /// It is, or expands to, more than the limit.
    TOO_LARGE,
    /// It is truncated or not of the announced form.
    MALFORMED
  }

  private final Kind kind;

  private MessageException(Kind kind, String message, Throwable cause) {
    super(message, cause);
    this.kind = kind;
  }

  private MessageException(Kind kind, String message) {
    super(message);
    this.kind = kind;
  }

  static MessageException tooLarge(int limitBytes) {
    return new MessageException(
        Kind.TOO_LARGE, "message too large when expanded: limitBytes=" + limitBytes);
  }

  static MessageException malformed(String what, Throwable cause) {
    return new MessageException(Kind.MALFORMED, what + ": " + cause.getMessage(), cause);
  }

  Kind kind() {
    return kind;
  }
}
