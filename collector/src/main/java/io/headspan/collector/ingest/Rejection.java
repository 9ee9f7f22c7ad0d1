package io.headspan.collector.ingest;

/// Why a batch, or spans of it, were not stored.
public enum Rejection {
  /// The message is not what its protocol says.
  MALFORMED("malformed"),
  /// The message is above the limit of its size, or its stream above that of its memory.
  TOO_LARGE("too_large"),
  /// Another signal than traces.
  UNSUPPORTED("unsupported"),
  /// Spans without a usable id; the rest of their batch is stored.
  BAD_ID("bad_id"),
  /// Too much is under way already.
  OVERLOADED("overloaded"),
  /// The store is away or overloaded; the sender should come again.
  STORE_UNAVAILABLE("store_unavailable"),
  /// The store will not have it.
  STORE_REJECTED("store_rejected"),
  /// The sender is not known, or not any more.
  UNAUTHENTICATED("unauthenticated"),
  /// The sender may not send for the tenant that it names.
  FOREIGN_TENANT("foreign_tenant"),
  /// The tenant sent more than it may.
  RATE_LIMITED("rate_limited"),
  /// The collector is closing.
  CLOSING("closing");

  private final String label;

  Rejection(String label) {
    this.label = label;
  }

  /// The value of the metric label `reason`.
  public String label() {
    return label;
  }
}
