package io.headspan.agent.probe.http;

import java.nio.charset.StandardCharsets;

/// Where a message's head ends and what it says about the length of the body (RFC 9112, section
/// 6.3). The bytes come from the network: reading them never fails and looks at each byte a bounded
/// number of times.
///
/// @param headLength bytes up to and with the empty line; -1 if the bytes end before it
/// @param bodyLength value of `Content-Length`; -1 if there is none, or the head is not whole
/// @param chunked whether the body comes in chunks
/// @param valid false if the head contradicts itself: what follows it has no known length
record MessageFraming(int headLength, long bodyLength, boolean chunked, boolean valid) {
  private static final int LENGTH_DIGITS_MAX = 18;
  private static final byte[] CONTENT_LENGTH = ascii("content-length");
  private static final byte[] TRANSFER_ENCODING = ascii("transfer-encoding");
  private static final byte[] CHUNKED = ascii("chunked");

  boolean isWhole() {
    return headLength >= 0;
  }

  /// Reads a head from its first line on; empty lines before it belong to it.
  static MessageFraming read(byte[] bytes) {
    int at = 0;
    while (at < bytes.length && (bytes[at] == '\r' || bytes[at] == '\n')) {
      at++;
    }
    long bodyLength = -1;
    boolean chunked = false;
    boolean coded = false;
    boolean valid = true;
    boolean firstLine = true;
    while (true) {
      int lineEnd = indexOf(bytes, at);
      if (lineEnd < 0) {
        return new MessageFraming(-1, -1, false, valid);
      }
      int end = lineEnd > at && bytes[lineEnd - 1] == '\r' ? lineEnd - 1 : lineEnd;
      if (end == at) {
        break;
      }
      if (!firstLine && startsWith(bytes, at, end, CONTENT_LENGTH)) {
        long length = number(bytes, at + CONTENT_LENGTH.length + 1, end);
        valid &= length >= 0 && (bodyLength < 0 || bodyLength == length);
        bodyLength = length;
      } else if (!firstLine && startsWith(bytes, at, end, TRANSFER_ENCODING)) {
        coded = true;
        chunked = endsWith(bytes, at, end, CHUNKED);
      }
      firstLine = false;
      at = lineEnd + 1;
    }
    int headLength = indexOf(bytes, at) + 1;
    // A coding other than chunked at the end leaves the end of the connection as the only end.
    return new MessageFraming(headLength, coded ? -1 : bodyLength, chunked, valid);
  }

  private static int indexOf(byte[] bytes, int from) {
    for (int i = from; i < bytes.length; i++) {
      if (bytes[i] == '\n') {
        return i;
      }
    }
    return -1;
  }

  /// Whether the line is the header `lowerName`, whatever its case.
  private static boolean startsWith(byte[] bytes, int from, int to, byte[] lowerName) {
    int colon = from + lowerName.length;
    return colon < to && bytes[colon] == ':' && matches(bytes, from, lowerName);
  }

  private static boolean endsWith(byte[] bytes, int from, int to, byte[] lowerText) {
    int end = to;
    while (end > from && isBlank(bytes[end - 1])) {
      end--;
    }
    return end - lowerText.length > from && matches(bytes, end - lowerText.length, lowerText);
  }

  private static boolean matches(byte[] bytes, int from, byte[] lowerText) {
    for (int i = 0; i < lowerText.length; i++) {
      byte b = bytes[from + i];
      if ((b >= 'A' && b <= 'Z' ? b | 0x20 : b) != lowerText[i]) {
        return false;
      }
    }
    return true;
  }

  /// The decimal number between blanks; -1 if it is none. A list of equal numbers, which RFC 9110
  /// section 8.6 lets recipients accept, is none.
  private static long number(byte[] bytes, int from, int to) {
    int at = from;
    int end = to;
    while (at < end && isBlank(bytes[at])) {
      at++;
    }
    while (end > at && isBlank(bytes[end - 1])) {
      end--;
    }
    if (end == at || end - at > LENGTH_DIGITS_MAX) {
      return -1;
    }
    long number = 0;
    for (; at < end; at++) {
      if (bytes[at] < '0' || bytes[at] > '9') {
        return -1;
      }
      number = number * 10 + (bytes[at] - '0');
    }
    return number;
  }

  private static boolean isBlank(byte b) {
    return b == ' ' || b == '\t';
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }
}
