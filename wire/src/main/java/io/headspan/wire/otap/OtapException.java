package io.headspan.wire.otap;

import io.headspan.wire.WireException;

/// A batch of an OTAP stream that cannot be decoded or encoded. What it means for the stream is its
/// [#kind()].
public final class OtapException extends WireException {
  private static final long serialVersionUID = 1L;

  /// What is wrong.
  public enum Kind {
    /// Not what the protocol allows. Dictionaries of the stream are no longer known: end it.
    INVALID,

    /// A signal other than traces. Nothing was decoded; later batches of the stream may be.
    UNSUPPORTED,

    /// More memory than the stream may use. Dictionaries are no longer known: end the stream.
    LIMIT
  }

  private final Kind kind;

  public OtapException(Kind kind, String message) {
    super(message);
    this.kind = kind;
  }

  public OtapException(Kind kind, String message, Throwable cause) {
    super(message, cause);
    this.kind = kind;
  }

  public Kind kind() {
    return kind;
  }
}
