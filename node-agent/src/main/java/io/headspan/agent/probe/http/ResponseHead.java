package io.headspan.agent.probe.http;

import java.nio.charset.StandardCharsets;

/// What a response's first bytes say about it.
///
/// @param status the status code; 0 if the bytes end before it or are no response
record ResponseHead(int status, MessageFraming framing) {
  private static final int STATUS_AT = 9;
  private static final int STATUS_DIGITS = 3;

  static ResponseHead parse(byte[] bytes) {
    return new ResponseHead(status(bytes), MessageFraming.read(bytes));
  }

  /// Whether a response with this status to a request with this method has no body, whatever its
  /// headers say (RFC 9112, section 6.3).
  boolean isBodiless(String method) {
    return method.equals("HEAD")
        || status < 200
        || status == 204
        || status == 304
        || (method.equals("CONNECT") && status < 300);
  }

  /// The method of a request's head; "" if it begins with none.
  static String method(byte[] head) {
    int from = 0;
    while (from < head.length && (head[from] == '\r' || head[from] == '\n')) {
      from++;
    }
    int to = from;
    while (to < head.length && head[to] >= 'A' && head[to] <= 'Z') {
      to++;
    }
    return new String(head, from, to - from, StandardCharsets.US_ASCII);
  }

  /// `HTTP/1.x nnn`
  private static int status(byte[] bytes) {
    if (bytes.length < STATUS_AT + STATUS_DIGITS) {
      return 0;
    }
    int status = 0;
    for (int i = STATUS_AT; i < STATUS_AT + STATUS_DIGITS; i++) {
      if (bytes[i] < '0' || bytes[i] > '9') {
        return 0;
      }
      status = status * 10 + (bytes[i] - '0');
    }
    return status;
  }
}
