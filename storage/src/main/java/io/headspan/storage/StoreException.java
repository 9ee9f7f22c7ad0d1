package io.headspan.storage;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/// A request to the store failed. [#kind()] says what the caller can do about it.
public final class StoreException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1;

  /// What the caller can do.
  public enum Kind {
    /// The store cannot be reached, is overloaded or lacks its tables. The same request may succeed
    /// later, and repeating an insert with its token stores it once.
    UNAVAILABLE,
    /// The store will never accept this statement or this data; repeating it is useless.
    REJECTED,
    /// A query ran into one of its own limits of time, memory or rows.
    LIMIT_EXCEEDED,
    /// The store's answer broke off, as it does if a query fails in the middle, or is not
    /// understood.
    PROTOCOL
  }

  private final Kind kind;
  private final int code;

  public StoreException(Kind kind, int code, String message, @Nullable Throwable cause) {
    super(message, cause);
    this.kind = kind;
    this.code = code;
  }

  public StoreException(Kind kind, String message) {
    this(kind, 0, message, null);
  }

  public Kind kind() {
    return kind;
  }

  /// ClickHouse's error code, 0 if the failure has none.
  public int code() {
    return code;
  }
}
