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

    /// More than a stream may use or a batch may hold. When decoding, end the stream; when
    /// encoding, it can go on.
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

  static OtapException invalid(String message) {
    return new OtapException(Kind.INVALID, message);
  }

  public Kind kind() {
    return kind;
  }
}
