package io.headspan.agent.http;

/// Why no method and path could be read from a request's first bytes. Such requests are counted by
/// reason, not ignored.
public enum UnreadableHead implements ParsedHead {
  /// There was nothing but line ends.
  EMPTY,
  /// A TLS record.
  TLS,
  /// The preface or the version of HTTP/2.
  HTTP_2,
  /// No method and target stand at the beginning.
  NOT_HTTP,
  /// The target holds control characters, or is of no form that RFC 9112 knows.
  TARGET,
  /// The version is missing (HTTP/0.9) or is not HTTP/1.x.
  VERSION,
  /// The bytes end before the request line does.
  CUT_OFF;

  /// The reason as a metric label.
  public String label() {
    return switch (this) {
      case EMPTY -> "empty";
      case TLS -> "tls";
      case HTTP_2 -> "http_2";
      case NOT_HTTP -> "not_http";
      case TARGET -> "target";
      case VERSION -> "version";
      case CUT_OFF -> "cut_off";
    };
  }
}
