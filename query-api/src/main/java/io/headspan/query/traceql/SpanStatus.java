package io.headspan.query.traceql;

/// The status of a span.
public enum SpanStatus {
  UNSET(0, "unset"),
  OK(1, "ok"),
  ERROR(2, "error");

  private final int code;
  private final String keyword;

  SpanStatus(int code, String keyword) {
    this.code = code;
    this.keyword = keyword;
  }

  /// OTLP's number for it.
  int code() {
    return code;
  }

  /// The word for it in a query and in results.
  public String keyword() {
    return keyword;
  }
}
