package io.headspan.query.traceql;

/// The kind of a span.
public enum SpanKind {
  UNSPECIFIED(0, "unspecified"),
  INTERNAL(1, "internal"),
  SERVER(2, "server"),
  CLIENT(3, "client"),
  PRODUCER(4, "producer"),
  CONSUMER(5, "consumer");

  private final int code;
  private final String keyword;

  SpanKind(int code, String keyword) {
    this.code = code;
    this.keyword = keyword;
  }

  /// OTLP's number for it.
  public int code() {
    return code;
  }

  /// The word for it in a query and in results.
  public String keyword() {
    return keyword;
  }
}
